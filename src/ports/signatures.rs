//! Signatures that were checked before: in the memory of this sandbox, then in the POP's cache. A cache that errs has
//! nothing to say, and the signature is checked.

use super::scoped::{Scoped, Space};
use super::storage::Stored;
use crate::identity::signature_cache::{SignatureCache, SignatureMemory, VerifiedSignature};

/// The signatures as they are asked for by one request.
pub(super) struct CachedSignatures<'request> {
    pub(super) memory: &'request mut SignatureMemory,
    pub(super) scoped: Scoped<'request>,
}

impl SignatureCache for CachedSignatures<'_> {
    fn holds(&mut self, signature: &VerifiedSignature) -> bool {
        if self.memory.recall(signature, self.scoped.now()).is_some() {
            return true;
        }
        let found = self.scoped.cached_note(Space::Signature, signature.as_bytes());
        // The entry says what it is an entry of: one that was damaged or belongs to something else is none.
        matches!(found, Ok(Some(note)) if note == signature.as_bytes())
    }

    fn remember(&mut self, signature: &VerifiedSignature, window: u64) {
        if window == 0 {
            return;
        }
        self.memory.keep(*signature, (), self.scoped.now().plus(window));
        let _ = self.scoped.cache(Space::Signature, signature.as_bytes(), &Stored::note(*signature.as_bytes()), window);
    }
}
