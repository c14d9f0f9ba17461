//! Keys of an issuer, by `kid`. In goes the JSON of a JWK Set (RFC 7517 §5), out comes a [`KeySet`] of those keys that
//! verify something; the others are skipped and counted, so that one odd key never costs the good ones.

use std::collections::BTreeMap;

use jwt_simple::prelude::{ES256PublicKey, RS256PublicKey};
use serde_json::{Map, Value, json};

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
    skipped: usize,
}

/// One key. The algorithm belongs to the key, never to the token (RFC 8725 §3.1).
#[derive(Clone, Debug)]
pub struct Key {
    id: Option<String>,
    verifier: Verifier,
    /// SHA-256 of the members that make the key what it is.
    digest: [u8; 32],
}

/// A public key and the one algorithm it is used with.
#[derive(Clone, Debug)]
pub(super) enum Verifier {
    Rs256(Box<RS256PublicKey>),
    Es256(ES256PublicKey),
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
        if entries.iter().filter_map(Value::as_object).any(holds_secret) {
            return Err(KeySetError::HoldsSecrets);
        }
        let keys = without_shared_ids(entries.iter().filter_map(Value::as_object).filter_map(Key::read).collect());
        if keys.is_empty() {
            return Err(KeySetError::NoUsableKey { count });
        }
        Ok(Self { skipped: count - keys.len(), keys })
    }

    /// How many keys of the document cannot be used.
    #[must_use]
    pub const fn skipped(&self) -> usize {
        self.skipped
    }

    /// The one key for a token with this `kid` and `alg`. Without a `kid` (OIDC Core §10.1) the algorithm must leave a
    /// single candidate.
    pub(super) fn find(&self, kid: Option<&str>, algorithm: AlgorithmName) -> Result<&Key, NoKey> {
        let mut fitting = self.keys.iter().filter(|key| key.algorithm() == algorithm);
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
    /// The algorithm that this key verifies.
    #[must_use]
    pub const fn algorithm(&self) -> AlgorithmName {
        match self.verifier {
            Verifier::Rs256(_) => AlgorithmName::RS256,
            Verifier::Es256(_) => AlgorithmName::ES256,
        }
    }

    /// SHA-256 of what makes the key what it is: another key, another digest, whatever its `kid`.
    pub(super) const fn digest(&self) -> &[u8; 32] {
        &self.digest
    }

    pub(super) const fn verifier(&self) -> &Verifier {
        &self.verifier
    }

    /// A key that can verify one of the known algorithms, or nothing. Unknown members (`x5c` above all) are left out
    /// before jwt-simple sees the key, since it bounds the length of what it reads.
    fn read(jwk: &Map<String, Value>) -> Option<Self> {
        let text = |name: &str| jwk.get(name).and_then(Value::as_str);
        let absent_or = |name: &str, accepted: &[&str]| match jwk.get(name) {
            None => true,
            Some(value) => value.as_str().is_some_and(|value| accepted.contains(&value)),
        };
        let for_verifying = match jwk.get("key_ops") {
            None => true,
            Some(operations) => operations.as_array().is_some_and(|list| list.iter().any(|name| name == "verify")),
        };
        if !absent_or("use", &["sig"]) || !for_verifying {
            return None;
        }
        let id = match jwk.get("kid") {
            None => None,
            Some(kid) => Some(kid.as_str()?.to_owned()),
        };
        let (verifier, minimal) = match (text("kty")?, text("crv")) {
            ("RSA", None) if absent_or("alg", &["RS256"]) => {
                let minimal = json!({"kty": "RSA", "n": text("n")?, "e": text("e")?}).to_string();
                (Verifier::Rs256(Box::new(RS256PublicKey::from_jwk(&minimal).ok()?)), minimal)
            }
            ("EC", Some("P-256")) if absent_or("alg", &["ES256"]) => {
                let minimal = json!({"kty": "EC", "crv": "P-256", "x": text("x")?, "y": text("y")?}).to_string();
                (Verifier::Es256(ES256PublicKey::from_jwk(&minimal).ok()?), minimal)
            }
            _ => return None,
        };
        Some(Self { id, verifier, digest: hmac_sha256::Hash::hash(minimal.as_bytes()) })
    }
}

/// Private members of RFC 7518 §6.2.2 and §6.3.2, and `k` of §6.4.
fn holds_secret(jwk: &Map<String, Value>) -> bool {
    jwk.get("kty").is_some_and(|kty| kty == "oct")
        || ["d", "p", "q", "dp", "dq", "qi", "oth", "k"].iter().any(|name| jwk.contains_key(*name))
}

/// Drops every key whose `kid` stands on several keys: which one is meant would be a guess.
fn without_shared_ids(keys: Vec<Key>) -> Vec<Key> {
    let mut uses: BTreeMap<String, usize> = BTreeMap::new();
    for id in keys.iter().filter_map(|key| key.id.clone()) {
        *uses.entry(id).or_default() += 1;
    }
    keys.into_iter().filter(|key| key.id.as_ref().is_none_or(|id| uses.get(id) == Some(&1))).collect()
}
