//! Step *mint*: signs the identity header. Input: [`MintInput`], the evidence of every step before. Output: a [`Grant`],
//! the request as it is forwarded, with the field `Fastgate-Identity`. The contract with the origin is
//! `docs/concepts/identity-header.md`.

mod again;
mod claims;
mod error;
mod exchange_key;
mod forwarded;
mod grant;
mod jws;
mod key_record;
mod mac;
mod okp;
pub mod rotation;
mod signing_key;
mod signing_keys;

use std::sync::Arc;

pub use claims::{EdgeClaims, MintInput};
pub use error::MintError;
pub use grant::Grant;
pub use jws::{HEADER_VERSION, TOKEN_TYPE};
pub use key_record::{Curve, KeyRecord, KeyRecordError, KeyState, RecordedKey};
use mac::MacKeys;
pub use signing_keys::{KeyText, SecretKeys, SigningKeys, SigningKeysError, new_edge_key, new_signing_keys};

use crate::backend::Candidates;
use crate::caching::{Tags, has_body, shared_by};
use crate::content::{CONTENT_DIGEST, is_held};
use crate::headers::{Headers, IDENTITY, SUBPROTOCOL};
use crate::identity::Caller;
use crate::identity::dpop::Nonces;
use crate::mcp_session::{SESSION_ID, SessionKeys};
use crate::policy::Origin;
use crate::response::ResponseFields;

/// The greatest length in bytes of the request line and fields that are sent to the origin: uvicorn with h11 reads no
/// more than 16 KiB (`h11_max_incomplete_event_size`).
pub const MAX_FORWARDED_HEAD_BYTES: usize = 16_000;

/// The longest identity header that an origin reads, in bytes.
pub const MAX_IDENTITY_BYTES: usize = 8192;

/// Signs on behalf of this edge. `Debug` prints no key.
pub struct Minter {
    keys: SigningKeys,
    mac_keys: MacKeys,
}

impl std::fmt::Debug for Minter {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Minter([redacted])")
    }
}

impl Minter {
    /// A minter for these origins. It signs with the first Ed25519 key of `keys`; for origins with a key of their own it
    /// derives MAC keys with the first X25519 key.
    #[must_use]
    pub fn new<'policy>(keys: SigningKeys, origins: impl IntoIterator<Item = &'policy Origin>) -> Self {
        Self { keys, mac_keys: MacKeys::of(origins) }
    }

    /// The public halves of the keys, as a JWK Set.
    ///
    /// # Errors
    /// [`MintError::SigningFailed`] if the halves of a key do not belong together.
    pub fn published_keys(&self) -> Result<String, MintError> {
        self.keys.published().ok_or(MintError::SigningFailed)
    }

    /// The nonces for proofs of possession that the keys make.
    #[must_use]
    pub const fn nonces(&self) -> &Nonces {
        self.keys.nonces()
    }

    /// The keys for sessions of MCP.
    #[must_use]
    pub const fn sessions(&self) -> &SessionKeys {
        self.keys.sessions()
    }

    /// Signs the identity header and makes the request that is forwarded.
    ///
    /// # Errors
    /// A [`MintError`] if the head gets too long or the header cannot be signed.
    pub fn mint(&self, input: &MintInput<'_>, candidates: Candidates) -> Result<Grant, MintError> {
        let (route, target, received) = (input.cleared.route(), input.target, input.target.received());
        let claims = EdgeClaims::of(input, candidates.current())?;
        let payload = serde_json::to_vec(&claims).map_err(|_| MintError::SigningFailed)?;
        let token = self.sign(input.origin, &payload)?;
        if token.len() > MAX_IDENTITY_BYTES {
            let (part, of_part) = claims.longest_part();
            return Err(MintError::IdentityTooLong { bytes: token.len(), part: part.to_owned(), of_part });
        }

        let headers = forwarded_fields(input, token);
        let path = target.path().encoded();
        let path_and_query = match received.query() {
            "" => path.to_owned(),
            query => format!("{path}?{query}"),
        };
        let bytes = headers.wire_size() + received.method().len() + path_and_query.len() + "  HTTP/1.1\r\n\r\n".len();
        if bytes > MAX_FORWARDED_HEAD_BYTES {
            return Err(MintError::HeadTooLong { bytes });
        }
        Ok(Grant {
            origin: Arc::clone(input.origin),
            candidates,
            method: received.method().to_owned(),
            authority: format!("{}://{}", received.scheme(), received.host()),
            path_and_query,
            headers,
            response: ResponseFields::default(),
            // A signed body was measured when it was hashed.
            max_body: route.accepts.longest_body().filter(|_| !route.sign_body),
            timeout: route.timeout,
            opens_websocket: route.websocket,
            tells_health: !route.websocket && is_held(received.content()),
            tags: Tags::of(input.origin),
            invalidates: None,
            storage: None,
            inference: route.inference.clone(),
            charge: input.reserved.charge().cloned().map(Box::new),
            hides_usage: input.body.admission().is_some_and(|admission| admission.adds_usage),
            mcp: route.mcp.is_some().then(|| input.body.id().clone()),
            lists: input.body.lists().cloned().map(Box::new),
        })
    }

    /// By `EdDSA`, or by `HS256` if the origin has a key.
    fn sign(&self, origin: &Origin, claims: &[u8]) -> Result<String, MintError> {
        match &origin.key {
            None => self.keys.signing().and_then(|key| key.sign(claims)).ok_or(MintError::SigningFailed),
            Some(theirs) => {
                let none = || MintError::NoExchangeKey { audience: origin.audience.clone() };
                let ours = self.keys.exchange().ok_or_else(none)?;
                self.mac_keys.sign(ours, theirs, &origin.audience, claims).ok_or(MintError::SigningFailed)
            }
        }
    }
}

