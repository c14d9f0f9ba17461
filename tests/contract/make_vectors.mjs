// Make the public test vectors of the contract between edge and origin: tests/data/contract/*.json.
//
//     node tests/contract/make_vectors.mjs [--check]
//
// Input: the constants here. The keys are fixed and published, so they protect nothing. Output: the keys of two edges and
// two origins, the MAC keys that follow from them with every intermediate value, headers that an origin must accept, and
// headers that it must refuse. `--check` writes nothing and fails if a file differs.
//
// It is an implementation of docs/concepts/identity-header.md of its own, with Node's cryptography: it shares no code with
// the edge (Rust) and the package (Python), whose tests read the vectors.

import { createHash, createHmac, createPrivateKey, createPublicKey, diffieHellman, hkdfSync, sign } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const FOLDER = fileURLToPath(new URL('../data/contract/', import.meta.url))
const NOW = 1_800_000_000
const ISSUER = 'https://edge.example'
const AUDIENCE = 'orders'
const HOST = 'api.example.com'
const REQUEST = { method: 'GET', host: HOST, path: '/orders/7', query: '' }
const BODY = '{"quantity": 1}'
const POST = { method: 'POST' }

const base64url = (octets) => Buffer.from(octets).toString('base64url')
const sha256 = (octets) => createHash('sha256').update(octets).digest()

// Keys: RFC 8037, with thumbprints by RFC 7638 and its §A.3.

const PKCS8 = { Ed25519: '302e020100300506032b657004220420', X25519: '302e020100300506032b656e04220420' }

function keyPair(curve, seed) {
  const octets = sha256(`Fastgate contract, published key: ${seed}`)
  const key = createPrivateKey({ key: Buffer.concat([Buffer.from(PKCS8[curve], 'hex'), octets]), format: 'der', type: 'pkcs8' })
  const { x, d } = key.export({ format: 'jwk' })
  const thumbprint = sha256(JSON.stringify({ crv: curve, kty: 'OKP', x }))
  const use = curve === 'Ed25519' ? { alg: 'EdDSA', use: 'sig' } : { use: 'enc' }
  const jwk = { kty: 'OKP', crv: curve, x, ...use, kid: base64url(thumbprint) }
  return { key, public: createPublicKey(key), thumbprint, kid: jwk.kid, jwk, privateJwk: { ...jwk, d } }
}

const edgeOf = (seed) => ({ signing: keyPair('Ed25519', `${seed} signing`), exchange: keyPair('X25519', `${seed} exchange`) })
const [EDGE, OLD_EDGE, STRANGER] = ['edge', 'old edge', 'stranger'].map(edgeOf)
const ORIGIN = keyPair('X25519', 'orders')
const OLD_ORIGIN = keyPair('X25519', 'orders, old')
const BILLING = keyPair('X25519', 'billing')

// The MAC key of an edge and an origin: HKDF-SHA-256 (RFC 5869) of X25519 (RFC 7748).

function macKey(edge, origin, audience = AUDIENCE) {
  const shared = diffieHellman({ privateKey: edge.exchange.key, publicKey: origin.public })
  const label = Buffer.from('Fastgate-Identity 2 HS256\0', 'ascii')
  const info = Buffer.concat([label, edge.exchange.thumbprint, origin.thumbprint, Buffer.from(audience)])
  const key = Buffer.from(hkdfSync('sha256', shared, Buffer.alloc(0), info, 32))
  return { kid: `${edge.exchange.kid}.${origin.kid}`, audience, shared, info, key }
}

// Signatures: JWS in compact form (RFC 7515 §7.1).

const encoded = (part) => base64url(typeof part === 'string' || Buffer.isBuffer(part) ? part : JSON.stringify(part))
const without = (members) => Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined))
const signingInput = (header, claims) => `${encoded(header)}.${encoded(claims)}`

const publicHeader = (edge, changes) =>
  without({ alg: 'EdDSA', typ: 'txntoken+jwt', kid: edge.signing.kid, ver: 2, ...changes })
const macHeader = (mac, changes) => without({ alg: 'HS256', typ: 'txntoken+jwt', kid: mac.kid, ver: 2, ...changes })

const signed = (edge, input) => `${input}.${base64url(sign(null, Buffer.from(input), edge.signing.key))}`
const maced = (key, input) => `${input}.${base64url(createHmac('sha256', key).update(input).digest())}`

