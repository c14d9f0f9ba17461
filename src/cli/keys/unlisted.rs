//! Secrets of keys that the record of the service does not name: a rotation left them that was interrupted before it wrote
//! the record, or another service shares the Secret Store and uses them. Nobody can tell which, so they are deleted on demand only.

use fastgate::mint::KeyRecord;
use fastgate::store_keys::{SIGNING_KEYS, signing_key_secret};
use fastgate::time::UnixTime;

use super::super::date::seconds_of;
use super::super::fastly_api::{ApiError, ListedSecret};
use super::super::printer;
use super::stores::Stores;

/// How old a secret must be until `--delete-unlisted` deletes it, in seconds: a rotation on another machine may be about
/// to write the record that names it.
const LEFT: u64 = 24 * 3600;

/// The secrets of keys that the record does not list; of all keys if there is no record.
pub(super) fn unlisted<'listed>(
    listed: &'listed [ListedSecret],
    record: Option<&KeyRecord>,
) -> impl Iterator<Item = &'listed ListedSecret> {
    let keys = record.into_iter().flat_map(KeyRecord::keys);
    let named: Vec<String> = keys.map(|key| signing_key_secret(&key.kid)).collect();
    listed
        .iter()
        .filter(move |secret| secret.name.starts_with(&signing_key_secret("")) && !named.contains(&secret.name))
}

/// What to say if there are keys although the service has no record; `None` if there are none.
pub(super) fn without_record(listed: &[ListedSecret]) -> Option<String> {
    let names: Vec<_> = unlisted(listed, None).map(|secret| secret.name.as_str()).collect();
    (!names.is_empty()).then(|| {
        format!(
            "the Secret Store has secrets of keys already, and this service has no record that names them: either another service \
             uses this Secret Store, or the record was deleted. They are left alone: {}",
            names.join(", ")
        )
    })
}

/// Prints each secret that the record does not name, and how to delete it; deletes it if `delete` says so and it is older
/// than a day. Also says what to do with the former secret.
pub(super) fn tidy(stores: &Stores, record: &KeyRecord, now: UnixTime, delete: bool) -> Result<(), ApiError> {
    let listed = stores.secrets.list()?;
    for secret in unlisted(&listed, Some(record)) {
        let is_old =
            seconds_of(&secret.created_at).is_some_and(|created| created.saturating_add(LEFT) <= now.seconds());
        if delete && is_old {
            stores.secrets.delete(&secret.name)?;
            printer::line(format_args!("deleted the secret \"{}\", which the record does not name", secret.name));
        } else {
            printer::line(stores.about_unlisted(secret));
        }
    }
    if listed.iter().any(|secret| secret.name == SIGNING_KEYS) {
        printer::line(format_args!(
            "this service no longer uses the secret \"{SIGNING_KEYS}\"; unless another service uses this Secret Store, delete it \
             after a few minutes: {}",
            stores.deletion(SIGNING_KEYS)
        ));
    }
    Ok(())
}

impl Stores {
    /// What to say about a secret that the record does not name.
    pub(super) fn about_unlisted(&self, secret: &ListedSecret) -> String {
        format!(
            "the record does not name the secret \"{}\", created {}. Another service may use it; if none does, delete it: {}",
            secret.name,
            secret.created_at,
            self.deletion(&secret.name)
        )
    }

    /// The command that deletes a secret.
    fn deletion(&self, name: &str) -> String {
        format!("fastly secret-store-entry delete --store-id {} --name {name}", self.secrets.id())
    }
}
