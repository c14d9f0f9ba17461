//! Signatures that were verified before. Input: a key and a token. Output: whether the signature was verified within
//! the window. The cache keeps only this fact. Issuer, audience, times, scopes and whether the issuer still publishes
//! the key are checked on every request, so that an entry cannot be out of date.

use sha2::{Digest as _, Sha256};

use super::cache::Lru;
use super::keys::Key;
use crate::time::Seconds;

/// The digest of a valid signature: SHA-256 over the key and the whole token, including the signature. Two tokens with
/// the same claims and different signatures have different digests, and so have two keys with the same `kid`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct VerifiedSignature([u8; 32]);

impl VerifiedSignature {
    pub(super) fn new(key: &Key, token: &str) -> Self {
        let mut hash = Sha256::new();
        hash.update(key.thumbprint()); // of fixed length, so the boundary between key and token is unambiguous
        hash.update(token.as_bytes());
        Self(hash.finalize().into())
    }

    /// The 32 bytes that are its key in a cache.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// The port to a cache of verified signatures. It keeps only valid ones. If it fails, it returns `false`.
pub trait SignatureCache {
    /// Whether `signature` was verified within its window.
    fn holds(&mut self, signature: &VerifiedSignature) -> bool;

    /// Keeps `signature` for `window`. A window of zero keeps nothing.
    fn remember(&mut self, signature: &VerifiedSignature, window: Seconds);
}

/// An empty cache: every signature is verified. For offline use.
pub struct NoSignatureCache;

impl SignatureCache for NoSignatureCache {
    fn holds(&mut self, _: &VerifiedSignature) -> bool {
        false
    }

    fn remember(&mut self, _: &VerifiedSignature, _: Seconds) {}
}

/// Signatures in the memory of one sandbox: 64 bytes each including the map, so well under a megabyte.
pub type SignatureMemory = Lru<VerifiedSignature, (), 4096>;