const bySignature = (claims, changes = {}, edge = EDGE) => signed(edge, signingInput(publicHeader(edge, changes), claims))
const byMac = (claims, changes = {}, mac = macKey(EDGE, ORIGIN)) =>
  maced(mac.key, signingInput(macHeader(mac, changes), claims))

// Claims.

function payload(changes = {}) {
  const good = {
    iss: ISSUER, aud: AUDIENCE, iat: NOW, exp: NOW + 30, txn: '0b2f3c9e5d7a41f88e6c1d2b3a495867', req_wl: ISSUER,
    sub: 'ada', scope: 'orders:read orders:write', tctx: tctx(),
    rctx: { iss: 'https://idp.example', client_id: 'shop', country: 'DE' }
  }
  return without({ ...good, ...changes })
}

function tctx(changes = {}) {
  const good = { route: 'read_order', template: '/orders/{order_id}', method: 'GET', host: HOST, path: '/orders/7' }
  return without({ ...good, ...changes })
}

const anonymous = () => payload({ sub: undefined, scope: '', rctx: {} })
const query = (text) => tctx({ query: base64url(sha256(text)) })
const digest = (body) => `sha-256=:${sha256(body).toString('base64')}:`
const content = (body) => tctx({ ...POST, content_digest: digest(body) })
const ending = (at) => ({ iss: 'https://idp.example', client_id: 'shop', token_exp: at })

// `rctx` of a caller. `raw` puts numbers into JSON as they are written: JavaScript rounds them.
const known = (members) => payload({ rctx: without({ iss: 'https://idp.example', client_id: 'shop', ...members }) })
const raw = (claims, digits) => JSON.stringify(claims).replace('"NUMBER"', digits)
// A header for a response that several callers share: `callers` have this in common, and nothing else is in it.
const shared = (callers, rctx = {}, changes = {}) => payload({ sub: undefined, scope: '', tctx: tctx({ shared: callers }), rctx, ...changes })
const ofIdp = (members = {}) => ({ iss: 'https://idp.example', ...members })
const CERTIFICATE = base64url(sha256('a client certificate'))
const EVERY_TYPE = {
  text: 'Ada Løvelace 🦊', empty: '', small: -7, real: 1.5, large: 9007199254740991, yes: true, no: false, absent: null, list: ['a', 1, [], null],
  object: { id: 'acme', inner: { tags: [] } }, 'a name with "quotes" and spaces': 1, sub: 'root', iss: 'https://other.example'
}

const vector = (name, header, request = {}) => ({ name, header, request: { ...REQUEST, ...request } })

const CLIENT = {
  country: 'US', subdivision: 'US-CA', continent: 'NA', asn: 4294967295, connection: 'satellite', proxy: 'transparent'
}

