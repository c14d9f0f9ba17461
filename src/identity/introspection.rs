//! Opaque tokens. Input: a token that is not a JWT, and an [`Introspector`]. Output: [`VerifiedClaims`]. The issuer
//! returns the claims (RFC 7662), and they are checked like those of a signed token. A token of three parts separated
//! by dots is a JWT and is never introspected.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::sync::Arc;

use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use super::cache::Lru;
use super::claims::Claims;
use super::token::{self, VerifiedClaims};
use super::token_error::TokenError;
use crate::digest::add_parts;
use crate::policy::{Introspection, Issuer, IssuerId, Policy};
use crate::secret::Secret;
use crate::strict_json;
use crate::time::{Seconds, UnixTime};

/// The longest response that is read, in bytes.
pub const MAX_RESPONSE_BYTES: usize = 16 * 1024;
/// How long a response about an inactive token may be used; never longer than the window.
const INACTIVE_LIFETIME: Seconds = Seconds::new(5);

/// The port to introspection endpoints.
pub trait Introspector {
    /// The response of `issuer` about `token`, at most a window old: a JSON object.
    ///
    /// # Errors
    /// [`IntrospectionUnavailable`] if there is none; the caller then gets 503, not 401.
    fn ask(
        &mut self,
        issuer: &Issuer,
        introspection: &Introspection,
        token: &Secret<&str>,
    ) -> Result<Vec<u8>, IntrospectionUnavailable>;
}

/// An introspection endpoint gave no usable response.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("issuer \"{issuer}\" cannot introspect a token: {cause}")]
pub struct IntrospectionUnavailable {
    /// The policy's id of the issuer.
    pub issuer: IssuerId,
    /// The cause, for the log.
    pub cause: String,
}

/// Why an opaque token is not accepted, besides the [`TokenError`]s of all tokens.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IntrospectionError {
    /// The issuer reports that the token is not active (RFC 7662 §2.2): unknown, expired, revoked, or not for this
    /// client.
    #[error("the token's issuer reports that it is not active")]
    Inactive,
    /// Its issuer gave no usable response.
    #[error(transparent)]
    Unavailable(#[from] IntrospectionUnavailable),
}

impl IntrospectionError {
    /// The code for logs, metrics and tests.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Inactive => "token-inactive",
            Self::Unavailable(_) => "introspection-unavailable",
        }
    }
}

/// A body is not an introspection response.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the response is not a JSON object with a member \"active\" that is true or false")]
pub struct MalformedResponse;

/// The issuer and the endpoint for `token`; `None` for a JWT, or if the policy has no introspection endpoint.
pub(super) fn endpoint<'policy>(
    policy: &'policy Policy,
    token: &Secret<&str>,
) -> Option<(&'policy Arc<Issuer>, &'policy Introspection)> {
    if token.expose().bytes().filter(|byte| *byte == b'.').count() == 2 {
        return None;
    }
    policy.introspection()
}

/// Introspects `token` and returns its claims, unchecked.
///
/// # Errors
/// An [`IntrospectionError`] if the token is not active, or if there is no usable response.
pub(super) fn active_claims(
    issuer: &Issuer,
    introspection: &Introspection,
    token: &Secret<&str>,
    introspector: &mut dyn Introspector,
) -> Result<Map<String, Value>, IntrospectionError> {
    let response = introspector.ask(issuer, introspection, token)?;
    let unusable =
        |error: MalformedResponse| IntrospectionUnavailable { issuer: issuer.id.clone(), cause: error.to_string() };
    active(&response).map_err(unusable)?.ok_or(IntrospectionError::Inactive)
}

/// Checks the claims that the issuer returned, like those of a signed token.
///
/// # Errors
/// The first [`TokenError`] found.
pub(super) fn checked(
    claims: Map<String, Value>,
    issuer: &Issuer,
    now: UnixTime,
) -> Result<VerifiedClaims, TokenError> {
    check_kind(&claims)?;
    token::check_introspected(Claims::new(completed(claims, issuer)?), issuer, now)
}

/// How long a response may be used: for `window`, but never past `exp` (a fraction of a second is cut off). If the
/// token is not active, or `exp` is not a date, it is five seconds at most.
///
/// # Errors
/// [`MalformedResponse`]: such a response is never used.
pub fn keep_for(response: &[u8], window: Seconds, now: UnixTime) -> Result<Seconds, MalformedResponse> {
    let Some(claims) = active(response)? else { return Ok(window.min(INACTIVE_LIFETIME)) };
    Ok(match Claims::new(claims).time("exp") {
        Ok(None) => window,
        Ok(Some(expires)) => window.min(expires.since(now)),
        Err(_) => window.min(INACTIVE_LIFETIME),
    })
}

