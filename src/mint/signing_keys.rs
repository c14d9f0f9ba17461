//! The edge's own keys: private EC keys on P-256 as a JWK Set in the Secret Store. The first key signs; all are
//! published, so that origins know a new key before it is used, and an old key as long as its signatures are valid.

use serde::Serialize;
use serde_json::{Value, json};

use super::edge_key::EdgeKey;
use crate::identity::dpop::Nonces;
use crate::policy::Origin;
use crate::strict_json;

/// The edge's signing keys; never empty. `Debug` prints none of them.
pub struct SigningKeys {
    signing: EdgeKey,
    others: Vec<EdgeKey>,
    /// Nonces under keys that every POP derives from these keys in the same way.
    nonces: Nonces,
}

impl std::fmt::Debug for SigningKeys {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("SigningKeys([redacted])")
    }
}

/// Why the signing keys cannot be used. It names the position of the fault, never the content.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SigningKeysError {
    /// The text is not a JSON object with a list `keys`.
    #[error("is not a JWK Set: a JSON object with a list \"keys\"")]
    Malformed,
    /// The list is empty.
    #[error("has no key")]
    Empty,
    /// A key is not a private EC key on P-256 whose halves belong together.
    #[error("keys[{index}] is not a private EC key on P-256 (make one with `fastgate keys new`)")]
    Unusable {
        /// Its place in the list.
        index: usize,
    },
}

impl SigningKeys {
    /// Reads the private JWK Set of the Secret Store. [`checked`](Self::checked) checks whether the halves of each key
    /// belong together; a key whose halves do not never signs and is never published.
    ///
    /// # Errors
    /// A [`SigningKeysError`] if any of the keys cannot be used: a key that was meant to sign must not be skipped.
    pub fn parse(json: &[u8]) -> Result<Self, SigningKeysError> {
        let document = strict_json::parse_object(json).map_err(|_| SigningKeysError::Malformed)?;
        let Some(Value::Array(entries)) = document.get("keys") else {
            return Err(SigningKeysError::Malformed);
        };
        let read = |(index, entry): (usize, &Value)| {
            entry.as_object().and_then(EdgeKey::read).ok_or(SigningKeysError::Unusable { index })
        };
        let mut keys = entries.iter().enumerate().map(read);
        let signing = keys.next().ok_or(SigningKeysError::Empty)??;
        Ok(Self::of(signing, keys.collect::<Result<_, _>>()?))
    }

    fn of(signing: EdgeKey, others: Vec<EdgeKey>) -> Self {
        let nonces = Nonces::derived_from(std::iter::once(&signing).chain(&others).map(EdgeKey::secret));
        Self { signing, others, nonces }
    }

    /// The same keys, if the halves of each belong together.
    ///
    /// # Errors
    /// [`SigningKeysError::Unusable`] for the first key that is not on the curve, or whose halves belong to two keys.
    pub fn checked(self) -> Result<Self, SigningKeysError> {
        let unsound = self.iter().position(|key| !key.is_sound());
        match unsound {
            Some(index) => Err(SigningKeysError::Unusable { index }),
            None => Ok(self),
        }
    }

    /// A new set of one key; `None` if the platform gives no randomness.
    #[must_use]
    pub fn generate() -> Option<Self> {
        Some(Self::of(EdgeKey::generate()?, Vec::new()))
    }

    /// The public halves as a JWK Set (RFC 7517 §5); `None` if the halves of a key do not belong together.
    #[must_use]
    pub fn published(&self) -> Option<String> {
        self.iter().all(EdgeKey::is_sound).then(|| self.set(|key| key.public().clone()))
    }

    /// The keys that the origin with this audience shares with the edge, as a JWK Set: it needs them to verify headers
    /// signed by HS256, and must keep them secret.
    #[must_use]
    pub fn origin_keys(&self, audience: &str) -> String {
        self.set(|key| key.origin_key(audience))
    }

    /// The nonces that these keys make.
    pub(super) const fn nonces(&self) -> &Nonces {
        &self.nonces
    }

    /// Signs the claims with the first key, by the algorithm that `origin` requires.
    pub(super) fn sign(&self, origin: &Origin, claims: &impl Serialize) -> Option<String> {
        self.signing.sign(origin, claims)
    }

    fn set(&self, form: impl Fn(&EdgeKey) -> Value) -> String {
        let keys: Vec<_> = self.iter().map(form).collect();
        json!({ "keys": keys }).to_string()
    }

    fn iter(&self) -> impl Iterator<Item = &EdgeKey> {
        std::iter::once(&self.signing).chain(&self.others)
    }
}

/// A new private JWK Set of one key, for the Secret Store, and its public half. Both are empty if the platform gives no
/// randomness; [`SigningKeys::parse`] refuses an empty set.
#[must_use]
pub fn new_signing_keys() -> (String, String) {
    let halves = |keys: SigningKeys| Some((keys.set(EdgeKey::private), keys.published()?));
    SigningKeys::generate().and_then(halves).unwrap_or_default()
}
