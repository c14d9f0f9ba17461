//! `routes`: which requests are forwarded, and for which callers. Input: a `RouteDocument` and the other sections, to
//! which it refers. Output: a [`Route`].

pub(super) mod document;
mod inference;
mod mcp;
pub(super) mod read;
mod shared_responses;
pub(super) mod tree;
mod without_origin;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;

use super::authentication::Authentication;
use super::cache::CacheRule;
use super::conditions::Condition;
use super::fields::{Accepts, FieldEdits};
use super::forward::Forward;
use super::groups::Group;
use super::ids::{Audience, IssuerId, RouteId};
use super::inference::Inference;
use super::issuer::Issuer;
use super::limits::Limit;
use super::mcp::Mcp;
use super::origin::Origin;
use super::pattern::PathTemplate;
use super::places::Place;
use super::respond::Respond;
use crate::client::Fact;
use crate::json_form::strings;
use crate::time::Seconds;

strings!(MethodName);

/// The longest body that is signed, in bytes. The whole body is kept in memory.
pub const MAX_SIGNED_BODY: u64 = 8 * 1024 * 1024;

/// One route: a path, its methods, and who may use it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a rule of its own")]
pub struct Route {
    /// Its id.
    pub id: RouteId,
    /// The template of its path.
    pub template: PathTemplate,
    /// Its methods.
    pub methods: Vec<MethodName>,
    /// What responds to its requests.
    pub responder: Responder,
    /// The regions whose backends may serve it; all if empty.
    pub regions: Vec<String>,
    /// For how long the response of a backend is awaited; `None` if the backend alone limits that.
    pub timeout: Option<Seconds>,
    /// The group that it belongs to.
    pub group: Option<Arc<Group>>,
    /// The template of the path at the origin, if it differs.
    pub origin_template: Option<PathTemplate>,
    /// The form that requests must have.
    pub accepts: Accepts,
    /// Edits of the fields that the origin receives.
    pub request_fields: FieldEdits,
    /// Edits of the fields of responses.
    pub response_fields: FieldEdits,
    /// The places. The client must pass all of them.
    pub from: Vec<Arc<Place>>,
    /// The audiences of tokens that are accepted, in addition to what the issuer requires; all if empty.
    pub token_audiences: Vec<Audience>,
    /// Who may call.
    pub access: Access,
    /// A requirement in shadow mode: it is only logged.
    pub shadow: Requirement,
    /// The limits. All of them apply.
    pub limits: Vec<Arc<Limit>>,
    /// Whether it accepts opening handshakes of WebSockets and no other requests.
    pub websocket: bool,
    /// Whether its handshakes may carry the token as a subprotocol.
    pub bearer_subprotocol: bool,
    /// Whether the token must be bound to a key or certificate that the caller proves to hold.
    pub require_bound: bool,
    /// What its origin learns of tokens.
    pub forward: Forward,
    /// Whether the token of the client is forwarded.
    pub forward_token: bool,
    /// Whether the signed header covers the body, too.
    pub sign_body: bool,
    /// Which callers share a stored response, and for how long; `None` if responses are not stored.
    pub cache: Option<Arc<CacheRule>>,
    /// The requests to models that it accepts; `None` if it accepts any body.
    pub inference: Option<Arc<Inference>>,
    /// The MCP server behind it; `None` if there is none whose tools have rules.
    pub mcp: Option<Arc<Mcp>>,
}

impl Route {
    /// Whether backends in `region` may serve it.
    #[must_use]
    pub fn admits_region(&self, region: &String) -> bool {
        self.regions.is_empty() || self.regions.contains(region)
    }

    /// The template of its path at the origin.
    #[must_use]
    pub fn template_at_origin(&self) -> &PathTemplate {
        self.origin_template.as_ref().unwrap_or(&self.template)
    }

    /// The audiences of which a token of `issuer` must name one here, in addition to what the issuer requires; any if
    /// empty. Without `token_audiences` it is the resource of the origin, if the issuer knows that (RFC 8707 §2).
    #[must_use]
    pub fn audiences_of(&self, issuer: &Issuer) -> &[Audience] {
        match self.origin().and_then(|origin| origin.resource.as_ref()) {
            Some(resource) if self.token_audiences.is_empty() && issuer.audiences.contains(resource) => {
                std::slice::from_ref(resource)
            }
            _ => &self.token_audiences,
        }
    }

    /// The resource that it belongs to, if its origin has one of its own (RFC 9728 §1.2).
    #[must_use]
    pub fn resource(&self) -> Option<&str> {
        self.origin()?.resource.as_ref().map(Audience::as_str)
    }

    /// The resources that it does not belong to. A token that names only those is not for this route.
    #[must_use]
    pub fn foreign_resources(&self) -> &[Audience] {
        match &self.responder {
            Responder::Origin(origin) => &origin.foreign_resources,
            Responder::Edge { foreign_resources, .. } => foreign_resources,
        }
    }

    /// The origin that responds; `None` if the edge does.
    #[must_use]
    pub const fn origin(&self) -> Option<&Arc<Origin>> {
        match &self.responder {
            Responder::Origin(origin) => Some(origin),
            Responder::Edge { .. } => None,
        }
    }

    /// Whether a place of this route tests `fact`.
    #[must_use]
    pub fn tests(&self, fact: Fact) -> bool {
        self.from.iter().any(|place| place.deny.iter().chain(&place.allow).any(|test| test.fact() == fact))
    }
}

/// What responds to the requests of a route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Responder {
    /// An origin.
    Origin(Arc<Origin>),
    /// The edge.
    Edge {
        /// Its response.
        respond: Respond,
        /// The resources of all origins.
        foreign_resources: Vec<Audience>,
    },
}

/// Who may call a route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Access {
    /// All callers; tokens are not read.
    Public,
    /// All callers; a valid token identifies its holder.
    Optional,
    /// Callers with a valid token that meets the requirement.
    Authenticated {
        /// The requirement that every caller must meet.
        all_callers: Requirement,
        /// The accepted issuers by id, each with a requirement that callers with its tokens must meet in addition. If
        /// empty, all issuers are accepted.
        by_issuer: BTreeMap<IssuerId, Requirement>,
    },
}

impl Access {
    /// Whether the route reads tokens of the issuer with this id, and accepts them.
    #[must_use]
    pub fn accepts(&self, issuer: &str) -> bool {
        match self {
            Self::Public => false,
            Self::Optional => true,
            Self::Authenticated { by_issuer, .. } => by_issuer.is_empty() || by_issuer.contains_key(issuer),
        }
    }
}

/// Scopes, a condition and a sign-in that a caller must meet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Requirement {
    /// The scopes. The token must have all of them.
    pub scopes: Vec<String>,
    /// A condition in addition to the scopes.
    pub condition: Option<Condition>,
    /// How, and how recently, the caller must have signed in.
    pub authentication: Option<Authentication>,
}

/// A method that a route may name. `TRACE` and `CONNECT` are never forwarded.
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
    /// The method as a request line writes it.
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