/** Headers that an origin must accept, by either signature. */
function accepted() {
  const rows = [
    ['a known caller', payload()],
    ['an anonymous caller', anonymous()],
    ['an anonymous caller from a country', { ...anonymous(), rctx: { country: 'DE' } }],
    ["the end of the caller's token", payload({ rctx: ending(NOW + 600) })],
    ['a token that ended within its leeway', payload({ rctx: ending(NOW - 20) })],
    ['a caller without scopes', payload({ scope: '' })],
    ['a query', payload({ tctx: query('a=%31&a=2') }), { query: 'a=%31&a=2' }],
    ['an encoded path', payload({ tctx: tctx({ path: '/orders/caf%C3%A9' }) }), { path: '/orders/caf%C3%A9' }],
    ['a host with a port', payload({ tctx: tctx({ host: 'localhost:7676' }) }), { host: 'localhost:7676' }],
    ['an IPv6 host', payload({ tctx: tctx({ host: '[::1]:8000' }) }), { host: '[::1]:8000' }],
    ['a POST', payload({ tctx: tctx(POST) }), POST],
    ['a WebSocket', payload({ tctx: tctx({ websocket: true }) }), { websocket: true }],
    ['a request to a model', payload({ tctx: tctx({ ...POST, inference: { model: 'vendor/large', alias: 'large', more: 1 } }) }), POST],
    ['a call of a tool', payload({ tctx: tctx({ ...POST, mcp: { method: 'tools/call', name: 'get_order', more: 1 } }) }), POST],
    ['a list of tools', payload({ tctx: tctx({ ...POST, mcp: { method: 'tools/list' } }) }), POST],
    ['a request to a model with budgets', payload({ tctx: tctx({ ...POST, inference: { model: 'small', remaining: { daily: 0, team: 1e12 } } }) }), POST],
    ['a request to a model by its own name', payload({ tctx: tctx({ ...POST, inference: { model: 'small' } }) }), POST],
    ['a minute long', payload({ exp: NOW + 60 })],
    ['expired within the leeway', payload({ iat: NOW - 30, exp: NOW })],
    ['issued within the leeway to come', payload({ iat: NOW + 5, exp: NOW + 35 })],
    ['an unknown claim', payload({ shoe_size: 42 })],
    ['an unknown header member', payload(), {}, { nonce: 'x' }],
    ['a subject that is not ASCII', payload({ sub: 'Ada Løvelace 🦊' })],
    ['a signed body', payload({ tctx: content(BODY) }), { ...POST, body: BODY }],
    ['a signed body of no bytes', payload({ tctx: content('') }), { ...POST, body: '' }],
    ['roles', known({ roles: ['admin', 'Ørdre', 'with space'] })],
    ['groups', known({ groups: ['staff'] })],
    ['a caller without groups', known({ groups: [] })],
    ['a tenant', known({ tenant: 'acme' })],
    ['claims of every JSON type', known({ claims: EVERY_TYPE })],
    ['the greatest integer in a claim', raw(known({ claims: { number: 'NUMBER' } }), '18446744073709551615')],
    ['the least integer in a claim', raw(known({ claims: { number: 'NUMBER' } }), '-9223372036854775808')],
    ['a claim 32 levels deep', raw(known({ claims: { deep: 'NUMBER' } }), '['.repeat(32) + ']'.repeat(32))],
    ['a token bound to a key', known({ cnf: { jkt: EDGE.signing.kid } })],
    ['a token bound to a certificate', known({ cnf: { 'x5t#S256': CERTIFICATE } })],
    ['an unknown member of cnf beside a known one', known({ cnf: { jkt: EDGE.signing.kid, osc: {} } })],
    ['how and when the caller signed in', known({ auth_time: NOW - 90, acr: 'urn:example:mfa', sid: '08a5019c-17e1-4977-8f42-65a12843ea02' })],
    ['everything that is known of a client', known(CLIENT)],
    ['an anonymous caller and everything that is known of the client', { ...anonymous(), rctx: CLIENT }],
    ['a region', known({ region: 'eu' })],
    ['a region and an anonymous caller', { ...anonymous(), rctx: { region: 'eu' } }],
    ['a region and a response for all callers', shared([], { region: 'eu' })],
    ['an unknown member of rctx', known({ shoe_size: null })],
    ['a response for all callers', shared([])],
    ['a response for all callers with a scope', shared([], {}, { scope: 'orders:read' })],
    ['a response for the callers of one tenant', shared(['tenant'], ofIdp({ tenant: 'acme' }), { scope: 'orders:read' })],
    ['a response for an anonymous caller, who has no tenant', shared(['tenant'])],
    ['a response for one caller', shared(['caller'], ofIdp(), { sub: 'ada' })],
    ['a response for callers with the same roles, groups and claims', shared(
      ['roles', 'groups', 'claim:plan', 'claim:/org/id'], ofIdp({ roles: ['admin'], groups: [], claims: { plan: 'gold', '/org/id': null } })
    )],
    ['a response for an anonymous caller, who has no groups and claims', shared(['groups', 'claim:plan'])],
    ['a response for callers with the same claim, under two names', shared(['claim:plan'], ofIdp({ claims: { plan: 'gold', tier: 'gold' } }))],
    ['a response for callers with something unknown in common', shared(['shoe_size'], ofIdp())],
    ['a shared response of a model', shared(['tenant'], ofIdp({ tenant: 'acme' }), { tctx: { ...content(BODY), shared: ['tenant'], inference: { model: 'small' } } }), { ...POST, body: BODY }],
    ['a shared response to HEAD', shared([], {}, { tctx: tctx({ method: 'HEAD', shared: [] }) }), { method: 'HEAD' }]
  ]
  return [
    ...rows.map(([name, claims, request, header]) => vector(name, bySignature(claims, header), request)),
    ...rows.map(([name, claims, request, header]) => vector(`${name}, by MAC`, byMac(claims, header), request)),
    vector('signed by the older of two published keys', bySignature(payload(), {}, OLD_EDGE)),
    vector("by MAC with the edge's older key", byMac(payload(), {}, macKey(OLD_EDGE, ORIGIN))),
    vector("by MAC with the origin's older key", byMac(payload(), {}, macKey(EDGE, OLD_ORIGIN)))
  ]
}

