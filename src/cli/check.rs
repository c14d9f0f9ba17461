//! `fastgate check`: checks the shape against the JSON Schema first, which finds every misspelt field at once, and then
//! the meaning, with the code that reads the policy at the edge.

mod hosts;
mod live;
mod manifest;
mod parts;
mod publish;
mod ranges;
mod shape;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use fastgate::policy::Policy;
use fastgate::sandbox::MAX_POLICY_BYTES;
use serde_json::Value;

use super::failure::{Failure, exit_code};
use super::fastly_api::{ActiveVersion, Api, ApiError, LiveService, Place};
use super::finding::Finding;
use super::lint::{jurisdictions, lints, resembling};
use super::printer;
use super::stage::Stage;
use manifest::{Declared, SETUP};
use parts::Parts;
use shape::shape_findings;

/// What is not checked if the manifest beside the policy cannot be read.
const NOT_COMPARED: &str = "cannot be read, so the backends of the policy are not compared with it";

/// Faults and hints.
type Findings = (Vec<Finding>, Vec<Finding>);

/// A policy to check.
#[derive(Args)]
pub(super) struct Check {
    /// The policy.
    #[arg(default_value = "policy.json")]
    policy: PathBuf,
    /// Routes to add to it, as `fastgate policy` prints them for an app.
    #[arg(long)]
    routes: Vec<PathBuf>,
    /// The manifest of the service, which must declare the backends that the policy names. Default: `fastly.toml` beside the
    /// policy, if there is one; a backend that it does not declare is then a hint.
    #[arg(long)]
    manifest: Option<PathBuf>,
    /// The values of a stage, a JSON object: `${NAME}` in a text of the policy becomes its member NAME, or the environment
    /// variable `FASTGATE_STAGE_NAME`.
    #[arg(long, value_name = "FILE")]
    stage: Option<PathBuf>,
    /// Also find what cannot work on Fastly: hosts that are not on the internet, plain http, and backends that
    /// `[setup.backends]` of the manifest does not define or that Fastly cannot reach. With an API token in `FASTLY_API_TOKEN`,
    /// also compare the policy with the active version of the service that `FASTLY_SERVICE_ID` or `service_id` of the manifest
    /// names: stores, ACLs and backends that it lacks are faults; TLS, the host of backends, domains and the log endpoint are
    /// hints.
    #[arg(long)]
    publish: bool,
}

/// Checks a policy, with its additional routes after its own, and prints the findings. Only a manifest that was named must be
/// readable.
pub(super) fn check(check: &Check) -> ExitCode {
    match examined(check) {
        Ok(0) => {
            printer::line(format_args!("{}: valid", check.policy.display()));
            ExitCode::SUCCESS
        }
        Ok(count) => {
            let faults = if count == 1 { "fault" } else { "faults" };
            printer::line(format_args!("{}: {count} {faults}", check.policy.display()));
            ExitCode::FAILURE
        }
        Err(failure) => exit_code(Err(failure)),
    }
}