/// The client's fields, and those that only the edge may set.
fn forwarded_fields(input: &MintInput<'_>, token: String) -> Headers {
    let &MintInput { cleared, target, body, session, client, request_id, .. } = input;
    let received = target.received();
    let shared = shared_by(cleared.route(), target, body);
    // What the response cost is read from it as it passes, and lists in it are filtered.
    let reads_usage = cleared.route().inference.as_ref().is_some_and(|inference| inference.spending.reads_usage());
    let reads_response = reads_usage || body.lists().is_some();
    let mut headers: Headers = match (body.digest(), shared) {
        (_, Some(rule)) => {
            let is_set = |name: &str| cleared.route().request_fields.set.all(name).next().is_some();
            let has_body = has_body(received.content());
            let is_replaced = |name: &str| reads_response && name == "accept-encoding";
            let is_forwarded = |name: &str| rule.forwards(name, has_body) || is_set(name);
            target.headers().iter().filter(|(name, _)| is_forwarded(name) && !is_replaced(name)).collect()
        }
        (None, None) if !reads_response => target.headers().clone(),
        (digest, None) => {
            let is_replaced = |name: &str| match name {
                CONTENT_DIGEST => digest.is_some(),
                "accept-encoding" => reads_response,
                _ => false,
            };
            target.headers().iter().filter(|(name, _)| !is_replaced(name)).collect()
        }
    };
    if reads_response {
        headers.append("accept-encoding", "identity");
    }
    if let Some(session) = session {
        headers = headers.iter().filter(|(name, _)| *name != SESSION_ID).collect();
        if let Some(id) = session.id() {
            headers.append(SESSION_ID, id);
        }
    }
    headers.append("host", received.host());
    headers.append("x-forwarded-host", received.host());
    headers.append("x-forwarded-proto", received.scheme());
    if let Some(address) = client.address_text().filter(|_| shared.is_none()) {
        headers.append("x-forwarded-for", address);
    }
    headers.append("x-request-id", request_id);
    if received.token_in_subprotocol() {
        headers.append(SUBPROTOCOL, "bearer");
    }
    if cleared.route().forward_token && *cleared.caller() != Caller::Anonymous {
        for value in received.authorization() {
            headers.append("authorization", value.expose().clone());
        }
    }
    if let Some(digest) = body.digest() {
        headers.append(CONTENT_DIGEST, digest.as_str());
    }
    headers.append(IDENTITY, token);
    headers
}
