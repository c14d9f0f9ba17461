//! `origins`: the applications behind the edge. Input: an [`OriginDocument`]. Output: an [`Origin`].

pub(in crate::policy) mod backends;
mod key;
pub(in crate::policy) mod resource;

use std::collections::BTreeMap;
use std::sync::Arc;

use backends::Members;
use backends::document::{BackendDocument, HealthDocument, RegionDocument, RetriesDocument, SelectionDocument};
pub use backends::fault::BackendsFault;
pub use backends::{Backend, Backends, HashPart, RegionChoice, RegionFact, VersionSource};
pub use key::OriginKey;
use key::OriginKeyDocument;
pub use resource::ResourceFault;
use serde::Deserialize;

use super::edge::Edge;
use super::fault::{Fault, Faults};
use super::ids::Audience;
use super::names::read_section;
use crate::json_form::objects;

objects!(OriginDocument);

/// One application behind the edge.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(not(target_os = "wasi"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, remote = "Self")]
pub struct OriginDocument {
    /// The name of the backend, in `fastly.toml` or in the service, to which requests are forwarded. Either this or
    /// `backends`.
    #[serde(default)]
    pub backend: Option<String>,
    /// Several backends that run the application, by their names in `fastly.toml` or in the service. A request gets one of
    /// them, as `selection` says.
    #[serde(default)]
    pub backends: BTreeMap<String, BackendDocument>,
    /// The regions of `backends`, by name: 1 to 64 of `a-z`, `0-9`, `-`, `_`. Each backend is then in one of them. Default: none; the backends are one group.
    #[serde(default)]
    pub regions: BTreeMap<String, RegionDocument>,
    /// How a request gets one of `backends`. Default: requests are spread over all of them by weight.
    #[serde(default)]
    pub selection: Option<SelectionDocument>,
    /// When one of `backends` is skipped.
    #[serde(default)]
    pub health: Option<HealthDocument>,
    /// When a request that failed is sent to another one of `backends`.
    #[serde(default)]
    pub retries: Option<RetriesDocument>,
    /// `aud` of the signed header, and `Settings(audience=…)` of the application. Each origin needs an audience of its
    /// own: an application accepts every header that is signed for its audience.
    pub audience: String,
    /// The audiences of tokens that the application accepts, at least one: a token must name one of them, in addition to what its
    /// issuer requires. So a token for one application cannot be used at another (RFC 8707 §2). Default: all that the
    /// issuer accepts.
    #[serde(default)]
    pub token_audiences: Option<Vec<String>>,
    /// The resource identifier of the application (RFC 9728 §1.2), if it has one of its own: an https URL on one of
    /// `edge.hosts`, such as `https://api.example.com/mcp`, with the host in lower case and no percent-encoded characters
    /// in its path. The edge publishes its metadata at `https://api.example.com/.well-known/oauth-protected-resource/mcp`, and the challenges
    /// of its routes name that URL. If an issuer lists the identifier in `audiences`, its tokens must name it on routes
    /// without `token_audiences`. A token that names only this identifier is refused on routes of other origins. Each
    /// origin needs an identifier of its own. Default: none; its routes belong to `edge.resource`.
    #[serde(default)]
    pub resource: Option<String>,
    /// The public X25519 key of the application, a JWK that `fastgate origin-key new` makes. With a key the
    /// header is signed by `HS256`, under a MAC key that only the edge and this application can derive; verifying costs
    /// almost nothing, and the application holds the private half (`Settings(origin_key=…)`). Each origin needs a key of
    /// its own. Default: none; the header is signed by `EdDSA`, and the application needs no secret.
    #[serde(default)]
    pub key: Option<OriginKeyDocument>,
}

/// One application behind the edge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The backends that run it.
    pub backends: Backends,
    /// `aud` of the signed header.
    pub audience: Audience,
    /// The audiences of tokens that it accepts; all if empty.
    pub token_audiences: Vec<Audience>,
    /// Its resource identifier (RFC 9728 §1.2), if it differs from the edge's.
    pub resource: Option<Audience>,
    /// The resources of the other origins. A token that names only those is not for this one.
    pub foreign_resources: Vec<Audience>,
    /// The public key of the application. With a key the header is signed by `HS256`, without by `EdDSA`.
    pub key: Option<OriginKey>,
}

/// Reads the section.
pub(super) fn read(
    documents: BTreeMap<String, OriginDocument>,
    edge: &Edge,
    faults: &mut Faults,
) -> BTreeMap<String, Arc<Origin>> {
    let mut origins = read_section("origins", documents, faults, |name, document, at, faults| {
        Origin::read(name, document, edge, at, faults)
    });
    for (index, (name, origin)) in origins.iter().enumerate() {
        let earlier = |same: fn(&Origin, &Origin) -> bool| {
            origins.iter().take(index).find(|(_, earlier)| same(earlier, origin)).map(|(other, _)| other.clone())
        };
        if let Some(other) = earlier(|one, other| one.audience == other.audience) {
            faults.add(format!("$.origins.{name}.audience"), Fault::TakenAudience { other });
        }
        if let Some(other) = earlier(|one, other| one.key.is_some() && one.key == other.key) {
            faults.add(format!("$.origins.{name}.key"), Fault::TakenKey { other });
        }
        if let Some(other) = earlier(same_resource) {
            faults.add(format!("$.origins.{name}.resource"), ResourceFault::Taken { other }.into());
        }
    }
    let resources: Vec<_> = origins.values().filter_map(|origin| origin.resource.clone()).collect();
    for origin in origins.values_mut().map(Arc::make_mut) {
        let is_foreign = |resource: &&Audience| origin.resource.as_ref() != Some(resource);
        origin.foreign_resources = resources.iter().filter(is_foreign).cloned().collect();
    }
    origins
}

/// Whether the metadata of two origins would be at one URL.
fn same_resource(one: &Origin, other: &Origin) -> bool {
    let both = one.resource.as_ref().zip(other.resource.as_ref());
    both.is_some_and(|(one, other)| resource::is_same_place(one.as_str(), other.as_str()))
}

impl Origin {
    fn read(name: &str, document: OriginDocument, edge: &Edge, at: &str, faults: &mut Faults) -> Self {
        let members = Members {
            backend: document.backend,
            backends: document.backends,
            regions: document.regions,
            selection: document.selection,
            health: document.health,
            retries: document.retries,
        };
        let backends = Backends::read(name, members, at, faults);
        faults.add_if(document.audience.is_empty(), format_args!("{at}.audience"), Fault::Empty);
        let key = document.key.and_then(|key| OriginKey::read(&key, &format!("{at}.key"), faults));
        let token_audiences = token_audiences(document.token_audiences, at, faults);
        let resource = resource::read(document.resource, edge, &format!("{at}.resource"), faults);
        let audience = document.audience.into();
        Self { backends, audience, token_audiences, resource, foreign_resources: Vec::new(), key }
    }
}

/// Reads `token_audiences` of an origin or a route at `at`.
pub(super) fn token_audiences(document: Option<Vec<String>>, at: &str, faults: &mut Faults) -> Vec<Audience> {
    let names = document.as_deref().is_some_and(|names| names.is_empty() || names.iter().any(String::is_empty));
    faults.add_if(names, format_args!("{at}.token_audiences"), Fault::Empty);
    document.unwrap_or_default().into_iter().map(Into::into).collect()
}