/** The claims that no origin may accept, whatever signs them: by code, a name and the claims. */
const REFUSED_CLAIMS = {
  'token-malformed': [
    ['a claim twice', JSON.stringify(payload()).replace(/}$/, ',"sub":"root"}')],
    ['an array for a payload', []],
    ['a byte order mark', Buffer.from('\ufeff{}')],
    ['a payload that is not UTF-8', Buffer.from([0x7b, 0xff, 0x7d])],
    ['a lone surrogate', JSON.stringify(payload({ sub: 'X' })).replace('"X"', '"\\ud800"')],
    ['a number without an end', JSON.stringify(payload({ exp: 'X' })).replace('"X"', '1e999')],
    ['NaN', JSON.stringify(payload({ exp: 'X' })).replace('"X"', 'NaN')]
  ],
  'claim-malformed': [
    ['no exp', payload({ exp: undefined })],
    ['no iat', payload({ iat: undefined })],
    ['exp in quotes', payload({ exp: String(NOW + 30) })],
    ['exp with a fraction', payload({ exp: NOW + 30.5 })],
    ['exp true', payload({ exp: true })],
    ['no aud', payload({ aud: undefined })],
    ['aud is a list', payload({ aud: [AUDIENCE] })],
    ['no iss', payload({ iss: undefined })],
    ['no txn', payload({ txn: undefined })],
    ['no req_wl', payload({ req_wl: undefined })],
    ['no scope', payload({ scope: undefined })],
    ['scope null', payload({ scope: null })],
    ['sub null', payload({ sub: null })],
    ['a subject without an issuer', payload({ rctx: {} })],
    ['an issuer without a subject', payload({ sub: undefined, scope: '' })],
    ['scopes of an anonymous caller', payload({ sub: undefined, rctx: {} })],
    ['scopes with two spaces', payload({ scope: 'a  b' })],
    ['no tctx', payload({ tctx: undefined })],
    ['no rctx', payload({ rctx: undefined })],
    ['no tctx.template', payload({ tctx: tctx({ template: undefined }) })],
    ['no tctx.path', payload({ tctx: tctx({ path: undefined }) })],
    ['no tctx.method', payload({ tctx: tctx({ method: undefined }) })],
    ['no tctx.host', payload({ tctx: tctx({ host: undefined }) })],
    ['an empty tctx.host', payload({ tctx: tctx({ host: '' }) })],
    ['a country in lower case', payload({ rctx: { iss: 'https://idp.example', country: 'de' } })],
    ...Object.entries({
      roles: { text: 'admin', null: null, empty: [], 'a number in a list': [1], 'a list in a list': [['admin']], 'an object': {} },
      groups: { text: 'staff', null: null, 'null in a list': [null], 'an object': {}, true: true },
      tenant: { empty: '', null: null, 'a list': ['acme'], 'a number': 1 },
      claims: { 'a list': ['shop'], null: null, text: 'shop', empty: {} },
      cnf: {
        text: EDGE.signing.kid, null: null, empty: {}, 'an object without a known member': { jwk: EDGE.signing.jwk },
        'an empty jkt': { jkt: '' }, 'jkt null': { jkt: null }, 'jkt with padding': { jkt: `${EDGE.signing.kid}=` },
        'a short certificate thumbprint': { 'x5t#S256': CERTIFICATE.slice(1) },
        'one good and one malformed member': { jkt: EDGE.signing.kid, 'x5t#S256': 1 }
      },
      auth_time: { text: String(NOW), null: null, negative: -1, 'a fraction': NOW + 0.5, true: true },
      acr: { empty: '', null: null, 'a number': 1, 'a list': ['mfa'] },
      sid: { empty: '', null: null, 'a number': 1 },
      region: { empty: '', null: null, 'a list': ['eu'], 'a number': 1 },
      subdivision: { 'in lower case': 'us-ca', 'without a country': 'CA', null: null, 'too long': 'US-CALI' },
      continent: { 'in lower case': 'eu', unknown: 'XX', null: null },
      asn: { negative: -1, zero: 0, 'greater than 32 bits': 4294967296, text: '64500', null: null, true: true },
      connection: { 'in upper case': 'WIFI', unknown: 'pigeon', null: null },
      proxy: { unknown: 'none', null: null, true: true }
    }).flatMap(([member, values]) =>
      Object.entries(values).map(([what, value]) => [`rctx.${member} is ${what}`, known({ [member]: value })])),
    ...Object.entries({
      roles: ['admin'], groups: [], tenant: 'acme', claims: { shop: null }, cnf: { jkt: EDGE.signing.kid }, auth_time: NOW, acr: 'mfa',
      sid: 'x', token_exp: NOW
    }).map(([member, value]) => [`rctx.${member} of an anonymous caller`, { ...anonymous(), rctx: { [member]: value } }]),
    ...Object.entries({ text: 'tenant', null: null, 'an object': {}, 'a number in a list': [1], 'an empty text in a list': [''], true: true })
      .map(([what, value]) => [`tctx.shared is ${what}`, shared(value)]),
    ['a shared response to a POST', shared([], {}, { tctx: tctx({ ...POST, shared: [] }) })],
    ['a shared response of a model without a signed body', shared([], {}, { tctx: tctx({ ...POST, shared: [], inference: { model: 'small' } }) })],
    ['a shared response of a model with what is left of a budget', shared([], {}, { tctx: { ...content(''), shared: [], inference: { model: 'small', remaining: { daily: 1 } } } })],
    ['a shared response to a signed POST that is for no model', shared([], {}, { tctx: { ...content(''), shared: [] } })],
    ['a shared response to a WebSocket', shared([], {}, { tctx: tctx({ websocket: true, shared: [] }) })],
    ['a known caller of a response for all callers', shared([], ofIdp())],
    ['a subject of a response for all callers', shared([], {}, { sub: 'ada' })],
    ['a subject of a response for a tenant', shared(['tenant'], ofIdp({ tenant: 'acme' }), { sub: 'ada' })],
    ['no subject of a response for one caller', shared(['caller'], ofIdp())],
    ['a subject without an issuer, of a response for one caller', shared(['caller'], {}, { sub: 'ada' })],
    ['scopes of an anonymous caller of a response for a tenant', shared(['tenant'], {}, { scope: 'a' })],
    ...Object.entries({
      roles: ['admin'], groups: [], claims: { plan: 1 }, cnf: { jkt: EDGE.signing.kid }, auth_time: NOW, acr: 'mfa', sid: 'x',
      token_exp: NOW, ...CLIENT
    }).map(([member, value]) => [`rctx.${member} is not what the callers share`, shared(['tenant'], ofIdp({ [member]: value }))]),
    ['rctx.groups is absent, though the callers share it', shared(['groups'], ofIdp())],
    ['rctx.claims is absent, though the callers share one', shared(['claim:plan'], ofIdp())],
    ['rctx.claims is without one that the callers share', shared(['claim:plan', 'claim:org'], ofIdp({ claims: { plan: 'gold' } }))],
    ...Object.entries({
      'null': null, 'a text': 'small', 'a list': ['small'], 'empty': {}, 'without a model': { alias: 'large' }, 'with an empty model': { model: '' },
      'with a number': { model: 1 }, 'with an empty alias': { model: 'a', alias: '' }, 'with null': { model: 'a', alias: null },
      'with null for what is left': { model: 'a', remaining: null }, 'with a list of what is left': { model: 'a', remaining: [1] },
      'with less than nothing': { model: 'a', remaining: { daily: -1 } }, 'with a fraction': { model: 'a', remaining: { daily: 0.5 } },
      'with units as text': { model: 'a', remaining: { daily: '1' } }, 'with true': { model: 'a', remaining: { daily: true } }
    }).map(([what, value]) => [`tctx.inference is ${what}`, payload({ tctx: tctx({ inference: value }) })]),
    ...Object.entries({
      'null': null, 'a text': 'ping', 'a list': ['ping'], 'empty': {}, 'without a method': { name: 'get_order' }, 'with an empty method': { method: '' },
      'with a number': { method: 1 }, 'with an empty name': { method: 'tools/call', name: '' }, 'with null': { method: 'tools/call', name: null }
    }).map(([what, value]) => [`tctx.mcp is ${what}`, payload({ tctx: tctx({ mcp: value }) })]),
    ['a WebSocket that is false', payload({ tctx: tctx({ websocket: false }) })],
    ['a WebSocket in quotes', payload({ tctx: tctx({ websocket: 'true' }) })],
    ['a WebSocket as a number', payload({ tctx: tctx({ websocket: 1 }) })],
    ['a content digest by SHA-512', payload({ tctx: tctx({ content_digest: `sha-512=:${'A'.repeat(86)}==:` }) })],
    ['a content digest without colons', payload({ tctx: tctx({ content_digest: 'x' }) })],
    ['two content digests', payload({ tctx: tctx({ content_digest: `${digest('')}, ${digest('')}` }) })]
  ],
  'issuer-mismatch': [['another edge', payload({ iss: 'https://other.example', req_wl: 'https://other.example' })]],
  'audience-mismatch': [['another origin', payload({ aud: 'billing' })]],
  'lifetime-refused': [
    ['61 seconds', payload({ exp: NOW + 61 })],
    ['no time at all', payload({ exp: NOW })]
  ],
  expired: [['expired beyond the leeway', payload({ iat: NOW - 35, exp: NOW - 5 })]],
  'not-yet-valid': [['from the future', payload({ iat: NOW + 6, exp: NOW + 36 })]],
  'host-mismatch': [
    ['another host', payload({ tctx: tctx({ host: 'admin.example.com' }) })],
    ['the host in upper case', payload({ tctx: tctx({ host: 'API.example.com' }) })],
    ['the host with a port', payload({ tctx: tctx({ host: `${HOST}:443` }) })],
    ['the host with a dot at its end', payload({ tctx: tctx({ host: `${HOST}.` }) })]
  ],
  'method-mismatch': [
    ['another method', payload({ tctx: tctx(POST) })],
    ['the method in lower case', payload({ tctx: tctx({ method: 'get' }) })],
    ['a WebSocket for a GET', payload({ tctx: tctx({ websocket: true }) })],
    ['a GET for a WebSocket', payload(), { websocket: true }]
  ],
  'path-mismatch': [
    ['another path', payload({ tctx: tctx({ path: '/orders/8' }) })],
    ['another spelling', payload({ tctx: tctx({ path: '/orders/%37' }) })]
  ],
  'query-mismatch': [
    ['a query that is not there', payload({ tctx: query('a=1') })],
    ['a query that was not signed', payload(), { query: 'a=1' }],
    ['a digest of no query', payload({ tctx: query('') })]
  ],
  'content-mismatch': [
    ['another body', payload({ tctx: content(BODY) }), { ...POST, body: BODY.replace('1', '9') }],
    ['a longer body', payload({ tctx: content(BODY) }), { ...POST, body: `${BODY} ` }],
    ['no body', payload({ tctx: content(BODY) }), { ...POST, body: '' }]
  ]
}

