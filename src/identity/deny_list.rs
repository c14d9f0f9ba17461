//! The deny-list: tokens, sessions and subjects that are revoked before their tokens expire. Input: the claims of an
//! otherwise valid token, and a [`DenyList`]. Output: `Ok`, or a [`DenyListError`]. The list is read for every such
//! token of an issuer with `deny_list`, even if the signature was verified before.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::cache::Lru;
use super::token::VerifiedClaims;
use super::token_error::TokenError;
use crate::digest::add_parts;
use crate::policy::Issuer;
use crate::store_keys::deny_list_key;
use crate::strict_json;
use crate::time::{Seconds, UnixTime};

/// The claims by which a token can be revoked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RevocationClaim {
    /// `jti`: the token itself (RFC 7519 §4.1.7).
    Token,
    /// `sid`: the session in which it was issued (OpenID Connect Back-Channel Logout §2.1).
    Session,
    /// `sub`: its holder.
    Subject,
}

impl RevocationClaim {
    const ALL: [Self; 3] = [Self::Token, Self::Session, Self::Subject];

    /// The name of the claim.
    #[must_use]
    pub const fn claim(self) -> &'static str {
        match self {
            Self::Token => "jti",
            Self::Session => "sid",
            Self::Subject => "sub",
        }
    }
}

/// The key of an entry: SHA-256 over claim, issuer and value, each prefixed with its length. The digest keeps values
/// that clients send out of the keys of stores.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RevocationKey([u8; 32]);

impl RevocationKey {
    /// The key for `value`; `issuer` is the policy's spelling of `iss`, with the tenant in place of `{tenant}`.
    #[must_use]
    pub fn new(kind: RevocationClaim, issuer: &str, value: &str) -> Self {
        let mut hash = Sha256::new();
        add_parts(&mut hash, [kind.claim(), issuer, value]);
        Self(hash.finalize().into())
    }

    /// The 32 bytes that are its key in a cache.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The key in the KV store: `denied/` and 43 characters of base64url.
    #[must_use]
    pub fn store_key(&self) -> String {
        deny_list_key(&URL_SAFE_NO_PAD.encode(self.0))
    }
}

/// An entry of the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// From this moment on the entry counts as absent.
    pub until: UnixTime,
    /// Tokens that were issued (`iat`) later than this second are not denied. A token without `iat` is denied. Both
    /// times are whole seconds, so a token of the same second may be older than the entry, and is denied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<UnixTime>,
}

impl Entry {
    /// Reads an entry. A malformed entry denies for ever, because its author intended to deny.
    #[must_use]
    pub fn parse(json: &[u8]) -> Self {
        let permanent = Self { until: UnixTime::from_seconds(u64::MAX), not_before: None };
        Self::read(json).unwrap_or(permanent)
    }

    fn read(json: &[u8]) -> Option<Self> {
        // From bytes, serde would also read a list as an entry: `[0]` would have ended in 1970.
        let members = strict_json::parse_object(json).ok()?;
        serde_json::from_value(Value::Object(members)).ok()
    }

    /// The JSON form of the entry, as it is stored.
    #[must_use]
    pub fn to_json(&self) -> String {
        let until = self.until.seconds();
        match self.not_before.map(UnixTime::seconds) {
            None => format!("{{\"until\":{until}}}"),
            Some(not_before) => format!("{{\"until\":{until},\"not_before\":{not_before}}}"),
        }
    }

    fn denies(&self, issued: Option<UnixTime>, now: UnixTime) -> bool {
        let not_after = |moment| issued.is_none_or(|issued| issued <= moment);
        now < self.until && self.not_before.is_none_or(not_after)
    }
}

/// The port to the deny-list.
pub trait DenyList {
    /// The entries under `keys`, at most as old as `window`.
    ///
    /// # Errors
    /// [`DenyListUnavailable`] if one of them is unknown; the caller is then refused.
    fn entries(
        &mut self,
        keys: &[RevocationKey],
        window: Seconds,
    ) -> Result<Vec<(RevocationKey, Entry)>, DenyListUnavailable>;
}

/// The deny-list cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the deny-list cannot be read: {cause}")]
pub struct DenyListUnavailable {
    /// The cause, for the log.
    pub cause: String,
}

/// Why a verified token is not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DenyListError {
    /// The list has an entry for the token.
    #[error("the token is revoked by its {claim}")]
    Revoked {
        /// The claim by which it is listed.
        claim: &'static str,
    },
    /// It is unknown whether the list has an entry.
    #[error(transparent)]
    Unavailable(#[from] DenyListUnavailable),
}

