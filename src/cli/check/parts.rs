//! A policy that is put together of several files, and which file a place of the whole is in.

use std::path::{Path, PathBuf};

use fastgate::strict_json;
use serde_json::{Map, Value};

/// A policy and the files that it was read from.
pub(super) struct Parts {
    /// The policy's text; with additions, that of the policy that they make together.
    pub(super) text: Vec<u8>,
    /// Each file of additions, and the number of its first route in the whole; in ascending order.
    additions: Vec<(PathBuf, usize)>,
}

impl Parts {
    /// Reads the policy at `path` and puts the routes of `additions` behind its own.
    ///
    /// # Errors
    /// A file that cannot be read; with additions, one that is no JSON object, in which a member stands twice, or, of the
    /// additions, that holds anything but a list `routes`.
    pub(super) fn read(path: &Path, additions: &[PathBuf]) -> Result<Self, String> {
        let text = text(path)?;
        if additions.is_empty() {
            return Ok(Self { text, additions: Vec::new() });
        }
        let mut policy = object(path, &text)?;
        let mut routes = match policy.remove("routes") {
            Some(routes) => list(path, routes)?,
            None => Vec::new(),
        };
        let mut starts = Vec::new();
        for addition in additions {
            let mut members = object(addition, &self::text(addition)?)?;
            let added = list(addition, members.remove("routes").unwrap_or_default())?;
            if let Some(name) = members.keys().next() {
                let place = addition.display();
                return Err(format!("{place}: holds {name:?}: only \"routes\" is added, put the rest into the policy"));
            }
            starts.push((addition.clone(), routes.len()));
            routes.extend(added);
        }
        policy.insert("routes".to_owned(), Value::Array(routes));
        Ok(Self { text: Value::Object(policy).to_string().into_bytes(), additions: starts })
    }

    /// A place of the whole, `$.routes[7].path`, as that of the file it stands in: `routes.json: $.routes[2].path`. As it
    /// is, where that is the policy's own.
    pub(super) fn place(&self, at: &str) -> String {
        let found = at.strip_prefix("$.routes[").and_then(|rest| rest.split_once(']')).and_then(|(number, rest)| {
            let number: usize = number.parse().ok()?;
            let (file, first) = self.additions.iter().rev().find(|(_, first)| *first <= number)?;
            Some(format!("{}: $.routes[{}]{rest}", file.display(), number.checked_sub(*first)?))
        });
        found.unwrap_or_else(|| at.to_owned())
    }
}

fn text(path: &Path) -> Result<Vec<u8>, String> {
    std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))
}

/// As the edge reads it: where a member stands twice, neither is taken.
fn object(path: &Path, text: &[u8]) -> Result<Map<String, Value>, String> {
    strict_json::parse_object(text).map_err(|error| format!("{}: {error}", path.display()))
}

fn list(path: &Path, routes: Value) -> Result<Vec<Value>, String> {
    match routes {
        Value::Array(routes) => Ok(routes),
        _ => Err(format!("{}: holds no list \"routes\"", path.display())),
    }
}
