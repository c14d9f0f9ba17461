//! `fastgate check`: checks the shape against the JSON Schema first, which finds every misspelt field at once, and then
//! the meaning, with the code that reads the policy at the edge.

mod finding;
mod manifest;
mod parts;
mod ranges;
mod shape;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use fastgate::policy::Policy;
use serde_json::Value;

use super::lint::{jurisdictions, lints, resembling};
use super::printer;
use finding::Finding;
use manifest::Declared;
use parts::Parts;
use shape::shape_findings;

/// What is not checked if the manifest beside the policy cannot be read.
const NOT_COMPARED: &str = "cannot be read, so the backends of the policy are not compared with it";

/// Checks the policy at `path`, with the routes of `additions` after its own, and prints the findings. The
/// backends are compared with `manifest`, or with `fastly.toml` beside the policy. Only `manifest` must be readable.
pub(super) fn check(path: &Path, additions: &[PathBuf], manifest: Option<&Path>) -> ExitCode {
    let parts = match Parts::read(path, additions) {
        Ok(parts) => parts,
        Err(error) => {
            printer::error(error);
            return ExitCode::from(2);
        }
    };
    let mut findings = findings(&parts.text);
    let (declared, unread) = match Declared::read(path, manifest) {
        Ok(declared) => (declared, None),
        Err(error) => (Declared::default(), Some(error)),
    };
    let document: Value = serde_json::from_slice(&parts.text).unwrap_or_default();
    let undeclared = declared.undeclared(&document);
    if manifest.is_some() {
        findings.extend(undeclared.iter().cloned());
    }
    let print = |at: &str, what: &str, remedy: &str| {
        printer::line(format_args!("{}{}", parts.place(at), named_route(&document, at)));
        printer::line(format_args!("    {what}"));
        printer::line(format_args!("    → {remedy}"));
    };
    for Finding { at, what, remedy } in &findings {
        print(at, what, remedy);
    }
    let hint = |what: &str| format!("{what} (a hint, not a fault)");
    if let (true, Ok(policy)) = (findings.is_empty(), Policy::parse(&parts.text)) {
        for Finding { at, what, remedy } in &undeclared {
            print(at, &hint(what), remedy);
        }
        for lint in lints(&policy).into_iter().chain(resembling(&document)).chain(jurisdictions(&document)) {
            print(&lint.at, &hint(&lint.what), lint.remedy);
        }
    }
    match unread {
        Some(error) if manifest.is_some() => {
            printer::error(error);
            return ExitCode::from(2);
        }
        Some(error) => {
            print(&error, &hint(NOT_COMPARED), "correct it, or name the manifest of the service: --manifest FILE");
        }
        None => {}
    }
    match findings.len() {
        0 => {
            printer::line(format_args!("{}: valid", path.display()));
            ExitCode::SUCCESS
        }
        count => {
            let faults = if count == 1 { "fault" } else { "faults" };
            printer::line(format_args!("{}: {count} {faults}", path.display()));
            ExitCode::FAILURE
        }
    }
}

/// The id of the route that `at` is in, as an addition to it: in a compiled policy, `routes[6]` says little.
fn named_route(policy: &Value, at: &str) -> String {
    let id = || {
        let (number, _) = at.strip_prefix("$.routes[")?.split_once(']')?;
        let id = policy.pointer(&format!("/routes/{number}/id"))?.as_str()?;
        Some(format!(" (route \"{id}\")"))
    };
    id().unwrap_or_default()
}

/// Prints the JSON Schema of policies.
pub(super) fn schema() -> ExitCode {
    printer::indented_json(&shape::schema());
    ExitCode::SUCCESS
}

fn findings(text: &[u8]) -> Vec<Finding> {
    let shape: Vec<Finding> = match serde_json::from_slice::<Value>(text) {
        Ok(document) => shape_findings(&document),
        Err(_) => Vec::new(), // the policy's own reader reports it better, below
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
