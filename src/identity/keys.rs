//! Keys of an issuer, by `kid`. In goes the JSON of a JWK Set (RFC 7517 §5), out comes a [`KeySet`] of those keys that
//! verify something; the others are skipped and counted, so that one odd key never costs the good ones.

mod jwk;

use std::collections::BTreeMap;

use serde_json::Value;

pub use jwk::UnusableKey;

use super::signature::{SignatureInvalid, VerifyingKey};
use crate::policy::AlgorithmName;
use crate::strict_json;

/// The longest JWK Set that is read, in bytes.
pub const MAX_JWKS_BYTES: usize = 256 * 1024;
/// The most keys that are read of one set.
pub const MAX_KEYS: usize = 64;

/// The usable keys of one issuer.
#[derive(Clone, Debug)]
pub struct KeySet {
    keys: Vec<Key>,
    skipped: Vec<UnusableKey>,
}

/// One key. The algorithm belongs to the key, never to the token (RFC 8725 §3.1).
#[derive(Clone, Debug)]
pub struct Key {
    id: Option<String>,
    material: VerifyingKey,
    /// `alg`, which narrows the key's family down to one.
    algorithm: Option<AlgorithmName>,
    /// SHA-256 of the members that make the key what it is.
    digest: [u8; 32],
}

/// Why a document is no key set.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeySetError {
    /// Longer than [`MAX_JWKS_BYTES`].
    #[error("it is {bytes} bytes long")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// Not a JSON object with a list `keys`.
    #[error("it is not a JWK Set")]
    Malformed,
    /// More than [`MAX_KEYS`].
    #[error("it holds {count} keys")]
    TooManyKeys {
        /// Their number.
        count: usize,
    },
    /// A key holds private members, or is symmetric: the document is not one to be published, nor to be trusted.
    #[error("it holds a private or symmetric key")]
    HoldsSecrets,
    /// None of the keys can be used. No keys is never "no check".
    #[error("none of its {count} keys can be used")]
    NoUsableKey {
        /// How many there were.
        count: usize,
    },
}

/// Why no key fits a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoKey {
    Unknown,
    Ambiguous,
}

impl KeySet {
    /// Reads a JWK Set.
    ///
    /// # Errors
    /// A [`KeySetError`] when the document as a whole is not to be used; a key that merely cannot be used is skipped.
    pub fn parse(json: &[u8]) -> Result<Self, KeySetError> {
        if json.len() > MAX_JWKS_BYTES {
            return Err(KeySetError::TooLong { bytes: json.len() });
        }
        let document = strict_json::parse_object(json).map_err(|_| KeySetError::Malformed)?;
        let Some(Value::Array(entries)) = document.get("keys") else {
            return Err(KeySetError::Malformed);
        };
        let count = entries.len();
        if count > MAX_KEYS {
            return Err(KeySetError::TooManyKeys { count });
        }
        let mut keys = Vec::with_capacity(count);
        let mut skipped = Vec::new();
        for entry in entries {
            match entry.as_object().ok_or(UnusableKey::Malformed).and_then(Key::read) {
                Ok(key) => keys.push(key),
                Err(UnusableKey::HoldsSecret) => return Err(KeySetError::HoldsSecrets),
                Err(unusable) => skipped.push(unusable),
            }
        }
        let keys = without_shared_ids(keys);
        if keys.is_empty() {
            return Err(KeySetError::NoUsableKey { count });
        }
        skipped.resize(count.saturating_sub(keys.len()), UnusableKey::SharedId);
        Ok(Self { keys, skipped })
    }

    /// How many keys of the document cannot be used.
    #[must_use]
    pub const fn skipped(&self) -> usize {
        self.skipped.len()
    }

    /// Why they cannot, in no particular order.
    #[must_use]
    pub fn unusable(&self) -> &[UnusableKey] {
        &self.skipped
    }

    /// The set without the keys whose `kid` is withdrawn; it may be left with none.
    #[must_use]
    pub fn without(&self, is_withdrawn: impl Fn(Option<&str>) -> bool) -> Self {
        let keys = self.keys.iter().filter(|key| !is_withdrawn(key.id.as_deref())).cloned().collect();
        Self { keys, skipped: self.skipped.clone() }
    }

    /// The one key for a token with this `kid` and `alg`. Without a `kid` (OIDC Core §10.1) the algorithm must leave a
    /// single candidate.
    pub(super) fn find(&self, kid: Option<&str>, algorithm: AlgorithmName) -> Result<&Key, NoKey> {
        let mut fitting = self.keys.iter().filter(|key| key.accepts(algorithm));
        match kid {
            Some(kid) => fitting.find(|key| key.id.as_deref() == Some(kid)).ok_or(NoKey::Unknown),
            None => match (fitting.next(), fitting.next()) {
                (Some(only), None) => Ok(only),
                (None, _) => Err(NoKey::Unknown),
                (Some(_), Some(_)) => Err(NoKey::Ambiguous),
            },
        }
    }
}

impl Key {
    /// Whether `algorithm` may be used with this key: the one that its `alg` names, or without `alg` any of its family
    /// (RFC 7517 §4.4). Whether the issuer's tokens may use it is the policy's decision.
    #[must_use]
    pub fn accepts(&self, algorithm: AlgorithmName) -> bool {
        self.algorithm.is_none_or(|only| only == algorithm) && self.material.algorithms().contains(&algorithm)
    }

    /// Whether `signature` is this key's over `message` by `algorithm`.
    ///
    /// # Errors
    /// [`SignatureInvalid`], also where the key does not [accept](Self::accepts) the algorithm.
    pub fn verify(&self, algorithm: AlgorithmName, message: &[u8], signature: &[u8]) -> Result<(), SignatureInvalid> {
        if !self.accepts(algorithm) {
            return Err(SignatureInvalid);
        }
        self.material.verify(algorithm, message, signature)
    }

    /// SHA-256 of what makes the key what it is: another key, another digest, whatever its `kid`.
    pub(super) const fn digest(&self) -> &[u8; 32] {
        &self.digest
    }
}

/// Drops every key whose `kid` stands on several keys: which one is meant would be a guess.
fn without_shared_ids(keys: Vec<Key>) -> Vec<Key> {
    let mut uses: BTreeMap<String, usize> = BTreeMap::new();
    for id in keys.iter().filter_map(|key| key.id.clone()) {
        *uses.entry(id).or_default() += 1;
    }
    keys.into_iter().filter(|key| key.id.as_ref().is_none_or(|id| uses.get(id) == Some(&1))).collect()
}
