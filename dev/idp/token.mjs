/**
 * Asks the development identity provider for an access token of one of the clients of clients.mjs, and prints it.
 *
 *     node dev/idp/token.mjs demo-reader             all that the client may have
 *     node dev/idp/token.mjs demo-staff --bound      bound to the key of proof.mjs (RFC 9449)
 */
import { CLIENTS, PARTNER_CLIENTS } from './clients.mjs';
import { proof } from './proof.mjs';

const [client, option] = process.argv.slice(2);
const { scope } = CLIENTS[client] ?? PARTNER_CLIENTS[client] ?? {};
if (!scope || ![undefined, '--bound'].includes(option)) {
  const known = [...Object.keys(CLIENTS), ...Object.keys(PARTNER_CLIENTS)].join(' ');
  console.error(`usage: node dev/idp/token.mjs CLIENT [--bound]\nclients: ${known}`);
  process.exit(2);
}

const url = `http://127.0.0.1:9080${client in PARTNER_CLIENTS ? '/partners' : ''}/token`;
const answer = await fetch(url, {
  method: 'POST',
  headers: {
    authorization: `Basic ${btoa(`${client}:${client}-secret`)}`,
    ...(option && { dpop: proof('POST', url) }),
  },
  body: new URLSearchParams({ grant_type: 'client_credentials', scope }),
}).catch(({ cause }) => {
  console.error(`no provider at ${url}: ${cause?.message}; start one: \`make demo\` or \`node dev/idp/provider.mjs\``);
  process.exit(1);
});
const { access_token: token, ...error } = await answer.json();
if (!token) {
  console.error(error);
  process.exit(1);
}
console.log(token);
