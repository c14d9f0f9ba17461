//! Signatures that were verified before: in the memory of this sandbox, then in the POP's cache. If the cache fails,
//! the signature is verified again.

use super::scoped::{Scoped, Space};
use super::storage::Stored;
use crate::identity::verdict::{Memory, Verdict, Verdicts};

/// The verified signatures for one request.
pub(super) struct CachedSignatures<'request> {
    pub(super) memory: &'request mut Memory,
    pub(super) scoped: Scoped<'request>,
}

impl Verdicts for CachedSignatures<'_> {
    fn holds(&mut self, verdict: &Verdict) -> bool {
        if self.memory.holds(verdict, self.scoped.now()) {
            return true;
        }
        let found = self.scoped.cached_note(Space::Signature, verdict.as_bytes());
        // The entry repeats its key: a damaged entry, or one for another signature, does not count.
        matches!(found, Ok(Some(note)) if note == verdict.as_bytes())
    }

    fn remember(&mut self, verdict: &Verdict, window: u64) {
        if window == 0 {
            return;
        }
        self.memory.remember(*verdict, self.scoped.now().plus(window));
        let _ = self.scoped.cache(Space::Signature, verdict.as_bytes(), &Stored::note(*verdict.as_bytes()), window);
    }
}
