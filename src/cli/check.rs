//! `fastgate check`: first the shape, against the JSON Schema, which finds every misspelt field at once; then the meaning,
//! by the very code that reads the policy at the edge.

mod shape;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use fastgate::policy::Policy;
use serde_json::{Map, Value};

use super::lint::lints;
use shape::shape_findings;

/// Checks the policy at `path`, with the routes of `additions` behind its own, and prints what is found.
pub(super) fn check(path: &Path, additions: &[PathBuf]) -> ExitCode {
    let text = match read(path, additions) {
        Ok(text) => text,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::from(2);
        }
    };
    let findings = findings(&text);
    for Finding { at, what, remedy } in &findings {
        println!("{at}\n    {what}\n    → {remedy}");
    }
    if let (true, Ok(policy)) = (findings.is_empty(), Policy::parse(&text)) {
        for lint in lints(&policy) {
            println!("{}\n    {} (a hint, not a fault)\n    → {}", lint.at, lint.what, lint.remedy);
        }
    }
    match findings.len() {
        0 => {
            println!("{}: valid", path.display());
            ExitCode::SUCCESS
        }
        count => {
            println!("{}: {count} {}", path.display(), if count == 1 { "fault" } else { "faults" });
            ExitCode::FAILURE
        }
    }
}

/// The policy's text; with `additions`, that of the policy that they make together.
fn read(path: &Path, additions: &[PathBuf]) -> Result<Vec<u8>, String> {
    let text = std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
    if additions.is_empty() {
        return Ok(text);
    }
    let mut policy = object(path, &text)?;
    let mut routes = if policy.contains_key("routes") { list_of_routes(path, &policy)? } else { Vec::new() };
    for addition in additions {
        let text = std::fs::read(addition).map_err(|error| format!("{}: {error}", addition.display()))?;
        routes.extend(list_of_routes(addition, &object(addition, &text)?)?);
    }
    policy.insert("routes".to_owned(), Value::Array(routes));
    Ok(Value::Object(policy).to_string().into_bytes())
}

fn object(path: &Path, text: &[u8]) -> Result<Map<String, Value>, String> {
    serde_json::from_slice(text).map_err(|error| format!("{}: {error}", path.display()))
}

fn list_of_routes(path: &Path, document: &Map<String, Value>) -> Result<Vec<Value>, String> {
    let routes = document.get("routes").and_then(Value::as_array).cloned();
    routes.ok_or_else(|| format!("{}: holds no list \"routes\"", path.display()))
}

/// Prints the JSON Schema of policies.
pub(super) fn schema() -> ExitCode {
    println!("{:#}", shape::schema());
    ExitCode::SUCCESS
}

struct Finding {
    at: String,
    what: String,
    remedy: String,
}

fn findings(text: &[u8]) -> Vec<Finding> {
    let shape: Vec<Finding> = match serde_json::from_slice::<Value>(text) {
        Ok(document) => shape_findings(&document),
        Err(_) => Vec::new(), // the policy's own reader says it better, below
    };
    if !shape.is_empty() {
        return shape;
    }
    let faults = Policy::parse(text).err().map(|faults| faults.0).unwrap_or_default();
    faults
        .into_iter()
        .map(|fault| Finding { at: fault.at, what: fault.fault.to_string(), remedy: fault.fault.remedy().to_owned() })
        .collect()
}
