//! Keys of an issuer, by `kid`. In goes the JSON of a JWK Set (RFC 7517 §5), out comes a [`KeySet`] of those keys that
//! verify something; the others are skipped and counted, so that one odd key never costs the good ones.

mod jwk;
mod thumbprint;

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
    /// `kid` and thumbprint of every key that could be read, of those that cannot be told apart, too.
    listed: Vec<(Option<String>, [u8; 32])>,
    skipped: Vec<UnusableKey>,
}

/// One key. The algorithm belongs to the key, never to the token (RFC 8725 §3.1).
#[derive(Clone, Debug)]
pub struct Key {
    id: Option<String>,
    /// `issuer`, a member of Entra's, as it stands there.
    issuer: Option<Value>,
    material: VerifyingKey,
    /// The algorithms for which it is used: the one that `alg` names, or all of its family (RFC 7517 §4.4), without those
    /// for which its `kid` stands on another key, too.
    algorithms: Vec<AlgorithmName>,
    /// RFC 7638.
    thumbprint: [u8; 32],
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
        let listed = keys.iter().map(|key| (key.id.clone(), key.thumbprint)).collect();
        let (keys, ambiguous) = told_apart(keys);
        if keys.is_empty() {
            return Err(KeySetError::NoUsableKey { count });
        }
        skipped.extend(std::iter::repeat_n(UnusableKey::SharedId, ambiguous));
        Ok(Self { keys, listed, skipped })
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

    /// The keys that can be used.
    #[must_use]
    pub fn keys(&self) -> &[Key] {
        &self.keys
    }

    /// `kid` and thumbprint of every key that could be read, whether it can be used or not.
    pub fn listed(&self) -> impl Iterator<Item = (Option<&str>, &[u8; 32])> {
        self.listed.iter().map(|(id, thumbprint)| (id.as_deref(), thumbprint))
    }

    /// The set without the keys that are withdrawn; it may be left with none.
    #[must_use]
    pub fn without(&self, is_withdrawn: impl Fn(&Key) -> bool) -> Self {
        let keys = self.keys.iter().filter(|key| !is_withdrawn(key)).cloned().collect();
        Self { keys, listed: self.listed.clone(), skipped: self.skipped.clone() }
    }

    /// The one key for a token with this `kid` and `alg`, among those that say nothing else in `issuer` than one of
    /// `belonging`, where that lists anything. Without a `kid` (OIDC Core §10.1) the algorithm must leave a single candidate.
    pub(super) fn find(
        &self,
        kid: Option<&str>,
        algorithm: AlgorithmName,
        belonging: &[String],
    ) -> Result<&Key, NoKey> {
        let mut fitting = self.keys.iter().filter(|key| {
            key.accepts(algorithm) && key.may_belong_to(belonging) && (kid.is_none() || key.id.as_deref() == kid)
        });
        let first = fitting.next().ok_or(NoKey::Unknown)?;
        let listed_again = |key: &Key| key.id == first.id && key.thumbprint == first.thumbprint;
        if fitting.all(listed_again) { Ok(first) } else { Err(NoKey::Ambiguous) }
    }
}

impl Key {
    /// Whether `algorithm` may be used with this key: the one that its `alg` names, or without `alg` any of its family
    /// (RFC 7517 §4.4). Whether the issuer's tokens may use it is the policy's decision.
    #[must_use]
    pub fn accepts(&self, algorithm: AlgorithmName) -> bool {
        self.algorithms.contains(&algorithm)
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

    fn may_belong_to(&self, issuers: &[String]) -> bool {
        let is_listed = |issuer: &Value| issuers.iter().any(|listed| issuer == listed);
        issuers.is_empty() || self.issuer.as_ref().is_none_or(is_listed)
    }

    /// `kid`.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// RFC 7638 §3, with SHA-256: one key, one thumbprint, whatever its `kid` and its spelling.
    #[must_use]
    pub const fn thumbprint(&self) -> &[u8; 32] {
        &self.thumbprint
    }
}

/// Leaves at most one key for each `kid` (of an `issuer`, where keys name it) and algorithm. Key ids should be distinct, and
/// need not be (RFC 7517 §4.5): one key may be listed once for each of its algorithms, or twice. Where two different keys of
/// one `kid` accept the same algorithm, neither is used with it, since which one is meant would be a guess; a key that is
/// left without an algorithm is dropped and counted.
fn told_apart(mut keys: Vec<Key>) -> (Vec<Key>, usize) {
    let left: Vec<_> = (0..keys.len()).map(|index| left_to(&keys, index)).collect();
    let mut ambiguous = 0;
    for (key, (algorithms, lost)) in keys.iter_mut().zip(left) {
        ambiguous += usize::from(algorithms.is_empty() && lost);
        key.algorithms = algorithms;
    }
    keys.retain(|key| !key.algorithms.is_empty());
    (keys, ambiguous)
}

/// The algorithms that are left to one of the keys, and whether another key with its `kid` took some.
fn left_to(keys: &[Key], index: usize) -> (Vec<AlgorithmName>, bool) {
    let Some(key) = keys.get(index) else { return (Vec::new(), false) };
    let mut left = key.algorithms.clone();
    let mut lost = false;
    let is_namesake = |other: &Key| key.id.is_some() && other.id == key.id && other.issuer == key.issuer;
    for (other_index, other) in keys.iter().enumerate().filter(|(_, other)| is_namesake(other)) {
        let contested = other.thumbprint != key.thumbprint;
        let before = left.len();
        left.retain(|algorithm| !((contested || other_index < index) && other.algorithms.contains(algorithm)));
        lost |= contested && left.len() < before;
    }
    (left, lost)
}
