//! One application as a policy writes it.

use super::strict::{objects, words};
use serde::Deserialize;

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