/// Prints the findings and returns how many faults there are.
fn examined(check: &Check) -> Result<usize, Failure> {
    let stage = Stage::read(check.stage.as_deref()).map_err(Failure::Usage)?;
    let parts = Parts::read(&check.policy, &check.routes).map_err(Failure::Usage)?;
    let (text, mut findings) = match stage.applied(parts.text.clone()) {
        Ok(text) => (text, Vec::new()),
        Err(findings) => (parts.text.clone(), findings),
    };
    if findings.is_empty() {
        findings = self::findings(&text);
    }
    let (declared, unread) = match Declared::read(&check.policy, check.manifest.as_deref()) {
        Ok(declared) => (declared, None),
        Err(error) => (Declared::default(), Some(error)),
    };
    let document: Value = serde_json::from_slice(&text).unwrap_or_default();
    let is_fault = |section: &str| check.manifest.is_some() || (check.publish && section == SETUP);
    let (faults, undeclared): (Vec<_>, Vec<_>) =
        declared.undeclared(&document).into_iter().partition(|(section, _)| is_fault(section));
    let is_published = check.publish && findings.is_empty();
    findings.extend(faults.into_iter().map(|(_, finding)| finding));
    let mut hints: Vec<Finding> = undeclared.into_iter().map(|(_, finding)| finding).collect();
    let mut failed = None;
    if is_published {
        let (faults, more) = publish::findings(&document);
        findings.extend(faults.into_iter().chain(declared.unreachable()));
        hints.extend(more);
        match with_token(&document, check) {
            Ok(Some((faults, more))) => {
                findings.extend(faults);
                hints.extend(more);
            }
            Ok(None) if unread.is_none() => hints.extend(declared.not_compared(&document)),
            Ok(None) => {}
            Err(error) => failed = Some(error),
        }
    }
    let print = |Finding { at, what, remedy }: &Finding| {
        let at = format!("{}{}", parts.place(at), named_route(&document, at));
        print(&Finding { at, what: what.clone(), remedy: remedy.clone() });
    };
    findings.iter().for_each(print);
    if let (true, Ok(policy)) = (findings.is_empty(), Policy::parse(&text)) {
        for lint in lints(&policy).into_iter().chain(resembling(&document)).chain(jurisdictions(&document)) {
            hints.push(Finding { at: lint.at, what: lint.what, remedy: lint.remedy.to_owned() });
        }
        hints.iter().map(Finding::as_hint).for_each(|hint| print(&hint));
    }
    match unread {
        Some(error) if check.manifest.is_some() => return Err(Failure::Usage(error)),
        Some(at) => {
            let remedy = "correct it, or name the manifest of the service: --manifest FILE".to_owned();
            print(&Finding { at, what: NOT_COMPARED.to_owned(), remedy }.as_hint());
        }
        None => {}
    }
    failed.map_or(Ok(findings.len()), Err)
}

/// The faults of a policy that is to be published, and hints. The backends are compared with `manifest`, or with `fastly.toml`
/// beside the policy at `path`.
///
/// # Errors
/// A message if the manifest cannot be read.
pub(super) fn publishable(text: &[u8], path: &Path, manifest: Option<&Path>) -> Result<Findings, String> {
    let faults = findings(text);
    if !faults.is_empty() {
        return Ok((faults, Vec::new()));
    }
    let document: Value = serde_json::from_slice(text).unwrap_or_default();
    let declared = Declared::read(path, manifest)?;
    let undeclared = declared.undeclared(&document).into_iter().filter(|(section, _)| *section == SETUP);
    let (mut faults, hints) = publish::findings(&document);
    faults.extend(undeclared.map(|(_, finding)| finding).chain(declared.unreachable()));
    Ok((faults, hints.iter().map(Finding::as_hint).collect()))
}

/// The faults and hints of a comparison with the live service; `None` without a token or a service.
fn with_token(document: &Value, check: &Check) -> Result<Option<Findings>, Failure> {
    let place = Place::of_manifest(check.manifest.clone());
    let missing = match place.service(&check.policy.with_file_name("fastly.toml")) {
        _ if !Api::has_token() => "an API token in FASTLY_API_TOKEN",
        Err(_) => "a service (service_id in the manifest, or FASTLY_SERVICE_ID)",
        Ok(service) => {
            let api = Api::from_environment().map_err(Failure::Usage)?;
            let active = ActiveVersion::read(&api, service)?;
            return Ok(Some(live(document, &api, &active)?));
        }
    };
    printer::line(format_args!("hint: with {missing}, the live service is checked as well"));
    Ok(None)
}

/// The faults and hints of a comparison with the live service.
pub(super) fn live(policy: &Value, api: &Api, active: &ActiveVersion) -> Result<Findings, ApiError> {
    Ok(live::compared(policy, &LiveService::read(api, active)?))
}

/// Prints a finding.
pub(super) fn print(Finding { at, what, remedy }: &Finding) {
    printer::line(at);
    printer::line(format_args!("    {what}"));
    printer::line(format_args!("    → {remedy}"));
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
    if text.len() > MAX_POLICY_BYTES {
        return vec![Finding {
            at: "$".to_owned(),
            what: format!("is longer than 8 MiB, the most that the edge reads ({} octets)", text.len()),
            remedy: "serve long texts from files (`respond`), and describe several routes by one path template"
                .to_owned(),
        }];
    }
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
