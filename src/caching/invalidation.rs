//! Stored responses that an unsafe request makes invalid (RFC 9111 §4.4).

use std::sync::Arc;

use super::freshness::FIRST_ERROR;
use super::site::Site;
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
    /// The path as the client writes it, and as the origin does.
    paths: [String; 2],
}

impl Invalidation {
    /// What the response to a request may make invalid; `None` if its method is safe, or if no responses are stored.
    #[must_use]
    pub fn of(policy: &Policy, origin: &Arc<Origin>, target: &OriginTarget) -> Option<Self> {
        let received = target.received();
        let is_safe = matches!(received.method(), "GET" | "HEAD" | "OPTIONS");
        if is_safe || !policy.stores_responses() {
            return None;
        }
        let tags = Tags::of(origin);
        let is_stored = route::find_for(policy, received.path(), "GET").is_ok_and(|route| route.cache.is_some());
        let site = Site { scheme: received.scheme(), host: received.host() };
        let own = is_stored.then(|| site.requested(received.path().encoded(), received.query()));
        let paths = [received.path(), target.path()].map(|path| path.encoded().to_owned());
        Some(Self { tags, own, scheme: received.scheme(), host: received.host().to_owned(), paths })
    }

    /// The surrogate keys of the responses that a response with this status and these [`REFERENCES`] makes invalid.
    #[must_use]
    pub fn tags(&self, status: u16, references: &Headers) -> Vec<String> {
        if status >= FIRST_ERROR {
            return Vec::new();
        }
        let site = Site { scheme: self.scheme, host: &self.host };
        let mut tags: Vec<String> = self.own.iter().cloned().collect();
        for text in references.iter().filter_map(|(_, value)| std::str::from_utf8(value).ok()) {
            for linked in self.paths.iter().filter_map(|base| self.tags.linked(&site, base, text.trim())) {
                if !tags.contains(&linked) {
                    tags.push(linked);
                }
            }
        }
        tags
    }
}
