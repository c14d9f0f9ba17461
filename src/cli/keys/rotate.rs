//! `fastgate keys rotate`: carries out the steps of a rotation, as `fastgate::mint::rotation` plans them. Whatever fails,
//! the next run goes on: each step begins with the record as it is in the store.

use std::path::PathBuf;
use std::thread::sleep;
use std::time::Duration;

use clap::Args;
use fastgate::mint::rotation::{Step, created, first, next_step};
use fastgate::mint::{Curve, KeyRecord, KeyState, RecordedKey, new_edge_key};
use fastgate::store_keys::{SIGNING_KEYS, signing_key_secret};
use fastgate::time::{Seconds, UnixTime};

use super::super::failure::Failure;
use super::super::fastly_api::ApiError;
use super::super::printer;
use super::super::push::date;
use super::former::Former;
use super::known::Witnesses;
use super::stores::{Read, Service, Stores, without_secret};

/// How long `--wait` sleeps until it reads the record again.
const NAP: u64 = 600;
/// How long `--wait` sleeps until it asks again who knows the next key.
const ASK_AGAIN: Duration = Duration::from_secs(10);
/// The most writes in a row that may lose a race.
const MOST_LOST: u32 = 10;

/// Which service, and how far to go.
#[derive(Args)]
pub(in super::super) struct Rotate {
    #[command(flatten)]
    service: Service,
    #[command(flatten)]
    witnesses: Witnesses,
    /// The private JWK Set that is the secret "signing-keys" of the service ("-": standard input): first make each of its keys a
    /// secret of its own.
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,
    /// Use new keys at once although the service has the secret "signing-keys", because its content is lost. For about a minute,
    /// apps may refuse requests.
    #[arg(long, conflicts_with = "from")]
    abandon_former_keys: bool,
    /// Stay until the rotation is complete. It may be interrupted at any time.
    #[arg(long, conflicts_with = "dry_run")]
    wait: bool,
    /// Print the next step and write nothing.
    #[arg(long)]
    dry_run: bool,
}

/// Why a step was not carried out.
enum Undone {
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

/// Runs the command.
pub(super) fn run(rotate: &Rotate) -> Result<(), Failure> {
    let former = rotate.from.as_deref().map(Former::of_file).transpose()?;
    let (stores, clock) = (rotate.service.stores()?, rotate.service.clock());
    if let Some(former) = &former {
        former.take_over(&stores, &rotate.witnesses, rotate.dry_run)?;
        if rotate.dry_run {
            return Ok(());
        }
    }
    let (waits, mut longest_use, mut lost) = (rotate.service.waits(), rotate.service.longest_use(), 0);
    loop {
        let read = stores.read()?;
        let now = clock.now();
        let step = next_step(read.record.as_ref(), now, waits, longest_use);
        rotate.check_secrets(&stores, read.record.as_ref())?;
        if rotate.dry_run {
            printer::line(format_args!("due: {}", described(&step, now)));
            return Ok(());
        }
        match step {
            Step::Nothing => {
                let days = rotate.service.max_age;
                printer::line(format_args!(
                    "nothing to do: no rotation is under way, and one begins when a key has been used for {days} days (--max-age)"
                ));
                return finished(&stores, &read, now);
            }
            Step::Wait(_) if !rotate.wait => {
                printer::line(format_args!("{}: run this again then", described(&step, now)));
                return finished(&stores, &read, now);
            }
            Step::Wait(due) => {
                printer::line(described(&step, now));
                sleep(Duration::from_secs(due.since(now).as_u64().clamp(1, NAP)));
                continue;
            }
            _ => {}
        }
        match rotate.carried_out(&step, &stores, &read) {
            Ok(said) => {
                lost = 0;
                // This run completes one rotation and begins no other.
                longest_use = Seconds::new(u64::MAX);
                said.iter().for_each(printer::line);
            }
            Err(Undone::Lost) if lost < MOST_LOST => lost += 1,
            Err(Undone::Lost) => return Err(ApiError::Lost.into()),
            Err(Undone::Delayed(reason)) if rotate.wait => {
                printer::line(format_args!("not yet: {reason}"));
                sleep(ASK_AGAIN);
            }
            Err(Undone::Delayed(reason)) => {
                return Err(Failure::Refused(format!(
                    "not yet: {reason}; nothing was changed, run this again in a minute"
                )));
            }
            Err(Undone::Failed(failure)) => return Err(failure),
        }
    }
}

fn finished(stores: &Stores, read: &Read, now: UnixTime) -> Result<(), Failure> {
    read.record.as_ref().map_or(Ok(()), |record| Ok(stores.tidy(record, now)?))
}

impl Rotate {
    /// Refuses to go on if keys without a record are in use, or if the record uses a key that has no secret.
    fn check_secrets(&self, stores: &Stores, record: Option<&KeyRecord>) -> Result<(), Failure> {
        let listed = stores.secrets.list()?;
        let Some(record) = record else {
            let is_former = listed.iter().any(|secret| secret.name == SIGNING_KEYS);
            return if is_former && !self.abandon_former_keys {
                Err(Failure::Refused(format!(
                    "the keys of this service are in one secret, \"{SIGNING_KEYS}\", which cannot be read back: name the file that \
                     it was made from by --from FILE; if that is lost, see --abandon-former-keys"
                )))
            } else {
                Ok(())
            };
        };
        match without_secret(record, &listed).iter().find(|key| key.state == KeyState::Signing) {
            None => Ok(()),
            Some(key) => Err(Failure::Refused(format!(
                "the key {} is used, and its secret was deleted, so the edge refuses every request with 503. To use new keys at once, \
                 delete the key \"{}\" of the KV store, and run this again",
                key.kid,
                fastgate::store_keys::KEY_RECORD
            ))),
        }
    }

    /// Carries out a step; returns what to print.
    fn carried_out(&self, step: &Step, stores: &Stores, read: &Read) -> Result<Option<String>, Undone> {
        match step {
            Step::Nothing | Step::Wait(_) => Ok(None),
            Step::Create(curves) => create(curves, stores, read).map(Some),
            Step::Date(record) => {
                stores.write(read, record)?;
                Ok(None)
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
        let edge = self.witnesses.edge(stores)?;
        if let Some(reason) = self.witnesses.objection(&edge, former, record) {
            return Err(Undone::Delayed(reason));
        }
        stores.write(read, record)?;
        let used = record.keys().iter().filter(|key| key.state == KeyState::Signing).map(|key| key.kid.as_str());
        Ok(format!("the edge uses {} now, and publishes the former keys until nothing needs them", joined(used)))
    }
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
