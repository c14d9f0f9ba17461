//! The edge's own keys in the stores: the record in the KV store with a secret for each key, or the one secret with all
//! keys of a service without a record.

use crate::mint::{KeyRecord, SigningKeys};
use crate::ports::storage::{Secrets, Stored};
use crate::refusal::ClosedError;
use crate::store_keys::{KEY_RECORD, MAX_RECORD_BYTES, SIGNING_KEYS, STORE, signing_key_secret};

/// The texts from which the signing keys are made.
#[derive(PartialEq, Eq)]
pub(super) enum KeyTexts {
    /// The secret with all keys.
    Set(Vec<u8>),
    /// The record, and the secrets that exist of its keys.
    Recorded(KeyRecord, Vec<(String, Vec<u8>)>),
}

impl KeyTexts {
    /// Reads the secrets that `record` asks for. With a record, no other secret is read.
    ///
    /// # Errors
    /// The outer one if the Secret Store does not say what it holds, the inner one if it holds no usable keys.
    pub(super) fn read(
        record: Option<Stored>,
        secrets: &dyn Secrets,
    ) -> Result<Result<Self, ClosedError>, ClosedError> {
        let secret = |name: &str| {
            let secret = secrets.secret(name).map_err(|error| ClosedError::SigningKeys(error.to_string()))?;
            Ok(secret.map(|secret| secret.expose().clone()))
        };
        let Some(record) = record else {
            let missing = || {
                ClosedError::SigningKeys(format!(
                    "the KV store \"{STORE}\" holds no key \"{KEY_RECORD}\", and the Secret Store \"{STORE}\" no secret \
                     \"{SIGNING_KEYS}\"; make keys with `fastgate keys rotate`, or a secret with `fastgate keys new`"
                ))
            };
            return Ok(secret(SIGNING_KEYS)?.map(Self::Set).ok_or_else(missing));
        };
        if record.value.len() > MAX_RECORD_BYTES {
            return Ok(Err(unusable(format!("is longer than {MAX_RECORD_BYTES} bytes"))));
        }
        let record = match KeyRecord::parse(&record.value) {
            Ok(record) => record,
            Err(error) => return Ok(Err(unusable(error))),
        };
        let mut found = Vec::new();
        for key in record.keys() {
            found.extend(secret(&signing_key_secret(&key.kid))?.map(|secret| (key.kid.clone(), secret)));
        }
        Ok(Ok(Self::Recorded(record, found)))
    }

    /// The keys.
    ///
    /// # Errors
    /// [`ClosedError::SigningKeys`] if they cannot be used.
    pub(super) fn keys(&self) -> Result<SigningKeys, ClosedError> {
        match self {
            Self::Set(text) => SigningKeys::parse(text).map_err(|error| {
                ClosedError::SigningKeys(format!("Secret Store \"{STORE}\", secret \"{SIGNING_KEYS}\": {error}"))
            }),
            Self::Recorded(record, found) => {
                let secret = |kid: &str| found.iter().find(|(of, _)| of == kid).map(|(_, text)| text.as_slice());
                SigningKeys::recorded(record, secret).map_err(unusable)
            }
        }
    }
}

fn unusable(cause: impl std::fmt::Display) -> ClosedError {
    ClosedError::SigningKeys(format!(
        "KV store \"{STORE}\", key \"{KEY_RECORD}\": the record {cause}; `fastgate keys status` compares record and secrets"
    ))
}
