//! Opaque tokens: their issuer is asked what they mean (RFC 7662), and what it answers is judged as the claims of a signed
//! token are. A token of three parts separated by dots is a JWT and is never asked about.

use std::num::NonZeroUsize;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use lru::LruCache;
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use super::IdentityError;
use super::claims::Claims;
use super::token::{self, TokenError, VerifiedClaims};
use crate::digest::add_parts;
use crate::policy::{Introspection, Issuer, Policy};
use crate::secret::Secret;
use crate::strict_json;
use crate::time::UnixTime;

/// The longest answer that is read, in bytes.
pub const MAX_ANSWER_BYTES: usize = 16 * 1024;
/// How long it is remembered that a token is not active, in seconds; never longer than the window.
const INACTIVE: u64 = 5;

/// Who asks issuers about tokens.
pub trait Introspector {
    /// The answer of `issuer` about `token`, as it was given at most a window ago: a JSON object.
    ///
    /// # Errors
    /// [`IntrospectionUnavailable`] when there is none; the caller is then neither accepted nor called a liar.
    fn ask(
        &mut self,
        issuer: &Issuer,
        introspection: &Introspection,
        token: &Secret<&str>,
    ) -> Result<Vec<u8>, IntrospectionUnavailable>;
}

/// An issuer cannot be asked about a token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("issuer \"{issuer}\" cannot be asked about a token: {cause}")]
pub struct IntrospectionUnavailable {
    /// The policy's id of the issuer.
    pub issuer: String,
    /// What went wrong, for the log.
    pub cause: String,
}

/// Why an opaque token is not accepted, apart from what any token can lack.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IntrospectionError {
    /// Its issuer says that it is not active (RFC 7662 §2.2): unknown, expired, revoked, or not for us.
    #[error("the token's issuer says that it is not active")]
    Inactive,
    /// Its issuer says nothing usable.
    #[error(transparent)]
    Unavailable(#[from] IntrospectionUnavailable),
}

/// An answer that is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the answer is not a JSON object with a member \"active\" that is true or false")]
pub struct NotAnAnswer;

/// Who has to be asked about `token`: nobody about a JWT, and nobody where the policy names nobody.
pub(super) fn about<'policy>(
    policy: &'policy Policy,
    token: &Secret<&str>,
) -> Option<(&'policy Issuer, &'policy Introspection)> {
    if token.expose().bytes().filter(|byte| *byte == b'.').count() == 2 {
        return None;
    }
    policy.introspection()
}

/// What the issuer says about the holder of `token`, judged.
pub(super) fn claims(
    issuer: &Issuer,
    introspection: &Introspection,
    token: &Secret<&str>,
    now: UnixTime,
    introspector: &mut dyn Introspector,
) -> Result<VerifiedClaims, IdentityError> {
    let answer = introspector.ask(issuer, introspection, token).map_err(IntrospectionError::from)?;
    let unusable =
        |error: NotAnAnswer| IntrospectionUnavailable { issuer: issuer.id.clone(), cause: error.to_string() };
    let said = active(&answer).map_err(|error| IntrospectionError::from(unusable(error)))?;
    let claims = said.ok_or(IntrospectionError::Inactive)?;
    check_kind(&claims)?;
    Ok(token::vouched(Claims::new(completed(claims, issuer)?), issuer, now)?)
}

/// How long an answer may be used, in seconds: for the window, but never past `exp`, a fraction of a second cut off, and
/// only shortly where the token is not active or `exp` is not a date, so that it is refused.
///
/// # Errors
/// [`NotAnAnswer`] where it is none, which is never used.
pub fn keep_for(answer: &[u8], window: u64, now: UnixTime) -> Result<u64, NotAnAnswer> {
    let Some(claims) = active(answer)? else { return Ok(window.min(INACTIVE)) };
    Ok(match Claims::new(claims).time("exp") {
        Ok(None) => window,
        Ok(Some(expires)) => window.min(expires.since(now)),
        Err(_) => window.min(INACTIVE),
    })
}

