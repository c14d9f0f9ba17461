//! Signatures that were verified before: in the memory of this sandbox, then in the POP's cache. If the cache fails,
//! the signature is verified again.

use super::cache_space::Space;
use super::role_platform::RolePlatform;
use super::storage::Stored;
use crate::identity::signature_cache::{SignatureCache, SignatureMemory, VerifiedSignature};
use crate::time::{Seconds, UnixTime};

/// The verified signatures for one request.
pub(super) struct CachedSignatures<'request> {
    pub(super) memory: &'request mut SignatureMemory,
    pub(super) platform: RolePlatform<'request>,
}

impl SignatureCache for CachedSignatures<'_> {
    fn holds(&mut self, signature: &VerifiedSignature) -> bool {
        let now = self.platform.began();
        if self.memory.recall(signature, now).is_some() {
            return true;
        }
        let Ok(Some(note)) = self.platform.cached_note(Space::Signature, signature.as_bytes()) else { return false };
        match read_note(&note, signature) {
            Some(until) if now < until => {
                self.memory.keep(*signature, (), until);
                true
            }
            _ => false,
        }
    }

    fn remember(&mut self, signature: &VerifiedSignature, window: Seconds) {
        if window.is_zero() {
            return;
        }
        let until = self.platform.began().plus(window);
        self.memory.keep(*signature, (), until);
        let note = Stored::note(note(signature, until));
        let _ = self.platform.cache(Space::Signature, signature.as_bytes(), &note, window);
    }
}

/// The note of an entry in the POP's cache: its key again, and the end of its window as 8 bytes.
fn note(signature: &VerifiedSignature, until: UnixTime) -> Vec<u8> {
    [signature.as_bytes().as_slice(), &until.seconds().to_be_bytes()].concat()
}

/// The end of the window; `None` for a damaged entry, or one for another signature.
fn read_note(note: &[u8], signature: &VerifiedSignature) -> Option<UnixTime> {
    let until = note.strip_prefix(signature.as_bytes().as_slice())?;
    Some(UnixTime::from_seconds(u64::from_be_bytes(until.try_into().ok()?)))
}
