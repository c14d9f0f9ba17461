//! Routes: what may be reached, by whom, and under which conditions.

pub(super) mod document;
pub(super) mod read;
pub(super) mod tree;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;

use super::conditions::Condition;
use super::fields::{Accepts, FieldEdits};
use super::groups::Group;
use super::json_form::words;
use super::limits::Limit;
use super::origin::Origin;
use super::pattern::PathTemplate;
use super::places::Place;
use crate::surroundings::Fact;

words!(MethodName);

/// The longest body that is signed, in bytes: it is held in memory as a whole.
pub const MAX_SIGNED_BODY: u64 = 8 * 1024 * 1024;

/// One thing that may be reached.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a question of its own")]
pub struct Route {
    /// Its id.
    pub id: String,
    /// Its path.
    pub template: PathTemplate,
    /// Its methods.
    pub methods: Vec<MethodName>,
    /// Where it is forwarded.
    pub origin: Arc<Origin>,
    /// The group that it belongs to.
    pub group: Option<Arc<Group>>,
    /// The template by which the origin knows it, where that is another one.
    pub origin_template: Option<PathTemplate>,
    /// What its requests must look like.
    pub accepts: Accepts,
    /// Edits of the fields that the origin sees.
    pub request_fields: FieldEdits,
    /// Edits of the fields of answers.
    pub response_fields: FieldEdits,
    /// From where it may be used: all of these ask.
    pub from: Vec<Arc<Place>>,
    /// Who may call.
    pub access: Access,
    /// A requirement that is only logged.
    pub shadow: Requirement,
    /// How often it may be used: all of these count.
    pub limits: Vec<Arc<Limit>>,
    /// Whether it takes opening handshakes of WebSockets, and nothing else.
    pub websocket: bool,
    /// Whether its handshakes may carry the token as a subprotocol.
    pub bearer_subprotocol: bool,
    /// Whether the token must be bound to a key or certificate that the caller shows to hold.
    pub require_bound: bool,
    /// Whether the client's own token travels on.
    pub forward_token: bool,
    /// Whether the signed header binds the body, too.
    pub sign_body: bool,
}

impl Route {
    /// The template by which the origin knows it.
    #[must_use]
    pub fn template_at_origin(&self) -> &PathTemplate {
        self.origin_template.as_ref().unwrap_or(&self.template)
    }

    /// Whether the place of a client is judged by `fact` here.
    #[must_use]
    pub fn judges(&self, fact: Fact) -> bool {
        self.from.iter().any(|place| place.deny.iter().chain(&place.allow).any(|test| test.fact() == fact))
    }
}

/// Who may call a route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Access {
    /// Everybody; tokens are not read.
    Public,
    /// Everybody; the holder of a valid token is known by it.
    Optional,
    /// Whoever has a valid token and meets the requirement.
    Authenticated {
        /// What is asked of every caller.
        everybody: Requirement,
        /// The accepted issuers by id, and what is asked of the holders of their tokens besides; empty where all are.
        by_issuer: BTreeMap<String, Requirement>,
    },
}

/// What is asked of a caller.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Requirement {
    /// The scopes that the token must have, all of them.
    pub scopes: Vec<String>,
    /// A condition besides.
    pub condition: Option<Condition>,
}

/// The methods that a route may name. `TRACE` and `CONNECT` are never forwarded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[cfg_attr(not(target_os = "wasi"), derive(schemars::JsonSchema))]
#[serde(rename_all = "UPPERCASE", remote = "Self")]
pub enum MethodName {
    /// RFC 9110 §9.3.1
    Get,
    /// RFC 9110 §9.3.2
    Head,
    /// RFC 9110 §9.3.3
    Post,
    /// RFC 9110 §9.3.4
    Put,
    /// RFC 5789
    Patch,
    /// RFC 9110 §9.3.5
    Delete,
    /// RFC 9110 §9.3.7
    Options,
}

impl MethodName {
    /// The method as it stands in a request line.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
            Self::Options => "OPTIONS",
        }
    }
}
