//! Verdicts of earlier requests: in the memory of this sandbox, then in the Core Cache of the POP. A cache that errs has
//! nothing to say, and the signature is checked.

use std::time::Duration;

use fastgate::identity::verdict::{Memory, Verdict, Verdicts};
use fastgate::time::UnixTime;
use fastly::cache::core::{self, CacheKey};

/// The verdicts as they are asked for by one request.
pub(super) struct VerdictsAt<'sandbox> {
    pub(super) memory: &'sandbox mut Memory,
    pub(super) now: UnixTime,
}

impl Verdicts for VerdictsAt<'_> {
    fn holds(&mut self, verdict: &Verdict) -> bool {
        self.memory.holds(verdict, self.now) || in_cache(verdict)
    }

    fn remember(&mut self, verdict: &Verdict, window: u64) {
        if window == 0 {
            return;
        }
        self.memory.remember(*verdict, self.now.plus(window));
        let insert = core::insert(cache_key(verdict), Duration::from_secs(window));
        // The entry says what it is an entry of: one that was damaged or belongs to something else is none.
        if let Ok(body) = insert.user_metadata(verdict.as_bytes().to_vec().into()).execute() {
            let _ = body.finish();
        }
    }
}

fn in_cache(verdict: &Verdict) -> bool {
    let found = core::lookup(cache_key(verdict)).execute();
    matches!(found, Ok(Some(found)) if found.user_metadata() == verdict.as_bytes().as_slice())
}

fn cache_key(verdict: &Verdict) -> CacheKey {
    CacheKey::from([b"fastgate/verdict/".as_slice(), verdict.as_bytes()].concat())
}
