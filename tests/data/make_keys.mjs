// Makes the keys of the core tests anew: `node tests/data/make_keys.mjs`. They protect nothing and are committed,
// because making RSA keys takes longer than all the tests that use them.
//
// One file a key, a private JWK (RFC 7517) whose `kid` is the file's name; that of an OKP key is its thumbprint.
import { createHash, generateKeyPairSync } from "node:crypto";
import { writeFileSync } from "node:fs";

const rsa = (modulusLength) => ["rsa", { modulusLength }, "RS256"];
const ec = ["ec", { namedCurve: "P-256" }, "ES256"];

for (const [kid, [type, options, alg]] of Object.entries({
  "alpha-rsa": rsa(2048), // the issuer "alpha"
  "alpha-ec": ec,
  "beta-rsa": rsa(2048), // the issuer "beta"
  "beta-ec": ec,
  "short-rsa": rsa(1024), // too short to be trusted
})) {
  const jwk = generateKeyPairSync(type, options).privateKey.export({ format: "jwk" });
  const file = new URL(`keys/${kid}.json`, import.meta.url);
  writeFileSync(file, JSON.stringify({ kid, alg, use: "sig", ...jwk }, null, 2) + "\n");
}

const ed25519 = ["ed25519", { alg: "EdDSA", use: "sig" }];
const x25519 = ["x25519", { use: "enc" }];

for (const [name, [type, members]] of Object.entries({
  "edge-one": ed25519, // the edge itself
  "edge-two": ed25519,
  "edge-exchange-one": x25519,
  "edge-exchange-two": x25519,
  "app-exchange": x25519, // the origins "app" and "files"
  "files-exchange": x25519,
})) {
  const { crv, d, kty, x } = generateKeyPairSync(type).privateKey.export({ format: "jwk" });
  const kid = createHash("sha256").update(JSON.stringify({ crv, kty, x })).digest("base64url"); // RFC 7638
  const file = new URL(`keys/${name}.json`, import.meta.url);
  writeFileSync(file, JSON.stringify({ kty, crv, ...members, kid, x, d }, null, 2) + "\n");
}
