//! `origins`: the applications behind the edge.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;

use super::fault::{Fault, Faults};
use super::json_form::{objects, words};
use super::names::read_section;

objects!(OriginDocument);
words!(IdentityAlgorithm);

/// One application behind the edge.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(not(target_os = "wasi"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, remote = "Self")]
pub struct OriginDocument {
    /// The backend of `fastly.toml` (or of the service) to which requests are forwarded.
    pub backend: String,
    /// `aud` of the signed header; the application's `Settings(audience=…)`. Different for each application.
    pub audience: String,
    /// How the header is signed. `ES256`: the application needs no secret, it checks with the keys that the edge
    /// publishes. `HS256`: checking costs next to nothing, and the application keeps a key that it shares with the edge
    /// (`fastgate keys origin`, `Settings(origin_keys=…)`).
    #[serde(default)]
    pub algorithm: IdentityAlgorithm,
}

/// How the identity header is signed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(not(target_os = "wasi"), derive(schemars::JsonSchema))]
#[serde(remote = "Self")]
pub enum IdentityAlgorithm {
    /// ECDSA on P-256 with SHA-256, by the edge's signing key.
    #[default]
    ES256,
    /// HMAC with SHA-256, by a key that is derived from the edge's signing key for this application's audience.
    HS256,
}

/// One application behind the edge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The Fastly backend.
    pub backend: String,
    /// `aud` of the signed header.
    pub audience: String,
    /// How that header is signed.
    pub algorithm: IdentityAlgorithm,
}

impl IdentityAlgorithm {
    /// As RFC 7518 §3.1 spells it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ES256 => "ES256",
            Self::HS256 => "HS256",
        }
    }
}

/// Reads the section.
pub(super) fn read(documents: BTreeMap<String, OriginDocument>, faults: &mut Faults) -> BTreeMap<String, Arc<Origin>> {
    faults.add_if(documents.is_empty(), "$.origins", Fault::Empty);
    let origins = read_section("origins", documents, faults, Origin::read);
    for (index, (name, origin)) in origins.iter().enumerate() {
        if let Some((other, _)) = origins.iter().take(index).find(|(_, earlier)| earlier.audience == origin.audience) {
            faults.add(format!("$.origins.{name}.audience"), Fault::TakenAudience { other: other.clone() });
        }
    }
    origins
}

impl Origin {
    fn read(_name: &str, document: OriginDocument, at: &str, faults: &mut Faults) -> Self {
        faults.add_if(document.backend.is_empty(), format_args!("{at}.backend"), Fault::Empty);
        faults.add_if(document.audience.is_empty(), format_args!("{at}.audience"), Fault::Empty);
        Self { backend: document.backend, audience: document.audience, algorithm: document.algorithm }
    }
}
