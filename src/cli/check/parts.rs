//! A policy that is assembled from several files, and the file to which a path in it belongs.

use std::path::{Path, PathBuf};

use fastgate::strict_json;
use serde_json::{Map, Value};

/// A policy and the files that it was read from.
pub(super) struct Parts {
    /// The text of the policy, including additions.
    pub(super) text: Vec<u8>,
    /// Each file of additions, and the index of its first route in the whole policy; in ascending order.
    additions: Vec<(PathBuf, usize)>,
}

impl Parts {
    /// Reads the policy at `path` and appends the routes of `additions` to its own.
    ///
    /// # Errors
    /// A message if a file cannot be read; with additions, also if a file is not a JSON object or repeats a member, or
    /// if an addition has anything but a list `routes`.
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
                return Err(format!("{place}: has {name:?}: only \"routes\" is added, put the rest into the policy"));
            }
            starts.push((addition.clone(), routes.len()));
            routes.extend(added);
        }
        policy.insert("routes".to_owned(), Value::Array(routes));
        Ok(Self { text: Value::Object(policy).to_string().into_bytes(), additions: starts })
    }

    /// Converts a path in the whole policy, `$.routes[7].path`, into one in the file that it belongs to: `routes.json:
    /// $.routes[2].path`. Paths in the policy's own file stay unchanged.
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

/// Reads an object as the edge does: a repeated member is an error.
fn object(path: &Path, text: &[u8]) -> Result<Map<String, Value>, String> {
    strict_json::parse_object(text).map_err(|error| format!("{}: {error}", path.display()))
}

fn list(path: &Path, routes: Value) -> Result<Vec<Value>, String> {
    match routes {
        Value::Array(routes) => Ok(routes),
        _ => Err(format!("{}: has no list \"routes\"", path.display())),
    }
}
