//! Stored responses that an unsafe request makes invalid (RFC 9111 §4.4).

use super::freshness::FIRST_ERROR;
use super::tags::Tags;
use crate::headers::Headers;
use crate::policy::{Origin, Policy};
use crate::rewrite::OriginTarget;
use crate::route;

/// The fields of a response that refer to other resources that the request has changed.
pub const REFERENCES: [&str; 2] = ["location", "content-location"];

/// What a response without an error to an unsafe request makes invalid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invalidation {
    tags: Tags,
    /// The surrogate key of the URL, if responses to it are stored.
    own: Option<String>,
    scheme: &'static str,
    host: String,
    path: String,
}

impl Invalidation {
    /// What the response to a request may make invalid; `None` if its method is safe, or if no responses are stored.
    #[must_use]
    pub fn of(policy: &Policy, origin: &Origin, target: &OriginTarget) -> Option<Self> {
        let received = target.received();
        let is_safe = matches!(received.method(), "GET" | "HEAD" | "OPTIONS");
        if is_safe || !policy.routes().iter().any(|route| route.cache.is_some()) {
            return None;
        }
        let tags = Tags::of(origin);
        let is_stored = route::find_for(policy, received.path(), "GET").is_ok_and(|route| route.cache.is_some());
        let own = is_stored.then(|| tags.url(target));
        let (host, path) = (received.host().to_owned(), target.path().encoded().to_owned());
        Some(Self { tags, own, scheme: received.scheme(), host, path })
    }

    /// The surrogate keys of the responses that a response with this status and these [`REFERENCES`] makes invalid.
    #[must_use]
    pub fn tags(&self, status: u16, references: &Headers) -> Vec<String> {
        if status >= FIRST_ERROR {
            return Vec::new();
        }
        let texts = references.iter().filter_map(|(_, value)| std::str::from_utf8(value).ok());
        let linked = texts.filter_map(|text| self.tags.linked((self.scheme, &self.host), &self.path, text.trim()));
        self.own.iter().cloned().chain(linked).collect()
    }
}
