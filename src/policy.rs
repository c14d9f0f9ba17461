//! The policy: the rules of one service. Input: `policy.json`. Output: a [`Policy`], which is always valid, or all of
//! its [`PolicyFaults`].
//!
//! Each section of `policy.json` has a file here. It contains the type of the document (`…Document`), the type that the
//! library uses, and `read`, which converts the former into the latter and collects faults. [`PolicyDocument`] is the
//! table of contents.

mod algorithm;
mod authentication;
pub mod budgets;
mod cache;
pub mod claim_path;
pub mod conditions;
mod document;
mod edge;
mod fault;
pub mod fields;
mod forward;
pub mod groups;
mod ids;
pub mod inference;
mod issuer;
pub mod limits;
mod mcp;
mod names;
pub mod network;
mod origin;
pub mod pattern;
pub mod places;
pub mod respond;
pub mod rewrite;
mod route;
pub(crate) mod url;

use std::collections::BTreeMap;
use std::sync::Arc;

pub use algorithm::AlgorithmName;
pub use authentication::Authentication;
use budgets::Budget;
pub use budgets::fault::BudgetFault;
pub use cache::fault::CacheFault;
pub use cache::{CacheRule, SharedFact};
pub use claim_path::ClaimPath;
use conditions::Rules;
pub use document::PolicyDocument;
pub use edge::{Edge, Hosts, MAX_PROOF_AGE, MAX_PROOF_LEEWAY, MAX_TOKEN_BYTES, ProofRules};
use fault::Faults;
pub use fault::{Fault, PolicyFault, PolicyFaults};
pub use forward::Forward;
pub use ids::{Audience, IssuerId, RouteId};
pub use inference::fault::InferenceFault;
pub use inference::members::{is_like, members_of};
pub use inference::{Affinity, Api, ApiName, Inference, Media, Model, Price, Settle, Spending, StateMember};
use issuer::index::Issuers;
pub use issuer::{
    Introspection, Issuer, KeyLife, NamesClaim, NamesForm, PresetFault, PresetName, Templates, TokenKind, TokenRules,
    TokenShape,
};
pub use mcp::fault::McpFault;
pub use mcp::{ListName, Mcp, McpEntry, McpMethod};
pub(crate) use names::is_scope;
pub use origin::{
    Backend, Backends, BackendsFault, HashPart, Origin, OriginKey, RegionChoice, RegionFact, ResourceFault,
    VersionSource,
};
pub use pattern::captures::Captures;
pub use respond::Respond;
pub use respond::fault::RespondFault;
use route::read::Known;
use route::tree::RouteTree;
pub use route::{Access, MAX_SIGNED_BODY, MethodName, Requirement, Responder, Route};
pub(crate) use url::{authority, split_port};

use crate::strict_json;

/// The rules of one Fastgate service.
#[derive(Clone, Debug)]
pub struct Policy {
    edge: Edge,
    issuers: Issuers,
    /// By name.
    origins: BTreeMap<String, Arc<Origin>>,
    budgets: BTreeMap<String, Arc<Budget>>,
    routes: Vec<Route>,
    tree: RouteTree,
    stores_responses: bool,
}

impl TryFrom<PolicyDocument> for Policy {
    type Error = PolicyFaults;

    fn try_from(document: PolicyDocument) -> Result<Self, PolicyFaults> {
        let mut faults = Faults::default();
        let limits = limits::read(document.limits, &mut faults);
        let budgets = budgets::read(document.budgets, &mut faults);
        let edge = edge::read(document.edge, &limits, &mut faults);
        let needs_origin = document.routes.iter().any(|route| route.respond.is_none());
        faults.add_if(needs_origin && document.origins.is_empty(), "$.origins", Fault::Empty);
        let origins = origin::read(document.origins, &edge, &mut faults);
        let issuers = issuer::read::read(document.issuers, &mut faults);
        let mut rules = Rules::read(&document.rules, &mut faults);
        let by_id = issuers.all().iter().map(|issuer| (issuer.id.as_str(), issuer.as_ref())).collect();
        let places = places::read(document.places, &mut faults);
        let groups = groups::read(document.groups, &mut faults);
        let mut known = Known {
            forward: &edge.forward,
            origins: &origins,
            issuers: &by_id,
            places: &places,
            limits: &limits,
            budgets: &budgets,
            groups: &groups,
            rules: &mut rules,
        };
        let (routes, tree) = route::read::read(document.routes, &mut known, &mut faults);
        if issuers.all().is_empty() && routes.iter().any(|route| route.access != Access::Public) {
            faults.add("$.issuers", Fault::NoIssuer);
        }
        let stores_responses = routes.iter().any(|route| route.cache.is_some());
        faults.none_or(Self { edge, issuers, origins, budgets, routes, tree, stores_responses })
    }
}

