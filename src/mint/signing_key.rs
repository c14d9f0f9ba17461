//! An Ed25519 key of the edge (RFC 8032 §5.1). It signs identity headers for every origin without a key of its own.

use std::sync::OnceLock;

use ed25519_dalek::Signer as _;
use serde_json::{Map, Value};

use super::jws;
use super::okp::{Kind, OkpKey};

const KIND: Kind = Kind { curve: "Ed25519", algorithm: Some("EdDSA"), purpose: "sig" };

/// A private Ed25519 key. Whether its halves belong together is checked when it first signs or is first published: the
/// check takes a multiple of the base point, which is not needed if every origin has a key of its own.
pub(super) struct SigningKey {
    okp: OkpKey,
    /// `None` if the halves do not belong together.
    pair: OnceLock<Option<ed25519_dalek::SigningKey>>,
    /// The JOSE header in base64url: the same for every token.
    header: String,
}

impl SigningKey {
    /// Reads a private JWK; `None` if it is not one of an Ed25519 key.
    pub(super) fn read(jwk: &Map<String, Value>) -> Option<Self> {
        OkpKey::read(jwk, &KIND).map(Self::of)
    }

    /// A new key from the platform's randomness; `None` if the platform gives none.
    pub(super) fn generate() -> Option<Self> {
        let secret = OkpKey::random_secret()?;
        let x = ed25519_dalek::SigningKey::from_bytes(&secret).verifying_key().to_bytes();
        Some(Self::of(OkpKey::of(secret, x, &KIND)))
    }

    fn of(okp: OkpKey) -> Self {
        let header = jws::header("EdDSA", okp.id());
        Self { okp, pair: OnceLock::new(), header }
    }

    /// The halves and their ids.
    pub(super) const fn okp(&self) -> &OkpKey {
        &self.okp
    }

    /// Whether the halves belong together.
    pub(super) fn is_sound(&self) -> bool {
        self.pair().is_some()
    }

    fn pair(&self) -> Option<&ed25519_dalek::SigningKey> {
        let sound = || {
            let pair = ed25519_dalek::SigningKey::from_bytes(self.okp.secret());
            (pair.verifying_key().as_bytes() == self.okp.x()).then_some(pair)
        };
        self.pair.get_or_init(sound).as_ref()
    }

    /// The claims as a JWS in compact form (RFC 7515 §7.1); `None` if the halves of the key do not belong together.
    pub(super) fn sign(&self, claims: &[u8]) -> Option<String> {
        let pair = self.pair()?;
        Some(jws::compact(&self.header, claims, |content| pair.sign(content).to_bytes()))
    }
}