/** JOSE headers that no origin may accept, whatever signs them: by code, a name and the changed members. */
const REFUSED_HEADERS = {
  'type-refused': [
    ['typ JWT', { typ: 'JWT' }],
    ['typ at+jwt', { typ: 'at+jwt' }],
    ['typ null', { typ: null }],
    ['no typ', { typ: undefined }]
  ],
  'critical-refused': [
    ['crit', { crit: ['exp'] }],
    ['an empty crit', { crit: [] }],
    ['b64', { b64: true }]
  ],
  'version-refused': [
    ['version 1', { ver: 1 }],
    ['version 3', { ver: 3 }],
    ['no version', { ver: undefined }],
    ['a version in quotes', { ver: '2' }],
    ['a version that is true', { ver: true }],
    ['a version with a fraction', { ver: 2.5 }]
  ],
  'key-unknown': [
    ['kid null', { kid: null }],
    ['kid empty', { kid: '' }],
    ['no kid', { kid: undefined }],
    ['a kid with a space', { kid: ' ' }]
  ],
  'algorithm-refused': [
    ['alg none', { alg: 'none' }],
    ['alg ES256', { alg: 'ES256' }],
    ['alg RS256', { alg: 'RS256' }],
    ['alg Ed25519', { alg: 'Ed25519' }],
    ['alg HS512', { alg: 'HS512' }],
    ['alg in lower case', { alg: 'eddsa' }],
    ['alg in a list', { alg: ['EdDSA', 'HS256'] }],
    ['no alg', { alg: undefined }]
  ]
}

