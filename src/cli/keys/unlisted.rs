//! Secrets of keys that the record of the service does not name: a rotation left them that was interrupted before it wrote
//! the record, or another service shares the Secret Store and uses them. Nobody can tell which, so they are deleted on demand only.

use fastgate::mint::KeyRecord;
use fastgate::store_keys::{SIGNING_KEYS, signing_key_secret};
use fastgate::time::UnixTime;
use toml::value::{Datetime, Offset};

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
        let is_old = created(&secret.created_at).is_some_and(|created| created.saturating_add(LEFT) <= now.seconds());
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

/// A time that RFC 3339 describes, in Unix seconds; `None` for any other text and for times before 1970.
fn created(text: &str) -> Option<u64> {
    let Datetime { date: Some(date), time: Some(time), offset: Some(offset) } = text.parse().ok()? else { return None };
    let ahead = match offset {
        Offset::Z => 0,
        Offset::Custom { minutes } => i64::from(minutes),
    };
    // The calendar begins with March, so that a day that is inserted is the last one of its year.
    let (month, day) = (i64::from(date.month), i64::from(date.day));
    let (year, month) =
        if month > 2 { (i64::from(date.year), month - 3) } else { (i64::from(date.year) - 1, month + 9) };
    let days = 365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 1 - 719_468;
    let minutes = days * 1440 + i64::from(time.hour) * 60 + i64::from(time.minute) - ahead;
    u64::try_from(minutes * 60 + i64::from(time.second.unwrap_or(0))).ok()
}

#[cfg(test)]
mod tests {
    use super::super::super::push::date;
    use super::created;

    #[test]
    fn a_time_is_read_in_each_of_its_forms() {
        for seconds in [0, 951_782_399, 951_782_400, 1_709_251_199, 1_798_761_600, 4_107_542_400] {
            assert_eq!(created(&date(seconds)), Some(seconds));
        }
        for text in ["2027-01-01T00:00:00.999999Z", "2027-01-01t02:30:00+02:30", "2026-12-31 23:00:00-01:00"] {
            assert_eq!(created(text), Some(1_798_761_600), "{text}");
        }
        for text in [
            "",
            "2027",
            "2027-01-01",
            "2027-01-01T00:00:00",
            "2027-13-01T00:00:00Z",
            "1700000000",
            "1969-12-31T23:59:59Z",
        ] {
            assert_eq!(created(text), None, "{text}");
        }
    }
}
