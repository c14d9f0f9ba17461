//! The deny-list: tokens, sessions and subjects that are refused although their tokens have not expired. Asked of every
//! token that is otherwise good, whatever is remembered of its signature, where the issuer has `deny_list`.

use std::borrow::Cow;
use std::num::NonZeroUsize;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use lru::LruCache;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::IdentityError;
use super::token::{TokenError, VerifiedClaims};
use crate::digest::add_parts;
use crate::policy::Issuer;
use crate::time::UnixTime;

/// By what a token can be denied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MarkKind {
    /// The token itself: `jti` (RFC 7519 §4.1.7).
    Token,
    /// The session in which it was issued: `sid` (OpenID Connect Back-Channel Logout §2.1).
    Session,
    /// Its holder: `sub`.
    Subject,
}

impl MarkKind {
    const ALL: [Self; 3] = [Self::Token, Self::Session, Self::Subject];

    /// The claim.
    #[must_use]
    pub const fn claim(self) -> &'static str {
        match self {
            Self::Token => "jti",
            Self::Session => "sid",
            Self::Subject => "sub",
        }
    }
}

/// One value of one claim of one issuer's tokens, as a name for it: SHA-256 over the three, each behind its length. Nothing
/// that a client sends is the key of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Mark([u8; 32]);

impl Mark {
    /// The mark of `value`; `issuer` is the policy's spelling of `iss`.
    #[must_use]
    pub fn new(kind: MarkKind, issuer: &str, value: &str) -> Self {
        let mut hash = Sha256::new();
        add_parts(&mut hash, [kind.claim(), issuer, value]);
        Self(hash.finalize().into())
    }

    /// The 32 bytes by which it is cached.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The key of its entry in the KV store: `denied/` and 43 characters of base64url.
    #[must_use]
    pub fn store_key(&self) -> String {
        format!("denied/{}", URL_SAFE_NO_PAD.encode(self.0))
    }
}

/// What stands in the list under a mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// From this moment on the entry counts as absent.
    pub until: UnixTime,
    /// Only tokens that were issued before this moment or within the second that begins with it (`iat`) are denied, and
    /// those that do not say when they were. `iat` and the entry are whole seconds: which of the two was first within one
    /// cannot be told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<UnixTime>,
}

impl Entry {
    /// Reads an entry. One that cannot be read denies, for ever: whoever wrote it meant to.
    #[must_use]
    pub fn parse(json: &[u8]) -> Self {
        let unreadable = Self { until: UnixTime::from_seconds(u64::MAX), not_before: None };
        Self::read(json).unwrap_or(unreadable)
    }

    fn read(json: &[u8]) -> Option<Self> {
        serde_json::from_slice(json).ok()
    }

    /// The entry as it stands in the store.
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

/// Where the list is.
pub trait DenyList {
    /// The entries under these marks, as they stood at most `window` seconds ago.
    ///
    /// # Errors
    /// [`DenyListUnavailable`] when it is not known of one of them; nobody is let through then.
    fn entries(&mut self, marks: &[Mark], window: u64) -> Result<Vec<(Mark, Entry)>, DenyListUnavailable>;
}

/// The list cannot be asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the deny-list cannot be asked: {cause}")]
pub struct DenyListUnavailable {
    /// What went wrong, for the log.
    pub cause: String,
}

/// Why a token that verified is not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DenyListError {
    /// It stands on the list.
    #[error("the token is revoked by its {claim}")]
    Revoked {
        /// By which claim.
        claim: &'static str,
    },
    /// It is not known whether it does.
    #[error(transparent)]
    Unavailable(#[from] DenyListUnavailable),
}

/// Refuses a token that the list denies, and one of which this cannot be told because a claim is no name.
pub(super) fn check(
    issuer: &Issuer,
    claims: &VerifiedClaims,
    now: UnixTime,
    list: &mut dyn DenyList,
) -> Result<(), IdentityError> {
    if !issuer.deny_list {
        return Ok(());
    }
    let mut marks = Vec::with_capacity(MarkKind::ALL.len());
    for kind in MarkKind::ALL {
        if let Some(value) = text(kind, claims)? {
            marks.push((kind, Mark::new(kind, &issuer.issuer, &value)));
        }
    }
    let asked: Vec<_> = marks.iter().map(|(_, mark)| *mark).collect();
    let entries = list.entries(&asked, issuer.verdict_window).map_err(DenyListError::from)?;
    let denied = |mark: &Mark| entries.iter().any(|(found, entry)| found == mark && entry.denies(claims.issued(), now));
    match marks.iter().find(|(_, mark)| denied(mark)) {
        Some((kind, _)) => Err(DenyListError::Revoked { claim: kind.claim() }.into()),
        None => Ok(()),
    }
}

/// The claim as it would be written into the list. It should be text (RFC 7519 §4.1.7); a whole number counts as its
/// decimal digits, null as no claim. Nobody can write an entry for anything else, so a token with it could not be revoked.
fn text(kind: MarkKind, claims: &VerifiedClaims) -> Result<Option<Cow<'_, str>>, TokenError> {
    match claims.claim(kind.claim()) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(Cow::Borrowed(text))),
        Some(Value::Number(number)) if number.is_i64() || number.is_u64() => Ok(Some(Cow::Owned(number.to_string()))),
        Some(_) => Err(TokenError::ClaimMalformed { claim: kind.claim() }),
    }
}

