//! `fastgate keys rotate`: carries out the steps of a rotation, as `fastgate::mint::rotation` plans them. Whatever fails,
//! the next run goes on: each step begins with the record as it is in the store.

use std::path::PathBuf;
use std::thread::sleep;
use std::time::Duration;

use clap::Args;
use fastgate::mint::rotation::{Step, next_step};
use fastgate::mint::{KeyRecord, KeyState};
use fastgate::store_keys::SIGNING_KEYS;
use fastgate::time::{Seconds, UnixTime};

use super::super::failure::Failure;
use super::super::fastly_api::ApiError;
use super::super::printer;
use super::former::Former;
use super::known::Witnesses;
use super::steps::{Undone, described};
use super::stores::{Damage, Read, Service, Stores, without_secret};
use super::unlisted::{tidy, without_record};

/// How long `--wait` sleeps until it reads the record again.
const READ_AGAIN: u64 = 600;
/// How long `--wait` sleeps until it asks again who knows the next key.
const ASK_AGAIN: Duration = Duration::from_secs(10);
/// The most writes in a row that may lose a race.
const MOST_LOST: u32 = 10;

/// Which service, and how far to go.
#[derive(Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option of the command line")]
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
    /// Stay until the rotation is complete. It may be interrupted at any time. If the API fails, requests are repeated for up to ten
    /// minutes.
    #[arg(long, conflicts_with = "dry_run")]
    wait: bool,
    /// Make new keys and a new record at once although there is a record, if the edge cannot use that one: it is damaged, or the
    /// secret of a key that is used was deleted.
    #[arg(long, conflicts_with = "from")]
    replace_damaged_record: bool,
    /// Delete each secret `signing-key.*` that the record does not name and that is older than a day. Make sure that no other
    /// service uses this Secret Store: it would lose its keys.
    #[arg(long, conflicts_with = "dry_run")]
    delete_unlisted: bool,
    /// Print the next step and write nothing.
    #[arg(long)]
    dry_run: bool,
}

/// Runs the command.
pub(super) fn run(rotate: &Rotate) -> Result<(), Failure> {
    rotate.witnesses.check()?;
    let (stores, clock) = (rotate.service.stores()?, rotate.service.clock());
    if rotate.wait {
        stores.be_patient();
    }
    if let Some(due) = rotate.take_over(&stores)? {
        printer::line(format_args!("due: {due}"));
        return Ok(());
    }
    let (waits, mut longest_use, mut lost) = (rotate.service.waits(), rotate.service.longest_use(), 0);
    loop {
        let read = rotate.usable_record(&stores)?;
        let now = clock.now();
        stores.check_clock(now)?;
        let step = next_step(read.record.as_ref(), now, waits, longest_use);
        if read.record.as_ref().is_some_and(|record| asks_edge(&step, record)) {
            rotate.witnesses.edge(&stores)?;
        }
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
                return rotate.finished(&stores, &read, now);
            }
            Step::Wait(_) if !rotate.wait => {
                printer::line(format_args!("{}: run this again then", described(&step, now)));
                return rotate.finished(&stores, &read, now);
            }
            Step::Wait(due) => {
                printer::line(described(&step, now));
                sleep(Duration::from_secs(due.since(now).as_u64().clamp(1, READ_AGAIN)));
                continue;
            }
            _ => {}
        }
        match rotate.witnesses.carried_out(&step, &stores, &read) {
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

/// Whether the steps that follow will ask what the edge publishes.
fn asks_edge(step: &Step, record: &KeyRecord) -> bool {
    let has_next = record.keys().iter().any(|key| key.state == KeyState::Next);
    has_next || matches!(step, Step::Create(_) | Step::Switch(_))
}

impl Rotate {
    /// Takes keys of a file over; returns what is due if this is a dry run.
    fn take_over(&self, stores: &Stores) -> Result<Option<String>, Failure> {
        let former = self.from.as_deref().map(Former::of_file).transpose()?;
        former.map_or(Ok(None), |former| former.take_over(stores, &self.witnesses, self.dry_run))
    }

    /// Reads the record, which is none if it is to be replaced. Refuses to go on if keys without a record are in use, or if
    /// the edge cannot use the record.
    fn usable_record(&self, stores: &Stores) -> Result<Read, Failure> {
        let (read, listed) = (stores.look()?, stores.secrets.list()?);
        if read.is_absent() {
            if listed.iter().any(|secret| secret.name == SIGNING_KEYS) && !self.abandon_former_keys {
                return Err(Failure::Refused(format!(
                    "the keys of this service are in one secret, \"{SIGNING_KEYS}\", which cannot be read back: name the file that \
                     it was made from by --from FILE; if that is lost, see --abandon-former-keys"
                )));
            }
            without_record(&listed).iter().for_each(printer::line);
            return Ok(read);
        }
        let missing = read.record.iter().flat_map(|record| without_secret(record, &listed));
        let fault = match (&read.damage, missing.into_iter().find(|key| key.state == KeyState::Signing)) {
            (Some(Damage::Newer(_)), _) => return stores.read(),
            (Some(damage), _) => stores.about_damage(damage, &listed),
            (None, Some(key)) => format!(
                "the key {} is used, and its secret was deleted, so the edge refuses every request with 503. To use new keys at once, \
                 run `fastgate keys rotate --replace-damaged-record`",
                key.kid
            ),
            (None, None) => return Ok(read),
        };
        if self.replace_damaged_record { Ok(read.without_record()) } else { Err(Failure::Refused(fault)) }
    }

    /// Ends a run that has nothing left to do now.
    fn finished(&self, stores: &Stores, read: &Read, now: UnixTime) -> Result<(), Failure> {
        let tidied = |record| Ok(tidy(stores, record, now, self.delete_unlisted)?);
        read.record.as_ref().map_or(Ok(()), tidied)
    }
}
