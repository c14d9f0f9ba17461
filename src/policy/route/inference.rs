//! `inference` of a route: reads the section, and checks that the rest of the route goes with it.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::document::{AccessName, RouteDocument};
use super::{MethodName, Route};
use crate::policy::budgets::Budget;
use crate::policy::conditions::Rules;
use crate::policy::fault::Faults;
use crate::policy::inference::budgets::BudgetMembers;
use crate::policy::inference::fault::InferenceFault;
use crate::policy::inference::{Inference, Spending};
use crate::policy::origin::{Backends, Origin};
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
    for member in document.accepts.members_about_bodies() {
        faults.add(format!("{at}.accepts.{member}"), InferenceFault::Accepts.into());
    }
    let of_route = (template, document.access == AccessName::Public);
    let at = format!("{at}.inference");
    let members = BudgetMembers::take(&mut section);
    let inference = Inference::read(section, of_route, rules, &at, faults);
    let spending = Spending::read(members, &inference, budgets, &at, faults);
    Some(Arc::new(Inference { spending, ..inference }))
}

/// Adds a fault for each model of `route` that no backend serves, and for a route that is for no model and whose backends are
/// all for models: in each region to which a request may be assigned, if the origin has regions. So each request has a
/// backend.
pub(super) fn check_placement(route: &Route, at: &str, faults: &mut Faults) {
    let Some(origin) = route.origin() else { return };
    let wanted: Vec<Option<&String>> = match &route.inference {
        Some(inference) => inference.models.keys().map(Some).collect(),
        None => vec![None],
    };
    for model in wanted {
        let mut add = |region: Option<&String>| match model {
            Some(model) => {
                let at = format!("{at}.inference.models.{model}");
                faults.add(at, InferenceFault::NotServed(region.cloned()).into());
            }
            None => faults.add(format!("{at}.origin"), InferenceFault::ForNoModel(region.cloned()).into()),
        };
        unserved(&origin.backends, route, model).into_iter().for_each(&mut add);
    }
}

/// The regions whose requests for `model` no backend of `route` serves; `None` among them if the origin has no regions.
/// Backends that get no requests, and that are missing altogether, are faults of the origin.
fn unserved<'policy>(
    backends: &'policy Backends,
    route: &Route,
    model: Option<&String>,
) -> Vec<Option<&'policy String>> {
    // Which version a request names is not known here, so one without a version has to serve it.
    let ordinary = || backends.all.iter().filter(|backend| backend.version.is_none() && backend.takes_requests());
    let serves = |regions: Option<&[&String]>| {
        let is_there = |region: Option<&String>| {
            regions.is_none_or(|regions| region.is_some_and(|region| regions.contains(&region)))
        };
        let here = || ordinary().filter(|backend| is_there(backend.region.as_ref()));
        here().next().is_none() || here().any(|backend| backend.serves(model.map(String::as_str)))
    };
    if backends.regions.is_empty() {
        return if serves(None) { Vec::new() } else { vec![None] };
    }
    let is_unserved = |(region, chain): (&'policy String, &'policy Vec<String>)| {
        // If the route admits none of them, such requests are refused in any case.
        let admitted: Vec<_> = chain.iter().filter(|name| route.admits_region(name)).collect();
        (!serves(Some(&admitted))).then_some(Some(region))
    };
    backends.regions.iter().filter_map(is_unserved).collect()
}

/// Adds a fault for each model of a backend that no route has.
pub(super) fn check_models(origins: &BTreeMap<String, Arc<Origin>>, routes: &[Route], faults: &mut Faults) {
    for (name, origin) in origins {
        let of_origin = |route: &&Route| route.origin().is_some_and(|other| other.backends.origin == *name);
        let inferences = || routes.iter().filter(of_origin).filter_map(|route| route.inference.as_ref());
        for backend in &origin.backends.all {
            for model in backend.models.iter().flatten() {
                let is_unused = !inferences().any(|inference| inference.models.contains_key(model));
                let at = format_args!("$.origins.{name}.backends.{}.models", backend.name);
                faults.add_if(is_unused, at, InferenceFault::UnusedModel(model.clone()).into());
            }
        }
    }
}
