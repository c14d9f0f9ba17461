//! The policy: working rules that are always valid. A [`Policy`] can only be had from a document without faults, so the
//! rooms that use it ask no questions.

mod captures;
pub mod claim_path;
pub mod conditions;
mod document;
mod fault;
pub mod fields;
pub mod groups;
mod hosts;
mod introspection;
mod issuer;
pub mod limits;
pub mod network;
pub mod pattern;
pub mod places;
mod preset;
mod read;
pub mod rewrite;
mod tree;
pub(crate) mod url;

use std::collections::BTreeMap;
use std::sync::Arc;

pub use captures::Captures;
pub use claim_path::ClaimPath;
use conditions::Condition;
pub use document::{
    AlgorithmName, IdentityAlgorithm, KeyLife, MethodName, PolicyDocument, PresetName, ProofDemands, TokenKind,
};
pub use fault::{Fault, PolicyFault, PolicyFaults};
use fields::{Accepts, FieldEdits};
use groups::Group;
pub use hosts::Hosts;
pub(crate) use hosts::split_port;
pub use introspection::Introspection;
pub use issuer::{Issuer, TokenDemands, TokenShape};
use limits::Limit;
use pattern::PathTemplate;
use places::Place;
pub(crate) use read::is_scope;
use tree::RouteTree;

use crate::client::Fact;

/// The longest body that is signed, in bytes: it is held in memory as a whole.
pub const MAX_SIGNED_BODY: u64 = 8 * 1024 * 1024;

/// The longest token that a policy may let pass, in bytes: Fastly hands over header fields of this length (its own limit is
/// 69 KB), and what an unverified token costs is bounded.
pub const MAX_TOKEN_BYTES: u64 = 32 * 1024;

/// The greatest age of a proof of possession that a policy may choose (`edge.dpop.max_age`), in seconds.
pub const MAX_PROOF_AGE: u64 = 600;
/// How far ahead of the edge's clock a policy may let proofs be (`edge.dpop.leeway`), in seconds.
pub const MAX_PROOF_LEEWAY: u64 = 60;

/// The rules of one Fastgate service.
#[derive(Clone, Debug)]
pub struct Policy {
    edge: Edge,
    /// By every spelling of `iss`.
    issuers: BTreeMap<String, Arc<Issuer>>,
    routes: Vec<Route>,
    tree: RouteTree,
}

/// What this edge is called.
#[derive(Clone, Debug)]
pub struct Edge {
    /// `iss` of the signed header.
    pub issuer: String,
    /// The hosts that requests may name.
    pub hosts: Hosts,
    /// How long a signed header is valid, in seconds, 1 to 60.
    pub identity_lifetime: u64,
    /// The longest token that is read, in bytes.
    pub max_token: u64,
    /// What is kept before it is known who is calling.
    pub flood_limit: Option<Arc<Limit>>,
    /// Whether answers get the security fields that the origin leaves out.
    pub security_headers: bool,
    /// The identifier of what is protected here (RFC 9728 §1.2).
    pub resource: String,
    /// What is asked of proofs of possession.
    pub proofs: ProofDemands,
}

/// One application behind the edge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The Fastly backend.
    pub backend: String,
    /// `aud` of the signed header.
    pub audience: String,
    /// How that header is signed.
    pub algorithm: IdentityAlgorithm,
}

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

impl Policy {
    /// Reads `policy.json`.
    ///
    /// # Errors
    /// Every fault that was found, each with the JSON path of its place.
    pub fn parse(json: &[u8]) -> Result<Self, PolicyFaults> {
        let document = read::document(json).map_err(|fault| PolicyFaults(vec![fault]))?;
        Self::try_from(document)
    }

    /// What this edge is called.
    #[must_use]
    pub const fn edge(&self) -> &Edge {
        &self.edge
    }

    /// The provider whose `iss` is exactly this, in one of its spellings.
    #[must_use]
    pub fn issuer(&self, iss: &str) -> Option<&Issuer> {
        self.issuers.get(iss).map(Arc::as_ref)
    }

    /// The providers.
    pub fn issuers(&self) -> impl Iterator<Item = &Issuer> {
        // One that has several spellings stands there once for each; it is the same one.
        self.issuers.iter().filter(|(iss, issuer)| **iss == issuer.issuer).map(|(_, issuer)| issuer.as_ref())
    }

    /// The provider that is asked about opaque tokens, and how.
    #[must_use]
    pub fn introspection(&self) -> Option<(&Issuer, &Introspection)> {
        self.issuers.values().find_map(|issuer| issuer.introspection.as_ref().map(|asked| (&**issuer, asked)))
    }

    /// The routes in the order of the document.
    #[must_use]
    pub fn routes(&self) -> &[Route] {
        &self.routes
    }

    /// Calls `visit` with each route whose template matches these decoded segments, the most specific template first,
    /// until it returns true.
    pub fn visit_routes<'policy>(&'policy self, segments: &[&str], mut visit: impl FnMut(&'policy Route) -> bool) {
        self.tree.visit(segments, &mut |numbers| {
            numbers.iter().filter_map(|number| self.routes.get(*number)).any(&mut visit)
        });
    }
}
