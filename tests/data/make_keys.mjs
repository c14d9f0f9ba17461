// Makes the keys of the core tests anew: `node tests/data/make_keys.mjs`. They protect nothing and are committed,
// because making RSA keys takes longer than all the tests that use them.
//
// One file a key, a private JWK (RFC 7517) whose `kid` is the file's name.
import { generateKeyPairSync } from "node:crypto";
import { writeFileSync } from "node:fs";

const rsa = (modulusLength) => ["rsa", { modulusLength }, "RS256"];
const ec = ["ec", { namedCurve: "P-256" }, "ES256"];

for (const [kid, [type, options, alg]] of Object.entries({
  "alpha-rsa": rsa(2048), // the issuer "alpha"
  "alpha-ec": ec,
  "beta-rsa": rsa(2048), // the issuer "beta"
  "beta-ec": ec,
  "short-rsa": rsa(1024), // too short to be trusted
  "edge-one": ec, // the edge itself
  "edge-two": ec,
})) {
  const jwk = generateKeyPairSync(type, options).privateKey.export({ format: "jwk" });
  const file = new URL(`keys/${kid}.json`, import.meta.url);
  writeFileSync(file, JSON.stringify({ kid, alg, use: "sig", ...jwk }, null, 2) + "\n");
}
