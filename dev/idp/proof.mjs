/**
 * Makes a proof of possession (DPoP, RFC 9449 §4.2), for one request.
 *
 *     node dev/idp/proof.mjs POST http://127.0.0.1:9080/token            to get a token that is bound to the key
 *     node dev/idp/proof.mjs POST http://127.0.0.1:7676/… "$TOKEN"       to use it, once
 *
 * The key is local/dpop-key.json, made when it is first needed. Prints the proof, for a header `DPoP`.
 */
import { createHash, createPrivateKey, generateKeyPairSync, randomUUID, sign } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const FOLDER = fileURLToPath(new URL('../../local', import.meta.url));
const KEY = `${FOLDER}/dpop-key.json`;

function privateKey() {
  if (!existsSync(KEY)) {
    const made = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
    mkdirSync(FOLDER, { recursive: true });
    writeFileSync(KEY, JSON.stringify(made.export({ format: 'jwk' })), { mode: 0o600 });
  }
  return createPrivateKey({ key: JSON.parse(readFileSync(KEY, 'utf8')), format: 'jwk' });
}

/** A proof for one request; with a token, that of who uses it. */
export function proof(method, url, token) {
  const key = privateKey();
  const { crv, kty, x, y } = key.export({ format: 'jwk' });
  const header = { typ: 'dpop+jwt', alg: 'ES256', jwk: { crv, kty, x, y } };
  const claims = { jti: randomUUID(), htm: method, htu: url, iat: Math.floor(Date.now() / 1000) };
  if (token) claims.ath = createHash('sha256').update(token).digest('base64url');
  const content = [header, claims].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.');
  const signature = sign('sha256', Buffer.from(content), { key, dsaEncoding: 'ieee-p1363' });
  return `${content}.${signature.toString('base64url')}`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [method, url, token] = process.argv.slice(2);
  if (!method || !URL.canParse(url)) {
    console.error('usage: node dev/idp/proof.mjs METHOD URL [TOKEN]');
    process.exit(2);
  }
  console.log(proof(method, url, token));
}
