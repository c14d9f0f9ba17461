//! Step 6, *mint*: what the origin is told, signed. In goes a [`Permit`], out comes a [`Grant`]: the request as it is to
//! be forwarded, with `Fastgate-Identity` on it. The contract with the origin is `docs/identity-header.md`.

mod signing_keys;

use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;

pub use signing_keys::{SigningKeys, SigningKeysError, TOKEN_TYPE, new_signing_keys};

use crate::answer::AnswerFields;
use crate::authorize::Permit;
use crate::headers::{Headers, IDENTITY};
use crate::identity::binding::Binding;
use crate::identity::dpop::Nonces;
use crate::identity::{Caller, Identity};
use crate::policy::Edge;
use crate::request::Target;
use crate::surroundings::{Connection, Continent, Fact, Proxy, Surroundings};
use crate::time::UnixTime;

/// The most bytes that request line and fields may have when they reach the origin: uvicorn with h11 reads no more than
/// 16 KiB (`h11_max_incomplete_event_size`).
pub const MAX_FORWARDED_HEAD_BYTES: usize = 16_000;

/// The longest identity header that an origin reads, in bytes.
pub const MAX_IDENTITY_BYTES: usize = 8192;

/// The claims of `Fastgate-Identity` beyond `iss`, `aud`, `iat`, `exp` and `sub`.
#[derive(Clone, Debug, Serialize)]
pub struct EdgeClaims<'request> {
    /// The request id.
    txn: &'request str,
    /// The caller's scopes, separated by single spaces.
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<String>,
    tctx: Transaction<'request>,
    rctx: Requester<'request>,
}

/// What is being done.
#[derive(Clone, Debug, Serialize)]
struct Transaction<'request> {
    route: &'request str,
    template: &'request str,
    method: &'request str,
    path: &'request str,
    #[serde(skip_serializing_if = "Option::is_none")]
    query: Option<String>,
}

/// By whom, and from where.
#[derive(Clone, Debug, Serialize)]
struct Requester<'request> {
    #[serde(skip_serializing_if = "Option::is_none")]
    iss: Option<&'request str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_id: Option<&'request str>,
    /// What the caller's token is bound to, and the caller has shown to hold.
    #[serde(skip_serializing_if = "Option::is_none")]
    cnf: Option<&'request Binding>,
    #[serde(skip_serializing_if = "Option::is_none")]
    country: Option<&'request str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    subdivision: Option<&'request str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    continent: Option<Continent>,
    #[serde(skip_serializing_if = "Option::is_none")]
    asn: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    connection: Option<Connection>,
    #[serde(skip_serializing_if = "Option::is_none")]
    proxy: Option<Proxy>,
}

/// A request that may be forwarded, in the form in which it is forwarded. Only [`Minter::mint`] makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    backend: String,
    method: String,
    authority: String,
    path_and_query: String,
    headers: Headers,
    answer: AnswerFields,
    max_body: Option<u64>,
}

impl Grant {
    /// The backend to which it goes.
    #[must_use]
    pub fn backend(&self) -> &str {
        &self.backend
    }

    /// The method.
    #[must_use]
    pub fn method(&self) -> &str {
        &self.method
    }

    /// Scheme and host, `https://api.example.com`.
    #[must_use]
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// The canonical path, and the query behind a `?` where there is one: the bytes that were judged and signed.
    #[must_use]
    pub fn path_and_query(&self) -> &str {
        &self.path_and_query
    }

    /// What the answer gets besides what the origin says.
    #[must_use]
    pub const fn answer(&self) -> &AnswerFields {
        &self.answer
    }

    pub(crate) fn answered_with(mut self, answer: AnswerFields) -> Self {
        self.answer = answer;
        self
    }

    /// The longest body that is sent on, in bytes.
    #[must_use]
    pub const fn max_body(&self) -> Option<u64> {
        self.max_body
    }

    /// Every field that the origin receives, `Host` among them; the platform adds what frames the body.
    #[must_use]
    pub const fn headers(&self) -> &Headers {
        &self.headers
    }
}

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
    #[must_use]
    pub fn published_keys(&self) -> String {
        self.keys.published()
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
    pub fn mint(
        &self,
        edge: &Edge,
        permit: &Permit<'_>,
        target: &Target,
        surroundings: &Surroundings,
        now: UnixTime,
        request_id: &str,
    ) -> Result<Grant, MintError> {
        let route = permit.route();
        let identity = match permit.caller() {
            Caller::Anonymous => None,
            Caller::Known(identity) => Some(identity),
        };
        let claims = EdgeClaims {
            txn: request_id,
            scope: identity.map(|identity| identity.scopes().join(" ")).filter(|scope| !scope.is_empty()),
            tctx: Transaction {
                route: &route.id,
                template: route.template_at_origin().as_str(),
                method: target.method(),
                path: target.path().encoded(),
                query: query_digest(target.query()),
            },
            rctx: Requester {
                iss: identity.map(Identity::issuer),
                client_id: identity.and_then(Identity::client_id),
                cnf: identity.and_then(Identity::binding),
                country: surroundings.country.as_deref(),
                subdivision: surroundings.subdivision.as_deref().filter(|_| route.judges(Fact::Subdivision)),
                continent: surroundings.continent.filter(|_| route.judges(Fact::Continent)),
                asn: surroundings.asn.filter(|_| route.judges(Fact::Asn)),
                connection: surroundings.connection.filter(|_| route.judges(Fact::Connection)),
                proxy: surroundings.proxy.filter(|_| route.judges(Fact::Proxy)),
            },
        };
        let audience = &route.origin.audience;
        let subject = identity.map(Identity::subject);
        let token = self
            .keys
            .sign(&edge.issuer, audience, subject, now, edge.identity_lifetime, claims)
            .map_err(|_| MintError::SigningFailed)?;
        if token.len() > MAX_IDENTITY_BYTES {
            return Err(MintError::IdentityTooLong { bytes: token.len() });
        }

        let mut headers = target.headers().clone();
        headers.append("host", target.host());
        headers.append("x-forwarded-host", target.host());
        headers.append("x-forwarded-proto", target.scheme());
        if let Some(client) = target.client() {
            headers.append("x-forwarded-for", client_text(client));
        }
        headers.append("x-request-id", request_id);
        if route.forward_token && identity.is_some() {
            for value in target.authorization() {
                headers.append("authorization", value.expose().clone());
            }
        }
        headers.append(IDENTITY, token);

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
            max_body: route.accepts.max_body.filter(|_| !route.accepts.shadow),
        })
    }
}

/// base64url of SHA-256 of the query's bytes; nothing for no query.
fn query_digest(query: &str) -> Option<String> {
    (!query.is_empty()).then(|| URL_SAFE_NO_PAD.encode(hmac_sha256::Hash::hash(query.as_bytes())))
}

/// An address as text; IPv4 in IPv6 clothes as IPv4.
fn client_text(address: IpAddr) -> String {
    address.to_canonical().to_string()
}
