//! The record and the secrets of a service, and the clock.

use std::path::Path;
use std::time::{Duration, Instant, UNIX_EPOCH};

use clap::Args;
use fastgate::mint::rotation::{CLOCK, KEYS_MAX_STALE, Waits};
use fastgate::mint::{KeyRecord, KeyRecordError};
use fastgate::store_keys::{KEY_RECORD, MAX_RECORD_BYTES, POLICY_KEY, signing_key_secret};
use fastgate::time::{Seconds, UnixTime};

use super::super::date::date;
use super::super::failure::Failure;
use super::super::fastly_api::{Api, ApiError, Item, KvStore, ListedSecret, Places, SecretStore};
use super::super::push::issuer;

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
        let (kv, secrets) = self.places.stores(api.clone(), Path::new("fastly.toml"))?;
        Ok(Stores { api, kv, secrets })
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
    api: Api,
    pub(super) kv: KvStore,
    pub(super) secrets: SecretStore,
}

/// The record as it was read.
pub(super) struct Read {
    item: Option<Item>,
    pub(super) record: Option<KeyRecord>,
    /// Why there is no record although there is an item.
    pub(super) damage: Option<Damage>,
}

/// What is wrong with the record.
pub(super) enum Damage {
    /// A newer version has written it.
    Newer(String),
    /// It can be replaced.
    Unusable(String),
}

impl Read {
    /// Nothing but what the next write depends on: the record that follows does not depend on this one.
    pub(super) fn without_record(self) -> Self {
        Self { record: None, damage: None, ..self }
    }

    /// Whether the service has no record at all.
    pub(super) const fn is_absent(&self) -> bool {
        self.item.is_none()
    }
}

impl Stores {
    /// Reads the record, which may be damaged.
    pub(super) fn look(&self) -> Result<Read, ApiError> {
        let item = self.kv.item(KEY_RECORD)?;
        let (record, damage) = match item.as_ref().map(|item| KeyRecord::parse(&item.value)) {
            None => (None, None),
            Some(Err(fault @ KeyRecordError::Version(_))) => (None, Some(Damage::Newer(fault.to_string()))),
            Some(Err(fault)) => (None, Some(Damage::Unusable(fault.to_string()))),
            Some(Ok(_)) if item.as_ref().is_some_and(|item| item.value.len() > MAX_RECORD_BYTES) => {
                (None, Some(Damage::Unusable(format!("is longer than {MAX_RECORD_BYTES} bytes"))))
            }
            Some(Ok(record)) => (Some(record), None),
        };
        Ok(Read { item, record, damage })
    }

    /// Reads the record.
    ///
    /// # Errors
    /// If there is one that is damaged, what to do about it.
    pub(super) fn read(&self) -> Result<Read, Failure> {
        let read = self.look()?;
        match &read.damage {
            None => Ok(read),
            Some(damage) => Err(Failure::Refused(self.about_damage(damage, &self.secrets.list()?))),
        }
    }

    /// What a damaged record means, and what to do about it.
    pub(super) fn about_damage(&self, damage: &Damage, listed: &[ListedSecret]) -> String {
        let what = format!("the record of the keys (key \"{KEY_RECORD}\" of the KV store {})", self.kv.id());
        match damage {
            Damage::Newer(fault) => format!(
                "{what} {fault}. Install a newer fastgate-edge. If no newer version has written the record, the edge answers every \
                 request with 503; then delete it, and run `fastgate keys rotate`: fastly kv-store-entry delete --store-id {} --key \
                 {KEY_RECORD}",
                self.kv.id()
            ),
            Damage::Unusable(fault) => {
                let prefix = signing_key_secret("");
                let kids: Vec<_> = listed.iter().filter_map(|secret| secret.name.strip_prefix(&prefix)).collect();
                let kids = if kids.is_empty() { "none".to_owned() } else { kids.join(", ") };
                format!(
                    "{what} {fault}, so the edge answers every request with 503. If you have its former text, write it there again. \
                     If not, `fastgate keys rotate --replace-damaged-record` makes new keys and a new record at once. Secrets of keys \
                     that still exist: {kids}"
                )
            }
        }
    }

    /// Refuses to go on if the clock of this machine is wrong. `now` was read after the last answer of the API.
    pub(super) fn check_clock(&self, now: UnixTime) -> Result<(), Failure> {
        let Some(theirs) = self.api.date() else {
            return Err(Failure::Refused(
                "the answer of Fastly's API does not say what time it is (field \"Date\"), so the clock of this machine cannot be \
                 compared with it: if a proxy removes the field, let it pass"
                    .to_owned(),
            ));
        };
        let off = now.seconds().abs_diff(theirs);
        if off <= CLOCK.as_u64() {
            return Ok(());
        }
        Err(Failure::Refused(format!(
            "the clock of this machine says {}, and Fastly's API {}: {off} s differ, and {CLOCK} s may, because the waits of a rotation \
             are counted by it. Set the clock, for example by NTP (`timedatectl set-ntp true`), and run this again",
            date(now.seconds()),
            date(theirs)
        )))
    }

    /// From now on, wait for up to ten minutes if the API fails.
    pub(super) fn be_patient(&self) {
        self.api.be_patient();
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
        Ok(self.kv.item(POLICY_KEY)?.and_then(|item| issuer(&item.value)))
    }
}

/// The keys of the record without a secret.
pub(super) fn without_secret<'record>(
    record: &'record KeyRecord,
    listed: &[ListedSecret],
) -> Vec<&'record fastgate::mint::RecordedKey> {
    let exists = |kid: &str| listed.iter().any(|secret| secret.name == signing_key_secret(kid));
    record.keys().iter().filter(|key| !exists(&key.kid)).collect()
}
