//! *Content*: the body, where a route bounds it or wants it signed. In goes the route and the [`Body`] that arrived, out
//! comes the digest that the identity header binds (RFC 9530); the origin hashes what it receives and compares. Whatever
//! has to be read before the request is forwarded is read here, before the header is minted: its lifetime begins when it
//! leaves.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::policy::{MAX_SIGNED_BODY, Route};

/// The field that carries the digest (RFC 9530 §2).
pub const CONTENT_DIGEST: &str = "content-digest";

/// The body of a request. What is read is kept, so that it is what is forwarded.
pub trait Body {
    /// SHA-256 of the whole body, which may be `most` bytes long.
    ///
    /// # Errors
    /// A [`ContentError`] where it is longer or cannot be read to its end.
    fn sha256(&mut self, most: u64) -> Result<[u8; 32], ContentError>;

    /// Reads the beginning of a body that may be `most` bytes long: a body that shows itself too long there is never
    /// begun to be forwarded.
    ///
    /// # Errors
    /// A [`ContentError`] where it is longer, or its beginning cannot be read.
    fn hold(&mut self, most: u64) -> Result<(), ContentError>;
}

/// A request without a body.
#[derive(Clone, Copy, Debug)]
pub struct NoBody;

impl Body for NoBody {
    fn sha256(&mut self, _: u64) -> Result<[u8; 32], ContentError> {
        Ok(hmac_sha256::Hash::hash(b""))
    }

    fn hold(&mut self, _: u64) -> Result<(), ContentError> {
        Ok(())
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

/// Why a body cannot be forwarded.
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
    /// It arrives so slowly that waiting for it would hold a sandbox.
    #[error("the body arrives too slowly")]
    TooSlow,
}

impl ContentError {
    /// The code for logs, metrics and tests.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::TooLong { .. } => "body-grew-too-long",
            Self::Unreadable => "body-unreadable",
            Self::TooSlow => "body-too-slow",
        }
    }
}

/// The longest body that `route` takes, in bytes; nothing where any length is.
#[must_use]
pub fn longest_body(route: &Route) -> Option<u64> {
    let longest = route.accepts.longest_body();
    if route.sign_body { Some(longest.unwrap_or(MAX_SIGNED_BODY)) } else { longest }
}

/// Reads what has to be read of the body before the request is forwarded: all of it where the route wants it signed, which
/// gives the digest; its beginning where the route bounds it.
///
/// # Errors
/// A [`ContentError`] where it is too long, or cannot be read.
pub fn read(route: &Route, body: &mut dyn Body) -> Result<Option<ContentDigest>, ContentError> {
    match longest_body(route) {
        Some(longest) if route.sign_body => {
            let hash = body.sha256(longest)?;
            Ok(Some(ContentDigest(format!("sha-256=:{}:", STANDARD.encode(hash)))))
        }
        Some(longest) => body.hold(longest).map(|()| None),
        None => Ok(None),
    }
}
