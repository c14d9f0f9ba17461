//! The keys of an issuer, by `kid`. Input: the JSON of a JWK Set (RFC 7517 §5). Output: a [`KeySet`] of the keys that
//! can verify signatures; other keys are skipped and counted, so that one unusable key does not make the set unusable.

mod jwk;
mod key;
mod thumbprint;

use serde_json::Value;

pub use jwk::UnusableKey;
pub use key::Key;

use crate::policy::AlgorithmName;
use crate::strict_json;

/// The longest JWK Set that is read, in bytes.
pub const MAX_JWKS_BYTES: usize = 256 * 1024;
/// The largest number of keys that one set may have.
pub const MAX_KEYS: usize = 64;

/// The usable keys of one issuer.
#[derive(Clone, Debug)]
pub struct KeySet {
    keys: Vec<Key>,
    /// `kid` and thumbprint of every key that could be read, including ambiguous ones.
    listed: Vec<(Option<String>, [u8; 32])>,
    skipped: Vec<UnusableKey>,
}

/// Why a document is not a key set.
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
    /// A key has private members or is symmetric. Such a document must not be published, so it is not trusted.
    #[error("it holds a private or symmetric key")]
    HoldsSecrets,
    /// No key can be used. An empty set never means that signatures are not verified.
    #[error("none of its {count} keys can be used")]
    NoUsableKey {
        /// Their number.
        count: usize,
    },
}

/// Why there is no key for a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoKey {
    /// No key of the set fits.
    Unknown,
    /// Several different keys fit.
    Ambiguous,
}

impl KeySet {
    /// Reads a JWK Set.
    ///
    /// # Errors
    /// A [`KeySetError`] if the document as a whole cannot be used; a single key that cannot be used is skipped.
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
        let (keys, ambiguous) = without_ambiguous(keys);
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

    /// The reasons, in no particular order.
    #[must_use]
    pub fn unusable(&self) -> &[UnusableKey] {
        &self.skipped
    }

    /// The usable keys.
    #[must_use]
    pub fn keys(&self) -> &[Key] {
        &self.keys
    }

    /// `kid` and thumbprint of every key that could be read, whether it can be used or not.
    pub fn listed(&self) -> impl Iterator<Item = (Option<&str>, &[u8; 32])> {
        self.listed.iter().map(|(id, thumbprint)| (id.as_deref(), thumbprint))
    }

    /// The set without the withdrawn keys; it may be empty.
    #[must_use]
    pub fn without(&self, is_withdrawn: impl Fn(&Key) -> bool) -> Self {
        let keys = self.keys.iter().filter(|key| !is_withdrawn(key)).cloned().collect();
        Self { keys, listed: self.listed.clone(), skipped: self.skipped.clone() }
    }

    /// Whether there are keys with this `kid`, and none of them is `of_issuer`, by the owner that they name.
    pub(super) fn has_only_for_others(&self, kid: &str, of_issuer: impl Fn(Option<&Value>) -> bool) -> bool {
        let mut named = self.keys.iter().filter(|key| key.id.as_deref() == Some(kid)).peekable();
        named.peek().is_some() && !named.any(|key| of_issuer(key.issuer.as_ref()))
    }

    /// The only key for a token with this `kid` and `alg`. Keys that are not `of_issuer`, by the owner that they name,
    /// do not count. Without a `kid` (OpenID Connect Core §10.1) exactly one key must fit the algorithm.
    pub(super) fn find(
        &self,
        kid: Option<&str>,
        algorithm: AlgorithmName,
        of_issuer: impl Fn(Option<&Value>) -> bool,
    ) -> Result<&Key, NoKey> {
        let mut fitting = self.keys.iter().filter(|key| {
            key.accepts(algorithm) && of_issuer(key.issuer.as_ref()) && (kid.is_none() || key.id.as_deref() == kid)
        });
        let first = fitting.next().ok_or(NoKey::Unknown)?;
        let listed_again = |key: &Key| key.id == first.id && key.thumbprint == first.thumbprint;
        if fitting.all(listed_again) { Ok(first) } else { Err(NoKey::Ambiguous) }
    }
}

/// Keeps at most one key for each `kid` (and `issuer`, if keys name it) and algorithm. Key ids should be distinct, but
/// need not be (RFC 7517 §4.5): one key may be listed once for each of its algorithms, or twice. If two different keys
/// with one `kid` accept the same algorithm, neither is used with it, because choosing one would be a guess. A key that
/// has no algorithm left is dropped and counted.
fn without_ambiguous(mut keys: Vec<Key>) -> (Vec<Key>, usize) {
    let remaining: Vec<_> = (0..keys.len()).map(|index| remaining_algorithms(&keys, index)).collect();
    let mut ambiguous = 0;
    for (key, (algorithms, lost)) in keys.iter_mut().zip(remaining) {
        ambiguous += usize::from(algorithms.is_empty() && lost);
        key.algorithms = algorithms;
    }
    keys.retain(|key| !key.algorithms.is_empty());
    (keys, ambiguous)
}

/// The algorithms that the key at `index` keeps, and whether it lost some because another key has its `kid`.
fn remaining_algorithms(keys: &[Key], index: usize) -> (Vec<AlgorithmName>, bool) {
    let Some(key) = keys.get(index) else { return (Vec::new(), false) };
    let mut remaining = key.algorithms.clone();
    let mut lost = false;
    let has_same_id = |other: &Key| key.id.is_some() && other.id == key.id && other.issuer == key.issuer;
    for (other_index, other) in keys.iter().enumerate().filter(|(_, other)| has_same_id(other)) {
        let contested = other.thumbprint != key.thumbprint;
        let before = remaining.len();
        remaining.retain(|algorithm| !((contested || other_index < index) && other.algorithms.contains(algorithm)));
        lost |= contested && remaining.len() < before;
    }
    (remaining, lost)
}
