//! The body of a request for a shadow policy, which cannot read it: a body can be read once, and the live policy reads
//! it.

use crate::content::{Body, ContentError};

/// A body that is not read. Only its announced length is known.
#[derive(Clone, Copy, Debug)]
pub struct UnreadBody {
    /// `Content-Length`, if there is one.
    pub announced: Option<u64>,
}

impl UnreadBody {
    const fn fits(self, max_bytes: u64) -> Result<(), ContentError> {
        match self.announced {
            Some(length) if length > max_bytes => Err(ContentError::TooLong { most: max_bytes }),
            _ => Ok(()),
        }
    }
}

impl Body for UnreadBody {
    /// A placeholder for the digest: what a shadow policy signs is never sent.
    fn sha256(&mut self, most: u64) -> Result<[u8; 32], ContentError> {
        self.fits(most).map(|()| [0; 32])
    }

    fn hold(&mut self, most: u64) -> Result<(), ContentError> {
        self.fits(most)
    }

    fn held(&self) -> Option<&[u8]> {
        None
    }

    fn replace(&mut self, _: Vec<u8>) {}
}
