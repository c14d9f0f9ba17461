//! From the document to the policy: every check, every fault with its place.

mod issuers;
mod routes;

use std::collections::BTreeMap;
use std::fmt::Display;
use std::sync::Arc;

use super::conditions::Rules;
use super::document::{EdgeDocument, OriginDocument, PolicyDocument};
use super::groups::{Group, GroupDocument};
use super::hosts::is_host;
use super::limits::{Limit, LimitDocument};
use super::places::{Place, PlaceDocument};
use super::url::is_https_url;
use super::{
    Access, Edge, Fault, Hosts, MAX_PROOF_AGE, MAX_PROOF_LEEWAY, MAX_TOKEN_BYTES, Origin, Policy, PolicyFault,
    PolicyFaults,
};
use crate::strict_json;
use issuers::issuers;
use routes::{Known, routes};

/// Parses the JSON; a structural fault carries its path.
pub(super) fn document(json: &[u8]) -> Result<PolicyDocument, PolicyFault> {
    let mut deserializer = serde_json::Deserializer::from_slice(json);
    let document = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| PolicyFault {
        at: match error.path().to_string().as_str() {
            "." => "$".to_owned(),
            path => format!("$.{path}"),
        },
        fault: Fault::Unreadable(error.into_inner().to_string()),
    })?;
    // Of two entries of the same name one would win silently; which one is nobody's intention.
    let whole = deserializer.end().map_err(|error| Fault::Unreadable(error.to_string()));
    let unique = || strict_json::parse_object(json).map_err(|error| Fault::Repeated(error.to_string()));
    match whole.and_then(|()| unique()) {
        Ok(_) => Ok(document),
        Err(fault) => Err(PolicyFault { at: "$".to_owned(), fault }),
    }
}

impl TryFrom<PolicyDocument> for Policy {
    type Error = PolicyFaults;

    fn try_from(document: PolicyDocument) -> Result<Self, PolicyFaults> {
        let mut faults = Faults::default();
        let limits = limits(document.limits, &mut faults);
        let edge = edge(document.edge, &limits, &mut faults);
        let origins = origins(document.origins, &mut faults);
        let issuers = issuers(document.issuers, &mut faults);
        let mut rules = Rules::read(&document.rules, &mut faults);
        let by_id = issuers.values().map(|issuer| (issuer.id.as_str(), issuer.as_ref())).collect();
        let places = places(document.places, &mut faults);
        let groups = groups(document.groups, &mut faults);
        let mut known = Known {
            origins: &origins,
            issuers: &by_id,
            places: &places,
            limits: &limits,
            groups: &groups,
            rules: &mut rules,
        };
        let (routes, tree) = routes(document.routes, &mut known, &mut faults);
        if issuers.is_empty() && routes.iter().any(|route| route.access != Access::Public) {
            faults.add("$.issuers", Fault::NoIssuer);
        }
        if faults.0.is_empty() { Ok(Self { edge, issuers, routes, tree }) } else { Err(PolicyFaults(faults.0)) }
    }
}

/// The faults found so far.
#[derive(Default)]
pub(super) struct Faults(Vec<PolicyFault>);

impl Faults {
    pub(super) fn add(&mut self, at: impl Into<String>, fault: Fault) {
        self.0.push(PolicyFault { at: at.into(), fault });
    }

    /// A fault, if something is `wrong`; its place is only written out then.
    pub(super) fn add_if(&mut self, wrong: bool, at: impl Display, fault: Fault) {
        if wrong {
            self.add(at.to_string(), fault);
        }
    }

    pub(super) fn range(&mut self, value: u64, least: u64, most: u64, at: impl Display) {
        self.add_if(!(least..=most).contains(&value), at, Fault::OutOfRange { value, least, most });
    }
}

