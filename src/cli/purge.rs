//! `fastgate purge`: raises the purge generation of an origin, in the KV store if there is an API token.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use fastgate::caching::Generations;
use fastgate::store_keys::PURGE_KEY;
use serde_json::json;

use super::failure::{Failure, exit_code};
use super::fastly_api::{Api, ApiError, Place};
use super::printer;
use super::push;

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
    match record(purge) {
        Ok(record) => {
            let record = record.raised(&purge.audience).to_json();
            printer::indented_json(&json!({ "key": PURGE_KEY, "value": record }));
            printer::error("Store it; every POP follows within ten seconds:");
            printer::error(format_args!(
                "fastly kv-store-entry create --store-id \"$STORE\" --key '{PURGE_KEY}' --value '{record}'"
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
    let mut attempts = 3;
    loop {
        let item = store.item(PURGE_KEY)?;
        let former = match &item {
            None => Generations::default(),
            Some(item) => Generations::parse(&item.value).ok_or_else(|| {
                Failure::Refused(format!("key \"{PURGE_KEY}\": is not a record of purges; delete it, or correct it"))
            })?,
        };
        let record = former.raised(&purge.audience).to_json();
        let written = match &item {
            None => store.add(PURGE_KEY, record.as_bytes(), ""),
            Some(read) => store.replace(PURGE_KEY, read, record.as_bytes(), &read.metadata),
        };
        attempts -= 1;
        match written {
            Err(ApiError::Lost) if attempts > 0 => {}
            written => {
                written?;
                printer::line(format_args!("{PURGE_KEY}: {record}"));
                printer::line("every POP follows within ten seconds after it sees the record");
                return Ok(());
            }
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
