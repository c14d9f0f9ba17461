//! `fastgate push`: writes a policy and files to the KV store of a service. The live policy is replaced by one conditional
//! write, after the history has the new text and the old one; so whatever fails, the live policy is whole.
//!
//! `difference.rs` says what changes, `live.rs` reads and writes the live policy, `assets.rs` lists the files of a folder and
//! compares them with the store, `uploads.rs` writes them, `named_files.rs` finds files that a policy names and nobody stores,
//! `owner.rs` refuses a store that has the policy of another edge.
//!
//! # Files and the live policy
//!
//! Files that are new, which cannot replace any, are written before the policy, after another look at whether the live
//! policy is the one that was read. Whatever takes something away from the live policy is written after the new policy is in
//! force: files that replace others, and the deletions. Each of these writes is conditional on the generation that was
//! compared, and follows a look at whether the new policy is still in force. So a push that lost the race for the policy leaves
//! new files at most.
//!
//! What remains possible: until a file is replaced, the new policy serves its former content. And a store has no write of
//! two keys, so another push may write its policy between such a look and the write of a file: then its policy may name a file
//! that this push replaced or deleted. Both look again after their last write, this one at the policy, the other one (and
//! `fastgate rollback`) at the files that its policy names; whoever looks last sees it, so one of them fails and says what to
//! do. Names that contain a digest of the content have neither problem.

mod assets;
mod difference;
mod live;
mod named_files;
mod owner;
mod uploads;

