//! What is remembered of a token that was seen before: that this signature over these bytes by this key holds, and
//! nothing else. Issuer, audience, times, scopes and whether the issuer still publishes the key are decided again on every
//! request, so a verdict cannot be out of date.

use std::num::NonZeroUsize;

use lru::LruCache;
use sha2::{Digest as _, Sha256};

use super::keys::Key;
use crate::time::UnixTime;

/// The fact that a signature holds, as a name for it: SHA-256 over the key and the whole token, signature included. Two
/// tokens with the same claims and different signatures are two verdicts; a key that changes takes its verdicts along.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Verdict([u8; 32]);

impl Verdict {
    pub(super) fn new(key: &Key, token: &str) -> Self {
        let mut hash = Sha256::new();
        hash.update(key.thumbprint()); // of fixed length: nothing can move between key and token
        hash.update(token.as_bytes());
        Self(hash.finalize().into())
    }

    /// The 32 bytes by which it is kept.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// Where verdicts are kept. Only successes are; whoever cannot answer says no.
pub trait Verdicts {
    /// Whether this verdict was reached within its window.
    fn holds(&mut self, verdict: &Verdict) -> bool;

    /// Keeps a verdict for `window` seconds; for 0 seconds not at all.
    fn remember(&mut self, verdict: &Verdict, window: u64);
}

/// Keeps nothing: every signature is checked. For judging offline, where a request comes alone.
pub struct NoVerdicts;

impl Verdicts for NoVerdicts {
    fn holds(&mut self, _: &Verdict) -> bool {
        false
    }

    fn remember(&mut self, _: &Verdict, _: u64) {}
}

/// How many verdicts a sandbox keeps: 64 bytes each with what the map needs, so well under a megabyte.
const CAPACITY: NonZeroUsize = NonZeroUsize::MIN.saturating_add(4095);

/// Verdicts in memory, the least recently used forgotten first.
pub struct Memory(LruCache<Verdict, UnixTime>);

impl Default for Memory {
    fn default() -> Self {
        Self(LruCache::new(CAPACITY))
    }
}

impl Memory {
    /// Whether `verdict` is kept and its window is open at `now`.
    pub fn holds(&mut self, verdict: &Verdict, now: UnixTime) -> bool {
        self.0.get(verdict).is_some_and(|until| now < *until)
    }

    /// Keeps `verdict` until `until`.
    pub fn remember(&mut self, verdict: Verdict, until: UnixTime) {
        self.0.put(verdict, until);
    }
}

#[cfg(test)]
mod tests {
    use super::{CAPACITY, Memory, Verdict};
    use crate::digest::sha256;
    use crate::time::UnixTime;

    fn verdict(number: usize) -> Verdict {
        Verdict(sha256(number.to_be_bytes()))
    }

    #[test]
    fn a_verdict_holds_until_its_window_closes() {
        let (mut memory, now) = (Memory::default(), UnixTime::from_seconds(100));
        assert!(!memory.holds(&verdict(1), now));
        memory.remember(verdict(1), now.plus(30));
        assert!(memory.holds(&verdict(1), now.plus(29)) && !memory.holds(&verdict(2), now));
        assert!(!memory.holds(&verdict(1), now.plus(30)));
    }

    #[test]
    fn a_flood_of_verdicts_is_bounded_and_the_used_ones_stay() {
        let (mut memory, now) = (Memory::default(), UnixTime::from_seconds(100));
        for number in 0..3 * CAPACITY.get() {
            memory.remember(verdict(number), now.plus(30));
            assert!(memory.holds(&verdict(0), now), "what is in use is not forgotten");
        }
        assert_eq!(memory.0.len(), CAPACITY.get());
        assert!(!memory.holds(&verdict(1), now));
    }
}
