//! The documents that the edge publishes about itself: the public halves of its signing keys, and the metadata of the
//! resource that it protects (RFC 9728): its issuers, scopes and the ways to present a token. Everything comes from the
//! policy and the signing keys.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::headers::Headers;
use crate::identity::dpop;
use crate::mint::{MintError, Minter};
use crate::policy::{Access, Issuer, Policy};
use crate::request::Target;

/// The path of the public halves of the edge's signing keys, a JWK Set.
pub const KEYS_PATH: &str = "/.well-known/fastgate/jwks.json";

/// The well-known path of the metadata; the path of the resource follows it (RFC 9728 §3.1).
const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";

/// A document that the edge publishes about itself. It is public.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publication {
    /// The fields of the response. Clients may cache it for five minutes, so a new key must be published that long
    /// before it signs.
    pub fields: Headers,
    /// Its content.
    pub body: String,
}

/// The kind of the document.
#[derive(Clone, Copy, Debug)]
pub(super) enum Document {
    /// The public halves of the edge's signing keys.
    Keys,
    /// The metadata of the protected resource (RFC 9728).
    Resource,
}

/// The documents that follow from a policy.
#[derive(Debug)]
pub(super) struct Published {
    /// The path of the metadata.
    path: String,
    /// Its whole URL, which challenges name.
    url: String,
    /// The metadata as JSON.
    document: String,
}

impl Published {
    /// The documents of `policy`.
    pub(super) fn of(policy: &Policy) -> Self {
        let resource = policy.edge().resource.as_str();
        let (site, _) = split(resource);
        let path = metadata_path(policy);
        Self { url: format!("{site}{path}"), path, document: Value::Object(document(policy)).to_string() }
    }

    /// The URL of the metadata, which challenges name (RFC 9728 §5.1).
    pub(super) fn resource_url(&self) -> &str {
        &self.url
    }

    /// The document at the path of `target`, whatever the routes are; `None` for any other path or method.
    pub(super) fn at(&self, target: &Target) -> Option<Document> {
        match target.path().encoded() {
            _ if target.method() != "GET" => None,
            KEYS_PATH => Some(Document::Keys),
            path if path == self.path => Some(Document::Resource),
            _ => None,
        }
    }

    /// The content of a document.
    ///
    /// # Errors
    /// [`MintError::SigningFailed`] if a signing key has no public half.
    pub(super) fn publication(&self, document: Document, minter: &Minter) -> Result<Publication, MintError> {
        let (media_type, body) = match document {
            Document::Keys => ("application/jwk-set+json", minter.published_keys()?),
            Document::Resource => ("application/json", self.document.clone()),
        };
        let fields = [
            ("content-type", media_type),
            ("cache-control", "public, max-age=300"),
            // Clients that run in a browser read the metadata to find the issuer. The documents are public.
            ("access-control-allow-origin", "*"),
        ];
        Ok(Publication { fields: fields.into_iter().collect(), body })
    }
}

/// The path on which the edge publishes the metadata of the resource of `policy` (RFC 9728 §3.1), encoded as in the
/// URL.
#[must_use]
pub fn metadata_path(policy: &Policy) -> String {
    format!("{WELL_KNOWN}{}", split(&policy.edge().resource).1)
}

/// Scheme with host, and the path, which is empty for a lone slash (RFC 9728 §3.1).
fn split(url: &str) -> (&str, &str) {
    let host_begins = url.find("://").map_or(0, |at| at + "://".len());
    let path_begins = url.bytes().skip(host_begins).position(|byte| byte == b'/').map(|at| host_begins + at);
    let (site, path) = url.split_at_checked(path_begins.unwrap_or(url.len())).unwrap_or((url, ""));
    (site, if path == "/" { "" } else { path })
}

/// The issuer identifiers of an issuer (RFC 8414 §2). One with `{tenant}` has one for each listed tenant, and none if it
/// accepts any tenant. One that is not a URL has none.
fn authorization_servers(issuer: &Issuer) -> Vec<String> {
    match &issuer.templates {
        Some(templates) => issuer.rules.tenants.iter().map(|tenant| templates.filled(tenant)).collect(),
        None => Some(&issuer.issuer).filter(|issuer| issuer.contains("://")).cloned().into_iter().collect(),
    }
}

/// RFC 9728 §2. An empty list is left out (§3.2).
fn document(policy: &Policy) -> Map<String, Value> {
    let servers: Vec<String> = policy.issuers().flat_map(authorization_servers).collect();
    let mut scopes = BTreeSet::new();
    for route in policy.routes() {
        if let Access::Authenticated { all_callers, by_issuer } = &route.access {
            for requirement in std::iter::once(all_callers).chain(by_issuer.values()) {
                scopes.extend(requirement.scopes.iter().map(String::as_str));
            }
        }
    }
    let lists = [
        ("authorization_servers", servers.iter().map(String::as_str).collect()),
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
    fn the_path_of_a_resource_follows_the_well_known_path() {
        assert_eq!(split("https://api.test"), ("https://api.test", ""));
        assert_eq!(split("https://api.test/"), ("https://api.test", ""));
        assert_eq!(split("https://api.test:8443/v1/"), ("https://api.test:8443", "/v1/"));
    }
}
