//! Opaque tokens. The issuer is asked what they mean (RFC 7662), and its response is checked as the claims of a signed
//! token are. A token of three parts separated by dots is a JWT and is never introspected.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
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
use crate::time::UnixTime;

/// The longest response that is read, in bytes.
pub const MAX_RESPONSE_BYTES: usize = 16 * 1024;
/// How long a response about an inactive token may be used, in seconds; never longer than the window.
const INACTIVE: u64 = 5;

/// A client of introspection endpoints.
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

/// There is no response about a token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("issuer \"{issuer}\" cannot be asked about a token: {cause}")]
pub struct IntrospectionUnavailable {
    /// The policy's id of the issuer.
    pub issuer: IssuerId,
    /// What went wrong, for the log.
    pub cause: String,
}

/// Why an opaque token is not accepted, besides the [`TokenError`]s of all tokens.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IntrospectionError {
    /// Its issuer says that it is not active (RFC 7662 §2.2): unknown, expired, revoked, or not for this client.
    #[error("the token's issuer says that it is not active")]
    Inactive,
    /// There is no usable response of its issuer.
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

/// A response is not an introspection response.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the response is not a JSON object with a member \"active\" that is true or false")]
pub struct MalformedResponse;

/// The endpoint that says what `token` means, and its issuer; `None` for a JWT, or if the policy has no such endpoint.
pub(super) fn endpoint<'policy>(
    policy: &'policy Policy,
    token: &Secret<&str>,
) -> Option<(&'policy Issuer, &'policy Introspection)> {
    if token.expose().bytes().filter(|byte| *byte == b'.').count() == 2 {
        return None;
    }
    policy.introspection()
}

/// Asks the issuer about `token`; the result is what it says, unchecked.
///
/// # Errors
/// An [`IntrospectionError`] if the token is not active or there is no usable response.
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

/// Checks what the issuer said about a token, as the claims of a signed token are checked.
///
/// # Errors
/// The first [`TokenError`] found.
pub(super) fn checked(
    claims: Map<String, Value>,
    issuer: &Issuer,
    now: UnixTime,
) -> Result<VerifiedClaims, TokenError> {
    check_kind(&claims)?;
    token::vouched(Claims::new(completed(claims, issuer)?), issuer, now)
}

/// How long a response may be used, in seconds: for the window, but never past `exp` (a fraction of a second is cut
/// off), and only shortly if the token is refused because it is not active or `exp` is not a date.
///
/// # Errors
/// [`MalformedResponse`], which is never used.
pub fn keep_for(response: &[u8], window: u64, now: UnixTime) -> Result<u64, MalformedResponse> {
    let Some(claims) = active(response)? else { return Ok(window.min(INACTIVE)) };
    Ok(match Claims::new(claims).time("exp") {
        Ok(None) => window,
        Ok(Some(expires)) => window.min(expires.since(now)),
        Err(_) => window.min(INACTIVE),
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

/// Refuses a response that is not about an access token: an endpoint may introspect refresh tokens as well (RFC 7009
/// §2.1 and RFC 7662 §2.1 take the same hint), and some introspect ID tokens. `token_use`, if present, must be
/// `access_token` or `access`; `token_type` (RFC 7662 §2.2; without case, RFC 6749 §5.1) must be `Bearer`, `DPoP`, or
/// `N_A` (RFC 8693 §2.2.1). A token of the type `DPoP` must be bound to a key (RFC 9449 §6.2).
fn check_kind(response: &Map<String, Value>) -> Result<(), TokenError> {
    let text = |claim: &'static str| match response.get(claim) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.as_str())),
        Some(_) => Err(TokenError::ClaimMalformed { claim }),
    };
    let other_kind = |claim: &str| Err(TokenError::OtherKind { claim: claim.to_owned() });
    if text("token_use")?.is_some_and(|used_as| !["access_token", "access"].contains(&used_as)) {
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

/// Adds what a response may omit. `iss` may be absent (RFC 7662 §2.2), but must not name another issuer. Without a
/// resource owner, the client is the subject (RFC 9068 §2.2).
fn completed(mut claims: Map<String, Value>, issuer: &Issuer) -> Result<Map<String, Value>, TokenError> {
    match claims.get("iss") {
        None => drop(claims.insert("iss".to_owned(), Value::String(issuer.issuer.clone()))),
        Some(Value::String(given)) if *given == issuer.issuer || issuer.aliases.contains(given) => {}
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

/// The form that is posted (RFC 7662 §2.1).
#[must_use]
pub fn form(token: &Secret<&str>) -> Secret<String> {
    Secret::new(format!("token={}&token_type_hint=access_token", form_encoded(token.expose())))
}

/// `Authorization` of the client: both halves form-encoded before they are joined (RFC 6749 §2.3.1).
#[must_use]
pub fn authorization(client_id: &str, client_secret: &Secret<String>) -> Secret<String> {
    let joined = format!("{}:{}", form_encoded(client_id), form_encoded(client_secret.expose()));
    Secret::new(format!("Basic {}", STANDARD.encode(joined)))
}

/// `application/x-www-form-urlencoded`, as the URL standard writes it.
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

/// The key of a response: SHA-256 over the token and the way in which it is introspected. Responses of another
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
/// stands for a failure.
pub type IntrospectionMemory = Lru<IntrospectionKey, Vec<u8>, 512>;
