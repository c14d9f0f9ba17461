//! `fastgate rollback`: puts a policy of the history into force again.

use std::path::Path;
use std::process::ExitCode;

use clap::Args;

use super::failure::{Failure, exit_code};
use super::fastly_api::{KvStore, Place};
use super::printer;
use super::push::{self, Live, Mode, Revision, history_key, pushed_at};

/// Which policy.
#[derive(Args)]
pub(super) struct Rollback {
    /// The revision, or its beginning; without it, the revisions are listed.
    revision: Option<String>,
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    mode: Mode,
}

/// Runs the command.
pub(super) fn rollback(rollback: &Rollback) -> ExitCode {
    exit_code(run(rollback))
}

fn run(rollback: &Rollback) -> Result<(), Failure> {
    // The manifest is looked for beside this name, in the current folder.
    let beside = Path::new("policy.json");
    let store = push::store(&rollback.place, beside)?;
    let live = Live::read(&store, false)?;
    let keys = store.keys(&history_key(""))?;
    let Some(wanted) = &rollback.revision else { return list(&store, &live, &keys) };
    let matching: Vec<&String> = keys.iter().filter(|key| key.starts_with(&history_key(wanted))).collect();
    let key = match *matching {
        [key] => key,
        [] => return Err(Failure::Usage(format!("{wanted}: no such revision; `fastgate rollback` lists them"))),
        _ => return Err(Failure::Usage(format!("{wanted}: {} revisions begin so; write more digits", matching.len()))),
    };
    let missing = || Failure::Refused(format!("key \"{key}\": was deleted just now"));
    let text = store.item(key)?.ok_or_else(missing)?.value;
    if history_key(Revision::of(&text)) != *key {
        return Err(Failure::Refused(format!("key \"{key}\": has another text than the one that was pushed")));
    }
    push::checked(&text, Path::new(key), rollback.place.manifest.as_deref())?;
    push::works_live(&store, &text, Path::new(key))?;
    push::with_files(&store, &text, Path::new(key), None)?;
    let Some(changes) = live.difference(&text) else {
        push::in_force_already(&store, &text);
        return Ok(());
    };
    changes.iter().for_each(printer::line);
    if !rollback.mode.confirmed(&live, &store, &text)? {
        return Ok(());
    }
    live.replace(&store, &text)?;
    push::files_remain(&store, &text)
}

/// Prints the revisions, each with the time of its latest push, the newest first. That of the one in force is at the live
/// policy; its entry learns it when it is replaced.
fn list(store: &KvStore, live: &Live, keys: &[String]) -> Result<(), Failure> {
    let mut revisions = Vec::new();
    let (in_force, since) = live.in_force().unzip();
    for key in keys {
        let revision = key.strip_prefix(&history_key("")).unwrap_or(key);
        let is_live = in_force.as_ref().is_some_and(|live| live.to_string() == revision);
        let recorded = store.described(key)?.map(|entry| pushed_at(&entry.metadata)).unwrap_or_default();
        let latest = since.as_ref().filter(|_| is_live).map_or(&recorded, |since| since.max(&recorded));
        revisions.push((latest.clone(), is_live, revision.to_owned()));
    }
    revisions.sort_by(|one, two| two.cmp(one));
    for (time, is_live, revision) in &revisions {
        let time = if time.is_empty() { "time unknown" } else { time };
        let mark = if *is_live { "  in force" } else { "" };
        printer::line(format_args!("{revision}  {time:20}{mark}"));
    }
    if revisions.is_empty() {
        printer::line("nothing was pushed yet");
    }
    Ok(())
}
