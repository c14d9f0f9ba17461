//! The plan for one request: what it may be answered with, and under which key.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use super::key::{CacheKey, Source};
use super::tags::Tags;
use crate::backend::Assignment;
use crate::conditional::Conditions;
use crate::inference::Admission;
use crate::mcp_request::JudgedBody;
use crate::policy::{CacheRule, Route, SharedFact};
use crate::request::{Content, Target};
use crate::rewrite::OriginTarget;
use crate::throttle::Cleared;

/// The plan for one request to a route whose responses are stored: a GET or HEAD, or a request to a model that would get the
/// same response again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// `None` if the caller lacks a fact of the audience, or if the request has a body that is not part of the key: no stored
    /// response is sent, and none is stored.
    pub(super) key: Option<CacheKey>,
    pub(super) rule: Arc<CacheRule>,
    pub(super) conditions: Conditions,
    pub(super) is_head: bool,
    /// Whether the key contains the body. The origin then cannot say that a stored response is still valid, because it would
    /// read conditions of such a request as preconditions (RFC 9110 §13.1).
    pub(super) body_in_key: bool,
    pub(super) tags: Tags,
    /// The surrogate keys of the URL.
    pub(super) url: Vec<String>,
}

impl Plan {
    /// The plan for a request; `None` if responses to such requests are never stored. `generation` is the purge
    /// generation of the origin; without it, no response is stored.
    #[must_use]
    pub fn of(
        cleared: &Cleared<'_>,
        target: &OriginTarget,
        assignment: &Assignment,
        generation: Option<u64>,
        body: &JudgedBody,
    ) -> Option<Self> {
        let route = cleared.route();
        let repeatable = repeatable(body);
        let rule = route.cache.as_ref().filter(|_| is_retrieval(target.received()) || repeatable.is_some())?;
        let key = generation.and_then(|number| {
            let source = Source { route, rule, target, assignment, generation: number, admission: repeatable };
            CacheKey::of(&source, cleared.caller())
        });
        let tags = Tags::of(route.origin()?);
        Some(Self {
            key: key.filter(|_| repeatable.is_some() || !has_body(target.received().content())),
            rule: Arc::clone(rule),
            conditions: match repeatable {
                None => Conditions::of(target.received().headers()),
                Some(_) => Conditions::default(),
            },
            is_head: target.received().method() == "HEAD",
            body_in_key: repeatable.is_some(),
            url: tags.of_url(target),
            tags,
        })
    }
}

impl fmt::Display for Plan {
    /// The parts of the key, for `fastgate explain`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let CacheRule { audience, vary, .. } = &*self.rule;
        let parts = ["route", "origin", "region", "version", "host", "path", "query"].into_iter().map(Cow::from);
        let fields = vary.iter().map(|name| format!("field {name}").into());
        let body = self.body_in_key.then(|| "body".into());
        let parts: Vec<_> = parts.chain(body).chain(fields).chain(audience.iter().map(SharedFact::name)).collect();
        let shared = match audience.len() {
            0 => "all callers",
            _ => "callers with the same claims",
        };
        write!(formatter, "shared by {shared}: the key has {}", parts.join(", "))?;
        match self.key {
            Some(_) => Ok(()),
            None => formatter.write_str("; the caller lacks one of them, or the request has a body"),
        }
    }
}

/// The rule of a route whose responses to such requests are shared; `None` if they are not. The origin then learns only
/// what those who share a response have in common.
#[must_use]
pub fn shared_by<'policy>(
    route: &'policy Route,
    target: &OriginTarget,
    body: &JudgedBody,
) -> Option<&'policy CacheRule> {
    route.cache.as_deref().filter(|_| is_retrieval(target.received()) || repeatable(body).is_some())
}

/// What was decided about a request that would get the same response again.
fn repeatable(body: &JudgedBody) -> Option<&Admission> {
    body.admission().filter(|admission| admission.repeatable.is_some())
}

/// Whether the request retrieves a representation.
fn is_retrieval(target: &Target) -> bool {
    matches!(target.method(), "GET" | "HEAD")
}

/// Whether a request with this content has a body.
#[must_use]
pub fn has_body(content: Content) -> bool {
    content.chunked || content.length.is_some_and(|length| length > 0)
}
