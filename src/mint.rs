//! Step 11, *mint*: what the origin is told, signed. In goes a [`Permit`](crate::authorize::Permit), out comes a [`Grant`]: the request as it is to
//! be forwarded, with `Fastgate-Identity` on it. The contract with the origin is `docs/identity-header.md`.

mod claims;
mod edge_key;
mod grant;
mod signing_keys;

use std::net::IpAddr;

pub use claims::{About, EdgeClaims};
pub use edge_key::TOKEN_TYPE;
pub use grant::Grant;
pub use signing_keys::{SigningKeys, SigningKeysError, new_signing_keys};

use crate::answer::AnswerFields;
use crate::content::CONTENT_DIGEST;
use crate::headers::{Headers, IDENTITY, SUBPROTOCOL};
use crate::identity::Caller;
use crate::identity::dpop::Nonces;

/// The most bytes that request line and fields may have when they reach the origin: uvicorn with h11 reads no more than
/// 16 KiB (`h11_max_incomplete_event_size`).
pub const MAX_FORWARDED_HEAD_BYTES: usize = 16_000;

/// The longest identity header that an origin reads, in bytes.
pub const MAX_IDENTITY_BYTES: usize = 8192;

/// Why nothing was minted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MintError {
    /// The identity header is longer than origins read; a token with very many scopes does that.
    #[error("the identity header would be {bytes} bytes long")]
    IdentityTooLong {
        /// Its length.
        bytes: usize,
    },
    /// The head would be longer than servers read.
    #[error("the forwarded head would be {bytes} bytes long")]
    HeadTooLong {
        /// Its length.
        bytes: usize,
    },
    /// The signature could not be made.
    #[error("the identity header could not be signed")]
    SigningFailed,
}

impl MintError {
    /// The code for logs, metrics and tests.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::IdentityTooLong { .. } => "identity-too-long",
            Self::HeadTooLong { .. } => "head-too-long",
            Self::SigningFailed => "signing-failed",
        }
    }
}

/// Signs on behalf of this edge.
#[derive(Debug)]
pub struct Minter {
    keys: SigningKeys,
}

impl Minter {
    /// A minter that signs with the first of `keys`.
    #[must_use]
    pub const fn new(keys: SigningKeys) -> Self {
        Self { keys }
    }

    /// The public halves of the keys, as a JWK Set.
    ///
    /// # Errors
    /// [`MintError::SigningFailed`] where one of them is no pair.
    pub fn published_keys(&self) -> Result<String, MintError> {
        self.keys.published().ok_or(MintError::SigningFailed)
    }

    /// The nonces for proofs of possession that the keys make.
    #[must_use]
    pub const fn nonces(&self) -> &Nonces {
        self.keys.nonces()
    }

    /// Turns a permit into the request that is forwarded.
    ///
    /// # Errors
    /// A [`MintError`] where the head gets too long or cannot be signed.
    pub fn mint(&self, about: &About<'_>) -> Result<Grant, MintError> {
        let (route, target) = (about.permit.route(), about.target);
        let token = self.keys.sign(&route.origin, &EdgeClaims::of(about)).ok_or(MintError::SigningFailed)?;
        if token.len() > MAX_IDENTITY_BYTES {
            return Err(MintError::IdentityTooLong { bytes: token.len() });
        }

        let headers = forwarded_fields(about, token);
        let path = target.path().encoded();
        let path_and_query = match target.query() {
            "" => path.to_owned(),
            query => format!("{path}?{query}"),
        };
        let bytes = headers.wire_size() + target.method().len() + path_and_query.len() + "  HTTP/1.1\r\n\r\n".len();
        if bytes > MAX_FORWARDED_HEAD_BYTES {
            return Err(MintError::HeadTooLong { bytes });
        }
        Ok(Grant {
            backend: route.origin.backend.clone(),
            method: target.method().to_owned(),
            authority: format!("{}://{}", target.scheme(), target.host()),
            path_and_query,
            headers,
            answer: AnswerFields::default(),
            // A body that is signed was measured when it was hashed.
            max_body: route.accepts.longest_body().filter(|_| !route.sign_body),
            opens_websocket: route.websocket,
        })
    }
}

/// The client's fields, and in front of the origin's eyes those that only the edge may set.
fn forwarded_fields(about: &About<'_>, token: String) -> Headers {
    let &About { permit, target, content, request_id, .. } = about;
    let mut headers = match content {
        None => target.headers().clone(),
        Some(_) => target.headers().iter().filter(|(name, _)| *name != CONTENT_DIGEST).collect(),
    };
    headers.append("host", target.host());
    headers.append("x-forwarded-host", target.host());
    headers.append("x-forwarded-proto", target.scheme());
    if let Some(client) = target.client() {
        headers.append("x-forwarded-for", client_text(client));
    }
    headers.append("x-request-id", request_id);
    if target.token_in_subprotocol() {
        headers.append(SUBPROTOCOL, "bearer");
    }
    if permit.route().forward_token && *permit.caller() != Caller::Anonymous {
        for value in target.authorization() {
            headers.append("authorization", value.expose().clone());
        }
    }
    if let Some(content) = content {
        headers.append(CONTENT_DIGEST, content.as_str());
    }
    headers.append(IDENTITY, token);
    headers
}

/// An address as text; IPv4 in IPv6 clothes as IPv4.
fn client_text(address: IpAddr) -> String {
    address.to_canonical().to_string()
}
