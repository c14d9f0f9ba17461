//! The backends that the manifest of the service declares (`fastly.toml`), compared with those that the policy names.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

use super::super::finding::Finding;

/// The manifest's sections with backends: what `publish` creates, and what runs locally.
const SECTIONS: [&str; 2] = [SETUP, "local_server"];
/// The section of what `publish` creates.
pub(super) const SETUP: &str = "setup";

/// The backends that a manifest declares, by section. A section without backends is left out: the service may have been
/// made in another way.
#[derive(Default)]
pub(super) struct Declared(Vec<(&'static str, BTreeSet<String>)>);

impl Declared {
    /// Reads `manifest`; without it, `fastly.toml` in the folder of `policy`, if there is one.
    ///
    /// # Errors
    /// A message if the manifest cannot be read, or if one that was asked for declares no backends.
    pub(super) fn read(policy: &Path, manifest: Option<&Path>) -> Result<Self, String> {
        let beside = policy.with_file_name("fastly.toml");
        let path = match manifest {
            None if !beside.exists() => return Ok(Self::default()),
            manifest => manifest.unwrap_or(&beside),
        };
        let fault = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
        let text = std::fs::read_to_string(path).map_err(|error| fault(&error))?;
        let table: toml::Table = text.parse().map_err(|error: toml::de::Error| fault(&error.message()))?;
        let mut declared = Vec::new();
        for section in SECTIONS {
            match table.get(section).and_then(|section| section.get("backends")) {
                None => {}
                Some(toml::Value::Table(backends)) => declared.push((section, backends.keys().cloned().collect())),
                Some(_) => return Err(fault(&format!("{section}.backends is not a table"))),
            }
        }
        if manifest.is_some() && declared.is_empty() {
            return Err(fault(&"declares no backends, in [setup.backends] or [local_server.backends]"));
        }
        Ok(Self(declared))
    }

    /// The backends in the policy `document` that a section does not declare, each with that section.
    pub(super) fn undeclared(&self, document: &Value) -> Vec<(&'static str, Finding)> {
        let mut found = Vec::new();
        for (at, name) in named(document) {
            for (section, _) in self.0.iter().filter(|(_, declared)| !declared.contains(&name)) {
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
