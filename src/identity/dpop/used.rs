//! The port that remembers used proofs of possession. A proof is valid for one request (RFC 9449 §11.1).

use sha2::{Digest as _, Sha256};

use crate::time::Seconds;

/// The digest of a proof: SHA-256 over the thumbprint of its key and its `jti`. It includes the key, so that a client
/// cannot use up the proofs of another client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProofId([u8; 32]);

impl ProofId {
    pub(in crate::identity) fn new(key: &[u8; 32], jti: &str) -> Self {
        let mut hash = Sha256::new();
        hash.update(key); // of fixed length, so the boundary between key and jti is unambiguous
        hash.update(jti.as_bytes());
        Self(hash.finalize().into())
    }

    /// The 32 bytes that are its key in a cache.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// The port to the memory of used proofs.
pub trait UsedProofs {
    /// Marks `proof` as used for `window`. Returns `true` if it was not marked before. Of concurrent requests with the
    /// same proof, exactly one gets `true`.
    ///
    /// # Errors
    /// [`UsedProofsUnreachable`] if the memory cannot be reached; the request is then refused.
    fn mark_used(&mut self, proof: &ProofId, window: Seconds) -> Result<bool, UsedProofsUnreachable>;
}

/// It is unknown whether a proof was used before.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is unknown whether the proof was used before: {0}")]
pub struct UsedProofsUnreachable(pub String);

impl UsedProofsUnreachable {
    /// The code for logs, metrics and tests.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        "used-proofs-unreachable"
    }
}
