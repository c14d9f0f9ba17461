//! `fastgate check`: first the shape, against the JSON Schema, which finds every misspelt field at once; then the meaning,
//! by the very code that reads the policy at the edge.

use std::path::Path;
use std::process::ExitCode;

use fastgate::policy::{Policy, PolicyDocument};
use serde_json::Value;

use super::lint::lints;

/// Checks the policy at `path` and prints what is found.
pub(super) fn check(path: &Path) -> ExitCode {
    let text = match std::fs::read(path) {
        Ok(text) => text,
        Err(error) => {
            eprintln!("{}: {error}", path.display());
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

/// Prints the JSON Schema of policies.
pub(super) fn schema() -> ExitCode {
    println!("{:#}", schema_value());
    ExitCode::SUCCESS
}

struct Finding {
    at: String,
    what: String,
    remedy: String,
}

fn schema_value() -> Value {
    schemars::schema_for!(PolicyDocument).to_value()
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

fn shape_findings(document: &Value) -> Vec<Finding> {
    let Ok(validator) = jsonschema::validator_for(&schema_value()) else {
        return Vec::new(); // a schema that is none is a bug, and a test's business; the reader still judges
    };
    validator
        .iter_errors(document)
        .map(|error| Finding {
            at: json_path(&error.instance_path().to_string()),
            what: error.to_string(),
            remedy: "see policy.schema.json for the fields that exist here and their types".to_owned(),
        })
        .collect()
}

/// A JSON Pointer (RFC 6901) as a JSON path: `/routes/3/path` becomes `$.routes[3].path`.
fn json_path(pointer: &str) -> String {
    pointer.split('/').skip(1).fold("$".to_owned(), |path, step| {
        if step.bytes().all(|byte| byte.is_ascii_digit()) {
            format!("{path}[{step}]")
        } else {
            format!("{path}.{step}")
        }
    })
}
