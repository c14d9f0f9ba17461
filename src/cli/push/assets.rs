//! The files of a folder, for routes with `respond`, compared with those in the store.
//!
//! Names that begin with a dot are not uploaded, because the edge serves what is in the store: `.env` and `.git/` are in folders by
//! accident. `.well-known/` is an exception (RFC 8615).

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use fastgate::respond::media_type;
use fastgate::store_keys::file_key;
use serde_json::json;

use super::super::failure::Failure;
use super::super::fastly_api::KvStore;
use super::uploads::{File, Uploads, content, tag};

/// The most bytes of a value in a KV store.
const MAX_VALUE: u64 = 25_000_000;
/// The most bytes of a key.
const MAX_KEY: usize = 1024;

/// The ends of the names of precompressed forms.
const FORMS: [&str; 2] = [".br", ".gz"];

/// The one name that may begin with a dot.
const WELL_KNOWN: &str = ".well-known";

/// The files of a folder.
#[derive(Debug, Default)]
pub(super) struct Assets {
    /// By their keys.
    files: BTreeMap<String, PathBuf>,
    /// The names that are not uploaded.
    hidden: Vec<String>,
}

impl Assets {
    /// Lists the files below `folder`.
    ///
    /// # Errors
    /// A message if the folder cannot be read, has no files, or has one that the store cannot have.
    pub(super) fn read(folder: &Path) -> Result<Self, String> {
        let mut assets = Self::default();
        assets.list(folder, "")?;
        if assets.files.is_empty() {
            return Err(format!("{}: has no files; name the folder that your build writes", folder.display()));
        }
        assets.hidden.sort();
        Ok(assets)
    }

    /// Compares the files with those in the store, by their metadata.
    pub(super) fn compared(self, store: &KvStore, prune: bool) -> Result<Uploads, Failure> {
        let stored = store.files()?;
        let mut uploads = Uploads { notes: self.notes(&stored, prune), ..Uploads::default() };
        for key in stored.iter().filter(|key| !self.files.contains_key(*key)) {
            if !prune {
                uploads.keys.insert(key.clone());
            } else if let Some(former) = store.described(key)? {
                uploads.gone.push((key.clone(), former.generation));
            }
        }
        for (key, path) in &self.files {
            uploads.keys.insert(key.clone());
            let tag = tag(&content(path).map_err(Failure::Usage)?);
            let metadata =
                json!({ "content_type": media_type(self.plain(key, &stored)), "etag": format!("\"{tag}\"") })
                    .to_string();
            let former = if stored.contains(key) { store.described(key)? } else { None };
            if former.as_ref().is_some_and(|former| former.metadata == metadata) {
                continue;
            }
            let former = former.map(|former| former.generation);
            let changes = former.is_some() || stored.contains(self.plain(key, &stored));
            let file = File { key: key.clone(), path: path.clone(), tag, metadata, former };
            if changes { uploads.changed.push(file) } else { uploads.new.push(file) }
        }
        for key in stored.iter().filter(|key| !prune && !self.files.contains_key(*key)) {
            let is_stale = uploads.changed.iter().any(|file| is_form_of(key, &file.key));
            if is_stale && let Some(former) = store.described(key)? {
                uploads.keys.remove(key);
                uploads.gone.push((key.clone(), former.generation));
            }
        }
        Ok(uploads)
    }

    /// The key of the file of which this one is a precompressed form, beside it in the folder or in the store; else the key
    /// itself. Such a form has the media type of that file, and is served in its place.
    fn plain<'a>(&self, key: &'a str, stored: &BTreeSet<String>) -> &'a str {
        let plain = FORMS.into_iter().find_map(|end| key.strip_suffix(end));
        plain.filter(|plain| self.files.contains_key(*plain) || stored.contains(*plain)).unwrap_or(key)
    }

    /// What a person should know: names that are not uploaded, and those of the store that would not be.
    fn notes(&self, stored: &BTreeSet<String>, prune: bool) -> Vec<String> {
        let mut notes = Vec::new();
        if !self.hidden.is_empty() {
            notes.push(format!(
                "not uploaded, because names that begin with a dot are not served: {}; to have none, remove them from the folder",
                self.hidden.join(", ")
            ));
        }
        let served: Vec<&str> =
            stored.iter().filter(|key| !prune && key.split('/').any(is_hidden)).map(String::as_str).collect();
        if !served.is_empty() {
            notes.push(format!(
                "in the store, where the edge serves them: {}; delete them: add --prune",
                served.join(", ")
            ));
        }
        notes
    }

    /// Adds the files below `folder`, whose names in the store begin with `prefix`.
    fn list(&mut self, folder: &Path, prefix: &str) -> Result<(), String> {
        let fault = |error: &dyn std::fmt::Display| format!("{}: {error}", folder.display());
        for entry in std::fs::read_dir(folder).map_err(|error| fault(&error))? {
            let entry = entry.map_err(|error| fault(&error))?;
            let path = entry.path();
            let fault = |what: &dyn std::fmt::Display| format!("{}: {what}", path.display());
            let name = entry.file_name().into_string().map_err(|_| fault(&"its name is not UTF-8; rename it"))?;
            let kind = entry.file_type().map_err(|error| fault(&error))?;
            let is_refused = if kind.is_dir() { is_hidden(&name) } else { name.starts_with('.') };
            let name = format!("{prefix}{name}");
            if is_refused {
                self.hidden.push(if kind.is_dir() { format!("{name}/") } else { name });
            } else if kind.is_dir() {
                self.list(&path, &format!("{name}/"))?;
            } else if kind.is_file() {
                let key = file_key(&name);
                if key.len() > MAX_KEY || key.contains(['#', ';', '?', '^', '|', '\r', '\n']) {
                    return Err(fault(&"a KV store cannot have this name: rename the file, without # ; ? ^ |"));
                }
                if entry.metadata().map_err(|error| fault(&error))?.len() > MAX_VALUE {
                    return Err(fault(&"is longer than 25 MB, the most that a KV store holds"));
                }
                self.files.insert(key, path);
            } else {
                return Err(fault(
                    &"is neither a file nor a folder (links are not followed): remove it, or copy its target",
                ));
            }
        }
        Ok(())
    }
}

/// Whether a key is that of a precompressed form of a file. It is served in its place, so it is deleted with what it was
/// made from.
fn is_form_of(key: &str, file: &str) -> bool {
    FORMS.into_iter().any(|end| key.strip_suffix(end) == Some(file))
}

fn is_hidden(name: &str) -> bool {
    name.starts_with('.') && name != WELL_KNOWN
}
