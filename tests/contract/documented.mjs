// Run the verifier that docs/concepts/identity-header.md shows against the test vectors.
//
//     node tests/contract/documented.mjs
//
// Input: the code blocks of the page, and tests/data/contract/. Output: exit code 0, or the vectors that it judges otherwise.
// jose is installed for the development provider (dev/idp).

import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))
const read = (name) => JSON.parse(readFileSync(`${ROOT}tests/data/contract/${name}`, 'utf8'))

// What a JSON or base64url library accepts, and the edge never signs.
const LENIENT = new Set([
  'a claim twice', 'a claim twice, by MAC', 'a lone surrogate', 'a lone surrogate, by MAC', 'padding', 'a MAC with padding',
  'a last character with unused bits', 'a header member twice', 'version 2.0'
])
// Claims that the verifier does not read, or reads as every sensible reader would.
const UNREAD = new RegExp([
  /country|token_exp|content digest|scopes with two spaces|a WebSocket that is false/,
  /^rctx\.(roles|groups|tenant|claims|cnf|auth_time|acr|sid|subdivision|continent|asn|connection|proxy) (is|of) /
].map(({ source }) => source).join('|'))

mkdirSync(`${ROOT}target/tmp`, { recursive: true })
const folder = mkdtempSync(`${ROOT}target/tmp/contract-`)
try {
  const page = readFileSync(`${ROOT}docs/concepts/identity-header.md`, 'utf8')
  const blocks = [...page.matchAll(/^```js\n(.*?)^```/gms)].map((match) => match[1])
  writeFileSync(`${folder}/verifier.mjs`, blocks.join('\n'))
  symlinkSync(`${ROOT}dev/idp/node_modules`, `${folder}/node_modules`)
  const { verifyIdentity, macKey, withMacKeys } = await import(`${folder}/verifier.mjs`)
  writeFileSync(`${folder}/jose.mjs`, "export { createLocalJWKSet } from 'jose'")
  const { createLocalJWKSet } = await import(`${folder}/jose.mjs`)

  const wrong = []
  for (const { kid, audience, edge, origin, key } of read('mac-keys.json').keys) {
    const derived = macKey(edge, origin, audience)
    if (derived.kid !== kid || Buffer.from(derived.key).toString('hex') !== key) wrong.push(`the MAC key for ${audience}`)
  }
  const { issuer, audience, now, leeway, vectors } = read('accepted.json')
  const published = read('jwks.json')
  const edges = published.keys.filter(({ crv }) => crv === 'X25519')
  const pairs = edges.flatMap((edge) => read('origin-key.json').keys.map((own) => macKey(edge, own, audience)))
  const macKeys = new Map(pairs.map(({ kid, key }) => [kid, key]))
  const keys = withMacKeys(macKeys, createLocalJWKSet(published))
  const accepts = ({ header, request }) =>
    verifyIdentity(header, request, { keys, issuer, audience, leeway, now: new Date(now * 1000) }).then(() => true, (error) => error)

  for (const vector of vectors) {
    const outcome = await accepts(vector)
    if (outcome !== true) wrong.push(`${vector.name}: refused, ${outcome.message}`)
  }
  let lenient = 0
  for (const vector of read('refused.json').vectors) {
    if ((await accepts(vector)) !== true) continue
    const expected = LENIENT.has(vector.name) || UNREAD.test(vector.name) || vector.code === 'header-too-long'
    expected ? lenient++ : wrong.push(`${vector.name}: accepted, should be ${vector.code}`)
  }
  if (wrong.length > 0 || vectors.length < 40) {
    console.error(wrong.join('\n'))
    process.exitCode = 1
  } else {
    console.log(`${vectors.length} accepted, the others refused except for ${lenient} with claims that it does not read, or that only a strict parser refuses`)
  }
} finally {
  rmSync(folder, { recursive: true })
}
