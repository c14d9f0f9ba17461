//! The edge's own keys: private OKP keys (RFC 8037) in the Secret Store, each in a secret of its own and listed in a
//! [`KeyRecord`], or all in one JWK Set. The first Ed25519 key signs, and with the first X25519 key the MAC keys of
//! origins are derived. All are published, so that origins know a new key before it is used, and an old key as long as
//! its signatures are valid.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};
use zeroize::Zeroizing;

use super::exchange_key::ExchangeKey;
use super::key_record::{Curve, KeyRecord, KeyRecordError, KeyState, RecordedKey};
use super::okp::OkpKey;
use super::signing_key::SigningKey;
use crate::identity::dpop::Nonces;
use crate::mcp_session::SessionKeys;
use crate::secret::Secret;
use crate::strict_json;

/// The edge's own keys, at least one of which signs. `Debug` prints none of them.
pub struct SigningKeys {
    keys: Vec<EdgeKey>,
    /// Nonces under keys that every POP derives from the Ed25519 keys in the same way.
    nonces: Nonces,
    /// Keys for sessions of MCP, derived in the same way.
    sessions: SessionKeys,
}

/// The text of the secret of one key. It is overwritten when it is dropped.
pub type KeyText = Secret<Zeroizing<String>>;

/// Private keys as JWKs, each with its id.
pub type SecretKeys = Vec<(String, KeyText)>;

/// One key of either kind.
enum EdgeKey {
    Signing(Box<SigningKey>),
    Exchange(Box<ExchangeKey>),
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
    /// A key is in the list twice. Origins refuse a set in which two keys have one id.
    #[error("has keys[{index}] twice: remove one of the two")]
    Repeated {
        /// The place of the second one.
        index: usize,
    },
    /// The list is empty.
    #[error("has no key")]
    Empty,
    /// No key signs.
    #[error("has no Ed25519 key, which signs (make a set with `fastgate keys new`)")]
    NoSigningKey,
    /// A key is not a private OKP key on Ed25519 or X25519, its other members do not fit, or its halves do not belong
    /// together.
    #[error("keys[{index}] is not a private key on Ed25519 or X25519 (make a set with `fastgate keys new`)")]
    Unusable {
        /// Its place in the list.
        index: usize,
    },
}

impl EdgeKey {
    fn read(jwk: &Map<String, Value>) -> Option<Self> {
        let signing = SigningKey::read(jwk).map(|key| Self::Signing(Box::new(key)));
        signing.or_else(|| ExchangeKey::read(jwk).map(|key| Self::Exchange(Box::new(key))))
    }

    fn okp(&self) -> &OkpKey {
        match self {
            Self::Signing(key) => key.okp(),
            Self::Exchange(key) => key.okp(),
        }
    }

    const fn curve(&self) -> Curve {
        match self {
            Self::Signing(_) => Curve::Ed25519,
            Self::Exchange(_) => Curve::X25519,
        }
    }

    /// The key as a record lists it, and the text of its secret.
    fn recorded(&self, state: KeyState) -> (RecordedKey, KeyText) {
        let okp = self.okp();
        (
            RecordedKey::of(self.curve(), okp.x(), okp.id(), state),
            Secret::new(Zeroizing::new(okp.private().to_string())),
        )
    }

    fn is_sound(&self) -> bool {
        match self {
            Self::Signing(key) => key.is_sound(),
            Self::Exchange(key) => key.is_sound(),
        }
    }

    fn signing(&self) -> Option<&SigningKey> {
        match self {
            Self::Signing(key) => Some(key),
            Self::Exchange(_) => None,
        }
    }

    fn exchange(&self) -> Option<&ExchangeKey> {
        match self {
            Self::Signing(_) => None,
            Self::Exchange(key) => Some(key),
        }
    }
}