/** Tokens that no key makes right: by code, a name and the token. */
function refusedTokens() {
  const good = bySignature(payload())
  const [head, body, signature] = good.split('.')
  const octets = Buffer.from(signature, 'base64url')
  const mac = macKey(EDGE, ORIGIN)
  const goodMac = byMac(payload())
  const [macHead, macBody, macSignature] = goodMac.split('.')
  const input = `${macHead}.${macBody}`
  const root = encoded(payload({ sub: 'root' }))
  const asMac = signingInput(publicHeader(EDGE, { alg: 'HS256' }), payload())
  const float = encoded(JSON.stringify(publicHeader(EDGE)).replace('"ver":2', '"ver":2.0'))
  return {
    'token-malformed': [
      ['no token', 'forged'],
      ['two parts', `${head}.${body}`],
      ['four parts', `${good}.${signature}`],
      ['padding', `${good}==`],
      ['two tokens', `${good}, ${good}`],
      ['a space before it', ` ${good}`],
      ['a last character with unused bits', `${head}.${body}.${spelledOtherwise(signature)}`],
      ['a header that is no object', signed(EDGE, `${encoded('"EdDSA"')}.${body}`)],
      ['a header member twice', signed(EDGE, `${encoded(JSON.stringify(publicHeader(EDGE)).replace(/}$/, ',"alg":"none"}'))}.${body}`)],
      ['a MAC with padding', `${goodMac}=`]
    ],
    'header-too-long': [['8193 bytes', 'x'.repeat(8193)]],
    'version-refused': [['version 2.0', signed(EDGE, `${float}.${body}`)]],
    'algorithm-refused': [
      ['alg none without a signature', `${signingInput(publicHeader(EDGE, { alg: 'none' }), payload())}.`],
      ["a MAC under alg EdDSA and the key's kid", byMac(payload(), { alg: 'EdDSA' })],
      ["a signature under alg HS256 and the signing key's kid", bySignature(payload(), { alg: 'HS256' })],
      ...Object.entries(publicSpellings(EDGE.signing)).map(([name, secret]) => [`alg HS256 by ${name}`, maced(secret, asMac)])
    ],
    'key-unknown': [
      ["a stranger's key", bySignature(payload(), {}, STRANGER)],
      ["a stranger's key that it contains", bySignature(payload(), { jwk: STRANGER.signing.jwk }, STRANGER)],
      ["a MAC of a stranger's edge", byMac(payload(), {}, macKey(STRANGER, ORIGIN))],
      ['a MAC for another origin', byMac(payload(), {}, macKey(EDGE, BILLING))],
      ["the edge's thumbprint alone", byMac(payload(), { kid: EDGE.exchange.kid })],
      ["the origin's thumbprint alone", byMac(payload(), { kid: ORIGIN.kid })],
      ['the thumbprints in the other order', byMac(payload(), { kid: `${ORIGIN.kid}.${EDGE.exchange.kid}` })]
    ],
    'signature-invalid': [
      ["a stranger's key under the edge's kid", bySignature(payload(), { kid: EDGE.signing.kid }, STRANGER)],
      ["another published key's kid", bySignature(payload(), { kid: EDGE.signing.kid }, OLD_EDGE)],
      ['a changed payload', `${head}.${root}.${signature}`],
      ['a signature of zeros', `${head}.${body}.${base64url(Buffer.alloc(64))}`],
      ['no signature', `${head}.${body}.`],
      ['a shorter signature', `${head}.${body}.${base64url(octets.subarray(0, 63))}`],
      ['a longer signature', `${head}.${body}.${base64url(Buffer.concat([octets, Buffer.from([0])]))}`],
      ['S that is not reduced (RFC 8032 §8.4)', `${head}.${body}.${base64url(malleable(octets))}`],
      ['R of small order', `${head}.${body}.${base64url(Buffer.concat([Buffer.from([1]), Buffer.alloc(31), octets.subarray(32)]))}`],
      ['a MAC of the other audience', byMac(payload(), { kid: mac.kid }, macKey(EDGE, ORIGIN, 'billing'))],
      ['a MAC of another origin', byMac(payload(), { kid: mac.kid }, macKey(EDGE, BILLING))],
      ["a MAC of the edge's other key", byMac(payload(), { kid: mac.kid }, macKey(OLD_EDGE, ORIGIN))],
      ['a signature under alg HS256', signed(EDGE, input)],
      ['a changed payload, by MAC', `${macHead}.${root}.${macSignature}`],
      ['a MAC of zeros', `${input}.${base64url(Buffer.alloc(32))}`],
      ['no MAC', `${input}.`],
      ['half a MAC', `${input}.${base64url(Buffer.from(macSignature, 'base64url').subarray(0, 16))}`],
      ['a longer MAC', `${input}.${base64url(Buffer.concat([Buffer.from(macSignature, 'base64url'), Buffer.from('x')]))}`],
      ...Object.entries({
        ...publicSpellings(ORIGIN), 'an empty key': Buffer.alloc(0), 'the shared secret itself': mac.shared,
        'the key in base64url': Buffer.from(base64url(mac.key)), "the key's first half": mac.key.subarray(0, 16)
      }).map(([name, secret]) => [`a MAC keyed with ${name}`, maced(secret, input)])
    ]
  }
}

