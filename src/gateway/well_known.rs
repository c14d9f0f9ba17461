//! The documents that the edge publishes about itself: the public halves of its signing keys, and the metadata of the
//! resources that it protects (RFC 9728): their issuers, scopes and the ways to present a token. Everything comes from
//! the policy and the signing keys.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::decision::{Decision, Publication};
use crate::headers::Headers;
use crate::identity::dpop;
use crate::mint::{MintError, Minter};
use crate::policy::{Access, Audience, Issuer, Policy, authority, split_port};
use crate::refusal::Refusal;
use crate::request::Target;
use crate::route::RouteError;

/// The path of the public halves of the edge's signing keys, a JWK Set.
pub const KEYS_PATH: &str = "/.well-known/fastgate/jwks.json";

/// The well-known path of the metadata; the path of the resource follows it (RFC 9728 §3.1).
const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";

/// A request for one of the documents.
#[derive(Clone, Copy, Debug)]
pub(super) struct Requested<'published> {
    document: Document<'published>,
    purpose: Purpose,
}

/// What a request for a document is for, by its method.
#[derive(Clone, Copy, Debug)]
enum Purpose {
    /// GET.
    Content,
    /// HEAD.
    Fields,
    /// A CORS preflight. Browsers send one if a page adds fields to the request, as clients of MCP do with
    /// `MCP-Protocol-Version`.
    Preflight,
}

/// One of the documents.
#[derive(Clone, Copy, Debug)]
enum Document<'published> {
    /// The public halves of the edge's signing keys.
    Keys,
    /// The metadata of a protected resource (RFC 9728), as JSON.
    Resource(&'published str),
}

/// The documents that follow from a policy.
#[derive(Debug)]
pub(super) struct Published {
    /// The metadata of the resources: those of origins, and last the edge's.
    resources: Vec<Metadata>,
}

/// The metadata of one resource.
#[derive(Debug)]
struct Metadata {
    /// The only host on which it is published, without port; `None` for every host.
    host: Option<String>,
    /// Its path, encoded as in the URL.
    path: String,
    /// It as JSON.
    document: String,
}

impl Published {
    /// The documents of `policy`.
    pub(super) fn of(policy: &Policy) -> Self {
        let metadata = |resource: Option<&str>, host: Option<&str>| {
            let identifier = resource.unwrap_or(&policy.edge().resource);
            Metadata {
                host: host.map(str::to_owned),
                path: metadata_path(identifier),
                document: Value::Object(document(policy, identifier, resource)).to_string(),
            }
        };
        let of_origins = resources(policy).map(|resource| metadata(Some(resource), Some(host(resource))));
        Self { resources: of_origins.chain([metadata(None, None)]).collect() }
    }

    /// What `target` requests of the document at its host and path, whatever the routes are; `None` if there is none, or
    /// for another method.
    pub(super) fn at(&self, target: &Target) -> Option<Requested<'_>> {
        let path = target.path().encoded();
        if !path.starts_with("/.well-known/") {
            return None;
        }
        let purpose = match target.method() {
            "GET" => Purpose::Content,
            "HEAD" => Purpose::Fields,
            "OPTIONS" if is_preflight(target) => Purpose::Preflight,
            _ => return None,
        };
        self.document(target.host(), path).map(|document| Requested { document, purpose })
    }

    /// The refusal of a request whose route was not found, or not for its method: a path with a document accepts the
    /// document's methods as well.
    pub(super) fn with_methods(&self, target: &Target, refusal: Refusal) -> Refusal {
        let mut allowed = match refusal {
            Refusal::Route(RouteError::NoRoute) => Vec::new(),
            Refusal::Route(RouteError::MethodNotAllowed { ref allowed }) => allowed.clone(),
            other => return other,
        };
        if self.document(target.host(), target.path().encoded()).is_none() {
            return refusal;
        }
        allowed.extend(["GET", "HEAD"]);
        allowed.sort_unstable();
        allowed.dedup();
        RouteError::MethodNotAllowed { allowed }.into()
    }

    fn document(&self, host: &str, path: &str) -> Option<Document<'_>> {
        if path == KEYS_PATH {
            return Some(Document::Keys);
        }
        let name = split_port(host).map(|(name, _)| name);
        let is_here = |known: &&Metadata| {
            let is_host = |host: &str| name.is_some_and(|name| name.eq_ignore_ascii_case(host));
            known.path == path && known.host.as_deref().is_none_or(is_host)
        };
        self.resources.iter().find(is_here).map(|known| Document::Resource(&known.document))
    }
}