/// The members of an answer about an active token; nothing where it is not active.
fn active(answer: &[u8]) -> Result<Option<Map<String, Value>>, NotAnAnswer> {
    let members = strict_json::parse_object(answer).map_err(|_| NotAnAnswer)?;
    match members.get("active").and_then(Value::as_bool) {
        Some(true) => Ok(Some(members)),
        Some(false) => Ok(None),
        None => Err(NotAnAnswer),
    }
}

/// Whether the answer is about an access token: an endpoint may answer about refresh tokens as well (RFC 7009 §2.1 and RFC
/// 7662 §2.1 take the same hint), and some answer about ID tokens. `token_use`, where it is there, is `access_token` or
/// `access`; `token_type` (RFC 7662 §2.2; case is of no matter, RFC 6749 §5.1) is `Bearer`, `DPoP`, or `N_A` (RFC 8693
/// §2.2.1). What is of the type `DPoP` is bound to a key (RFC 9449 §6.2).
fn check_kind(answer: &Map<String, Value>) -> Result<(), TokenError> {
    let text = |claim: &'static str| match answer.get(claim) {
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
    let is_bound = answer.get("cnf").and_then(|binding| binding.get("jkt")).is_some_and(Value::is_string);
    if given.eq_ignore_ascii_case("DPoP") && !is_bound {
        return Err(TokenError::Required { claim: "cnf".to_owned() });
    }
    Ok(())
}

/// `iss` may be left out (RFC 7662 §2.2), but not be another's. Where there is no resource owner, the client is the subject
/// (RFC 9068 §2.2).
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

/// A token that was asked about, and of whom, as a name for both: SHA-256. A policy that asks elsewhere, as somebody else or
/// for another window knows nothing of what was answered before.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Question([u8; 32]);

impl Question {
    /// The question about `token`.
    #[must_use]
    pub fn new(issuer: &Issuer, introspection: &Introspection, token: &Secret<&str>) -> Self {
        let mut hash = Sha256::new();
        hash.update(issuer.verdict_window.to_be_bytes());
        let Introspection { url, backend, client_id, .. } = introspection;
        add_parts(&mut hash, [issuer.issuer.as_str(), url, backend, client_id, *token.expose()]);
        Self(hash.finalize().into())
    }

    /// The 32 bytes by which its answer is kept.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// How many answers a sandbox keeps: each at most [`MAX_ANSWER_BYTES`] long, so 8 MB at the worst.
const CAPACITY: NonZeroUsize = NonZeroUsize::MIN.saturating_add(499);

/// Answers in memory, the least recently used forgotten first. An empty answer stands for a failure.
pub struct Memory(LruCache<Question, (UnixTime, Vec<u8>)>);

impl Default for Memory {
    fn default() -> Self {
        Self(LruCache::new(CAPACITY))
    }
}

impl Memory {
    /// The answer, if it may still be used.
    pub fn recall(&mut self, question: &Question, now: UnixTime) -> Option<&[u8]> {
        self.0.get(question).filter(|(until, _)| now < *until).map(|(_, answer)| answer.as_slice())
    }

    /// Keeps an answer until `until`.
    pub fn keep(&mut self, question: Question, answer: Vec<u8>, until: UnixTime) {
        self.0.put(question, (until, answer));
    }
}

/// Asks nobody: opaque tokens open nothing. For judging offline.
pub struct NoIntrospector;

impl Introspector for NoIntrospector {
    fn ask(
        &mut self,
        issuer: &Issuer,
        _: &Introspection,
        _: &Secret<&str>,
    ) -> Result<Vec<u8>, IntrospectionUnavailable> {
        Err(IntrospectionUnavailable { issuer: issuer.id.clone(), cause: "nobody asks here".to_owned() })
    }
}
