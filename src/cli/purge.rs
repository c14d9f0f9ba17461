//! `fastgate purge`: raises the purge generation of an origin.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use fastgate::caching::Generations;
use fastgate::store_keys::PURGE_KEY;
use serde_json::json;

use super::printer;

/// The origin whose stored responses are purged.
#[derive(Args)]
pub(super) struct Purge {
    /// Its `audience` in the policy.
    #[arg(long)]
    audience: String,
    /// The record that is in the KV store at present; without it, the store must not have one.
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
}

/// Prints the new record, and to standard error the command that stores it.
pub(super) fn purge(purge: &Purge) -> ExitCode {
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
