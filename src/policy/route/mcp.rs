//! `mcp` of a route: reads the section, and checks that the rest of the route goes with it.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::MethodName;
use super::document::{AccessName, RouteDocument};
use crate::policy::budgets::Budget;
use crate::policy::conditions::Rules;
use crate::policy::fault::Faults;
use crate::policy::limits::Limit;
use crate::policy::mcp::fault::McpFault;
use crate::policy::mcp::{Mcp, Surroundings};
use crate::policy::pattern::PathTemplate;

/// Entries of the policy by their names.
type Named<Entry> = BTreeMap<String, Arc<Entry>>;

/// Takes the section from the route `document`, whose path is `template`.
pub(super) fn read(
    document: &mut RouteDocument,
    template: &PathTemplate,
    rules: &mut Rules<'_>,
    (limits, budgets): (&Named<Limit>, &Named<Budget>),
    at: &str,
    faults: &mut Faults,
) -> Option<Arc<Mcp>> {
    let section = document.mcp.take()?;
    let is_other = |method: &MethodName| !matches!(method, MethodName::Post | MethodName::Get | MethodName::Delete);
    let lacks = document.websocket || !document.methods.contains(&MethodName::Post);
    let at_section = format!("{at}.mcp");
    faults.add_if(lacks || document.methods.iter().any(is_other), &at_section, McpFault::Methods.into());
    faults.add_if(document.inference.is_some(), &at_section, McpFault::Inference.into());
    faults.add_if(document.cache.is_some(), format_args!("{at}.cache"), McpFault::Cache.into());
    for member in document.accepts.members_about_bodies() {
        faults.add(format!("{at}.accepts.{member}"), McpFault::Accepts.into());
    }
    let around = Surroundings {
        template,
        is_public: document.access == AccessName::Public,
        limits_of_route: &document.limits,
        limits,
        budgets,
        rules,
    };
    Some(Arc::new(Mcp::read(section, around, &at_section, faults)))
}
