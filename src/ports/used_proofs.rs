//! Used proofs of possession, in the POP's cache. A lease gives the right to write an entry to one request alone; the
//! next one waits and finds the entry. A cache that errs lets nobody pass.

use std::time::Duration;

use super::scoped::{Scoped, Space};
use super::storage::{Leased, StoreError, Stored};
use crate::identity::dpop::used::{ProofId, UsedProofs, UsedProofsUnreachable};

/// How long a request waits for another one with the same proof.
const PATIENCE: Duration = Duration::from_secs(2);

/// The proofs that were used in this POP.
pub(super) struct CachedProofs<'request> {
    pub(super) scoped: Scoped<'request>,
}

impl UsedProofs for CachedProofs<'_> {
    fn is_first(&mut self, proof: &ProofId, window: u64) -> Result<bool, UsedProofsUnreachable> {
        let unreachable = |error: StoreError| UsedProofsUnreachable(error.to_string());
        match self.scoped.lease(Space::UsedProof, proof.as_bytes(), PATIENCE, 0).map_err(unreachable)? {
            Leased::Found(_) => Ok(false),
            Leased::Mine(lease) => {
                lease.put(&Stored::note(*proof.as_bytes()), window).map_err(unreachable)?;
                Ok(true)
            }
            Leased::TimedOut => Err(UsedProofsUnreachable("another request with this proof takes too long".to_owned())),
        }
    }
}
