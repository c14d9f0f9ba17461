//! `fastgate keys status`: which keys there are, which secrets exist, who knows them, and what comes next.

use clap::Args;
use fastgate::mint::rotation::{is_to_come, next_step};
use fastgate::mint::{KeyRecord, KeyState};
use fastgate::store_keys::{SIGNING_KEYS, signing_key_secret};

use super::super::date::date;
use super::super::failure::Failure;
use super::super::printer;
use super::known::{Ids, Witnesses, asked, published_by};
use super::steps::described;
use super::stores::Service;
use super::unlisted::{unlisted, without_record};

/// Which service, and who is asked.
#[derive(Args)]
pub(in super::super) struct Status {
    #[command(flatten)]
    service: Service,
    #[command(flatten)]
    witnesses: Witnesses,
}

/// Runs the command. It fails if the edge cannot sign, or does not publish a key that it signs with.
pub(super) fn run(status: &Status) -> Result<(), Failure> {
    status.witnesses.check()?;
    let stores = status.service.stores()?;
    let read = stores.read()?;
    let listed = stores.secrets.list()?;
    let exists = |name: &str| listed.iter().any(|secret| secret.name == name);
    let Some(record) = &read.record else {
        return Err(Failure::Refused(if exists(SIGNING_KEYS) {
            format!(
                "the keys are in one secret, \"{SIGNING_KEYS}\"; `fastgate keys rotate --from FILE` makes a record of them"
            )
        } else {
            let others = without_record(&listed).map(|text| format!("\n{text}")).unwrap_or_default();
            format!("the service has no keys; `fastgate keys rotate` makes them{others}")
        }));
    };
    let published = status.witnesses.edge(&stores).and_then(|edge| published_by(&edge).map_err(Failure::Refused));
    let now = status.service.clock().now(); // after the last answer of the API
    let mut faults: Vec<String> = stores
        .check_clock(now)
        .err()
        .into_iter()
        .map(|(Failure::Usage(fault) | Failure::Refused(fault))| fault)
        .collect();
    let published: Option<Ids> = match published {
        Ok(ids) => Some(ids),
        Err(Failure::Usage(fault) | Failure::Refused(fault)) => {
            faults.push(fault);
            None
        }
    };
    for key in record.keys() {
        let since =
            key.since.map_or_else(|| "time not known yet".to_owned(), |time| format!("since {}", date(time.seconds())));
        let secret = if exists(&signing_key_secret(&key.kid)) { "secret exists" } else { "no secret" };
        let known = match &published {
            None => "",
            Some(ids) if ids.contains(&key.kid) => ", published",
            Some(_) => ", not published",
        };
        printer::line(format_args!("{} {:?} {} {since}, {secret}{known}", key.kid, key.crv, word(key.state)));
        if key.state == KeyState::Signing && secret == "no secret" {
            faults.push(format!("the key {} is used, and its secret does not exist, so the edge refuses every request with 503; `fastgate keys \
                 rotate --replace-damaged-record` makes new keys at once", key.kid));
        }
        if is_to_come(key, now) {
            faults.push(format!("the time {since} of the key {} is to come: a machine with a wrong clock wrote it. `fastgate keys rotate` \
                 writes the present time in its place, and the wait begins again", key.kid));
        }
        if key.state == KeyState::Signing && known == ", not published" {
            faults.push(format!("the key {} is used, and the edge does not publish it (yet)", key.kid));
        }
    }
    for origin in &status.witnesses.origins {
        printer::line(asked(origin).map_or_else(|reason| reason, |ids| told(origin, record, &ids)));
    }
    unlisted(&listed, Some(record)).for_each(|secret| printer::line(stores.about_unlisted(secret)));
    if exists(SIGNING_KEYS) {
        printer::line(format_args!("this service no longer uses the secret \"{SIGNING_KEYS}\""));
    }
    let step = next_step(Some(record), now, status.service.waits(), status.service.longest_use());
    printer::line(format_args!("next: {}", described(&step, now)));
    if faults.is_empty() { Ok(()) } else { Err(Failure::Refused(faults.join("\n"))) }
}

fn word(state: KeyState) -> &'static str {
    match state {
        KeyState::Signing => "signing",
        KeyState::Next => "next",
        KeyState::Retired => "retired",
    }
}

/// Which keys of the record an app knows.
fn told(origin: &str, record: &KeyRecord, ids: &Ids) -> String {
    let known: Vec<_> = record.keys().iter().map(|key| key.kid.as_str()).filter(|kid| ids.contains(*kid)).collect();
    if known.is_empty() {
        format!("{origin} knows none of these keys")
    } else {
        format!("{origin} knows {}", known.join(", "))
    }
}
