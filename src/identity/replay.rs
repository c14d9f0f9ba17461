//! Which proofs of possession were used before: a proof is good for one request (RFC 9449 §11.1).

use sha2::{Digest as _, Sha256};

/// A proof, as a name for it: SHA-256 over the thumbprint of its key and its `jti`. Keys have names of their own, so that
/// nobody can use up the proofs of somebody else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProofId([u8; 32]);

impl ProofId {
    pub(super) fn new(key: &[u8; 32], jti: &str) -> Self {
        let mut hash = Sha256::new();
        hash.update(key); // of fixed length: nothing can move between key and jti
        hash.update(jti.as_bytes());
        Self(hash.finalize().into())
    }

    /// The 32 bytes by which it is kept.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// Where used proofs are kept.
pub trait Replays {
    /// Keeps `proof` for `window` seconds. Whether it is the first time in that window; of requests that ask at once, one
    /// is told so.
    ///
    /// # Errors
    /// [`ReplaysUnreachable`] where that cannot be told; the request is refused then.
    fn is_first(&mut self, proof: &ProofId, window: u64) -> Result<bool, ReplaysUnreachable>;
}

/// Whether a proof was used before cannot be told.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("whether the proof was used before cannot be told: {0}")]
pub struct ReplaysUnreachable(pub String);
