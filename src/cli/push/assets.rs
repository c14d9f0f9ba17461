//! The files of a folder, for routes with `respond`: what the store lacks is uploaded, with the metadata that the edge reads.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use fastgate::respond::media_type;
use fastgate::store_keys::file_key;
use serde_json::json;

use super::super::failure::Failure;
use super::super::fastly_api::{ApiError, KvStore};
use super::super::printer;
use super::live::hexadecimal;

/// The most bytes of a value in a KV store.
const MAX_VALUE: u64 = 25_000_000;
/// The most bytes of a key.
const MAX_KEY: usize = 1024;

/// The files of a folder, by their keys.
#[derive(Debug)]
pub(super) struct Assets(BTreeMap<String, PathBuf>);

/// The difference between the files of a folder and those in the store.
pub(super) struct Uploads {
    new: Vec<File>,
    changed: Vec<File>,
    /// Keys that the folder does not have and that are to be deleted.
    gone: Vec<String>,
}

struct File {
    key: String,
    path: PathBuf,
    metadata: String,
}

impl Assets {
    /// Lists the files below `folder`.
    ///
    /// # Errors
    /// A message if the folder cannot be read, has no files, or has one that the store cannot have.
    pub(super) fn read(folder: &Path) -> Result<Self, String> {
        let mut files = BTreeMap::new();
        list(folder, "", &mut files)?;
        if files.is_empty() {
            return Err(format!("{}: has no files; name the folder that your build writes", folder.display()));
        }
        Ok(Self(files))
    }

    /// Compares the files with those in the store, by their metadata.
    pub(super) fn compared(self, store: &KvStore, prune: bool) -> Result<Uploads, Failure> {
        let stored = store.keys(&file_key(""))?;
        let gone = stored.iter().filter(|key| prune && !self.0.contains_key(*key)).cloned().collect();
        let mut uploads = Uploads { new: Vec::new(), changed: Vec::new(), gone };
        for (key, path) in &self.0 {
            let metadata = self.metadata(key, &content(path).map_err(Failure::Usage)?);
            let file = File { key: key.clone(), path: path.clone(), metadata };
            let former = if stored.contains(key) { store.metadata(key)? } else { None };
            match former {
                Some(former) if former == file.metadata => {}
                Some(_) => uploads.changed.push(file),
                None => uploads.new.push(file),
            }
        }
        Ok(uploads)
    }

    /// The metadata of a file. Its entity tag is a digest. A precompressed form beside the file has the media type of that.
    fn metadata(&self, key: &str, content: &[u8]) -> String {
        let plain = [".br", ".gz"].into_iter().find_map(|end| key.strip_suffix(end));
        let name = plain.filter(|plain| self.0.contains_key(*plain)).unwrap_or(key);
        let tag = hexadecimal(content, 16);
        json!({ "content_type": media_type(name), "etag": format!("\"{tag}\"") }).to_string()
    }
}

fn list(folder: &Path, prefix: &str, files: &mut BTreeMap<String, PathBuf>) -> Result<(), String> {
    let fault = |error: &dyn std::fmt::Display| format!("{}: {error}", folder.display());
    for entry in std::fs::read_dir(folder).map_err(|error| fault(&error))? {
        let entry = entry.map_err(|error| fault(&error))?;
        let path = entry.path();
        let fault = |what: &dyn std::fmt::Display| format!("{}: {what}", path.display());
        let name = entry.file_name().into_string().map_err(|_| fault(&"its name is not UTF-8; rename it"))?;
        let kind = entry.file_type().map_err(|error| fault(&error))?;
        let name = format!("{prefix}{name}");
        if kind.is_dir() {
            list(&path, &format!("{name}/"), files)?;
        } else if kind.is_file() {
            let key = file_key(&name);
            if key.len() > MAX_KEY || key.contains(['#', ';', '?', '^', '|', '\r', '\n']) {
                return Err(fault(&"a KV store cannot have this name: rename the file, without # ; ? ^ |"));
            }
            if entry.metadata().map_err(|error| fault(&error))?.len() > MAX_VALUE {
                return Err(fault(&"is longer than 25 MB, the most that a KV store holds"));
            }
            files.insert(key, path);
        } else {
            return Err(fault(
                &"is neither a file nor a folder (links are not followed): remove it, or copy its target",
            ));
        }
    }
    Ok(())
}

fn content(path: &Path) -> Result<Vec<u8>, String> {
    std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))
}

impl Uploads {
    /// One line for each file.
    pub(super) fn lines(&self) -> Vec<String> {
        let line = |sign: &str, key: &str| format!("{sign} {key}");
        let new = self.new.iter().map(|file| line("+", &file.key));
        let changed = self.changed.iter().map(|file| line("~", &file.key));
        new.chain(changed).chain(self.gone.iter().map(|key| line("-", key))).collect()
    }

    /// Uploads what is new or changed.
    pub(super) fn write(&self, store: &KvStore) -> Result<(), Failure> {
        let files: Vec<&File> = self.new.iter().chain(&self.changed).collect();
        for file in &files {
            let text = content(&file.path).map_err(Failure::Refused)?;
            store.write(&file.key, &text, &file.metadata)?;
        }
        printer::line(format_args!("{} files uploaded", files.len()));
        Ok(())
    }

    /// Deletes what is gone.
    pub(super) fn prune(&self, store: &KvStore) -> Result<(), ApiError> {
        self.gone.iter().try_for_each(|key| store.delete(key))
    }
}