use std::collections::BTreeSet;
use std::io::{BufRead as _, IsTerminal as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;

use super::check;
use super::failure::{Failure, exit_code};
use super::fastly_api::{Api, KvStore, Place};
use super::finding::Finding;
use super::printer;
use super::stage::Stage;
use assets::Assets;
pub(super) use live::{FOLLOWS, Live, Revision, history_key, pushed_at};
pub(super) use owner::issuer;
use uploads::Uploads;

/// A policy and where to write it.
#[derive(Args)]
pub(super) struct Push {
    /// The policy.
    #[arg(default_value = "policy.json")]
    policy: PathBuf,
    /// The values of a stage, a JSON object: `${NAME}` in a text of the policy becomes its member NAME, or the environment
    /// variable `FASTGATE_STAGE_NAME`.
    #[arg(long, value_name = "FILE")]
    stage: Option<PathBuf>,
    /// Write the shadow policy, which is judged and logged only. It has no history.
    #[arg(long)]
    shadow: bool,
    /// Also upload the files of this folder, for routes with `respond`. Files that are equal already are skipped, and so are names
    /// that begin with a dot, except `.well-known/`. A shadow policy has no files.
    #[arg(long, value_name = "DIR", conflicts_with = "shadow")]
    assets: Option<PathBuf>,
    /// Delete the files in the store that are not in the folder.
    #[arg(long, requires = "assets")]
    prune: bool,
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    mode: Mode,
}

/// Whether to write.
#[derive(Args)]
pub(super) struct Mode {
    /// Print the difference and write nothing.
    #[arg(long)]
    dry_run: bool,
    /// Write without asking.
    #[arg(long)]
    yes: bool,
    /// Replace a policy that has another `edge.issuer`, or none that can be read. Without this option that is refused,
    /// because the store may belong to another service.
    #[arg(long)]
    change_issuer: bool,
}

/// Runs the command.
pub(super) fn push(push: &Push) -> ExitCode {
    exit_code(run(push))
}

fn run(push: &Push) -> Result<(), Failure> {
    let stage = Stage::read(push.stage.as_deref()).map_err(Failure::Usage)?;
    let text =
        std::fs::read(&push.policy).map_err(|error| Failure::Usage(format!("{}: {error}", push.policy.display())))?;
    let text = stage.applied(text).or_else(|faults| refused(&push.policy, &faults))?;
    checked(&text, &push.policy, push.place.manifest.as_deref())?;
    let assets = push.assets.as_deref().map(Assets::read).transpose().map_err(Failure::Usage)?;
    let store = store(&push.place, &push.policy)?;
    works_live(&store, &text, &push.policy)?;
    let live = Live::read(&store, push.shadow)?;
    let uploads = assets.map(|assets| assets.compared(&store, push.prune)).transpose()?;
    if !push.shadow {
        with_files(&store, &text, &push.policy, uploads.as_ref().map(Uploads::keys))?;
    }
    uploads.iter().flat_map(Uploads::notes).for_each(printer::line);
    let changes = live.difference(&text);
    let files = uploads.as_ref().map(Uploads::lines).unwrap_or_default();
    changes.iter().flatten().chain(&files).for_each(printer::line);
    if changes.is_none() && files.is_empty() {
        in_force_already(&store, &text);
        return Ok(());
    }
    if !push.mode.confirmed(&live, &store, &text)? {
        return Ok(());
    }
    if let Some(uploads) = &uploads {
        live.unchanged(&store)?;
        uploads.add(&store)?;
    }
    if changes.is_some() {
        live.replace(&store, &text)?;
    }
    if let Some(uploads) = &uploads {
        let still = |undone: &str| live.still(&store, &text, undone);
        uploads.replace(&store, &still)?;
        uploads.prune(&store, &still)?;
        let taken = uploads.taken();
        if !taken.is_empty() {
            live.lasted(&store, &text, &taken)?;
        }
    }
    if changes.is_some() && !push.shadow { files_remain(&store, &text) } else { Ok(()) }
}

/// Says that there is nothing to write.
pub(super) fn in_force_already(store: &KvStore, text: &[u8]) {
    printer::line(format_args!(
        "nothing to do: revision {} is in force already: {}",
        Revision::of(text),
        store.place()
    ));
}

/// The KV store that a command writes to. Without `--manifest`, the manifest is beside the policy.
pub(super) fn store(place: &Place, policy: &Path) -> Result<KvStore, Failure> {
    let api = Api::from_environment().map_err(Failure::Usage)?;
    Ok(place.store(api, &policy.with_file_name("fastly.toml"))?)
}

/// Refuses a policy that is not valid or cannot work on Fastly. `path` is its file.
pub(super) fn checked(text: &[u8], path: &Path, manifest: Option<&Path>) -> Result<(), Failure> {
    let (faults, hints) = check::publishable(text, path, manifest).map_err(Failure::Usage)?;
    if !faults.is_empty() {
        return refused(path, &faults);
    }
    hints.iter().for_each(check::print);
    Ok(())
}

/// Refuses a policy that cannot work with the live service. A store that was named without a service is not compared. `path` is
/// the file of the policy.
pub(super) fn works_live(store: &KvStore, text: &[u8], path: &Path) -> Result<(), Failure> {
    let (api, Some(active)) = store.opened_by() else {
        printer::line(
            "hint: only a store was named, so the policy is not compared with the live service; add --service-id",
        );
        return Ok(());
    };
    let document = serde_json::from_slice(text).unwrap_or_default();
    let (faults, hints) = check::live(&document, api, active)?;
    if !faults.is_empty() {
        return refused(path, &faults);
    }
    hints.iter().map(Finding::as_hint).for_each(|hint| check::print(&hint));
    Ok(())
}

/// Refuses a policy that names files which are not in the store. `path` is its file, or its key. `keys` are those that the
/// store has after a push; without them, it is asked.
pub(super) fn with_files(
    store: &KvStore,
    text: &[u8],
    path: &Path,
    keys: Option<&BTreeSet<String>>,
) -> Result<(), Failure> {
    let faults = named_files::missing(text, || match keys {
        Some(keys) => Ok(keys.clone()),
        None => store.files(),
    })?;
    if faults.is_empty() { Ok(()) } else { refused(path, &faults) }
}

/// Fails if the policy, which is in force now, names files that were deleted while it was written.
pub(super) fn files_remain(store: &KvStore, text: &[u8]) -> Result<(), Failure> {
    let faults = named_files::missing(text, || store.files())?;
    if faults.is_empty() {
        return Ok(());
    }
    faults.iter().for_each(check::print);
    Err(Failure::Refused(format!(
        "the policy is in force, and names files that somebody else deleted meanwhile ({}): push it again with the folder that has \
         them: fastgate push --assets DIR",
        faults.len()
    )))
}

fn refused<T>(path: &Path, faults: &[Finding]) -> Result<T, Failure> {
    faults.iter().for_each(check::print);
    Err(Failure::Refused(format!("{}: not pushed, it has faults ({})", path.display(), faults.len())))
}

impl Mode {
    /// Whether to write `text`; asks if a person is there. Refuses if the store has the policy of another edge.
    pub(super) fn confirmed(&self, live: &Live, store: &KvStore, text: &[u8]) -> Result<bool, Failure> {
        if !self.change_issuer {
            owner::same_edge(live, store, text)?;
        }
        if self.dry_run {
            printer::line("nothing was written (--dry-run)");
            return Ok(false);
        }
        if self.yes {
            return Ok(true);
        }
        let input = std::io::stdin();
        if !input.is_terminal() {
            return Err(Failure::Usage("nothing was written: add --yes to write without a question".to_owned()));
        }
        if printer::is_lost() {
            return Err(Failure::Refused("nothing was written: the difference could not be shown".to_owned()));
        }
        printer::error(format_args!("Write this to {}? Type yes:", store.place()));
        let mut answer = String::new();
        input.lock().read_line(&mut answer).map_err(|error| Failure::Usage(error.to_string()))?;
        if matches!(answer.trim(), "yes" | "y") {
            return Ok(true);
        }
        Err(Failure::Refused("nothing was written".to_owned()))
    }
}