/// A list that cannot be asked: an issuer that has one lets nobody in. For judging offline.
pub struct NoDenyList;

impl DenyList for NoDenyList {
    fn entries(&mut self, _: &[Mark], _: u64) -> Result<Vec<(Mark, Entry)>, DenyListUnavailable> {
        Err(DenyListUnavailable { cause: "there is no deny-list here".to_owned() })
    }
}

/// What the list said of one mark, and when. It grows old from the moment of asking, wherever it is kept in between.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known {
    asked: UnixTime,
    entry: Option<Entry>,
}

impl Known {
    /// What the list said at `asked`.
    #[must_use]
    pub const fn new(asked: UnixTime, entry: Option<Entry>) -> Self {
        Self { asked, entry }
    }

    /// The entry, or that there was none.
    #[must_use]
    pub const fn entry(&self) -> Option<Entry> {
        self.entry
    }

    /// Whether it is at most `window` seconds old. What is dated in the future is not: nobody knows its age.
    #[must_use]
    pub const fn holds(&self, now: UnixTime, window: u64) -> bool {
        self.asked.seconds() <= now.seconds() && now.since(self.asked) < window
    }

    /// The record to keep it as: the time, a space, and the entry, or [`NO_ENTRY`] where there is none.
    #[must_use]
    pub fn to_record(&self) -> String {
        let entry = self.entry.map_or_else(|| NO_ENTRY.to_owned(), |entry| entry.to_json());
        format!("{} {entry}", self.asked.seconds())
    }

    /// Reads a record; nothing where it is none. Unlike an entry of the store, one that cannot be read says nothing: the
    /// store can be asked again.
    #[must_use]
    pub fn from_record(record: &[u8]) -> Option<Self> {
        let (asked, entry) = std::str::from_utf8(record).ok()?.split_once(' ')?;
        let entry = if entry == NO_ENTRY { None } else { Some(Entry::read(entry.as_bytes())?) };
        Some(Self::new(UnixTime::from_seconds(asked.parse().ok()?), entry))
    }
}

/// What stands in a record for an absent entry. It is no part of an entry: a record that was cut off is none.
const NO_ENTRY: &str = "-";

/// How many marks a sandbox keeps: about a megabyte with what the map needs.
const CAPACITY: NonZeroUsize = NonZeroUsize::MIN.saturating_add(8191);

/// What the list said, in memory; the least recently used is forgotten first.
pub struct Memory(LruCache<Mark, Known>);

impl Default for Memory {
    fn default() -> Self {
        Self(LruCache::new(CAPACITY))
    }
}

impl Memory {
    /// What the list said of `mark` at most `window` seconds ago.
    pub fn recall(&mut self, mark: &Mark, now: UnixTime, window: u64) -> Option<Known> {
        self.0.get(mark).copied().filter(|known| known.holds(now, window))
    }

    /// Keeps what the list said.
    pub fn keep(&mut self, mark: Mark, known: Known) {
        self.0.put(mark, known);
    }
}
