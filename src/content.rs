//! Step *content*: the body, if the route bounds or signs it. Input: the [`Cleared`] request and the [`Body`] that arrived. Output:
//! [`ReadBody`] with the digest that the identity header binds (RFC 9530); the origin hashes what it receives and
//! compares. The body is read before the header is minted, because the header's lifetime begins then.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::digest::sha256;
use crate::policy::{MAX_SIGNED_BODY, Route};
use crate::request::Content;
use crate::throttle::Cleared;

/// The field that carries the digest (RFC 9530 §2).
pub const CONTENT_DIGEST: &str = "content-digest";

/// The body of a request. An implementation keeps what it reads, so that it forwards the bytes that were hashed.
pub trait Body {
    /// SHA-256 of the whole body, which may be `most` bytes long.
    ///
    /// # Errors
    /// A [`ContentError`] if it is longer or cannot be read to its end.
    fn sha256(&mut self, most: u64) -> Result<[u8; 32], ContentError>;

    /// Reads the whole body, which may be `most` bytes long.
    ///
    /// # Errors
    /// A [`ContentError`] if it is longer or cannot be read to its end.
    fn read(&mut self, most: u64) -> Result<(), ContentError> {
        self.sha256(most).map(drop)
    }

    /// Reads the beginning of a body that may be `most` bytes long, so that forwarding never starts for a body that is
    /// already too long there.
    ///
    /// # Errors
    /// A [`ContentError`] if it is longer, or if its beginning cannot be read.
    fn hold(&mut self, most: u64) -> Result<(), ContentError>;

    /// The bytes of the whole body, after [`read`](Self::read); `None` where bodies are never read, because the request is
    /// only judged and not sent.
    fn held(&self) -> Option<&[u8]>;

    /// Sends `content` in place of the body that was read.
    fn replace(&mut self, content: Vec<u8>);
}

/// A request without a body.
#[derive(Clone, Copy, Debug)]
pub struct NoBody;

impl Body for NoBody {
    fn sha256(&mut self, _: u64) -> Result<[u8; 32], ContentError> {
        Ok(sha256(""))
    }

    fn hold(&mut self, _: u64) -> Result<(), ContentError> {
        Ok(())
    }

    fn held(&self) -> Option<&[u8]> {
        Some(&[])
    }

    fn replace(&mut self, _: Vec<u8>) {}
}

/// `sha-256=:…:`, the value of a `Content-Digest` field (RFC 9530 §2) over the body's bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContentDigest(String);

impl ContentDigest {
    /// The digest of a whole body.
    #[must_use]
    pub fn of(content: &[u8]) -> Self {
        Self::of_hash(sha256(content))
    }

    fn of_hash(hash: [u8; 32]) -> Self {
        Self(format!("sha-256=:{}:", STANDARD.encode(hash)))
    }

    /// The value of the field.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A body that was read as far as the route requires. Only [`read`] makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadBody {
    digest: Option<ContentDigest>,
}

impl ReadBody {
    /// The digest, if the route signs the body as it arrived.
    #[must_use]
    pub fn into_digest(self) -> Option<ContentDigest> {
        self.digest
    }
}

/// Why a body cannot be forwarded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ContentError {
    /// It is longer than the route accepts.
    #[error("the body is longer than {most} bytes")]
    TooLong {
        /// The longest that the route accepts, in bytes.
        most: u64,
    },
    /// It did not arrive whole.
    #[error("the body could not be read to its end")]
    Unreadable,
    /// It arrives too slowly.
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

/// The longest body that `route` accepts, in bytes; `None` if any length is accepted.
#[must_use]
pub fn longest_body(route: &Route) -> Option<u64> {
    let of_models = route.inference.as_ref().map(|inference| inference.max_input_bytes);
    let of_mcp = route.mcp.as_ref().map(|mcp| mcp.max_body);
    let longest = of_models.or(of_mcp).or_else(|| route.accepts.longest_body());
    if route.sign_body { Some(longest.unwrap_or(MAX_SIGNED_BODY)) } else { longest }
}

/// The longest body, in bytes, that is read before the request is sent to one of several backends: a failure is then the
/// backend's and not the client's, and the request can be sent again.
pub const MAX_HELD_BODY: u64 = 64 * 1024;

/// Whether the whole of such a body is in hand when the request is sent.
#[must_use]
pub fn is_held(content: Content) -> bool {
    !content.chunked && content.length.is_none_or(|length| length <= MAX_HELD_BODY)
}

/// How much of the body is read before the request is forwarded, in bytes; `None` if nothing.
#[must_use]
pub fn read_ahead(route: &Route, content: Content) -> Option<u64> {
    let announced = content.length.filter(|length| *length > 0 && is_held(content));
    let of_several = || announced.filter(|_| route.origin().is_some_and(|origin| origin.backends.are_chosen()));
    longest_body(route).or_else(of_several)
}

/// Reads the body before the request is forwarded: all of it if the route signs it, its beginning if the route bounds it,
/// and a short one if the request goes to one of several backends.
///
/// # Errors
/// A [`ContentError`] if it is too long or cannot be read.
pub fn read(cleared: &Cleared<'_>, content: Content, body: &mut dyn Body) -> Result<ReadBody, ContentError> {
    let route = cleared.route();
    let digest = match read_ahead(route, content) {
        Some(longest) if route.inference.is_some() => {
            body.read(longest)?;
            // What is sent is hashed after it was judged, because it may be changed.
            let unknown = body.held().is_none().then(|| body.sha256(longest)).transpose()?;
            unknown.map(ContentDigest::of_hash)
        }
        Some(longest) if route.sign_body => Some(ContentDigest::of_hash(body.sha256(longest)?)),
        Some(longest) => {
            body.hold(longest)?;
            None
        }
        None => None,
    };
    Ok(ReadBody { digest })
}
