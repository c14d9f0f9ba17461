//! The body of a request, hashed where the walk asks for it. It is put back as it was hashed: those bytes are forwarded.

use std::io::Read as _;

use fastgate::content::{Body, ContentError};
use fastly::Request;

use super::body::exceeds;

/// The body of this request.
pub(super) struct BodyOf<'request>(pub(super) &'request mut Request);

impl Body for BodyOf<'_> {
    fn sha256(&mut self, most: u64) -> Result<[u8; 32], ContentError> {
        let mut bytes = Vec::new();
        if let Some(body) = self.0.try_take_body() {
            // One byte more tells a body that is too long from one that just fits.
            body.take(most.saturating_add(1)).read_to_end(&mut bytes).map_err(|_| ContentError::Unreadable)?;
        }
        if exceeds(bytes.len(), most) {
            return Err(ContentError::TooLong { most });
        }
        let hash = hmac_sha256::Hash::hash(&bytes);
        self.0.set_body(bytes);
        Ok(hash)
    }
}
