/**
 * Who can get a token from the development identity providers, and what it says of them. Every client's secret is its
 * id + `-secret`; the claims are written into its access tokens as they stand here. To add a client, with scopes of
 * your own API, add a line here and restart the provider.
 */

// `openid` means nothing to an API. Who has it has no scope there: oidc-provider reads an absent or empty scope as "no
// restriction".
export const NO_SCOPE = 'openid';

/** The shop's own provider, at `/`. */
export const CLIENTS = {
  'demo-reader': { scope: 'orders:read' },
  'demo-writer': { scope: 'orders:read orders:write' },
  'demo-guest': { scope: NO_SCOPE },
  'demo-es256': { scope: 'orders:read', alg: 'ES256' },
  // Keeps the shop "lumen", and pays for exports.
  'demo-keeper': {
    scope: 'orders:read',
    claims: { shop: 'lumen', plan: 'team', features: ['export'], weight: 2 },
  },
  // Keeps two shops, and pays for exports.
  'demo-chain': {
    scope: 'orders:read',
    claims: {
      shops: ['lumen', 'ember'],
      plan: 'enterprise',
      features: ['export'],
      account: { suspended: false },
    },
  },
  // Kept the shop "lumen", and did not pay.
  'demo-suspended': { scope: NO_SCOPE, claims: { shop: 'lumen', account: { suspended: true } } },
  // Works for us.
  'demo-staff': { scope: 'orders:read orders:write', claims: { groups: ['staff'] } },
  // The edge itself, when it asks about opaque tokens.
  'demo-edge': { scope: NO_SCOPE },
};

/** The provider of a partner, at `/partners`. */
export const PARTNER_CLIENTS = {
  'partner-buyer': { scope: NO_SCOPE, claims: { roles: ['buyer'] } },
  'partner-intern': { scope: NO_SCOPE },
};
