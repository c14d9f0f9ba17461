//! Verification of signatures (RFC 7515 §5.2). Input: a public key, an algorithm, a message and a signature. Output:
//! `Ok` or [`SignatureInvalid`]. The caller of this module chooses the algorithm, by the key and the policy. A key
//! never verifies a signature by an algorithm of another family (RFC 8725 §3.1).

use p256::ecdsa::signature::Verifier as _;

use super::rsa::{Hash, RsaPublicKey};
use crate::policy::AlgorithmName;

/// A valid public key.
#[derive(Clone, Debug)]
pub enum VerifyingKey {
    /// RSA, for RS256 to RS512 and PS256 to PS512.
    Rsa(Box<RsaPublicKey>),
    /// ECDSA on P-256.
    P256(p256::ecdsa::VerifyingKey),
    /// ECDSA on P-384.
    P384(p384::ecdsa::VerifyingKey),
    /// Ed25519, not of small order.
    Ed25519(ed25519_dalek::VerifyingKey),
}

/// A signature is not valid for a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the signature is not valid for the key")]
pub struct SignatureInvalid;

impl VerifyingKey {
    /// The algorithms of the key's family.
    #[must_use]
    pub const fn algorithms(&self) -> &'static [AlgorithmName] {
        use AlgorithmName::{ES256, ES384, EdDSA, PS256, PS384, PS512, RS256, RS384, RS512};
        match self {
            Self::Rsa(_) => &[RS256, RS384, RS512, PS256, PS384, PS512],
            Self::P256(_) => &[ES256],
            Self::P384(_) => &[ES384],
            Self::Ed25519(_) => &[EdDSA],
        }
    }

    /// Verifies `signature` over `message` by `algorithm`. Signatures have the length and form of RFC 7518 §3 and RFC
    /// 8037 §3.1: `r ‖ s` for ECDSA, never DER.
    ///
    /// # Errors
    /// [`SignatureInvalid`], also if `algorithm` is not one of [`algorithms`](Self::algorithms).
    pub fn verify(&self, algorithm: AlgorithmName, message: &[u8], signature: &[u8]) -> Result<(), SignatureInvalid> {
        let is_valid = match (self, algorithm) {
            (Self::Rsa(key), AlgorithmName::RS256) => key.verifies_pkcs1_v1_5(Hash::Sha256, message, signature),
            (Self::Rsa(key), AlgorithmName::RS384) => key.verifies_pkcs1_v1_5(Hash::Sha384, message, signature),
            (Self::Rsa(key), AlgorithmName::RS512) => key.verifies_pkcs1_v1_5(Hash::Sha512, message, signature),
            (Self::Rsa(key), AlgorithmName::PS256) => key.verifies_pss(Hash::Sha256, message, signature),
            (Self::Rsa(key), AlgorithmName::PS384) => key.verifies_pss(Hash::Sha384, message, signature),
            (Self::Rsa(key), AlgorithmName::PS512) => key.verifies_pss(Hash::Sha512, message, signature),
            (Self::P256(key), AlgorithmName::ES256) => p256::ecdsa::Signature::from_slice(signature)
                .is_ok_and(|signature| key.verify(message, &signature).is_ok()),
            (Self::P384(key), AlgorithmName::ES384) => p384::ecdsa::Signature::from_slice(signature)
                .is_ok_and(|signature| key.verify(message, &signature).is_ok()),
            (Self::Ed25519(key), AlgorithmName::EdDSA) => ed25519_dalek::Signature::from_slice(signature)
                .is_ok_and(|signature| key.verify_strict(message, &signature).is_ok()),
            (Self::Rsa(_) | Self::P256(_) | Self::P384(_) | Self::Ed25519(_), _) => false,
        };
        if is_valid { Ok(()) } else { Err(SignatureInvalid) }
    }
}
