//! One step of a rotation, carried out.

use fastgate::mint::rotation::{Step, created, first};
use fastgate::mint::{Curve, KeyRecord, KeyState, RecordedKey, new_edge_key};
use fastgate::store_keys::signing_key_secret;
use fastgate::time::UnixTime;

use super::super::date::date;
use super::super::failure::Failure;
use super::super::fastly_api::ApiError;
use super::known::Witnesses;
use super::stores::{Read, Stores, without_secret};

/// Why a step was not carried out.
pub(super) enum Undone {
    /// Somebody else wrote the record; the plan begins again with theirs.
    Lost,
    /// Not yet, for this reason.
    Delayed(String),
    Failed(Failure),
}

impl From<ApiError> for Undone {
    fn from(error: ApiError) -> Self {
        match error {
            ApiError::Lost => Self::Lost,
            ApiError::Failed(_) => Self::Failed(error.into()),
        }
    }
}

impl From<Failure> for Undone {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl Witnesses {
    /// Carries out a step; returns what to print.
    pub(super) fn carried_out(&self, step: &Step, stores: &Stores, read: &Read) -> Result<Option<String>, Undone> {
        match step {
            Step::Nothing | Step::Wait(_) => Ok(None),
            Step::Create(curves) => create(curves, stores, read).map(Some),
            Step::Date(record) => {
                stores.write(read, record)?;
                Ok(corrected(read, record))
            }
            Step::Switch(record) => self.switch(record, stores, read).map(Some),
            Step::Withdraw(kids, record) => {
                for kid in kids {
                    stores.secrets.delete(&signing_key_secret(kid))?;
                }
                stores.write(read, record)?;
                Ok(Some(format!("withdrew {}", kids.join(", "))))
            }
        }
    }

    /// Uses the next keys, if they exist and are published.
    fn switch(&self, record: &KeyRecord, stores: &Stores, read: &Read) -> Result<String, Undone> {
        let Some(former) = &read.record else { return Err(Undone::Lost) };
        let listed = stores.secrets.list()?;
        let missing: Vec<_> = without_secret(former, &listed);
        let deleted = |key: &RecordedKey| key.state == KeyState::Next && missing.iter().any(|one| one.kid == key.kid);
        if former.keys().iter().any(deleted) {
            let left = former.keys().iter().filter(|key| !deleted(key)).cloned().collect();
            let left = KeyRecord::of(left)
                .map_err(|fault| Failure::Refused(format!("the record would have a fault: {fault}")))?;
            stores.write(read, &left)?;
            return Ok("dropped a next key, because its secret was deleted; a rotation makes another one".to_owned());
        }
        let edge = self.edge(stores)?;
        if let Some(reason) = self.objection(&edge, former, record) {
            return Err(Undone::Delayed(reason));
        }
        stores.write(read, record)?;
        let used = record.keys().iter().filter(|key| key.state == KeyState::Signing).map(|key| key.kid.as_str());
        Ok(format!("the edge uses {} now, and publishes the former keys until nothing needs them", joined(used)))
    }
}

/// What to say if another time is in place of a known one.
fn corrected(read: &Read, record: &KeyRecord) -> Option<String> {
    let former = |kid: &str| read.record.iter().flat_map(KeyRecord::keys).find(|key| key.kid == kid)?.since;
    let wrong = record.keys().iter().find_map(|key| former(&key.kid).filter(|since| Some(*since) != key.since))?;
    Some(format!(
        "the record had a time that is to come, {}, from a machine with a wrong clock; it has the present time in place of \
         that now, and the wait begins again",
        date(wrong.seconds())
    ))
}

/// Makes keys: the secrets first, then the record that names them.
fn create(curves: &[Curve], stores: &Stores, read: &Read) -> Result<String, Undone> {
    let mut new = Vec::new();
    for curve in curves {
        let (key, secret) = new_edge_key(*curve).ok_or_else(|| {
            Failure::Refused("the operating system gave no randomness, so no key was made; try again".to_owned())
        })?;
        stores.secrets.create(&signing_key_secret(&key.kid), &secret).map_err(Failure::from)?;
        new.push(key);
    }
    let record =
        read.record.as_ref().map_or_else(|| first(&new), |record| created(record, &new)).ok_or(Undone::Lost)?;
    if let Err(error) = stores.write(read, &record) {
        if error == ApiError::Lost {
            discard(&new, stores)?;
        }
        return Err(error.into());
    }
    let ids = joined(new.iter().map(|key| key.kid.as_str()));
    Ok(match read.record {
        None => format!("the first keys are {ids}; the edge uses them within about a minute"),
        Some(_) => format!("the next keys are {ids}"),
    })
}

/// Deletes the secrets of new keys, unless the record names them: then the answer to the write was lost, and not the write.
fn discard(new: &[RecordedKey], stores: &Stores) -> Result<(), Undone> {
    let Some(record) = stores.read()?.record else { return Ok(()) };
    for key in new.iter().filter(|key| !record.keys().iter().any(|listed| listed.kid == key.kid)) {
        stores.secrets.delete(&signing_key_secret(&key.kid)).map_err(Failure::from)?;
    }
    Ok(())
}

fn joined<'id>(ids: impl Iterator<Item = &'id str>) -> String {
    ids.collect::<Vec<_>>().join(" and ")
}

/// A step in words.
pub(super) fn described(step: &Step, now: UnixTime) -> String {
    match step {
        Step::Create(curves) => format!("make {} keys", curves.len()),
        Step::Date(_) => "write since when the states of the keys are known".to_owned(),
        Step::Wait(due) => {
            let left = due.since(now).as_u64();
            format!("wait until {} ({} min {} s)", date(due.seconds()), left / 60, left % 60)
        }
        Step::Switch(_) => "use the next keys, after a check that the edge publishes them".to_owned(),
        Step::Withdraw(kids, _) => format!("withdraw {}", kids.join(", ")),
        Step::Nothing => "nothing".to_owned(),
    }
}
