//! `mcp` of a route: the tools, resources and prompts of an MCP server, and who may use each. Input: an [`McpDocument`].
//! Output: an [`Mcp`], which step [`mcp`](crate::mcp_request) applies.

mod document;
pub(super) mod fault;
mod method;
mod uri;
mod uri_index;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use document::EntryDocument;
pub use document::ListName;
pub(super) use document::McpDocument;
use fault::McpFault;
pub use method::McpMethod;
use uri::UriTemplate;
use uri_index::UriIndex;

use super::budgets::Budget;
use super::budgets::fault::BudgetFault;
use super::conditions::{Condition, Rules};
use super::fault::{Fault, Faults};
use super::limits::Limit;
use super::names::is_scope;
use super::pattern::PathTemplate;

/// The longest body without `max_body`.
const DEFAULT_BODY_BYTES: u64 = 256 * 1024;
/// The longest body that can be admitted, as in MCP servers. The whole body is kept in memory.
const MAX_BODY_BYTES: u64 = 4 * 1024 * 1024;

/// The requests to an MCP server that a route accepts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mcp {
    /// The tools by name.
    pub tools: BTreeMap<String, McpEntry>,
    /// The prompts by name.
    pub prompts: BTreeMap<String, McpEntry>,
    /// Further methods that are admitted.
    pub methods: BTreeSet<String>,
    /// What the lists of the server show.
    pub list: ListName,
    /// The longest body in bytes.
    pub max_body: u64,
    /// The entries of resources, which `uris` finds.
    resources: Vec<McpEntry>,
    uris: UriIndex,
}

/// Who may use a tool, a resource or a prompt.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct McpEntry {
    /// The name of the tool or prompt, or the URI or URI template of the resource, as the policy has it.
    pub name: String,
    /// The scopes that the token must have in addition to those of the route.
    pub scopes: Vec<String>,
    /// What callers must meet in addition to the rules of the route.
    pub require: Option<Condition>,
    /// The limits, counted in addition to those of the route.
    pub limits: Vec<Arc<Limit>>,
    /// What each use costs of these budgets, in their units.
    pub costs: Vec<(Arc<Budget>, u64)>,
}

/// What the entries refer to, and the route that they belong to.
pub(super) struct Surroundings<'policy, 'document> {
    /// The path of the route.
    pub(super) template: &'policy PathTemplate,
    /// Whether the route is public: callers then meet no conditions.
    pub(super) is_public: bool,
    /// The names of the limits of the route.
    pub(super) limits_of_route: &'policy [String],
    /// The limits of the policy.
    pub(super) limits: &'policy BTreeMap<String, Arc<Limit>>,
    /// The budgets of the policy.
    pub(super) budgets: &'policy BTreeMap<String, Arc<Budget>>,
    /// The conditions of the policy.
    pub(super) rules: &'policy mut Rules<'document>,
}

impl Mcp {
    /// Reads the section at `at`.
    pub(super) fn read(document: McpDocument, mut around: Surroundings<'_, '_>, at: &str, faults: &mut Faults) -> Self {
        let max_body = document.max_body.unwrap_or(DEFAULT_BODY_BYTES);
        faults.range(max_body, 1, MAX_BODY_BYTES, format_args!("{at}.max_body"));
        let (mut resources, mut uris) = (Vec::with_capacity(document.resources.len()), UriIndex::default());
        for (uri, document) in document.resources {
            let at = format!("{at}.resources.{uri}");
            match UriTemplate::parse(&uri) {
                Some(template) => uris.add(template, resources.len()),
                None => faults.add(&at, McpFault::NotAUri.into()),
            }
            resources.push(McpEntry::read((uri, document), &mut around, &at, faults));
        }
        Self {
            tools: named(document.tools, &mut around, &format!("{at}.tools"), faults),
            prompts: named(document.prompts, &mut around, &format!("{at}.prompts"), faults),
            methods: methods(document.methods, &format!("{at}.methods"), faults),
            list: document.list,
            max_body,
            resources,
            uris,
        }
    }

    /// The entries for a resource: the one that is written as `uri` is, or else all whose template matches it; none if it
    /// is not known.
    #[must_use]
    pub fn resources(&self, uri: &str) -> Vec<&McpEntry> {
        self.uris.matching(uri).into_iter().filter_map(|index| self.resources.get(index)).collect()
    }

