//! `fastgate explain`: a request and a policy in, the walk out: each room, what it found, who decided.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::Args;
use fastgate::gateway::Decision;
use fastgate::identity::keys::KeySet;
use fastgate::policy::Policy;
use fastgate::time::UnixTime;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::desk::{Case, Desk, Outcome};
use super::printer;

/// What is asked, and of which policy.
#[derive(Args)]
pub(super) struct Explain {
    /// Path and query: `/orders/7?full=1`.
    #[arg(required_unless_present = "requests")]
    target: Option<String>,
    /// The policy.
    #[arg(long, default_value = "policy.json")]
    policy: PathBuf,
    /// The method.
    #[arg(long, short = 'X', default_value = "GET")]
    method: String,
    /// A header field, `name: value`; may be repeated.
    #[arg(long = "header", short = 'H')]
    headers: Vec<String>,
    /// The bearer token; its issuer's keys come with --jwks.
    #[arg(long, conflicts_with = "claims")]
    token: Option<String>,
    /// What a token would say, as JSON; what a good token needs besides is filled in.
    #[arg(long)]
    claims: Option<String>,
    /// The policy's id of the issuer that says it.
    #[arg(long)]
    issuer: Option<String>,
    /// An issuer's key set: `id=FILE`; may be repeated.
    #[arg(long)]
    jwks: Vec<String>,
    /// The client's address.
    #[arg(long)]
    address: Option<IpAddr>,
    /// Where the client is, ISO 3166-1: `DE`.
    #[arg(long)]
    country: Option<String>,
    /// Other facts of the client, as JSON: `{"region": "CA", "continent": "NA", "asn": 64500, "connection": "wired",
    /// "proxy": "hosting", "anonymizers": [], "acls": {"office": "allow"}, "unknown": ["proxy"]}`. ACLs say `allow`,
    /// `block`, or `none` where no entry covers the address; `unknown` lists what the edge does not know, either.
    #[arg(long)]
    client: Option<String>,
    /// The time, in seconds since 1970; now, if it is not given.
    #[arg(long)]
    now: Option<u64>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    /// Explain every request in this file, one JSON object a line, and print one JSON object a line.
    #[arg(long, conflicts_with = "target")]
    requests: Option<PathBuf>,
}

/// Explains; the exit code is 0 where the request is forwarded or answered, 1 where it is refused, and 2 where that
/// cannot be said here, for want of what is then named, or where the call was wrong.
pub(super) fn explain(arguments: &Explain) -> ExitCode {
    match run(arguments) {
        Ok(code) => code,
        Err(message) => {
            printer::error(message);
            ExitCode::from(2)
        }
    }
}

fn run(arguments: &Explain) -> Result<ExitCode, String> {
    let mut desk = desk(&arguments.policy, arguments.now)?;
    for pair in &arguments.jwks {
        let (id, path) = pair.split_once('=').ok_or("--jwks is written id=FILE")?;
        let keys = KeySet::parse(&read(Path::new(path))?).map_err(|error| format!("{path}: {error}"))?;
        desk.keys.insert(id.to_owned(), Arc::new(keys));
    }
    if let Some(path) = &arguments.requests {
        let text = read(path)?;
        let mut all_said = true;
        for line in text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            let case: Case = serde_json::from_slice(line).map_err(|error| format!("{}: {error}", path.display()))?;
            let outcome = desk.judge(&case)?;
            all_said &= outcome.missing.is_none();
            printer::json(&to_json(&outcome));
        }
        return Ok(if all_said { ExitCode::SUCCESS } else { ExitCode::from(2) });
    }
    let outcome = desk.judge(&case(arguments)?)?;
    if arguments.json {
        printer::indented_json(&to_json(&outcome));
    } else {
        print(&outcome);
    }
    Ok(match outcome.decision {
        _ if outcome.missing.is_some() => ExitCode::from(2),
        Decision::Refuse(_) => ExitCode::FAILURE,
        Decision::Forward(_) | Decision::Publish(_) | Decision::Preflight(_) => ExitCode::SUCCESS,
    })
}

