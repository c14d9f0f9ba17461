//! The rules for an issuer's tokens: clients, tenants, ages, and claims that are required or refused.

use std::collections::BTreeMap;

use super::document::{IssuerDocument, RequiredValue};
use super::preset::{KindShape, Preset};
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
    shape: &TokenShape,
    at: &str,
    faults: &mut Faults,
) -> TokenRules {
    for (name, list) in [("clients", &document.clients), ("tenants", &document.tenants)] {
        let empty = list.as_ref().is_some_and(|list| list.is_empty() || list.iter().any(String::is_empty));
        faults.add_if(empty, format_args!("{at}.{name}"), Fault::Empty);
    }
    for (name, seconds) in [("max_age", document.max_age), ("max_lifetime", document.max_lifetime)] {
        if let Some(seconds) = seconds {
            faults.range(seconds, 1, MAX_SECONDS, format_args!("{at}.{name}"));
        }
    }
    let tenants = match &document.tenants {
        Some(tenants) => {
            faults.add_if(shape.tenant.is_none(), format_args!("{at}.tenants"), Fault::NoTenantClaim);
            tenants.clone()
        }
        None if preset.tenant_in_issuer => {
            let tenant = tenant_of(&document.issuer);
            faults.add_if(tenant.is_none(), format_args!("{at}.issuer"), Fault::NoTenant);
            tenant.map(str::to_owned).into_iter().collect()
        }
        None => Vec::new(),
    };
    let mut required: BTreeMap<String, Vec<_>> = kind
        .required
        .iter()
        .map(|(claim, values)| ((*claim).to_owned(), values.iter().copied().map(Into::into).collect()))
        .collect();
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
    for claim in
        refused.iter().filter(|claim| ALWAYS_PRESENT.contains(&claim.as_str()) || required.contains_key(*claim))
    {
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

/// The tenant in the URL of an issuer: the first segment that is a GUID (RFC 9562 §4).
pub(super) fn tenant_of(issuer: &str) -> Option<&str> {
    let is_guid = |text: &&str| {
        let lengths = text.split('-').map(str::len);
        lengths.eq([8, 4, 4, 4, 12]) && text.bytes().all(|byte| byte == b'-' || byte.is_ascii_hexdigit())
    };
    issuer.split('/').find(is_guid)
}
