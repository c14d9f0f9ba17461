//! The record of the edge's keys, in the KV store: which keys are published, and which key of each kind is used. It
//! holds public halves only. Whoever writes it chooses among the keys of the Secret Store and can add none: see
//! [`SigningKeys::recorded`](super::SigningKeys::recorded).

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::digest::okp_thumbprint;
use crate::strict_json;
use crate::time::UnixTime;

/// The version of the form that is read and written.
const VERSION: u64 = 1;
/// The most keys of one record. A new sandbox reads a secret for each.
const MOST_KEYS: usize = 16;

/// The keys that are published, at least one of which signs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRecord(Vec<RecordedKey>);

/// One key of the record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecordedKey {
    /// The thumbprint of the public half (RFC 7638) in base64url. The secret `signing-key.<kid>` is the private half.
    pub kid: String,
    pub(super) kty: KeyType,
    /// The curve, which says what the key is for.
    pub crv: Curve,
    /// The public half in base64url.
    pub(super) x: String,
    /// The place of the key in a rotation.
    pub state: KeyState,
    /// A time at which the record already had this state. Absent until that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<UnixTime>,
}

/// The only type of keys (RFC 8037 §2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum KeyType {
    #[serde(rename = "OKP")]
    Okp,
}

/// The curve of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Curve {
    /// For signatures.
    Ed25519,
    /// For the MAC keys of origins.
    X25519,
}

/// The place of a key in a rotation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KeyState {
    /// It signs, or MAC keys are derived from it.
    Signing,
    /// It is published, so that origins know it before it is used.
    Next,
    /// It is published until its last header has expired.
    Retired,
}

/// Why a record cannot be used. The text contains public keys at most.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyRecordError {
    /// It is not a JSON object of this form.
    #[error("is no JSON object of the documented form: {0}")]
    Malformed(String),
    /// Another version of its form.
    #[error("has version {0}, and this Fastgate reads version 1: a newer one is needed")]
    Version(u64),
    /// A key's `kid` is not the thumbprint of `crv` and `x`.
    #[error("keys[{index}] has a kid that is not the thumbprint of its public key")]
    OtherKid {
        /// Its place in the list.
        index: usize,
    },
    /// A key is in the list twice.
    #[error("has keys[{index}] twice")]
    Repeated {
        /// The place of the second one.
        index: usize,
    },
    /// More keys than a record may have.
    #[error("has {0} keys, and may have 16")]
    TooMany(usize),
    /// Several keys of one kind are in a state that only one may be in.
    #[error("has more than one {crv:?} key with state \"{}\"", .state.as_str())]
    Several {
        /// Their curve.
        crv: Curve,
        /// Their state.
        state: KeyState,
    },
    /// No key signs.
    #[error("has no Ed25519 key with state \"signing\"")]
    NoSigningKey,
    /// The secret of a key that is used does not exist.
    #[error("uses the key {kid}, and there is no secret \"signing-key.{kid}\"")]
    MissingSecret {
        /// The key.
        kid: String,
    },
    /// The secret of a key is not the private half of this key.
    #[error("lists the key {kid}, and the secret \"signing-key.{kid}\" is not its private key")]
    OtherSecret {
        /// The key.
        kid: String,
    },
}

impl KeyState {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Signing => "signing",
            Self::Next => "next",
            Self::Retired => "retired",
        }
    }
}

impl Curve {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Ed25519 => "Ed25519",
            Self::X25519 => "X25519",
        }
    }
}

impl RecordedKey {
    /// A key with this public half.
    pub(super) fn of(crv: Curve, x: &[u8; 32], kid: &str, state: KeyState) -> Self {
        Self { kid: kid.to_owned(), kty: KeyType::Okp, crv, x: URL_SAFE_NO_PAD.encode(x), state, since: None }
    }

    /// Whether `kid` belongs to the public half, of which one encoding is accepted.
    fn has_its_own_id(&self) -> bool {
        let octets = URL_SAFE_NO_PAD.decode(&self.x).ok().and_then(|octets| <[u8; 32]>::try_from(octets).ok());
        octets.is_some_and(|x| URL_SAFE_NO_PAD.encode(okp_thumbprint(self.crv.as_str(), &x)) == self.kid)
    }
}

/// The members of the document.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    version: u64,
    keys: Vec<RecordedKey>,
}

impl KeyRecord {
    /// Reads the record.
    ///
    /// # Errors
    /// A [`KeyRecordError`] if any part of it is not as it should be: nothing is skipped.
    pub fn parse(json: &[u8]) -> Result<Self, KeyRecordError> {
        let malformed = |error: serde_json::Error| KeyRecordError::Malformed(error.to_string());
        let members = strict_json::parse_object(json).map_err(malformed)?;
        if let Some(version) = members.get("version").and_then(Value::as_u64).filter(|version| *version != VERSION) {
            return Err(KeyRecordError::Version(version));
        }
        let Document { keys, .. } = serde_json::from_value(Value::Object(members)).map_err(malformed)?;
        Self::of(keys)
    }

    /// The record of these keys.
    ///
    /// # Errors
    /// A [`KeyRecordError`] if they are no record together.
    pub fn of(mut keys: Vec<RecordedKey>) -> Result<Self, KeyRecordError> {
        if keys.len() > MOST_KEYS {
            return Err(KeyRecordError::TooMany(keys.len()));
        }
        if let Some(index) = keys.iter().position(|key| !key.has_its_own_id()) {
            return Err(KeyRecordError::OtherKid { index });
        }
        let mut ids = BTreeSet::new();
        if let Some(index) = keys.iter().position(|key| !ids.insert(&key.kid)) {
            return Err(KeyRecordError::Repeated { index });
        }
        let mut places = BTreeSet::new();
        let mut one_of_a_kind = keys.iter().filter(|key| key.state != KeyState::Retired);
        if let Some(key) = one_of_a_kind.find(|key| !places.insert((key.crv, key.state))) {
            return Err(KeyRecordError::Several { crv: key.crv, state: key.state });
        }
        if !places.contains(&(Curve::Ed25519, KeyState::Signing)) {
            return Err(KeyRecordError::NoSigningKey);
        }
        // The key that is used comes first of its kind.
        keys.sort_by_key(|key| (key.state, key.crv));
        Ok(Self(keys))
    }

    /// The keys: those that are used, then the next ones, then those that are retired.
    #[must_use]
    pub fn keys(&self) -> &[RecordedKey] {
        &self.0
    }

    /// The text for the KV store.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(&Document { version: VERSION, keys: self.0.clone() }).unwrap_or_default()
    }
}