/// The desk for the policy at `path`.
pub(super) fn desk(path: &Path, now: Option<u64>) -> Result<Desk, String> {
    let faults = |faults| format!("{}: {faults}", path.display());
    let policy = Policy::parse(&read(path)?).map_err(faults)?;
    #[expect(clippy::disallowed_methods, reason = "the desk's clock is the machine's")]
    let clock = || SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    Desk::new(policy, UnixTime::from_seconds(now.unwrap_or_else(clock))).map_err(|error| error.to_string())
}

/// The bytes of a file, or a message with its name.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, String> {
    std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))
}

fn case(arguments: &Explain) -> Result<Case, String> {
    let facts: Case = arguments.client.as_deref().map(from_json).transpose()?.unwrap_or_default();
    let field = |field: &String| {
        let (name, value) = field.split_once(':').ok_or("--header is written \"name: value\"")?;
        Ok((name.trim().to_owned(), value.trim().to_owned()))
    };
    Ok(Case {
        method: Some(arguments.method.clone()),
        target: arguments.target.clone().unwrap_or_default(),
        headers: arguments.headers.iter().map(field).collect::<Result<_, String>>()?,
        token: arguments.token.clone(),
        claims: arguments.claims.as_deref().map(from_json).transpose()?,
        issuer: arguments.issuer.clone(),
        client: arguments.address.or(facts.client),
        country: arguments.country.clone().or(facts.country),
        ..facts
    })
}

fn from_json<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    serde_json::from_str(text).map_err(|error| format!("{text}: {error}"))
}

/// An outcome for programs. Where it cannot be said, `missing` says what to give, `verdict`, `cause` and `ignored` are
/// null, and there is neither `status` nor `forward`.
fn to_json(outcome: &Outcome) -> Value {
    let trail = &outcome.trail;
    let walk: Vec<_> = trail.notes().iter().map(|(step, found)| json!({ "room": step, "found": found })).collect();
    let (verdict, cause, ignored) = match outcome.missing {
        None => (Some(trail.verdict), trail.cause.as_ref(), trail.ignored),
        Some(_) => (None, None, None),
    };
    let mut explained = json!({
        "verdict": verdict, "missing": outcome.missing, "route": trail.route, "cause": cause, "ignored": ignored,
        "shadow": trail.shadow, "subject": trail.subject, "issuer": trail.issuer, "walk": walk,
    });
    let (key, value) = match &outcome.decision {
        _ if outcome.missing.is_some() => return explained,
        Decision::Refuse(problem) => ("status", json!(problem.status())),
        Decision::Forward(grant) => {
            ("forward", json!({ "backend": grant.backend(), "method": grant.method(), "path": grant.path_and_query() }))
        }
        Decision::Publish(_) => ("status", json!(200)),
        Decision::Preflight(_) => ("status", json!(204)),
    };
    if let Some(members) = explained.as_object_mut() {
        members.insert(key.to_owned(), value);
    }
    explained
}

fn print(outcome: &Outcome) {
    for (step, found) in outcome.trail.notes() {
        printer::line(format_args!("{:>10}  {found}", step.as_str()));
    }
    for would in &outcome.trail.shadow {
        printer::line(format_args!("{:>10}  {would}", "shadow"));
    }
    printer::line("");
    if let Some(missing) = &outcome.missing {
        printer::line(format_args!("cannot be said here: {missing}"));
        return;
    }
    match &outcome.decision {
        Decision::Forward(grant) => {
            printer::line(format_args!("forwarded: {} {}", grant.method(), grant.path_and_query()));
        }
        Decision::Refuse(problem) => {
            printer::line(format_args!("refused: {} ({})", outcome.trail.verdict, problem.status()));
        }
        Decision::Publish(_) | Decision::Preflight(_) => {
            printer::line(format_args!("answered by the edge: {}", outcome.trail.verdict));
        }
    }
}
