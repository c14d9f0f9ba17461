//! A usable key of an issuer. `jwk.rs` reads it from a JWK.

use serde_json::Value;

use crate::identity::signature::{SignatureInvalid, VerifyingKey};
use crate::policy::AlgorithmName;

/// A public key. The key decides about the algorithm, never the token (RFC 8725 §3.1).
#[derive(Clone, Debug)]
pub struct Key {
    pub(super) id: Option<String>,
    /// `issuer`, a member that Entra adds, unchanged.
    pub(super) issuer: Option<Value>,
    pub(super) material: VerifyingKey,
    /// The algorithms for which it is used: the one that `alg` names, or all of its family (RFC 7517 §4.4), without
    /// those for which another key has the same `kid`.
    pub(super) algorithms: Vec<AlgorithmName>,
    /// Its thumbprint (RFC 7638).
    pub(super) thumbprint: [u8; 32],
}

impl Key {
    /// Whether `algorithm` may be used with this key: the one that its `alg` names, or without `alg` any of its family
    /// (RFC 7517 §4.4). Whether the issuer's tokens may use it is the policy's decision.
    #[must_use]
    pub fn accepts(&self, algorithm: AlgorithmName) -> bool {
        self.algorithms.contains(&algorithm)
    }

    /// Verifies `signature` over `message` by `algorithm`.
    ///
    /// # Errors
    /// [`SignatureInvalid`], also if the key does not [accept](Self::accepts) the algorithm.
    pub fn verify(&self, algorithm: AlgorithmName, message: &[u8], signature: &[u8]) -> Result<(), SignatureInvalid> {
        if !self.accepts(algorithm) {
            return Err(SignatureInvalid);
        }
        self.material.verify(algorithm, message, signature)
    }

    /// `kid`.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// Its thumbprint (RFC 7638 §3, with SHA-256). It does not depend on `kid`, nor on how the JWK is written.
    #[must_use]
    pub const fn thumbprint(&self) -> &[u8; 32] {
        &self.thumbprint
    }
}
