//! Uploads and deletions of files. Each is conditional on what was compared, see `push.rs` for their order.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::super::failure::Failure;
use super::super::fastly_api::{ApiError, Generation, KvStore};
use super::super::printer;
use super::live::hexadecimal;

/// The difference between the files of a folder and those in the store.
#[derive(Default)]
pub(super) struct Uploads {
    /// Files whose names are new.
    pub(super) new: Vec<File>,
    /// Files that change what is served: in place of others, and compressed forms of others.
    pub(super) changed: Vec<File>,
    /// Keys that the folder does not have and that are to be deleted.
    pub(super) gone: Vec<(String, Generation)>,
    /// The keys that the store has afterwards.
    pub(super) keys: BTreeSet<String>,
    /// What a person should know about files that are not uploaded.
    pub(super) notes: Vec<String>,
}

/// A file to upload.
pub(super) struct File {
    pub(super) key: String,
    pub(super) path: PathBuf,
    /// The digest of its content.
    pub(super) tag: String,
    pub(super) metadata: String,
    /// What it replaces.
    pub(super) former: Option<Generation>,
}

impl Uploads {
    /// One line for each file.
    pub(super) fn lines(&self) -> Vec<String> {
        let sign = |file: &File| if file.former.is_some() { "~" } else { "+" };
        let written = self.new.iter().chain(&self.changed).map(|file| format!("{} {}", sign(file), file.key));
        written.chain(self.gone.iter().map(|(key, _)| format!("- {key}"))).collect()
    }

    pub(super) fn notes(&self) -> impl Iterator<Item = &String> {
        self.notes.iter()
    }

    /// The keys that the store has afterwards.
    pub(super) const fn keys(&self) -> &BTreeSet<String> {
        &self.keys
    }

    /// The keys whose content changes what is served, and those that are deleted.
    pub(super) fn taken(&self) -> Vec<&str> {
        let changed = self.changed.iter().map(|file| file.key.as_str());
        changed.chain(self.gone.iter().map(|(key, _)| key.as_str())).collect()
    }

    /// Uploads the files whose names are new.
    pub(super) fn add(&self, store: &KvStore) -> Result<(), Failure> {
        self.new.iter().try_for_each(|file| file.upload(store))?;
        report(store, self.new.len(), "new files uploaded");
        Ok(())
    }

    /// Uploads the files that change what is served. `check` comes before each of them; it gets what is not done if it fails.
    pub(super) fn replace(&self, store: &KvStore, check: &dyn Fn(&str) -> Result<(), Failure>) -> Result<(), Failure> {
        for (done, file) in self.changed.iter().enumerate() {
            check(&undone("no file was replaced or deleted", done, "replaced"))?;
            file.upload(store)?;
        }
        report(store, self.changed.len(), "files replaced");
        Ok(())
    }

    /// Deletes what is gone; `check` as in [`Uploads::replace`].
    pub(super) fn prune(&self, store: &KvStore, check: &dyn Fn(&str) -> Result<(), Failure>) -> Result<(), Failure> {
        for (done, (key, generation)) in self.gone.iter().enumerate() {
            check(&undone("no file was deleted", done, "deleted"))?;
            match store.delete(key, generation) {
                Err(ApiError::Lost) => return Err(overtaken(key, "deleted")),
                deleted => deleted?,
            }
        }
        report(store, self.gone.len(), "files deleted");
        Ok(())
    }
}

/// What is not done after some were.
fn undone(none: &str, done: usize, how: &str) -> String {
    if done == 0 { none.to_owned() } else { format!("only the first {done} files were {how}") }
}

fn report(store: &KvStore, count: usize, done: &str) {
    if count > 0 {
        printer::line(format_args!("{count} {done}: {}", store.place()));
    }
}

impl File {
    fn upload(&self, store: &KvStore) -> Result<(), Failure> {
        let content = content(&self.path).map_err(Failure::Refused)?;
        if tag(&content) != self.tag {
            let path = self.path.display();
            return Err(Failure::Refused(format!("{path}: was changed after it was compared; run the command again")));
        }
        let written = match &self.former {
            Some(former) => store.replace(&self.key, former, &content, &self.metadata),
            None => store.add(&self.key, &content, &self.metadata),
        };
        let Err(error) = written else { return Ok(()) };
        // The answer may have been lost and the write not, or somebody else uploaded the same file.
        match (error, store.described(&self.key)) {
            (_, Ok(Some(now))) if now.metadata == self.metadata => Ok(()),
            (ApiError::Lost, _) => Err(overtaken(&self.key, "overwritten")),
            (error, _) => Err(error.into()),
        }
    }
}

fn overtaken(key: &str, undone: &str) -> Failure {
    Failure::Refused(format!(
        "key \"{key}\": somebody else wrote it after it was compared, so it was not {undone}: run the command again, and look at the \
         difference to theirs"
    ))
}

/// The entity tag of a file, without its quotes: a digest.
pub(super) fn tag(content: &[u8]) -> String {
    hexadecimal(content, 16)
}

pub(super) fn content(path: &Path) -> Result<Vec<u8>, String> {
    std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))
}
