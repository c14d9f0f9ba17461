//! The table of contents of `policy.json`. Each section has a file of its own.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::conditions::ConditionDocument;
use super::edge::EdgeDocument;
use super::groups::GroupDocument;
use super::issuer::document::IssuerDocument;
use super::json_form::objects;
use super::limits::LimitDocument;
use super::origin::OriginDocument;
use super::places::PlaceDocument;
use super::route::document::RouteDocument;

objects!(PolicyDocument);

/// The policy of one Fastgate service.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(not(target_os = "wasi"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, remote = "Self")]
pub struct PolicyDocument {
    /// Where the JSON Schema of this file is, for editors.
    #[serde(rename = "$schema", default)]
    pub schema: Option<String>,
    /// What this edge is called.
    pub edge: EdgeDocument,
    /// The FastAPI applications behind the edge, by a name that routes refer to.
    pub origins: BTreeMap<String, OriginDocument>,
    /// The OpenID providers whose tokens are accepted, by a short id (`a-z`, `0-9`, `-`).
    #[serde(default)]
    pub issuers: BTreeMap<String, IssuerDocument>,
    /// Conditions on callers that routes share, by name.
    #[serde(default)]
    pub rules: BTreeMap<String, ConditionDocument>,
    /// From where routes may be used, by a name that they refer to.
    #[serde(default)]
    pub places: BTreeMap<String, PlaceDocument>,
    /// How often routes may be used, by a name that they refer to and that callers are told.
    #[serde(default)]
    pub limits: BTreeMap<String, LimitDocument>,
    /// Groups of routes, by a name that routes refer to and by which an operator can switch them off.
    #[serde(default)]
    pub groups: BTreeMap<String, GroupDocument>,
    /// What may be reached. A request that no route names is refused.
    pub routes: Vec<RouteDocument>,
}
