/**
 * The development identity providers: the npm package `oidc-provider`, configured, twice in one process.
 *
 *     node dev/idp/provider.mjs [--port 9080] [--exit-with-stdin]
 *
 * They issue access tokens to the clients of clients.mjs, with the client credentials grant: JWTs (RFC 9068), bound to
 * a key where the request brings a proof of it (RFC 9449; proof.mjs makes some), and opaque ones for one resource, about
 * which they can be asked (RFC 7662) at /token/introspection. A partner's provider, with keys and clients of its own, is
 * below /partners. Secrets are in these files and keys live as long as the process: for development only.
 * When it listens, it prints one line of JSON on stdout, `{"issuer": "http://127.0.0.1:PORT"}`,
 * for the program that started it. Everything else goes to stderr.
 */
import { generateKeyPairSync } from 'node:crypto';
import { createServer } from 'node:http';
import { parseArgs } from 'node:util';

import { errors, Provider } from 'oidc-provider';

import { CLIENTS, NO_SCOPE, PARTNER_CLIENTS } from './clients.mjs';

const API = 'https://api.fastgate.example';
const OTHER = 'https://other.fastgate.example'; // for tests: tokens that are good, but not for us
const OPAQUE = 'https://opaque.fastgate.example';
// Every scope of a client is one of the API, so a new client needs no change here.
const API_SCOPES = [
  ...new Set(Object.values({ ...CLIENTS, ...PARTNER_CLIENTS }).flatMap(({ scope }) => scope.split(' '))),
].filter((scope) => scope !== NO_SCOPE);
const TOKEN_SECONDS = 600;

const PARTNERS = '/partners';

function client([id, { scope }]) {
  return {
    client_id: id,
    client_secret: `${id}-secret`,
    token_endpoint_auth_method: 'client_secret_basic',
    grant_types: ['client_credentials'],
    response_types: [],
    redirect_uris: [],
    scope,
  };
}

// Keys are new at every start and oidc-provider names each by its RFC 7638 thumbprint, so a
// verifier that still has the keys of an earlier run sees an unknown `kid`, not a bad signature.
function signingKeys() {
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const jwk = ({ privateKey }, alg) => ({ ...privateKey.export({ format: 'jwk' }), alg, use: 'sig' });
  return { keys: [jwk(rsa, 'RS256'), jwk(ec, 'ES256')] };
}

// RFC 8707: the resource that is asked for becomes the token's audience.
function resourceServer(resource, alg) {
  if (![API, OTHER, OPAQUE].includes(resource)) throw new errors.InvalidTarget();
  const api = {
    audience: resource,
    scope: API_SCOPES.join(' '), // what the API knows; what a client may have is the client's scope
  };
  if (resource === OPAQUE) return { ...api, accessTokenFormat: 'opaque' };
  return { ...api, accessTokenFormat: 'jwt', jwt: { sign: { alg } } };
}

function provider(issuer, clients) {
  const idp = new Provider(issuer, {
    clients: Object.entries(clients).map(client),
    jwks: signingKeys(),
    scopes: [NO_SCOPE, ...API_SCOPES],
    ttl: { ClientCredentials: TOKEN_SECONDS },
    extraTokenClaims: (_ctx, token) => clients[token.clientId].claims,
    features: {
      clientCredentials: { enabled: true },
      devInteractions: { enabled: false },
      dPoP: { enabled: true },
      introspection: { enabled: true },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => API, // so that a bare `curl -d grant_type=…` gets a usable token
        getResourceServerInfo: (_ctx, resource, { clientId }) =>
          resourceServer(resource, clients[clientId].alg ?? 'RS256'),
      },
    },
  });
  idp.on('server_error', (_ctx, error) => console.error(error));
  return idp.callback();
}

/** Both providers behind one port. */
function providers(issuer) {
  const own = provider(issuer, CLIENTS);
  const partners = provider(issuer + PARTNERS, PARTNER_CLIENTS);
  return (request, response) => {
    if (!request.url.startsWith(`${PARTNERS}/`)) return own(request, response);
    request.originalUrl = request.url; // from the two, oidc-provider tells where it is mounted
    request.url = request.url.slice(PARTNERS.length);
    return partners(request, response);
  };
}

function fail(message) {
  console.error(`idp: ${message}`);
  process.exit(1);
}

function commandLine() {
  try {
    const { values } = parseArgs({
      options: {
        port: { type: 'string', default: '9080' },
        'exit-with-stdin': { type: 'boolean', default: false },
      },
    });
    const port = Number(values.port);
    if (!/^\d+$/.test(values.port) || port > 65535) throw new Error(`not a port: ${values.port}`);
    return { port, exitWithStdin: values['exit-with-stdin'] };
  } catch (error) {
    return fail(error.message);
  }
}

console.info = console.error; // oidc-provider's notices; stdout has one line only

const { port, exitWithStdin } = commandLine();
const server = createServer();

server.on('error', (error) => {
  if (error.code === 'EADDRINUSE') fail(`port ${port} is in use; \`lsof -i :${port}\` tells by what`);
  fail(error.message);
});

server.listen(port, '127.0.0.1', () => {
  // Only now is the port known (0 asks for any), and the issuer contains it.
  const issuer = `http://127.0.0.1:${server.address().port}`;
  server.on('request', providers(issuer));
  console.log(JSON.stringify({ issuer }));
});

const stop = () => process.exit(0); // nothing here is worth saving
process.on('SIGINT', stop);
process.on('SIGTERM', stop);
// A parent that dies, however it dies, closes the pipe: tests need no clean-up.
if (exitWithStdin) process.stdin.on('end', stop).on('error', stop).resume();
