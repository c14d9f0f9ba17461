//! The rules for an issuer's tokens: clients, tenants, ages, and claims that are required or refused.

use std::collections::BTreeMap;

use serde_json::Value;

use super::document::{IssuerDocument, RequiredValue, TenantsDocument};
use super::fault::PresetFault;
use super::preset::{KindShape, Preset};
use super::template::{Templates, is_guid};
use super::{TokenRules, TokenShape};
use crate::policy::claim_path::Scalar;
use crate::policy::fault::{Fault, Faults};

/// The greatest `max_age` and `max_lifetime`: a leap year, in seconds.
const MAX_SECONDS: u64 = 366 * 24 * 60 * 60;

/// The claims that every token must have, whatever a policy requires.
const ALWAYS_PRESENT: [&str; 3] = ["exp", "iss", "sub"];

pub(super) fn rules(
    document: &IssuerDocument,
    preset: &Preset,
    kind: &KindShape,
    (shape, templates): (&TokenShape, Option<&Templates>),
    at: &str,
    faults: &mut Faults,
) -> TokenRules {
    let no_client = document.clients.as_ref().is_some_and(|list| is_empty(list));
    faults.add_if(no_client, format_args!("{at}.clients"), Fault::Empty);
    let restricts_clients = document.clients.is_some() || document.require_client == Some(true);
    let is_unknown = restricts_clients && shape.client.is_empty();
    faults.add_if(is_unknown, format_args!("{at}.clients"), PresetFault::NoClientClaim.into());
    for (name, seconds) in [("max_age", document.max_age), ("max_lifetime", document.max_lifetime)] {
        if let Some(seconds) = seconds {
            faults.range(seconds, 1, MAX_SECONDS, format_args!("{at}.{name}"));
        }
    }
    let tenants = tenants(document, preset, (shape, templates), at, faults);
    check_open_to_all(document, preset, at, faults);
    let claim = |(claim, values): &(&str, &[&str]), absent: Option<Value>| {
        let values = values.iter().copied().map(Value::from).chain(absent);
        ((*claim).to_owned(), values.collect::<Vec<_>>())
    };
    let required = kind.required.iter().map(|required| claim(required, None));
    let optional = kind.optional.iter().map(|optional| claim(optional, Some(Value::Null)));
    let mut required: BTreeMap<_, _> = required.chain(optional).collect();
    for (claim, value) in &document.required_claims {
        let values = match value {
            RequiredValue::One(value) => vec![value.to_json()],
            RequiredValue::OneOf(values) => values.iter().map(Scalar::to_json).collect(),
        };
        faults.add_if(
            claim.is_empty() || values.is_empty(),
            format_args!("{at}.required_claims.{claim}"),
            Fault::Empty,
        );
        required.insert(claim.clone(), values);
    }
    let refused = match &document.refused_claims {
        Some(claims) => claims.clone(),
        None => kind.refused.iter().map(|claim| (*claim).to_owned()).collect(),
    };
    let is_required = |claim: &&String| required.get(*claim).is_some_and(|values| !values.contains(&Value::Null));
    for claim in refused.iter().filter(|claim| ALWAYS_PRESENT.contains(&claim.as_str()) || is_required(claim)) {
        let place = match &document.refused_claims {
            Some(_) => format!("{at}.refused_claims"),
            None => format!("{at}.required_claims.{claim}"),
        };
        faults.add(place, Fault::RequiredAndRefused { claim: claim.clone() });
    }
    TokenRules {
        clients: document.clients.clone().unwrap_or_default(),
        require_client: document.require_client.unwrap_or(kind.require_client),
        tenants,
        max_age: document.max_age,
        max_lifetime: document.max_lifetime,
        required,
        refused,
    }
}

/// If everybody can obtain tokens of the provider, the policy must say whose it accepts.
fn check_open_to_all(document: &IssuerDocument, preset: &Preset, at: &str, faults: &mut Faults) {
    let Some(open) = &preset.open_to_all else { return };
    let is_restricted =
        document.tenants.is_some() || open.claims.iter().any(|claim| document.required_claims.contains_key(*claim));
    let fault = PresetFault::OpenToAll { remedy: open.remedy };
    faults.add_if(!is_restricted, format_args!("{at}.required_claims"), fault.into());
}

/// The accepted tenants; all if empty. An issuer with `{tenant}` accepts all only if the policy says so.
fn tenants(
    document: &IssuerDocument,
    preset: &Preset,
    (shape, templates): (&TokenShape, Option<&Templates>),
    at: &str,
    faults: &mut Faults,
) -> Vec<String> {
    let is_needed = document.tenants.is_some() || templates.is_some();
    let at = format!("{at}.tenants");
    faults.add_if(is_needed && shape.tenant.is_none(), &at, Fault::NoTenantClaim);
    match (&document.tenants, templates) {
        (Some(TenantsDocument::Any(_)), None) => {
            faults.add(at, Fault::AnyTenant);
            Vec::new()
        }
        (Some(TenantsDocument::Listed(tenants)), templates) => {
            faults.add_if(is_empty(tenants), &at, Fault::Empty);
            let refused = |tenant: &&String| templates.is_some_and(|templates| !templates.is_tenant(tenant));
            for tenant in tenants.iter().filter(refused).filter(|tenant| !tenant.is_empty()) {
                faults.add(at.as_str(), Fault::NotATenant { tenant: tenant.clone() });
            }
            tenants.clone()
        }
        (None, Some(_)) => {
            faults.add(at, Fault::NoTenants);
            Vec::new()
        }
        (None, None) if preset.tenant_in_issuer => {
            let tenant = tenant_of(&document.issuer);
            // Another fault describes braces.
            let is_missing = tenant.is_none() && !document.issuer.contains('{');
            faults.add_if(is_missing, at.replace(".tenants", ".issuer"), Fault::NoTenant);
            tenant.map(str::to_owned).into_iter().collect()
        }
        (Some(TenantsDocument::Any(_)), Some(_)) | (None, None) => Vec::new(),
    }
}

fn is_empty(list: &[String]) -> bool {
    list.is_empty() || list.iter().any(String::is_empty)
}

/// The tenant in the URL of an issuer: the first segment that is a GUID.
pub(super) fn tenant_of(issuer: &str) -> Option<&str> {
    issuer.split('/').find(|segment| is_guid(segment))
}
