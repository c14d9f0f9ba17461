//! `inference` of a route: reads the section, and checks that the rest of the route goes with it.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::MethodName;
use super::document::{AccessName, RouteDocument};
use crate::policy::budgets::Budget;
use crate::policy::conditions::Rules;
use crate::policy::fault::Faults;
use crate::policy::inference::budgets::BudgetMembers;
use crate::policy::inference::fault::InferenceFault;
use crate::policy::inference::{Inference, Spending};
use crate::policy::pattern::PathTemplate;

/// Takes the section from the route `document`, whose path is `template`.
pub(super) fn read(
    document: &mut RouteDocument,
    template: &PathTemplate,
    (rules, budgets): (&mut Rules<'_>, &BTreeMap<String, Arc<Budget>>),
    at: &str,
    faults: &mut Faults,
) -> Option<Arc<Inference>> {
    let mut section = document.inference.take()?;
    let is_other = document.methods != [MethodName::Post] || document.websocket;
    faults.add_if(is_other, format_args!("{at}.inference"), InferenceFault::NotPost.into());
    let accepts = &document.accepts;
    for (is_present, member) in
        [(accepts.max_body.is_some(), "max_body"), (!accepts.content_types.is_empty(), "content_types")]
    {
        faults.add_if(is_present, format_args!("{at}.accepts.{member}"), InferenceFault::Accepts.into());
    }
    let of_route = (template, document.access == AccessName::Public);
    let at = format!("{at}.inference");
    let members = BudgetMembers::take(&mut section);
    let inference = Inference::read(section, of_route, rules, &at, faults);
    let spending = Spending::read(members, &inference, budgets, &at, faults);
    Some(Arc::new(Inference { spending, ..inference }))
}