/** A public key in the forms that could be mistaken for a secret. */
function publicSpellings(pair) {
  const pem = pair.public.export({ format: 'pem', type: 'spki' })
  return {
    'the public key as PEM': Buffer.from(pem),
    'the public key as PEM without its last newline': Buffer.from(pem.trimEnd()),
    'the public key as DER': pair.public.export({ format: 'der', type: 'spki' }),
    'the public key as JWK': Buffer.from(JSON.stringify(pair.jwk)),
    "the public key's x": Buffer.from(pair.jwk.x, 'base64url'),
    "the public key's x in base64url": Buffer.from(pair.jwk.x),
    'the kid': Buffer.from(pair.kid)
  }
}

/** The same signature with S + L in place of S, which verifies unless S is compared with L. */
function malleable(signature) {
  const order = 2n ** 252n + 27742317777372353535851937790883648493n
  const number = (octets) => BigInt(`0x${Buffer.from(octets).reverse().toString('hex')}`)
  const octets = (number) => Buffer.from(number.toString(16).padStart(64, '0'), 'hex').reverse()
  return Buffer.concat([signature.subarray(0, 32), octets(number(signature.subarray(32)) + order)])
}

/** The same octets in base64url with another last character, whose unused bits are not zero. */
function spelledOtherwise(text) {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
  return text.slice(0, -1) + alphabet[alphabet.indexOf(text.at(-1)) + 1]
}

