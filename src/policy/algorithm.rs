//! Signature algorithms of tokens.

use serde::Deserialize;

use crate::json_form::strings;

strings!(AlgorithmName);

/// A signature algorithm of RFC 7518 §3.1 or RFC 8037 §3.1. `none` and symmetric algorithms are not supported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(not(target_os = "wasi"), derive(schemars::JsonSchema))]
#[serde(remote = "Self")]
pub enum AlgorithmName {
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    RS256,
    /// RSASSA-PKCS1-v1_5 with SHA-384.
    RS384,
    /// RSASSA-PKCS1-v1_5 with SHA-512.
    RS512,
    /// RSASSA-PSS with SHA-256.
    PS256,
    /// RSASSA-PSS with SHA-384.
    PS384,
    /// RSASSA-PSS with SHA-512.
    PS512,
    /// ECDSA on P-256 with SHA-256.
    ES256,
    /// ECDSA on P-384 with SHA-384.
    ES384,
    /// Ed25519. Tokens and keys may also call it `Ed25519` (RFC 9864 §2.2).
    EdDSA,
}

impl AlgorithmName {
    /// The algorithm with this name (`alg`) in a JOSE header or a JWK; names are case-sensitive. `EdDSA` could also
    /// mean Ed448; the key determines the curve.
    #[must_use]
    pub fn from_jose(alg: &str) -> Option<Self> {
        Some(match alg {
            "RS256" => Self::RS256,
            "RS384" => Self::RS384,
            "RS512" => Self::RS512,
            "PS256" => Self::PS256,
            "PS384" => Self::PS384,
            "PS512" => Self::PS512,
            "ES256" => Self::ES256,
            "ES384" => Self::ES384,
            "EdDSA" | "Ed25519" => Self::EdDSA,
            _ => return None,
        })
    }
}
