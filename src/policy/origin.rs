//! `origins`: the applications behind the edge. Input: an [`OriginDocument`]. Output: an [`Origin`].

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;

use super::fault::{Fault, Faults};
use super::ids::Audience;
use super::names::read_section;
use crate::json_form::{objects, strings};

objects!(OriginDocument);
strings!(IdentityAlgorithm);

/// One application behind the edge.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(not(target_os = "wasi"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, remote = "Self")]
pub struct OriginDocument {
    /// The name of the backend, in `fastly.toml` or in the service, to which requests are forwarded.
    pub backend: String,
    /// `aud` of the signed header, and `Settings(audience=…)` of the application. Each origin needs an audience of its
    /// own: an application accepts every header that is signed for its audience.
    pub audience: String,
    /// The algorithm that signs the header. With `ES256` the application needs no secret and verifies with the keys
    /// that the edge publishes. With `HS256` verifying costs almost nothing, and the application holds a key that it
    /// shares with the edge (`fastgate keys origin`, `Settings(origin_keys=…)`).
    #[serde(default)]
    pub algorithm: IdentityAlgorithm,
}

/// The algorithm that signs the identity header (RFC 7518 §3.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(not(target_os = "wasi"), derive(schemars::JsonSchema))]
#[serde(remote = "Self")]
pub enum IdentityAlgorithm {
    /// ECDSA on P-256 with SHA-256, by the edge's signing key.
    #[default]
    ES256,
    /// HMAC with SHA-256, with a key that is derived from the edge's signing key and the audience of the origin.
    HS256,
}

/// One application behind the edge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The name of the Fastly backend.
    pub backend: String,
    /// `aud` of the signed header.
    pub audience: Audience,
    /// The algorithm that signs the header.
    pub algorithm: IdentityAlgorithm,
}

impl IdentityAlgorithm {
    /// Its name in RFC 7518 §3.1.
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
        Self { backend: document.backend, audience: document.audience.into(), algorithm: document.algorithm }
    }
}
