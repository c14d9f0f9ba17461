//! What the edge publishes of the resource that it protects (RFC 9728): which providers, which scopes, how a token is
//! presented. Everything in it comes from the policy.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::identity::dpop;
use crate::policy::{Access, Policy};

/// Where it stands, in front of the path that the resource may have.
const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";

/// The metadata of the resource, ready to be served.
#[derive(Debug)]
pub(super) struct Resource {
    /// The path on which it is served.
    pub(super) path: String,
    /// The whole URL, which challenges name.
    pub(super) url: String,
    /// The document.
    pub(super) document: String,
}

impl Resource {
    /// The metadata that follows from `policy`.
    pub(super) fn of(policy: &Policy) -> Self {
        let resource = policy.edge().resource.as_str();
        let (site, _) = split(resource);
        let path = metadata_path(policy);
        Self { url: format!("{site}{path}"), path, document: Value::Object(document(policy)).to_string() }
    }
}

/// The path on which the edge publishes the metadata of the resource of `policy` (RFC 9728 §3.1), encoded as in the URL.
#[must_use]
pub fn metadata_path(policy: &Policy) -> String {
    format!("{WELL_KNOWN}{}", split(&policy.edge().resource).1)
}

/// Scheme with host, and the path, which is empty where it is a lone slash (RFC 9728 §3.1).
fn split(url: &str) -> (&str, &str) {
    let host_begins = url.find("://").map_or(0, |at| at + "://".len());
    let path_begins = url.bytes().skip(host_begins).position(|byte| byte == b'/').map(|at| host_begins + at);
    let (site, path) = url.split_at_checked(path_begins.unwrap_or(url.len())).unwrap_or((url, ""));
    (site, if path == "/" { "" } else { path })
}

/// RFC 9728 §2. A list without elements is left out, as it asks.
fn document(policy: &Policy) -> Map<String, Value> {
    let servers: Vec<&str> = policy.issuers().map(|issuer| issuer.issuer.as_str()).collect();
    let mut scopes = BTreeSet::new();
    for route in policy.routes() {
        if let Access::Authenticated { everybody, by_issuer } = &route.access {
            for requirement in std::iter::once(everybody).chain(by_issuer.values()) {
                scopes.extend(requirement.scopes.iter().map(String::as_str));
            }
        }
    }
    let lists = [
        ("authorization_servers", servers),
        ("scopes_supported", scopes.into_iter().collect()),
        ("bearer_methods_supported", vec!["header"]),
        ("dpop_signing_alg_values_supported", dpop::ALGORITHMS.to_vec()),
    ];
    let mut document = Map::new();
    document.insert("resource".to_owned(), policy.edge().resource.as_str().into());
    for (name, list) in lists.into_iter().filter(|(_, list)| !list.is_empty()) {
        document.insert(name.to_owned(), list.into());
    }
    document
}

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn the_path_of_a_resource_stands_behind_the_well_known_one() {
        assert_eq!(split("https://api.test"), ("https://api.test", ""));
        assert_eq!(split("https://api.test/"), ("https://api.test", ""));
        assert_eq!(split("https://api.test:8443/v1/"), ("https://api.test:8443", "/v1/"));
    }
}