impl Policy {
    /// Reads `policy.json`.
    ///
    /// # Errors
    /// All faults that were found, each with its JSON path.
    pub fn parse(json: &[u8]) -> Result<Self, PolicyFaults> {
        let document = read_json(json).map_err(|fault| PolicyFaults(vec![fault]))?;
        Self::try_from(document)
    }

    /// The names of this edge, and the rules for every request.
    #[must_use]
    pub const fn edge(&self) -> &Edge {
        &self.edge
    }

    /// The issuer that has exactly this `iss` as one of its spellings, or with a tenant in place of `{tenant}`. Whether
    /// that tenant is accepted, and is the token's own, the rules for its tokens check.
    #[must_use]
    pub fn issuer(&self, iss: &str) -> Option<&Arc<Issuer>> {
        self.issuers.find(iss)
    }

    /// The issuers, by their `iss`.
    pub fn issuers(&self) -> impl Iterator<Item = &Issuer> {
        self.issuers.all().iter().map(Arc::as_ref)
    }

    /// The applications behind the edge.
    pub fn origins(&self) -> impl Iterator<Item = &Origin> {
        self.origins.values().map(Arc::as_ref)
    }

    /// The same, with their names in the policy.
    pub fn named_origins(&self) -> impl Iterator<Item = (&str, &Origin)> {
        self.origins.iter().map(|(name, origin)| (name.as_str(), origin.as_ref()))
    }

    /// The issuer of opaque tokens, and its introspection endpoint.
    #[must_use]
    pub fn introspection(&self) -> Option<(&Arc<Issuer>, &Introspection)> {
        self.issuers.all().iter().find_map(|issuer| issuer.introspection.as_ref().map(|endpoint| (issuer, endpoint)))
    }

    /// The budgets, whether a route uses them or not.
    pub fn budgets(&self) -> impl Iterator<Item = &Budget> {
        self.budgets.values().map(Arc::as_ref)
    }

    /// The routes in the order of the document.
    #[must_use]
    pub fn routes(&self) -> &[Route] {
        &self.routes
    }

    /// Whether responses of a route are stored.
    #[must_use]
    pub const fn stores_responses(&self) -> bool {
        self.stores_responses
    }

    /// Calls `visit` with each route whose template matches these decoded segments, the most specific template first,
    /// until it returns true.
    pub fn visit_routes<'policy>(&'policy self, segments: &[&str], mut visit: impl FnMut(&'policy Route) -> bool) {
        self.tree.visit(segments, &mut |numbers| {
            numbers.iter().filter_map(|number| self.routes.get(*number)).any(&mut visit)
        });
    }
}

/// Parses the JSON. A structural fault has its path.
fn read_json(json: &[u8]) -> Result<PolicyDocument, PolicyFault> {
    let mut deserializer = serde_json::Deserializer::from_slice(json);
    let document = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| PolicyFault {
        at: match error.path().to_string().as_str() {
            "." => "$".to_owned(),
            path => format!("$.{path}"),
        },
        fault: Fault::Unreadable(without_values(&error.into_inner().to_string())),
    })?;
    // Serde would silently use the last of two members with the same name.
    let whole = deserializer.end().map_err(|error| Fault::Unreadable(error.to_string()));
    let unique = || strict_json::parse_object(json).map_err(|error| Fault::Repeated(error.to_string()));
    match whole.and_then(|()| unique()) {
        Ok(_) => Ok(document),
        Err(fault) => Err(PolicyFault { at: "$".to_owned(), fault }),
    }
}

/// A message of serde without the value that it quotes: that may be a secret in the wrong place.
fn without_values(message: &str) -> String {
    for (before, value, after) in [("string ", '"', "a string"), ("unknown variant ", '`', "unknown variant")] {
        let start = message.find(&format!("{before}{value}"));
        let end = message.rfind(", expected");
        if let Some((left, right)) = start.zip(end).filter(|(start, end)| start < end)
            && let (Some(left), Some(right)) = (message.get(..left), message.get(right..))
        {
            return format!("{left}{after}{right}");
        }
    }
    message.to_owned()
}