impl SigningKeys {
    /// Reads the private JWK Set of the Secret Store. [`checked`](Self::checked) checks whether the halves of each key
    /// belong together; a key whose halves do not is never used and never published.
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
        let keys = entries.iter().enumerate().map(read).collect::<Result<Vec<_>, _>>()?;
        if keys.is_empty() {
            return Err(SigningKeysError::Empty);
        }
        let mut ids = BTreeSet::new();
        if let Some(index) = keys.iter().position(|key| !ids.insert(key.okp().id())) {
            return Err(SigningKeysError::Repeated { index });
        }
        let keys = Self::of(keys);
        if keys.signing().is_some() { Ok(keys) } else { Err(SigningKeysError::NoSigningKey) }
    }

    /// The keys of a record. `secret` is the text of the secret of a key, by its `kid`.
    ///
    /// What is published is made from the secrets, never from the record: a key without its private half cannot be made
    /// known to origins. A key whose secret does not exist is left out if it is not used: a new secret and the record
    /// reach a POP in any order, and the secret of a retired key is deleted before the record forgets the key.
    ///
    /// # Errors
    /// [`KeyRecordError::MissingSecret`] for a key that is used, and [`KeyRecordError::OtherSecret`] for any key.
    pub fn recorded<'secret>(
        record: &KeyRecord,
        secret: impl Fn(&str) -> Option<&'secret [u8]>,
    ) -> Result<Self, KeyRecordError> {
        let mut keys = Vec::new();
        for RecordedKey { kid, state, .. } in record.keys() {
            match secret(kid) {
                Some(text) => {
                    let jwk = strict_json::parse_object(text).ok();
                    let key = jwk.as_ref().and_then(EdgeKey::read).filter(|key| key.okp().id() == kid);
                    keys.push(key.ok_or_else(|| KeyRecordError::OtherSecret { kid: kid.clone() })?);
                }
                None if *state == KeyState::Signing => return Err(KeyRecordError::MissingSecret { kid: kid.clone() }),
                None => {}
            }
        }
        Ok(Self::of(keys))
    }

    /// The record of this set, and the secret of each key: the same keys sign and are published. For a service that has
    /// kept its keys in one JWK Set.
    ///
    /// # Errors
    /// A [`KeyRecordError`] if the set has too many keys.
    pub fn to_record(&self) -> Result<(KeyRecord, SecretKeys), KeyRecordError> {
        let (mut used, mut keys, mut secrets) = (BTreeSet::new(), Vec::new(), Vec::new());
        for key in &self.keys {
            let state = if used.insert(key.curve()) { KeyState::Signing } else { KeyState::Retired };
            let (recorded, secret) = key.recorded(state);
            secrets.push((recorded.kid.clone(), secret));
            keys.push(recorded);
        }
        Ok((KeyRecord::of(keys)?, secrets))
    }

    fn of(keys: Vec<EdgeKey>) -> Self {
        let secrets = || keys.iter().filter_map(EdgeKey::signing).map(|key| key.okp().secret());
        let (nonces, sessions) = (Nonces::derived_from(secrets()), SessionKeys::derived_from(secrets()));
        Self { keys, nonces, sessions }
    }

    /// The same keys, if the halves of each belong together.
    ///
    /// # Errors
    /// [`SigningKeysError::Unusable`] for the first key whose halves belong to two keys.
    pub fn checked(self) -> Result<Self, SigningKeysError> {
        match self.keys.iter().position(|key| !key.is_sound()) {
            Some(index) => Err(SigningKeysError::Unusable { index }),
            None => Ok(self),
        }
    }

    /// A new set of one Ed25519 key and one X25519 key; `None` if the platform gives no randomness.
    #[must_use]
    pub fn generate() -> Option<Self> {
        let (signing, exchange) = (SigningKey::generate()?, ExchangeKey::generate()?);
        Some(Self::of(vec![EdgeKey::Signing(Box::new(signing)), EdgeKey::Exchange(Box::new(exchange))]))
    }

    /// The public halves as a JWK Set (RFC 7517 §5); `None` if the halves of a key do not belong together.
    #[must_use]
    pub fn published(&self) -> Option<String> {
        self.keys.iter().all(EdgeKey::is_sound).then(|| self.set(|key| key.public().clone()))
    }

    /// The nonces that these keys make.
    pub(super) const fn nonces(&self) -> &Nonces {
        &self.nonces
    }

    /// The keys for sessions of MCP.
    pub(super) const fn sessions(&self) -> &SessionKeys {
        &self.sessions
    }

    /// The key that signs: the first Ed25519 key.
    pub(super) fn signing(&self) -> Option<&SigningKey> {
        self.keys.iter().find_map(EdgeKey::signing)
    }

    /// The key with which the MAC keys of origins are derived: the first X25519 key.
    pub(super) fn exchange(&self) -> Option<&ExchangeKey> {
        self.keys.iter().find_map(EdgeKey::exchange)
    }

    fn set(&self, form: impl Fn(&OkpKey) -> Value) -> String {
        let keys: Vec<_> = self.keys.iter().map(|key| form(key.okp())).collect();
        json!({ "keys": keys }).to_string()
    }
}

/// A new private JWK Set of one Ed25519 key and one X25519 key, for the Secret Store, and its public half. Both are
/// empty if the platform gives no randomness; [`SigningKeys::parse`] refuses an empty set.
#[must_use]
pub fn new_signing_keys() -> (String, String) {
    let halves = |keys: SigningKeys| Some((keys.set(OkpKey::private), keys.published()?));
    SigningKeys::generate().and_then(halves).unwrap_or_default()
}

/// A new key as a record lists it, with the state [`KeyState::Next`], and the text of its secret; `None` if the platform
/// gives no randomness.
#[must_use]
pub fn new_edge_key(curve: Curve) -> Option<(RecordedKey, KeyText)> {
    let key = match curve {
        Curve::Ed25519 => EdgeKey::Signing(Box::new(SigningKey::generate()?)),
        Curve::X25519 => EdgeKey::Exchange(Box::new(ExchangeKey::generate()?)),
    };
    Some(key.recorded(KeyState::Next))
}
