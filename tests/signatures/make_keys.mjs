// Makes the RSA keys of these tests anew: `node tests/signatures/make_keys.mjs`. They protect nothing and are committed,
// because making them takes longer than the tests.
//
// One file a key, a private JWK (RFC 7517). 2049 bits, since EMSA-PSS then has one octet less than the modulus; OpenSSL
// makes 2048 of them, so that key is made by hand and has nothing but `n`, `e` and `d`.
import { generateKeyPairSync, generatePrimeSync } from "node:crypto";
import { writeFileSync } from "node:fs";

const keep = (bits, jwk) =>
  writeFileSync(new URL(`keys/rsa-${bits}.json`, import.meta.url), JSON.stringify(jwk, null, 2) + "\n");

for (const modulusLength of [2048, 3072, 4096]) {
  keep(modulusLength, generateKeyPairSync("rsa", { modulusLength }).privateKey.export({ format: "jwk" }));
}

const base64url = (number) => {
  const hex = number.toString(16);
  return Buffer.from(hex.padStart(hex.length + (hex.length % 2), "0"), "hex").toString("base64url");
};
const inverse = (number, modulus) => {
  let [a, b, x, y] = [number % modulus, modulus, 1n, 0n];
  while (b) [a, b, x, y] = [b, a % b, y, x - (a / b) * y];
  return a === 1n ? ((x % modulus) + modulus) % modulus : undefined;
};

for (;;) {
  const [p, q] = [1025, 1024].map((bits) => generatePrimeSync(bits, { bigint: true }));
  const d = inverse(65537n, (p - 1n) * (q - 1n));
  if ((p * q).toString(2).length === 2049 && d) {
    keep(2049, { kty: "RSA", n: base64url(p * q), e: "AQAB", d: base64url(d) });
    break;
  }
}
