//! Used proofs of possession, in the Core Cache of this POP. A transaction gives the obligation to insert an entry to one
//! request alone; whoever comes behind it waits and finds the entry. A cache that errs lets nobody pass.

use std::time::Duration;

use fastgate::identity::replay::{ProofId, Replays, ReplaysUnreachable};
use fastly::cache::core::{CacheKey, Transaction};

/// How long a request waits for another one with the same proof.
const PATIENCE: Duration = Duration::from_secs(2);

/// The proofs that were used in this POP.
pub(super) struct UsedProofs {
    /// Keeps the proofs that different policies have seen apart: each judges a request once.
    pub(super) space: &'static str,
}

impl Replays for UsedProofs {
    fn is_first(&mut self, proof: &ProofId, window: u64) -> Result<bool, ReplaysUnreachable> {
        let unreachable = |cause: String| ReplaysUnreachable(format!("the Core Cache: {cause}"));
        let key = CacheKey::from([b"fastgate/", self.space.as_bytes(), b"/", proof.as_bytes()].concat());
        let asked =
            Transaction::lookup(key).timeout(PATIENCE).execute().map_err(|error| unreachable(error.to_string()))?;
        if asked.found().is_some() {
            return Ok(false);
        }
        if !asked.must_insert() {
            return Err(unreachable("it gave neither an entry nor leave to insert one".to_owned()));
        }
        let body = asked
            .insert(Duration::from_secs(window))
            .user_metadata(proof.as_bytes().to_vec().into())
            .execute()
            .map_err(|error| unreachable(error.to_string()))?;
        body.finish().map_err(|error| unreachable(error.to_string()))?;
        Ok(true)
    }
}
