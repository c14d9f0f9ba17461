//! `fastgate purge`: raises the purge generation of an origin, in the KV store if there is an API token.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use fastgate::caching::Generations;
use fastgate::policy::Policy;
use fastgate::store_keys::{MAX_RECORD_BYTES, POLICY_KEY, PURGE_KEY};
use serde_json::json;

use super::failure::{Failure, exit_code};
use super::fastly_api::{Api, ApiError, KvStore, Place};
use super::printer;
use super::push;
use super::shell;

/// The origin whose stored responses are purged.
#[derive(Args)]
pub(super) struct Purge {
    /// Its `audience` in the policy.
    #[arg(long)]
    audience: String,
    /// The record that is in the KV store at present; without it, the store must not have one.
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
    #[command(flatten)]
    place: Place,
}

/// Writes the new record; without a token, prints it, and to standard error the command that stores it.
pub(super) fn purge(purge: &Purge) -> ExitCode {
    if purge.record.is_none() && !purge.audience.is_empty() && Api::has_token() {
        return exit_code(write(purge));
    }
    match record(purge).and_then(|record| raised(&record, &purge.audience)) {
        Ok(record) => {
            printer::indented_json(&json!({ "key": PURGE_KEY, "value": record }));
            printer::error(format_args!("Store it; {}:", push::FOLLOWS));
            printer::error(format_args!(
                "fastly kv-store-entry create --store-id \"$STORE\" --key {PURGE_KEY} --value {}",
                shell::word(&printer::shown_json(&record))
            ));
            ExitCode::SUCCESS
        }
        Err(fault) => {
            printer::error(fault);
            ExitCode::from(2)
        }
    }
}

/// Writes the record that follows the one in the store. A write that lost a race is repeated: each purge counts.
fn write(purge: &Purge) -> Result<(), Failure> {
    let store = push::store(&purge.place, Path::new("policy.json"))?;
    known(&store, &purge.audience)?;
    let mut attempts = 3;
    loop {
        let item = store.item(PURGE_KEY)?;
        let former = match &item {
            None => Generations::default(),
            Some(item) => Generations::parse(&item.value).ok_or_else(|| {
                Failure::Refused(format!("key \"{PURGE_KEY}\": is not a record of purges; delete it, or correct it"))
            })?,
        };
        let record = raised(&former, &purge.audience).map_err(Failure::Refused)?;
        let written = match &item {
            None => store.add(PURGE_KEY, record.as_bytes(), ""),
            Some(read) => store.replace(PURGE_KEY, &read.generation, record.as_bytes(), &read.metadata),
        };
        attempts -= 1;
        match written {
            Err(ApiError::Lost) if attempts > 0 => {}
            written => {
                written?;
                printer::line(format_args!("{PURGE_KEY}: {record}"));
                printer::line(format_args!("written to {}; {}", store.place(), push::FOLLOWS));
                return Ok(());
            }
        }
    }
}

/// The record with the next generation of an origin, as JSON.
///
/// # Errors
/// A message if it would purge nothing.
fn raised(former: &Generations, audience: &str) -> Result<String, String> {
    let record = former.clone().raised(audience);
    if record == *former {
        return Err(format!(
            "key \"{PURGE_KEY}\": the generation of \"{audience}\" is the greatest that there is, so nothing was purged: give the \
             origin another \"audience\", which its app must know, too"
        ));
    }
    let text = record.to_json();
    if text.len() > MAX_RECORD_BYTES {
        return Err(format!(
            "key \"{PURGE_KEY}\": the record would have {} octets, and the edge reads {MAX_RECORD_BYTES} at most, so nothing was \
             purged: remove audiences from it that no origin has, and purge again",
            text.len()
        ));
    }
    Ok(text)
}

/// Refuses an audience that no origin of the live policy has: the purge of it would change nothing.
fn known(store: &KvStore, audience: &str) -> Result<(), Failure> {
    let refused = |why: &str| Err(Failure::Refused(format!("{why}; nothing was purged")));
    let Some(item) = store.item(POLICY_KEY)? else {
        return refused("the service has no policy, so the edge stores nothing: push one first");
    };
    let Ok(policy) = Policy::parse(&item.value) else {
        return refused(
            "the live policy is not valid, so the edge refuses every request: `fastgate rollback` restores one",
        );
    };
    let audiences: BTreeSet<&str> = policy.origins().map(|origin| origin.audience.as_str()).collect();
    match audiences.len() {
        _ if audiences.contains(audience) => Ok(()),
        0 => refused("the live policy has no origins, so the edge stores nothing"),
        _ => {
            let known: Vec<_> = audiences.into_iter().map(|name| format!("\"{name}\"")).collect();
            refused(&format!(
                "--audience {audience}: no origin of the live policy has this \"audience\"; write one of {}",
                known.join(", ")
            ))
        }
    }
}

fn record(purge: &Purge) -> Result<Generations, String> {
    if purge.audience.is_empty() {
        return Err("--audience: write the \"audience\" of the origin in the policy".to_owned());
    }
    let Some(path) = &purge.record else { return Ok(Generations::default()) };
    let text = std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
    Generations::parse(&text).ok_or_else(|| {
        format!("{}: not a record of purges; write a JSON object like {{\"my-api\": 3}}", path.display())
    })
}