    /// Every entry.
    pub fn entries(&self) -> impl Iterator<Item = &McpEntry> {
        self.tools.values().chain(self.prompts.values()).chain(&self.resources)
    }

    /// The entries of all resources, in an order that does not change.
    pub fn every_resource(&self) -> impl Iterator<Item = &McpEntry> {
        self.resources.iter()
    }

    /// The places in that order of the entries for a resource.
    #[must_use]
    pub fn places_of(&self, uri: &str) -> Vec<usize> {
        self.uris.matching(uri)
    }

    /// The place of the entry for a URI template: the one that is written as `template` is.
    #[must_use]
    pub fn place_of_template(&self, template: &str) -> Option<usize> {
        self.uris.written(template)
    }
}

impl McpEntry {
    fn read(
        (name, document): (String, EntryDocument),
        around: &mut Surroundings<'_, '_>,
        at: &str,
        faults: &mut Faults,
    ) -> Self {
        let EntryDocument { scopes, require, limits, budgets } = document;
        faults.add_if(around.is_public && !scopes.is_empty(), format_args!("{at}.scopes"), Fault::RulesOnPublic);
        for (index, scope) in scopes.iter().enumerate() {
            faults.add_if(!is_scope(scope), format_args!("{at}.scopes[{index}]"), Fault::NotAScope);
        }
        let require = require.map(|document| {
            let at = format!("{at}.require");
            faults.add_if(around.is_public, &at, Fault::RulesOnPublic);
            let condition = around.rules.condition(&document, &at, faults);
            condition.check_parameters(around.template, &at, faults);
            condition
        });
        let mut known = Vec::with_capacity(limits.len());
        for (index, name) in limits.iter().enumerate() {
            let at = format!("{at}.limits[{index}]");
            faults.add_if(around.limits_of_route.contains(name), &at, McpFault::LimitOfRoute.into());
            match around.limits.get(name) {
                Some(limit) => known.push(Arc::clone(limit)),
                None => faults.add(at, Fault::UnknownLimit),
            }
        }
        let mut costs = Vec::with_capacity(budgets.len());
        for (budget, cost) in budgets {
            let at = format!("{at}.budgets.{budget}");
            match around.budgets.get(&budget) {
                Some(budget) => {
                    faults.range(cost, 1, budget.amount, &at);
                    costs.push((Arc::clone(budget), cost));
                }
                None => faults.add(at, BudgetFault::Unknown.into()),
            }
        }
        Self { name, scopes, require, limits: known, costs }
    }
}

/// Reads entries that have names.
fn named(
    documents: BTreeMap<String, EntryDocument>,
    around: &mut Surroundings<'_, '_>,
    at: &str,
    faults: &mut Faults,
) -> BTreeMap<String, McpEntry> {
    let mut folded = BTreeSet::new();
    let mut entries = BTreeMap::new();
    for (name, document) in documents {
        let at = format!("{at}.{name}");
        faults.add_if(!is_name(&name), &at, McpFault::NotAName.into());
        faults.add_if(!folded.insert(name.to_ascii_lowercase()), &at, McpFault::OtherCase.into());
        let entry = McpEntry::read((name.clone(), document), around, &at, faults);
        entries.insert(name, entry);
    }
    entries
}

/// Reads the further methods.
fn methods(listed: Vec<String>, at: &str, faults: &mut Faults) -> BTreeSet<String> {
    let mut methods = BTreeSet::new();
    for (index, method) in listed.into_iter().enumerate() {
        let at = format!("{at}[{index}]");
        let is_method =
            is_name(&method) && method.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-./".contains(&byte));
        faults.add_if(!is_method, &at, McpFault::NotAMethod.into());
        faults.add_if(McpMethod::is_like_known(&method), &at, McpFault::JudgedMethod.into());
        faults.add_if(!methods.insert(method), &at, McpFault::Repeated.into());
    }
    methods
}

/// Whether this can be the name of a tool or prompt: 1 to 128 visible ASCII characters. MCP asks for fewer characters
/// (`A-Z`, `a-z`, `0-9`, `_`, `-`, `.`), and servers do not enforce it.
fn is_name(name: &str) -> bool {
    (1..=128).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\'))
}
