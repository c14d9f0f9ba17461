//! The lifetime of a key set. Input: when it was fetched, what the issuer said about freshness, and the policy's
//! [`KeyLife`]. Output: whether it is fresh, stale but usable, or unusable. [`ports`](crate::ports) fetch and keep the
//! sets.

use std::sync::Arc;

use serde::Serialize;

use super::keys::KeySet;
use crate::policy::KeyLife;
use crate::time::{Seconds, UnixTime};

/// How long a response with these fields is fresh (RFC 9111 §4.2): `max-age` minus `Age`, or ten minutes without
/// `Cache-Control`, both within the bounds of `life`. Other directives, such as `no-store`, give the lower bound.
#[must_use]
pub fn fresh_for(life: &KeyLife, cache_control: Option<&str>, age: Option<&str>) -> Seconds {
    const DEFAULT_FRESHNESS: u64 = 600;
    let directives = cache_control.unwrap_or_default().split(',').filter_map(|text| text.trim().split_once('='));
    let max_age = directives.into_iter().find(|(name, _)| name.eq_ignore_ascii_case("max-age")).map(|(_, value)| value);
    let seconds = match (max_age, cache_control) {
        (Some(value), _) => value.trim_matches('"').parse().unwrap_or(0),
        (None, Some(_)) => 0,
        (None, None) => DEFAULT_FRESHNESS,
    };
    let age = age.and_then(|age| age.trim().parse().ok()).unwrap_or(0);
    Seconds::new(seconds).minus(Seconds::new(age)).clamp(life.min_fresh, life.max_fresh)
}

/// A key set and its age.
#[derive(Clone, Debug)]
pub struct CachedKeySet {
    keys: Arc<KeySet>,
    /// When it was fetched and how long it is fresh; `None` for a set that an operator put into the store.
    fetched: Option<FetchedAt>,
}

/// When a set was fetched from its issuer, and how long it is fresh.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FetchedAt {
    at: UnixTime,
    fresh_for: Seconds,
}

impl FetchedAt {
    /// A set that was fetched at `at` and is fresh for `fresh_for`.
    #[must_use]
    pub const fn new(at: UnixTime, fresh_for: Seconds) -> Self {
        Self { at, fresh_for }
    }

    /// Its age; `None` if it is further in the future than the clocks of the platform can differ.
    fn age(self, now: UnixTime) -> Option<Seconds> {
        const MAX_CLOCK_SKEW: Seconds = Seconds::new(60);
        (self.at <= now.plus(MAX_CLOCK_SKEW)).then(|| now.since(self.at))
    }

    /// When the set was fetched.
    #[must_use]
    pub const fn at(self) -> UnixTime {
        self.at
    }

    /// The note kept beside the set: Unix seconds, a space, seconds of freshness.
    #[must_use]
    pub fn to_note(self) -> String {
        format!("{} {}", self.at.seconds(), self.fresh_for)
    }

    /// Reads a [note](Self::to_note); `None` if it is malformed.
    #[must_use]
    pub fn from_note(note: &[u8]) -> Option<Self> {
        let (at, fresh_for) = std::str::from_utf8(note).ok()?.split_once(' ')?;
        let fresh_for = Seconds::new(fresh_for.parse().ok()?);
        Some(Self { at: UnixTime::from_seconds(at.parse().ok()?), fresh_for })
    }
}

impl CachedKeySet {
    /// A set and the note that was kept beside it. A set without a note was put into the store by an operator (seeded).
    #[must_use]
    pub fn with_note(keys: KeySet, fetched: Option<FetchedAt>) -> Self {
        Self { keys: Arc::new(keys), fetched }
    }

    /// The keys.
    #[must_use]
    pub fn keys(&self) -> Arc<KeySet> {
        Arc::clone(&self.keys)
    }

    /// When it was fetched; `None` for a seeded set.
    #[must_use]
    pub const fn fetched_at(&self) -> Option<FetchedAt> {
        self.fetched
    }

    /// Whether the set can be used without a new fetch. The upper bound of `life` applies to notes of former policies,
    /// too. A seeded set is never fresh: the issuer is the authority.
    #[must_use]
    pub fn is_fresh(&self, now: UnixTime, life: &KeyLife) -> bool {
        self.fetched
            .is_some_and(|fetched| fetched.age(now).is_some_and(|age| age < fetched.fresh_for.min(life.max_fresh)))
    }

    /// Whether the set may be used while there is no later one. A seeded set always may: the operator decided so.
    #[must_use]
    pub fn is_usable(&self, now: UnixTime, life: &KeyLife) -> bool {
        self.fetched.is_none_or(|fetched| fetched.age(now).is_some_and(|age| age < life.max_stale))
    }

    /// Whether this set was fetched later than `other`.
    #[must_use]
    pub fn is_newer_than(&self, other: &Self) -> bool {
        self.fetched > other.fetched
    }

    /// The entry for the log.
    #[must_use]
    pub fn note(&self, from: &'static str, now: UnixTime, life: &KeyLife) -> KeysNote {
        let state = match self.fetched {
            None => "seeded",
            Some(_) if self.is_fresh(now, life) => "fresh",
            Some(_) => "stale",
        };
        KeysNote { from, state, age: self.fetched.map(|fetched| now.since(fetched.at)), skipped: self.keys.skipped() }
    }
}

/// The log fields about the key set that was used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(not(target_os = "wasi"), derive(schemars::JsonSchema))]
pub struct KeysNote {
    /// `memory`, `cache`, `store` or `issuer`.
    pub from: &'static str,
    /// `fresh`, `stale` or `seeded`.
    pub state: &'static str,
    /// Seconds since it was fetched; absent for a seeded set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub age: Option<Seconds>,
    /// How many keys of the set cannot be used.
    pub skipped: usize,
}

#[cfg(test)]
mod tests {
    use super::{FetchedAt, fresh_for};
    use crate::policy::KeyLife;
    use crate::time::{Seconds, UnixTime};

    #[test]
    fn the_freshness_that_an_issuer_declares_is_bounded() {
        let life = KeyLife::default();
        for (cache_control, age, seconds) in [
            (None, None, 600),
            (Some("public, max-age=900"), None, 900),
            (Some("Max-Age=\"900\""), None, 900),
            (Some("max-age=900"), Some("300"), 600),
            (Some("max-age=0"), None, 60),
            (Some("no-store"), None, 60),
            (Some("max-age=315360000"), None, 3600),
            (Some("max-age=18446744073709551616"), None, 60),
            (Some("max-age=x"), None, 60),
            (Some("s-maxage=900"), None, 60),
            (Some("max-age=100"), Some("999999"), 60),
        ] {
            assert_eq!(fresh_for(&life, cache_control, age), Seconds::new(seconds), "{cache_control:?} {age:?}");
        }
    }

    #[test]
    fn a_note_is_read_as_written_and_a_malformed_one_is_none() {
        let given = FetchedAt { at: UnixTime::from_seconds(17), fresh_for: Seconds::new(60) };
        assert_eq!(FetchedAt::from_note(given.to_note().as_bytes()), Some(given));
        for note in [&b""[..], b"17", b"x y", b"17 60 3", b"\xff", b"-1 60"] {
            assert_eq!(FetchedAt::from_note(note), None);
        }
    }
}
