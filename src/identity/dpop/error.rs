//! Why a proof of possession is refused.

use crate::identity::jws::Malformed;
use crate::time::Seconds;

/// Why a proof is not valid. The client gets the same response for all of them, except that a missing nonce is sent to
/// it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// There is no `DPoP` field beside `Authorization: DPoP`.
    #[error("there is no DPoP header")]
    Missing,
    /// There are several `DPoP` fields (RFC 9449 §4.3, point 1).
    #[error("there are {count} DPoP headers")]
    Repeated {
        /// Their number.
        count: usize,
    },
    /// The token is not bound to a key, so no proof fits it.
    #[error("the token is not bound to a key, so that no proof can be for it")]
    Unbound,
    /// Longer than [`MAX_PROOF_BYTES`](super::MAX_PROOF_BYTES).
    #[error("the proof is too long")]
    TooLong,
    /// Not three segments of unpadded, canonical base64url that hold two JSON objects with unique members (point 2).
    #[error("the proof is not a compact JWS of two JSON objects")]
    Malformed,
    /// `crit`, `b64`, or the `cty` of a nested token: they would change the meaning of the proof (RFC 7515 §4.1.11, RFC
    /// 7797).
    #[error("the proof's header requires an extension: {member}")]
    Extension {
        /// The member.
        member: &'static str,
    },
    /// `typ` is not `dpop+jwt` (point 4).
    #[error("the proof's type is not dpop+jwt")]
    Type,
    /// `alg` is missing or not accepted (point 5).
    #[error("the proof's algorithm is not accepted")]
    Algorithm,
    /// `jwk` is missing, holds private members, or is not a key for `alg` (points 5 and 7).
    #[error("the proof's jwk is not a public key for its algorithm")]
    Key,
    /// A claim is missing or malformed (point 3).
    #[error("the proof's claim {claim} is missing or malformed")]
    Claim {
        /// The claim.
        claim: &'static str,
    },
    /// `htm` is not the request's method (point 8).
    #[error("the proof is for another method")]
    Method,
    /// `htu` is not the request's URL (point 9).
    #[error("the proof is for another URL")]
    Url,
    /// `iat` is too long ago (point 11).
    #[error("the proof was made {age} seconds ago")]
    TooOld {
        /// The time since `iat`.
        age: Seconds,
    },
    /// `iat` is in the future (point 11).
    #[error("the proof was made {ahead} seconds in the future")]
    TooEarly {
        /// The time until `iat`.
        ahead: Seconds,
    },
    /// `ath` is not the hash of the token (point 12).
    #[error("the proof is for another token")]
    Token,
    /// Its key is not the one that the token is bound to (point 12).
    #[error("the token is bound to another key than that of the proof")]
    OtherKey,
    /// `nonce` is missing, or is not a recent one of this edge (point 10, §9).
    #[error("the proof has no current nonce of this edge")]
    Nonce,
    /// The signature is not valid for the key in the header (point 6).
    #[error("the proof's signature is not valid")]
    Signature,
    /// It was used before (RFC 9449 §11.1).
    #[error("the proof was used before")]
    Replayed,
}

impl ProofError {
    /// The code for logs, metrics and tests.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Missing => "proof-missing",
            Self::Repeated { .. } => "proof-repeated",
            Self::Unbound => "proof-unbound",
            Self::TooLong => "proof-too-long",
            Self::Malformed => "proof-malformed",
            Self::Extension { .. } => "proof-extension",
            Self::Type => "proof-type",
            Self::Algorithm => "proof-algorithm",
            Self::Key => "proof-key",
            Self::Claim { .. } => "proof-claim",
            Self::Method => "proof-method",
            Self::Url => "proof-url",
            Self::TooOld { .. } => "proof-too-old",
            Self::TooEarly { .. } => "proof-too-early",
            Self::Token => "proof-token",
            Self::OtherKey => "proof-other-key",
            Self::Nonce => "proof-nonce",
            Self::Signature => "proof-signature",
            Self::Replayed => "proof-replayed",
        }
    }
}

impl From<Malformed> for ProofError {
    fn from(_: Malformed) -> Self {
        Self::Malformed
    }
}
