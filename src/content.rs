//! *Content*: the body, where a route wants it signed. In goes the route and the [`Body`] that arrived, out comes the
//! digest that the identity header binds (RFC 9530); the origin hashes what it receives and compares.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::policy::{MAX_SIGNED_BODY, Route};

/// The field that carries the digest (RFC 9530 §2).
pub const CONTENT_DIGEST: &str = "content-digest";

/// The body of a request. Whoever hashes it keeps it, so that what was hashed is what is forwarded.
pub trait Body {
    /// SHA-256 of the whole body, which may be `most` bytes long.
    ///
    /// # Errors
    /// A [`ContentError`] where it is longer or cannot be read to its end.
    fn sha256(&mut self, most: u64) -> Result<[u8; 32], ContentError>;
}

/// A request without a body.
#[derive(Clone, Copy, Debug)]
pub struct NoBody;

impl Body for NoBody {
    fn sha256(&mut self, _: u64) -> Result<[u8; 32], ContentError> {
        Ok(hmac_sha256::Hash::hash(b""))
    }
}

/// `sha-256=:…:`, the value of a `Content-Digest` field (RFC 9530 §2) over the body's bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContentDigest(String);

impl ContentDigest {
    /// The value of the field.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Why a body cannot be signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ContentError {
    /// It is longer than the route takes.
    #[error("the body turned out longer than {most} bytes")]
    TooLong {
        /// The longest that the route takes.
        most: u64,
    },
    /// It did not arrive as a whole.
    #[error("the body could not be read to its end")]
    Unreadable,
}

/// The digest of the body, where the route wants it signed.
///
/// # Errors
/// A [`ContentError`] where there is none that could be signed.
pub fn digest(route: &Route, body: &mut dyn Body) -> Result<Option<ContentDigest>, ContentError> {
    if !route.sign_body {
        return Ok(None);
    }
    let hash = body.sha256(route.accepts.longest_body().unwrap_or(MAX_SIGNED_BODY))?;
    Ok(Some(ContentDigest(format!("sha-256=:{}:", STANDARD.encode(hash)))))
}
