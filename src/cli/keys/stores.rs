//! The record and the secrets of a service, and the clock.

use std::path::Path;
use std::time::{Duration, Instant, UNIX_EPOCH};

use clap::Args;
use fastgate::mint::KeyRecord;
use fastgate::mint::rotation::{KEYS_MAX_STALE, Waits};
use fastgate::store_keys::{KEY_RECORD, POLICY_KEY, SIGNING_KEYS, signing_key_secret};
use fastgate::time::{Seconds, UnixTime};
use serde_json::Value;

use super::super::failure::Failure;
use super::super::fastly_api::{Api, ApiError, Item, KvStore, ListedSecret, Places, SecretStore};
use super::super::printer;
use super::super::push::date;

/// How old a secret must be until it counts as left by a rotation that was interrupted, in seconds.
const LEFT: u64 = 24 * 3600;

/// The service, and the times that are counted.
#[derive(Args)]
pub(super) struct Service {
    #[command(flatten)]
    places: Places,
    /// The longest `keys_max_stale` of an app behind the edge.
    #[arg(long, value_name = "SECONDS", default_value_t = KEYS_MAX_STALE.as_u64())]
    keys_max_stale: u64,
    /// Begin a rotation only if a key has been used for so many days. With 0, one begins now.
    #[arg(long, value_name = "DAYS", default_value_t = 30)]
    pub(super) max_age: u64,
    /// The time at which the command starts, in Unix seconds, in place of the clock's.
    #[arg(long, hide = true)]
    now: Option<u64>,
}

impl Service {
    pub(super) fn waits(&self) -> Waits {
        Waits::of(Seconds::new(self.keys_max_stale))
    }

    /// How long a key is used until a rotation begins.
    pub(super) fn longest_use(&self) -> Seconds {
        Seconds::new(self.max_age.saturating_mul(24 * 3600))
    }

    #[expect(clippy::disallowed_methods, reason = "this tool uses the machine's clock")]
    pub(super) fn clock(&self) -> Clock {
        Clock { start: self.now.map(|now| (now, Instant::now())) }
    }

    pub(super) fn stores(&self) -> Result<Stores, Failure> {
        let api = Api::from_environment().map_err(Failure::Usage)?;
        let (kv, secrets) = self.places.stores(api, Path::new("fastly.toml")).map_err(Failure::Refused)?;
        Ok(Stores { kv, secrets })
    }
}

/// The clock of this machine, or one that started at another time.
pub(super) struct Clock {
    start: Option<(u64, Instant)>,
}

impl Clock {
    pub(super) fn now(&self) -> UnixTime {
        let seconds = match self.start {
            Some((now, since)) => now.saturating_add(since.elapsed().as_secs()),
            None => UNIX_EPOCH.elapsed().as_ref().map_or(0, Duration::as_secs),
        };
        UnixTime::from_seconds(seconds)
    }
}

/// Both stores of the edge.
pub(super) struct Stores {
    pub(super) kv: KvStore,
    pub(super) secrets: SecretStore,
}

/// The record as it was read.
pub(super) struct Read {
    item: Option<Item>,
    pub(super) record: Option<KeyRecord>,
}

impl Stores {
    /// Reads the record.
    pub(super) fn read(&self) -> Result<Read, Failure> {
        let item = self.kv.item(KEY_RECORD)?;
        let record = item.as_ref().map(|item| KeyRecord::parse(&item.value)).transpose().map_err(|fault| {
            Failure::Refused(format!("the record of the keys (key \"{KEY_RECORD}\" of the KV store) {fault}"))
        })?;
        Ok(Read { item, record })
    }

    /// Writes the record that follows the one that was read.
    ///
    /// # Errors
    /// [`ApiError::Lost`] if it was written in between.
    pub(super) fn write(&self, read: &Read, record: &KeyRecord) -> Result<(), ApiError> {
        let text = record.to_json();
        match &read.item {
            None => self.kv.add(KEY_RECORD, text.as_bytes(), ""),
            Some(item) => self.kv.replace(KEY_RECORD, &item.generation, text.as_bytes(), &item.metadata),
        }
    }

    /// The issuer of the edge in the live policy.
    pub(super) fn issuer(&self) -> Result<Option<String>, ApiError> {
        let policy: Option<Value> = self.kv.item(POLICY_KEY)?.and_then(|item| serde_json::from_slice(&item.value).ok());
        Ok(policy.and_then(|policy| Some(policy.pointer("/edge/issuer")?.as_str()?.to_owned())))
    }

    /// Deletes secrets that a rotation left long ago when it was interrupted before it wrote the record, and says what to do
    /// with the former secret.
    pub(super) fn tidy(&self, record: &KeyRecord, now: UnixTime) -> Result<(), ApiError> {
        let listed = self.secrets.list()?;
        let before = date(now.seconds().saturating_sub(LEFT));
        for secret in unlisted(&listed, record) {
            // Both times are RFC 3339 in UTC, and equally long up to the seconds.
            if secret.created_at.get(..19) < before.get(..19) && !secret.created_at.is_empty() {
                self.secrets.delete(&secret.name)?;
                printer::line(format_args!("deleted the secret \"{}\", which no record names", secret.name));
            }
        }
        if listed.iter().any(|secret| secret.name == SIGNING_KEYS) {
            printer::line(format_args!(
                "the secret \"{SIGNING_KEYS}\" is no longer used; delete it after a few minutes: fastly secret-store-entry delete \
                 --store-id {} --name {SIGNING_KEYS}",
                self.secrets.id()
            ));
        }
        Ok(())
    }
}

/// The secrets of keys that the record does not list.
pub(super) fn unlisted<'listed>(
    listed: &'listed [ListedSecret],
    record: &KeyRecord,
) -> impl Iterator<Item = &'listed ListedSecret> {
    let named: Vec<String> = record.keys().iter().map(|key| signing_key_secret(&key.kid)).collect();
    listed
        .iter()
        .filter(move |secret| secret.name.starts_with(&signing_key_secret("")) && !named.contains(&secret.name))
}

/// The keys of the record without a secret.
pub(super) fn without_secret<'record>(
    record: &'record KeyRecord,
    listed: &[ListedSecret],
) -> Vec<&'record fastgate::mint::RecordedKey> {
    let exists = |kid: &str| listed.iter().any(|secret| secret.name == signing_key_secret(kid));
    record.keys().iter().filter(|key| !exists(&key.kid)).collect()
}
