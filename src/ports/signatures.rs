//! Signatures that were verified before: in the memory of this sandbox, then in the POP's cache. If the cache fails,
//! the signature is verified again.

use super::cache_space::Space;
use super::role_platform::RolePlatform;
use super::storage::Stored;
use crate::identity::signature_cache::{SignatureCache, SignatureMemory, VerifiedSignature};

/// The verified signatures for one request.
pub(super) struct CachedSignatures<'request> {
    pub(super) memory: &'request mut SignatureMemory,
    pub(super) platform: RolePlatform<'request>,
}

impl SignatureCache for CachedSignatures<'_> {
    fn holds(&mut self, signature: &VerifiedSignature) -> bool {
        if self.memory.recall(signature, self.platform.now()).is_some() {
            return true;
        }
        let found = self.platform.cached_note(Space::Signature, signature.as_bytes());
        // The entry repeats its key: a damaged entry, or one for another signature, does not count.
        matches!(found, Ok(Some(note)) if note == signature.as_bytes())
    }

    fn remember(&mut self, signature: &VerifiedSignature, window: u64) {
        if window == 0 {
            return;
        }
        self.memory.keep(*signature, (), self.platform.now().plus(window));
        let _ =
            self.platform.cache(Space::Signature, signature.as_bytes(), &Stored::note(*signature.as_bytes()), window);
    }
}
