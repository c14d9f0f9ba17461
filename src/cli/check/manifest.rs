//! The backends that the manifest of the service declares (`fastly.toml`), compared with those that the policy names.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::super::finding::Finding;
use super::hosts::elsewhere;

/// The manifest's sections with backends: what `publish` creates, and what runs locally.
const SECTIONS: [&str; 2] = [SETUP, "local_server"];
/// The section of what `publish` creates.
pub(super) const SETUP: &str = "setup";

/// The backends that a manifest declares, by section, each with its address. A section without backends is left out: the
/// service may have been made in another way.
#[derive(Default)]
pub(super) struct Declared {
    path: PathBuf,
    exists: bool,
    sections: Vec<(&'static str, BTreeMap<String, Option<String>>)>,
}

impl Declared {
    /// Reads `manifest`; without it, `fastly.toml` in the folder of `policy`, if there is one.
    ///
    /// # Errors
    /// A message if the manifest cannot be read, or if one that was asked for declares no backends.
    pub(super) fn read(policy: &Path, manifest: Option<&Path>) -> Result<Self, String> {
        let beside = policy.with_file_name("fastly.toml");
        let path = match manifest {
            None if !beside.exists() => return Ok(Self { path: beside, ..Self::default() }),
            manifest => manifest.unwrap_or(&beside),
        };
        let fault = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
        let text = std::fs::read_to_string(path).map_err(|error| fault(&error))?;
        let table: toml::Table = text.parse().map_err(|error: toml::de::Error| fault(&error.message()))?;
        let address = |backend: &toml::Value| backend.get("address").and_then(toml::Value::as_str).map(str::to_owned);
        let mut sections = Vec::new();
        for section in SECTIONS {
            match table.get(section).and_then(|section| section.get("backends")) {
                None => {}
                Some(toml::Value::Table(backends)) => {
                    let backends = backends.iter().map(|(name, backend)| (name.clone(), address(backend)));
                    sections.push((section, backends.collect()));
                }
                Some(_) => return Err(fault(&format!("{section}.backends is not a table"))),
            }
        }
        if manifest.is_some() && sections.is_empty() {
            return Err(fault(&"declares no backends, in [setup.backends] or [local_server.backends]"));
        }
        Ok(Self { path: path.to_owned(), exists: true, sections })
    }

    /// The backends in the policy `document` that a section does not declare, each with that section.
    pub(super) fn undeclared(&self, document: &Value) -> Vec<(&'static str, Finding)> {
        let mut found = Vec::new();
        for (at, name) in named(document) {
            for (section, _) in self.sections.iter().filter(|(_, declared)| !declared.contains_key(&name)) {
                let finding = Finding {
                    at: at.clone(),
                    what: format!(
                        "names the backend \"{name}\", which [{section}.backends] of the manifest does not have"
                    ),
                    remedy: format!(
                        "add [{section}.backends.{}] to the manifest, or name one of its backends",
                        key(&name)
                    ),
                };
                found.push((*section, finding));
            }
        }
        found
    }

    /// The backends that `publish` would create and that Fastly cannot reach.
    pub(super) fn unreachable(&self) -> Vec<Finding> {
        let mut found = Vec::new();
        for (name, address) in self.setup().into_iter().flatten() {
            let Some(address) = address else { continue };
            if let Some(elsewhere) = elsewhere(address) {
                found.push(Finding {
                    at: format!("{}: [{SETUP}.backends.{}]", self.path.display(), key(name)),
                    what: format!("the address \"{address}\" {}", elsewhere.what()),
                    remedy: "write a host on the internet, and this machine's in [local_server.backends]".to_owned(),
                });
            }
        }
        found
    }

    /// Why the backends of the policy `document` are not compared with those that `publish` creates, if it has any.
    pub(super) fn not_compared(&self, document: &Value) -> Option<Finding> {
        if self.setup().is_some() || named(document).is_empty() {
            return None;
        }
        let why = if self.exists { "has no [setup.backends]" } else { "does not exist" };
        Some(Finding {
            at: self.path.display().to_string(),
            what: format!("{why}, so the backends of the policy are not compared with it"),
            remedy: "name the manifest of the service (--manifest FILE), or compare with the live service (FASTLY_API_TOKEN, \
                     FASTLY_SERVICE_ID)"
                .to_owned(),
        })
    }

    fn setup(&self) -> Option<&BTreeMap<String, Option<String>>> {
        self.sections.iter().find(|(section, _)| *section == SETUP).map(|(_, backends)| backends)
    }
}

/// A key of TOML: in quotes unless it is bare.
fn key(name: &str) -> String {
    let is_bare = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    if is_bare && !name.is_empty() { name.to_owned() } else { format!("{name:?}") }
}

/// The backends that a policy names, each with its place.
pub(super) fn named(document: &Value) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let members = |value: &Value| value.as_object().cloned().unwrap_or_default();
    for section in ["origins", "issuers"] {
        for (id, entry) in members(document.get(section).unwrap_or(&Value::Null)) {
            let at = format!("$.{section}.{id}");
            let several = members(entry.get("backends").unwrap_or(&Value::Null));
            found.extend(several.into_iter().map(|(name, _)| (format!("{at}.backends.{name}"), name)));
            for (pointer, member) in [("/backend", "backend"), ("/introspection/backend", "introspection.backend")] {
                let one = entry.pointer(pointer).and_then(Value::as_str);
                found.extend(one.map(|name| (format!("{at}.{member}"), name.to_owned())));
            }
        }
    }
    found
}
