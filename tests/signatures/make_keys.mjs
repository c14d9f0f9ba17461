// Makes the RSA keys of these tests anew: `node tests/signatures/make_keys.mjs`. They protect nothing and are committed,
// because making them takes longer than the tests.
//
// One file a key, a private JWK (RFC 7517). 2049 bits, since EMSA-PSS then has one octet less than the modulus.
import { generateKeyPairSync } from "node:crypto";
import { writeFileSync } from "node:fs";

for (const modulusLength of [2048, 2049, 3072, 4096]) {
  const jwk = generateKeyPairSync("rsa", { modulusLength }).privateKey.export({ format: "jwk" });
  writeFileSync(new URL(`keys/rsa-${modulusLength}.json`, import.meta.url), JSON.stringify(jwk, null, 2) + "\n");
}
