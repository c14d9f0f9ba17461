//! Used proofs of possession, in the POP's cache. A lease gives one request the right to write an entry; the next one
//! waits and finds the entry. If the cache fails, the request is refused.

use std::time::Duration;

use super::cache_space::Space;
use super::role_platform::RolePlatform;
use super::storage::{Leased, StoreError, Stored};
use crate::identity::dpop::used::{ProofId, UsedProofs, UsedProofsUnreachable};
use crate::time::Seconds;

/// How long a request waits for another request with the same proof.
const LEASE_TIMEOUT: Duration = Duration::from_secs(2);

/// The proofs that were used in this POP.
pub(super) struct CachedProofs<'request> {
    pub(super) platform: RolePlatform<'request>,
}

impl UsedProofs for CachedProofs<'_> {
    fn mark_used(&mut self, proof: &ProofId, window: Seconds) -> Result<bool, UsedProofsUnreachable> {
        let unreachable = |error: StoreError| UsedProofsUnreachable(error.to_string());
        match self.platform.lease(Space::UsedProof, proof.as_bytes(), LEASE_TIMEOUT, 0).map_err(unreachable)? {
            Leased::Found(_) => Ok(false),
            Leased::Mine(lease) => {
                lease.put(&Stored::note(*proof.as_bytes()), window).map_err(unreachable)?;
                Ok(true)
            }
            Leased::TimedOut => Err(UsedProofsUnreachable("another request with this proof takes too long".to_owned())),
        }
    }
}