impl DenyListError {
    /// The code for logs, metrics and tests.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Revoked { .. } => "token-revoked",
            Self::Unavailable(_) => "deny-list-unavailable",
        }
    }
}

/// The keys under which a token may be listed; empty if its issuer has no `deny_list`.
///
/// # Errors
/// [`TokenError::ClaimMalformed`] if a claim is neither a string nor a whole number: it could not be revoked by it.
pub(super) fn revocation_keys(
    issuer: &Issuer,
    claims: &VerifiedClaims,
) -> Result<Vec<(RevocationClaim, RevocationKey)>, TokenError> {
    let mut keys = Vec::with_capacity(RevocationClaim::ALL.len());
    let iss = issuer.name_for(claims.tenant());
    for claim in RevocationClaim::ALL.into_iter().filter(|_| issuer.deny_list) {
        if let Some(value) = text(claim, claims)? {
            keys.push((claim, RevocationKey::new(claim, &iss, &value)));
        }
    }
    Ok(keys)
}

/// Refuses a token that was issued at `issued_at` and is listed under one of `keys`.
///
/// # Errors
/// A [`DenyListError`] if the token is listed, or if that is unknown.
pub(super) fn check(
    issuer: &Issuer,
    keys: &[(RevocationClaim, RevocationKey)],
    issued_at: Option<UnixTime>,
    now: UnixTime,
    list: &mut dyn DenyList,
) -> Result<(), DenyListError> {
    if !issuer.deny_list {
        return Ok(());
    }
    let wanted: Vec<_> = keys.iter().map(|(_, key)| *key).collect();
    let entries = list.entries(&wanted, issuer.verdict_window)?;
    let denied =
        |key: &RevocationKey| entries.iter().any(|(found, entry)| found == key && entry.denies(issued_at, now));
    match keys.iter().find(|(_, key)| denied(key)) {
        Some((claim, _)) => Err(DenyListError::Revoked { claim: claim.claim() }),
        None => Ok(()),
    }
}

/// The form of the claim in the list. It should be a string (RFC 7519 §4.1.7). A whole number counts as its decimal
/// digits, null as an absent claim.
fn text(claim: RevocationClaim, claims: &VerifiedClaims) -> Result<Option<Cow<'_, str>>, TokenError> {
    match claims.claim(claim.claim()) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(Cow::Borrowed(text))),
        Some(Value::Number(number)) if number.is_i64() || number.is_u64() => Ok(Some(Cow::Owned(number.to_string()))),
        Some(_) => Err(TokenError::ClaimMalformed { claim: claim.claim() }),
    }
}

/// The result of one lookup, and when it was read. Its age counts from that moment, in whichever cache it is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CachedEntry {
    read_at: UnixTime,
    entry: Option<Entry>,
}

impl CachedEntry {
    /// The entry that was read at `read_at`, if there was one.
    #[must_use]
    pub const fn new(read_at: UnixTime, entry: Option<Entry>) -> Self {
        Self { read_at, entry }
    }

    /// The entry; `None` if there was none.
    #[must_use]
    pub const fn entry(&self) -> Option<Entry> {
        self.entry
    }

    /// The moment at which it is as old as `window`.
    #[must_use]
    pub const fn until(&self, window: Seconds) -> UnixTime {
        self.read_at.plus(window)
    }

    /// Whether it is less old than `window`. A result from the future is not: its age is unknown.
    #[must_use]
    pub fn holds(&self, now: UnixTime, window: Seconds) -> bool {
        self.read_at <= now && now.since(self.read_at) < window
    }

    /// The record that is cached: Unix seconds, a space, and the entry, or `-` if there is none.
    #[must_use]
    pub fn to_record(&self) -> String {
        let entry = self.entry.map_or_else(|| NO_ENTRY.to_owned(), |entry| entry.to_json());
        format!("{} {entry}", self.read_at.seconds())
    }

    /// Reads a record; `None` if it is malformed. Unlike a malformed entry of the store, a malformed record does not
    /// deny: the store can be read again.
    #[must_use]
    pub fn from_record(record: &[u8]) -> Option<Self> {
        let (read_at, entry) = std::str::from_utf8(record).ok()?.split_once(' ')?;
        let entry = if entry == NO_ENTRY { None } else { Some(Entry::read(entry.as_bytes())?) };
        Some(Self::new(UnixTime::from_seconds(read_at.parse().ok()?), entry))
    }
}

/// Represents an absent entry in a record. It is not a prefix of any entry, so a truncated record is malformed.
const NO_ENTRY: &str = "-";

/// Results in the memory of one sandbox: about a megabyte, including the map.
pub type DenyListMemory = Lru<RevocationKey, CachedEntry, 8192>;