/** Headers that an origin must refuse, each with the code of its cause. */
function refused() {
  const rows = []
  for (const [code, claims] of Object.entries(REFUSED_CLAIMS)) {
    for (const [name, payload, request] of claims) {
      rows.push({ ...vector(name, bySignature(payload), request), code })
      rows.push({ ...vector(`${name}, by MAC`, byMac(payload), request), code })
    }
  }
  for (const [code, headers] of Object.entries(REFUSED_HEADERS)) {
    for (const [name, changes] of headers) {
      rows.push({ ...vector(name, bySignature(payload(), changes)), code })
      rows.push({ ...vector(`${name}, by MAC`, byMac(payload(), changes)), code })
    }
  }
  for (const [code, tokens] of Object.entries(refusedTokens())) {
    rows.push(...tokens.map(([name, token]) => ({ ...vector(name, token), code })))
  }
  return rows
}

function macKeys() {
  const pairs = [[EDGE, ORIGIN, 'orders'], [OLD_EDGE, ORIGIN, 'orders'], [EDGE, OLD_ORIGIN, 'orders'], [EDGE, BILLING, 'billing'], [EDGE, BILLING, 'bïlling']]
  return pairs.map(([edge, origin, audience]) => {
    const { kid, shared, info, key } = macKey(edge, origin, audience)
    const hex = (octets) => octets.toString('hex')
    return { kid, audience, edge: edge.exchange.jwk, origin: origin.privateJwk, shared_secret: hex(shared), info: hex(info), key: hex(key) }
  })
}

const halves = (form) => [EDGE, OLD_EDGE].flatMap((edge) => [edge.signing[form], edge.exchange[form]])
const common = { issuer: ISSUER, audience: AUDIENCE, now: NOW, leeway: 5 }
const FILES = {
  'signing-keys.json': { keys: halves('privateJwk') },
  'jwks.json': { keys: halves('jwk') },
  'origin-key.json': { keys: [ORIGIN.privateJwk, OLD_ORIGIN.privateJwk] },
  'mac-keys.json': { keys: macKeys() },
  'accepted.json': { ...common, vectors: accepted() },
  'refused.json': { ...common, vectors: refused() }
}

mkdirSync(FOLDER, { recursive: true })
const texts = Object.entries(FILES).map(([name, document]) => [name, `${JSON.stringify(document, null, 2)}\n`])
if (process.argv.includes('--check')) {
  const stale = texts.filter(([name, text]) => readFileSync(FOLDER + name, 'utf8') !== text).map(([name]) => name)
  if (stale.length > 0) {
    console.error(`${stale.join(', ')}: run \`node tests/contract/make_vectors.mjs\``)
    process.exit(1)
  }
} else {
  texts.forEach(([name, text]) => writeFileSync(FOLDER + name, text))
}