impl Requested<'_> {
    /// The response.
    ///
    /// # Errors
    /// [`MintError::SigningFailed`] if a signing key has no public half.
    pub(super) fn respond(self, minter: &Minter) -> Result<Decision, MintError> {
        // Clients that run in a browser read the metadata to find the issuer. The documents are public.
        let every_page = ("access-control-allow-origin", "*");
        if matches!(self.purpose, Purpose::Preflight) {
            let methods = ("access-control-allow-methods", "GET, HEAD");
            let fields =
                [every_page, methods, ("access-control-allow-headers", "*"), ("access-control-max-age", "7200")];
            return Ok(Decision::Preflight(fields.into_iter().collect()));
        }
        let (media_type, body) = match self.document {
            Document::Keys => ("application/jwk-set+json", minter.published_keys()?),
            Document::Resource(document) => ("application/json", document.to_owned()),
        };
        let fields = [("content-type", media_type), ("cache-control", "public, max-age=300"), every_page];
        let mut fields: Headers = fields.into_iter().collect();
        if matches!(self.purpose, Purpose::Fields) {
            fields.append("content-length", body.len().to_string());
            return Ok(Decision::Publish(Publication { fields, body: String::new() }));
        }
        Ok(Decision::Publish(Publication { fields, body }))
    }
}

/// Whether an OPTIONS request asks whether a page may read (the Fetch standard, "CORS-preflight request").
fn is_preflight(target: &Target) -> bool {
    let wanted = |value: &[u8]| matches!(value, b"GET" | b"HEAD");
    target.headers().all("access-control-request-method").any(wanted)
}

/// The paths on which the edge publishes the metadata of the resources of `policy` (RFC 9728 §3.1), encoded as in the
/// URL.
pub fn metadata_paths(policy: &Policy) -> impl Iterator<Item = String> {
    resources(policy).chain([policy.edge().resource.as_str()]).map(metadata_path)
}

/// The URL of the metadata of a resource, which challenges name (RFC 9728 §5.1).
pub(super) fn metadata_url(resource: &str) -> String {
    format!("{}{}", split(resource).0, metadata_path(resource))
}

fn metadata_path(resource: &str) -> String {
    format!("{WELL_KNOWN}{}", split(resource).1)
}

/// The resources of the origins that have one of their own.
fn resources(policy: &Policy) -> impl Iterator<Item = &str> {
    policy.origins().filter_map(|origin| origin.resource.as_ref()).map(Audience::as_str)
}

/// The host of a resource without its port.
fn host(resource: &str) -> &str {
    authority(resource).and_then(split_port).map_or("", |(name, _)| name)
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

/// The metadata (RFC 9728 §2) of the resource with this identifier. `resource` is `None` for the edge's, to which the
/// routes belong whose origin has none of its own. An empty list is left out (§3.2).
fn document(policy: &Policy, identifier: &str, resource: Option<&str>) -> Map<String, Value> {
    let routes = || policy.routes().iter().filter(|route| route.resource() == resource);
    let is_accepted = |issuer: &&Issuer| routes().any(|route| route.access.accepts(issuer.id.as_str()));
    let servers: Vec<String> = policy.issuers().filter(is_accepted).flat_map(authorization_servers).collect();
    let mut scopes = BTreeSet::new();
    for route in routes() {
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
    document.insert("resource".to_owned(), identifier.into());
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
