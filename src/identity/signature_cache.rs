//! Signatures that were verified before. A cache keeps the fact that one signature over these bytes by this key is
//! valid, and nothing else: issuer, audience, times, scopes and whether the issuer still publishes the key are checked
//! on every request, so that an entry cannot be out of date.

use sha2::{Digest as _, Sha256};

use super::cache::Lru;
use super::keys::Key;

/// The digest of a valid signature: SHA-256 over the key and the whole token, signature included. Two tokens with the
/// same claims and different signatures have different digests; another key under the same `kid` has none of the former
/// one's.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct VerifiedSignature([u8; 32]);

impl VerifiedSignature {
    pub(super) fn new(key: &Key, token: &str) -> Self {
        let mut hash = Sha256::new();
        hash.update(key.thumbprint()); // of fixed length, so that key and token cannot run into each other
        hash.update(token.as_bytes());
        Self(hash.finalize().into())
    }

    /// The 32 bytes that are its key in a cache.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// A cache of verified signatures. Only valid ones are kept; a cache that fails answers `false`.
pub trait SignatureCache {
    /// Whether `signature` was verified within its window.
    fn holds(&mut self, signature: &VerifiedSignature) -> bool;

    /// Keeps `signature` for `window` seconds; for 0 seconds not at all.
    fn remember(&mut self, signature: &VerifiedSignature, window: u64);
}

/// An empty cache: every signature is verified. For offline use.
pub struct NoSignatureCache;

impl SignatureCache for NoSignatureCache {
    fn holds(&mut self, _: &VerifiedSignature) -> bool {
        false
    }

    fn remember(&mut self, _: &VerifiedSignature, _: u64) {}
}

/// Signatures in the memory of one sandbox: 64 bytes each with what the map needs, so well under a megabyte.
pub type SignatureMemory = Lru<VerifiedSignature, (), 4096>;