fn edge(document: EdgeDocument, limits: &BTreeMap<String, Arc<Limit>>, faults: &mut Faults) -> Edge {
    faults.add_if(!is_https_url(&document.issuer), "$.edge.issuer", Fault::NotHttps);
    faults.add_if(document.hosts.is_empty(), "$.edge.hosts", Fault::Empty);
    for (index, host) in document.hosts.iter().enumerate() {
        faults.add_if(!is_host(host), format_args!("$.edge.hosts[{index}]"), Fault::NotAHost);
    }
    faults.range(document.identity_lifetime, 1, 60, "$.edge.identity_lifetime");
    faults.range(document.max_token, 1024, MAX_TOKEN_BYTES, "$.edge.max_token");
    let flood_limit = document.flood_limit.as_ref().and_then(|name| limits.get(name));
    let unknown = document.flood_limit.is_some() && flood_limit.is_none();
    faults.add_if(unknown, "$.edge.flood_limit", Fault::UnknownLimit);
    let needs_caller = flood_limit.is_some_and(|limit| !limit.needs_no_caller());
    faults.add_if(needs_caller, "$.edge.flood_limit", Fault::NeedsCaller);
    faults.range(document.dpop.max_age, 1, MAX_PROOF_AGE, "$.edge.dpop.max_age");
    faults.range(document.dpop.leeway, 0, MAX_PROOF_LEEWAY, "$.edge.dpop.leeway");
    let no_url = document.resource.as_deref().is_some_and(|resource| !is_https_url(resource));
    faults.add_if(no_url, "$.edge.resource", Fault::NotHttps);
    let resource = document.resource.unwrap_or_else(|| document.issuer.clone());
    let hosts: Hosts = document.hosts.iter().collect();
    Edge {
        hosts: hosts.at_port_of(&document.issuer).at_port_of(&resource),
        identity_lifetime: document.identity_lifetime,
        max_token: document.max_token,
        flood_limit: flood_limit.cloned(),
        security_headers: document.security_headers,
        issuer: document.issuer,
        resource,
        proofs: document.dpop,
    }
}

fn origins(documents: BTreeMap<String, OriginDocument>, faults: &mut Faults) -> BTreeMap<String, Arc<Origin>> {
    faults.add_if(documents.is_empty(), "$.origins", Fault::Empty);
    let mut origins: BTreeMap<String, Arc<Origin>> = BTreeMap::new();
    for (name, document) in documents {
        let at = format!("$.origins.{name}");
        if let Some((other, _)) = origins.iter().find(|(_, earlier)| earlier.audience == document.audience) {
            faults.add(format!("{at}.audience"), Fault::TakenAudience { other: other.clone() });
        }
        faults.add_if(!is_id(&name), &at, Fault::NotAnId);
        faults.add_if(document.backend.is_empty(), format_args!("{at}.backend"), Fault::Empty);
        faults.add_if(document.audience.is_empty(), format_args!("{at}.audience"), Fault::Empty);
        origins.insert(
            name,
            Arc::new(Origin { backend: document.backend, audience: document.audience, algorithm: document.algorithm }),
        );
    }
    origins
}

fn places(documents: BTreeMap<String, PlaceDocument>, faults: &mut Faults) -> BTreeMap<String, Arc<Place>> {
    let mut places = BTreeMap::new();
    for (name, document) in documents {
        faults.add_if(!is_id(&name), format_args!("$.places.{name}"), Fault::NotAnId);
        let place = Place::read(&name, document, faults);
        places.insert(name, Arc::new(place));
    }
    places
}

fn limits(documents: BTreeMap<String, LimitDocument>, faults: &mut Faults) -> BTreeMap<String, Arc<Limit>> {
    let mut limits = BTreeMap::new();
    for (name, document) in documents {
        faults.add_if(!is_id(&name), format_args!("$.limits.{name}"), Fault::NotAnId);
        let limit = Limit::read(&name, document, faults);
        limits.insert(name, Arc::new(limit));
    }
    limits
}

fn groups(documents: BTreeMap<String, GroupDocument>, faults: &mut Faults) -> BTreeMap<String, Arc<Group>> {
    let mut groups = BTreeMap::new();
    for (name, document) in documents {
        faults.add_if(!is_id(&name), format_args!("$.groups.{name}"), Fault::NotAnId);
        let group = Group::read(&name, document, faults);
        groups.insert(name, Arc::new(group));
    }
    groups
}

fn is_id(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_');
    !text.is_empty() && text.len() <= 64 && text.bytes().all(allowed)
}

/// `scope-token` of RFC 6749 §3.3.
pub(crate) fn is_scope(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e))
}