/// The members of a response about an active token; `None` if the token is not active.
fn active(response: &[u8]) -> Result<Option<Map<String, Value>>, MalformedResponse> {
    let members = strict_json::parse_object(response).map_err(|_| MalformedResponse)?;
    match members.get("active").and_then(Value::as_bool) {
        Some(true) => Ok(Some(members)),
        Some(false) => Ok(None),
        None => Err(MalformedResponse),
    }
}

/// Refuses a response that is not about an access token. An endpoint may introspect refresh tokens as well (RFC 7009
/// §2.1 and RFC 7662 §2.1 take the same hint), and some introspect ID tokens. `token_use`, if present, must be
/// `access_token` or `access`. `token_type`, if present (RFC 7662 §2.2; case-insensitive, RFC 6749 §5.1), must be
/// `Bearer`, `DPoP`, or `N_A` (RFC 8693 §2.2.1). A token of the type `DPoP` must be bound to a key (RFC 9449 §6.2).
fn check_kind(response: &Map<String, Value>) -> Result<(), TokenError> {
    let text = |claim: &'static str| match response.get(claim) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.as_str())),
        Some(_) => Err(TokenError::ClaimMalformed { claim }),
    };
    let other_kind = |claim: &str| Err(TokenError::OtherKind { claim: claim.to_owned() });
    if text("token_use")?.is_some_and(|token_use| !["access_token", "access"].contains(&token_use)) {
        return other_kind("token_use");
    }
    let Some(given) = text("token_type")? else { return Ok(()) };
    if !["Bearer", "DPoP", "N_A"].iter().any(|known| known.eq_ignore_ascii_case(given)) {
        return other_kind("token_type");
    }
    let is_bound = response.get("cnf").and_then(|binding| binding.get("jkt")).is_some_and(Value::is_string);
    if given.eq_ignore_ascii_case("DPoP") && !is_bound {
        return Err(TokenError::Required { claim: "cnf".to_owned() });
    }
    Ok(())
}

/// Adds the claims that a response may omit. `iss` may be absent (RFC 7662 §2.2), but must not name another issuer.
/// Without a resource owner, the client is the subject (RFC 9068 §2.2).
fn completed(mut claims: Map<String, Value>, issuer: &Issuer) -> Result<Map<String, Value>, TokenError> {
    match claims.get("iss") {
        None => drop(claims.insert("iss".to_owned(), Value::String(issuer.issuer.clone()))),
        Some(Value::String(given)) if issuer.is_spelling(given) => {}
        Some(Value::String(_)) => return Err(TokenError::UnknownIssuer),
        Some(_) => return Err(TokenError::ClaimMalformed { claim: "iss" }),
    }
    if !claims.contains_key("sub")
        && !claims.contains_key("username")
        && let Some(client) = claims.get("client_id").cloned()
    {
        claims.insert("sub".to_owned(), client);
    }
    Ok(claims)
}

/// The body of an introspection request: a form (RFC 7662 §2.1).
#[must_use]
pub fn form(token: &Secret<&str>) -> Secret<String> {
    Secret::new(format!("token={}&token_type_hint=access_token", form_encoded(token.expose())))
}

/// The value of `Authorization` with which the edge authenticates: both parts are form-encoded before they are joined
/// (RFC 6749 §2.3.1).
#[must_use]
pub fn authorization(client_id: &str, client_secret: &Secret<String>) -> Secret<String> {
    let joined = format!("{}:{}", form_encoded(client_id), form_encoded(client_secret.expose()));
    Secret::new(format!("Basic {}", STANDARD.encode(joined)))
}

/// Encodes text as `application/x-www-form-urlencoded` (URL standard).
fn form_encoded(text: &str) -> String {
    use std::fmt::Write as _;
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b' ' => encoded.push('+'),
            b'*' | b'-' | b'.' | b'_' => encoded.push(char::from(byte)),
            _ if byte.is_ascii_alphanumeric() => encoded.push(char::from(byte)),
            _ => drop(write!(encoded, "%{byte:02X}")), // writing to a String does not fail
        }
    }
    encoded
}

/// The key of a cached response: SHA-256 over the token and the way in which it is introspected. Responses from another
/// endpoint, to another client or for another window have other keys.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct IntrospectionKey([u8; 32]);

impl IntrospectionKey {
    /// The key for `token`.
    #[must_use]
    pub fn new(issuer: &Issuer, introspection: &Introspection, token: &Secret<&str>) -> Self {
        let mut hash = Sha256::new();
        hash.update(issuer.verdict_window.as_u64().to_be_bytes());
        let Introspection { url, backend, client_id, .. } = introspection;
        add_parts(&mut hash, [issuer.issuer.as_str(), url, backend, client_id, *token.expose()]);
        Self(hash.finalize().into())
    }

    /// The 32 bytes that are its key in a cache.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// Responses in the memory of one sandbox, each at most [`MAX_RESPONSE_BYTES`] long: 8 MB at most. An empty response
/// represents a failure.
pub type IntrospectionMemory = Lru<IntrospectionKey, Vec<u8>, 512>;
