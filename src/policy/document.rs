//! `policy.json` as a whole: the table of contents. Each section has its own file.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::budgets::BudgetDocument;
use super::conditions::ConditionDocument;
use super::edge::EdgeDocument;
use super::groups::GroupDocument;
use super::issuer::document::IssuerDocument;
use super::limits::LimitDocument;
use super::origin::OriginDocument;
use super::places::PlaceDocument;
use super::route::document::RouteDocument;
use crate::json_form::objects;

objects!(PolicyDocument);

/// The policy of one Fastgate service: `policy.json`. Every member that is not described here is refused.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(not(target_os = "wasi"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, remote = "Self")]
pub struct PolicyDocument {
    /// The path or URL of the JSON Schema of this file, for editors. Fastgate does not read it.
    #[serde(rename = "$schema", default)]
    pub schema: Option<String>,
    /// The names of this edge, and the rules for every request.
    pub edge: EdgeDocument,
    /// The FastAPI applications behind the edge, by a name that routes refer to (1 to 64 of `a-z`, `0-9`, `-`, `_`; so are
    /// all names of entries, those of `rules` apart). At least one, unless every route has `respond`.
    #[serde(default)]
    pub origins: BTreeMap<String, OriginDocument>,
    /// The OpenID providers whose tokens are accepted, by a short id. The id appears in logs and in keys of stores.
    /// Required if any route needs a token.
    #[serde(default)]
    pub issuers: BTreeMap<String, IssuerDocument>,
    /// Conditions on callers that several routes share, by name. A condition refers to one with `rule`.
    #[serde(default)]
    pub rules: BTreeMap<String, ConditionDocument>,
    /// Rules about where clients may be, by a name that the `from` of routes refers to.
    #[serde(default)]
    pub places: BTreeMap<String, PlaceDocument>,
    /// Rate limits, by a name that the `limits` of routes and `edge.flood_limit` refer to. The name is told to callers
    /// in `RateLimit` fields.
    #[serde(default)]
    pub limits: BTreeMap<String, LimitDocument>,
    /// Budgets of tokens and money, by a name that the `budgets` of `inference` and `mcp` refer to. The name is told to callers in
    /// `RateLimit` fields.
    #[serde(default)]
    pub budgets: BTreeMap<String, BudgetDocument>,
    /// Groups of routes, by a name that the `group` of routes refers to. An operator can close a group by this name
    /// without a new policy.
    #[serde(default)]
    pub groups: BTreeMap<String, GroupDocument>,
    /// The routes, at least one. A request that matches none is refused.
    pub routes: Vec<RouteDocument>,
}
