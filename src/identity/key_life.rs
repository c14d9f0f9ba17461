//! How long a key set lives: fresh, then stale but usable, then gone. Pure; where sets are kept and how they are fetched
//! is the platform's side of it.

use std::sync::Arc;

use super::keys::KeySet;
use crate::policy::KeyLife;
use crate::time::UnixTime;
use crate::trail::KeysNote;

/// How long an answer with these fields is fresh (RFC 9111 §4.2), in seconds: `max-age` less `Age`, within the bounds of
/// `life`; ten minutes, within the bounds, where the issuer says nothing. `no-store` and the like mean "ask often", so the
/// lower bound.
#[must_use]
pub fn fresh_for(life: &KeyLife, cache_control: Option<&str>, age: Option<&str>) -> u64 {
    const UNSAID: u64 = 600;
    let directives = cache_control.unwrap_or_default().split(',').filter_map(|text| text.trim().split_once('='));
    let max_age = directives.into_iter().find(|(name, _)| name.eq_ignore_ascii_case("max-age")).map(|(_, value)| value);
    let seconds = match (max_age, cache_control) {
        (Some(value), _) => value.trim_matches('"').parse().unwrap_or(0),
        (None, Some(_)) => 0,
        (None, None) => UNSAID,
    };
    let aged = age.and_then(|age| age.trim().parse().ok()).unwrap_or(0);
    seconds.saturating_sub(aged).clamp(life.min_fresh.as_u64(), life.max_fresh.as_u64())
}

/// A key set and its age.
#[derive(Clone, Debug)]
pub struct HeldKeys {
    keys: Arc<KeySet>,
    /// When the issuer gave it and how long it is fresh; nothing for a set that an operator seeded.
    given: Option<Given>,
}

/// When an issuer gave a set, and for how long it is fresh.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Given {
    at: UnixTime,
    fresh_for: u64,
}

impl Given {
    /// A set that was given at `at` and is fresh for `fresh_for` seconds.
    #[must_use]
    pub const fn new(at: UnixTime, fresh_for: u64) -> Self {
        Self { at, fresh_for }
    }

    /// Its age in seconds; `None` where it came from the future, as far as clocks of one platform cannot differ.
    fn age(self, now: UnixTime) -> Option<u64> {
        const CLOCKS_DIFFER: u64 = 60;
        (self.at <= now.plus(CLOCKS_DIFFER)).then(|| now.since(self.at))
    }

    /// When the issuer was asked.
    #[must_use]
    pub const fn at(self) -> UnixTime {
        self.at
    }

    /// The form in which it is kept beside the set: two numbers.
    #[must_use]
    pub fn to_note(self) -> String {
        format!("{} {}", self.at.seconds(), self.fresh_for)
    }

    /// Reads [`to_note`](Self::to_note).
    #[must_use]
    pub fn from_note(note: &[u8]) -> Option<Self> {
        let (at, fresh_for) = std::str::from_utf8(note).ok()?.split_once(' ')?;
        Some(Self { at: UnixTime::from_seconds(at.parse().ok()?), fresh_for: fresh_for.parse().ok()? })
    }
}

impl HeldKeys {
    /// A set that was kept, with the note that was kept beside it; without a note somebody seeded it.
    #[must_use]
    pub fn with_note(keys: KeySet, given: Option<Given>) -> Self {
        Self { keys: Arc::new(keys), given }
    }

    /// The keys.
    #[must_use]
    pub fn keys(&self) -> Arc<KeySet> {
        Arc::clone(&self.keys)
    }

    /// When the issuer gave it.
    #[must_use]
    pub const fn given_at(&self) -> Option<Given> {
        self.given
    }

    /// Whether the issuer need not be asked yet: within the bound of `life`, whatever was written down when the set came. A
    /// seeded set never is fresh: the issuer knows better.
    #[must_use]
    pub fn is_fresh(&self, now: UnixTime, life: &KeyLife) -> bool {
        self.given
            .is_some_and(|given| given.age(now).is_some_and(|age| age < given.fresh_for.min(life.max_fresh.as_u64())))
    }

    /// Whether the set may be used while there is no better one. A seeded set always may: somebody decided that.
    #[must_use]
    pub fn is_usable(&self, now: UnixTime, life: &KeyLife) -> bool {
        self.given.is_none_or(|given| given.age(now).is_some_and(|age| age < life.max_stale.as_u64()))
    }

    /// Whether this set is a later word of the issuer than `other`.
    #[must_use]
    pub fn is_newer_than(&self, other: &Self) -> bool {
        self.given > other.given
    }

    /// What the log says of it.
    #[must_use]
    pub fn note(&self, from: &'static str, now: UnixTime, life: &KeyLife) -> KeysNote {
        let state = match self.given {
            None => "seeded",
            Some(_) if self.is_fresh(now, life) => "fresh",
            Some(_) => "stale",
        };
        KeysNote { from, state, age: self.given.map(|given| now.since(given.at)), skipped: self.keys.skipped() }
    }
}

#[cfg(test)]
mod tests {
    use super::{Given, fresh_for};
    use crate::policy::KeyLife;
    use crate::time::UnixTime;

    #[test]
    fn what_the_issuer_says_is_kept_within_bounds() {
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
            assert_eq!(fresh_for(&life, cache_control, age), seconds, "{cache_control:?} {age:?}");
        }
    }

    #[test]
    fn a_note_is_read_as_it_was_written_and_anything_else_is_none() {
        let given = Given { at: UnixTime::from_seconds(17), fresh_for: 60 };
        assert_eq!(Given::from_note(given.to_note().as_bytes()), Some(given));
        for note in [&b""[..], b"17", b"x y", b"17 60 3", b"\xff", b"-1 60"] {
            assert_eq!(Given::from_note(note), None);
        }
    }
}
