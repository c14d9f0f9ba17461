//! `fastgate explain`. Input: a request and a policy. Output: each step, what it found, and the decision.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::Args;
use fastgate::gateway::Decision;
use fastgate::identity::keys::KeySet;
use fastgate::policy::Policy;
use fastgate::strict_json::parse_object;
use fastgate::time::UnixTime;
use serde_json::{Value, json};

use super::offline::{Case, Offline, Outcome, plain};
use super::printer;

/// A request and a policy.
#[derive(Args)]
#[command(
    after_help = "Exit code 0: forwarded, or the edge responds; 1: refused; 2: the outcome is unknown (the message \
    says what to give), or wrong usage. With --requests, 0: all could be explained; 2: some could not."
)]
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
    /// The bearer token; give its issuer's keys with --jwks.
    #[arg(long, conflicts_with = "claims")]
    token: Option<String>,
    /// The claims of a token, as JSON; the other claims of a valid token are filled in.
    #[arg(long)]
    claims: Option<String>,
    /// The policy's id of the issuer of these claims.
    #[arg(long)]
    issuer: Option<String>,
    /// An issuer's key set: `id=FILE`; may be repeated.
    #[arg(long)]
    jwks: Vec<String>,
    /// The client's address.
    #[arg(long)]
    address: Option<IpAddr>,
    /// The client's country, ISO 3166-1: `DE`.
    #[arg(long)]
    country: Option<String>,
    /// Other facts about the client, as JSON: `{"region": "CA", "continent": "NA", "asn": 64500, "connection": "wired",
    /// "proxy": "hosting", "anonymizers": [], "acls": {"office": "allow"}, "unknown": ["proxy"]}`. An ACL gives
    /// `allow`, `block`, or `none` if no entry covers the address; `unknown` lists the facts that the edge does not
    /// know either.
    #[arg(long)]
    client: Option<String>,
    /// A backend that the POP skips because it failed; may be repeated.
    #[arg(long)]
    skipped: Vec<String>,
    /// The time, in seconds since 1970; the current time by default.
    #[arg(long)]
    now: Option<u64>,
    /// Print JSON. If the outcome is unknown, `verdict` is null and `missing` says what to give.
    #[arg(long)]
    json: bool,
    /// Explain every request in this file, one JSON object a line, and print one JSON object a line. Its members are
    /// `target`, `method`, `headers` (pairs), `token` or `claims` and `issuer`, `address`, `skipped` (a list), and
    /// those of --client. One that cannot be explained yields `{"line": …, "error": …}`.
    #[arg(long, conflicts_with_all = ["target", "method", "headers", "token", "claims", "issuer", "address", "country", "client", "skipped"])]
    requests: Option<PathBuf>,
}

/// Runs the command. The exit code is 0 if the request is forwarded or the edge responds to it, 1 if it is refused, and
/// 2 if the outcome is unknown (the message names what is missing) or the usage is wrong. With `--requests` it is 0 if
/// all of them could be explained, refused or not.
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
    let mut offline = offline(&arguments.policy, arguments.now)?;
    for pair in &arguments.jwks {
        let (id, path) = pair.split_once('=').ok_or("--jwks is written id=FILE")?;
        let keys = KeySet::parse(&read(Path::new(path))?).map_err(|error| format!("{path}: {error}"))?;
        offline.keys.insert(id.to_owned(), Arc::new(keys));
    }
    if let Some(path) = &arguments.requests {
        return explain_all(&mut offline, path);
    }
    let known = |name: &&String| {
        offline.policy().origins().any(|origin| origin.backends.all.iter().any(|backend| backend.name == **name))
    };
    if let Some(name) = arguments.skipped.iter().find(|name| !known(name)) {
        return Err(format!("--skipped {name}: no origin of the policy has this backend"));
    }
    let outcome = offline.decide(&case(arguments)?)?;
    if arguments.json {
        printer::indented_json(&to_json(&outcome));
    } else {
        print(&outcome);
    }
    Ok(match outcome.decision {
        _ if outcome.missing.is_some() => ExitCode::from(2),
        Decision::Refuse(_) => ExitCode::FAILURE,
        _ => ExitCode::SUCCESS,
    })
}

/// Explains every request in the file at `path`: one JSON object for each, in order. The exit code is 0 if all of them
/// could be explained and 2 if one could not.
fn explain_all(offline: &mut Offline, path: &Path) -> Result<ExitCode, String> {
    let text = read(path)?;
    let lines = text.split(|byte| *byte == b'\n').zip(1_usize..).filter(|(line, _)| !line.trim_ascii().is_empty());
    let (mut all, mut unknown) = (0_usize, 0_usize);
    for (line, number) in lines {
        let outcome = Case::read(line).and_then(|case| offline.decide(&case));
        let is_known = outcome.as_ref().is_ok_and(|outcome| outcome.missing.is_none());
        (all, unknown) = (all.saturating_add(1), unknown.saturating_add(usize::from(!is_known)));
        printer::json(
            &outcome.map_or_else(|error| json!({ "line": number, "error": error }), |outcome| to_json(&outcome)),
        );
    }
    if unknown == 0 {
        return Ok(ExitCode::SUCCESS);
    }
    printer::error(format_args!(
        "{}: {unknown} of {all} requests could not be explained; \"error\" or \"missing\" says why",
        path.display()
    ));
    Ok(ExitCode::from(2))
}

/// The gateway for the policy at `path`.
pub(super) fn offline(path: &Path, now: Option<u64>) -> Result<Offline, String> {
    let faults = |faults| format!("{}: {faults}", path.display());
    let policy = Policy::parse(&read(path)?).map_err(faults)?;
    #[expect(clippy::disallowed_methods, reason = "this tool uses the machine's clock")]
    let clock = || SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    Offline::new(policy, UnixTime::from_seconds(now.unwrap_or_else(clock))).map_err(|error| error.to_string())
}

/// The bytes of a file, or a message with its name.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, String> {
    std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))
}

fn case(arguments: &Explain) -> Result<Case, String> {
    let fault = |error| format!("--client: {error}");
    let facts = arguments.client.as_deref().map(|facts| Case::read(facts.as_bytes()).map_err(fault)).transpose()?;
    let facts = facts.unwrap_or_default();
    if !facts.is_of_client() {
        return Err(
            "--client: it has only facts about the client; the request, its credentials and skipped backends have \
             options of their own"
                .to_owned(),
        );
    }
    let twice = |option| Err(format!("{option}: --client has it as well; give one of the two"));
    if arguments.address.is_some() && (facts.address.is_some() || facts.client.is_some()) {
        return twice("--address");
    }
    if arguments.country.is_some() && facts.country.is_some() {
        return twice("--country");
    }
    let field = |field: &String| {
        let (name, value) = field.split_once(':').ok_or("--header is written \"name: value\"")?;
        Ok((name.trim().to_owned(), value.trim().to_owned()))
    };
    let claims = |text: &str| parse_object(text.as_bytes()).map_err(|error| format!("--claims: {}", plain(&error)));
    Ok(Case {
        method: Some(arguments.method.clone()),
        target: arguments.target.clone().unwrap_or_default(),
        headers: arguments.headers.iter().map(field).collect::<Result<_, String>>()?,
        token: arguments.token.clone(),
        claims: arguments.claims.as_deref().map(claims).transpose()?,
        skipped: arguments.skipped.clone(),
        issuer: arguments.issuer.clone(),
        address: arguments.address.or(facts.address),
        country: arguments.country.clone().or(facts.country),
        ..facts
    })
}

/// An outcome as JSON. If it is unknown, `missing` says what to give, `verdict`, `cause`, `credentials_ignored` and
/// `skipped` are null, and there is neither `status` nor `forward`.
fn to_json(outcome: &Outcome) -> Value {
    let trail = &outcome.trail;
    let steps: Vec<_> = trail.notes().iter().map(|(step, found)| json!({ "step": step, "found": found })).collect();
    let (verdict, cause, ignored, skipped) = match outcome.missing {
        None => (Some(trail.verdict), trail.cause.as_ref(), trail.credentials_ignored, Some(&trail.skipped)),
        Some(_) => (None, None, None, None),
    };
    let mut explained = json!({
        "verdict": verdict, "missing": outcome.missing, "route": trail.route, "cause": cause,
        "credentials_ignored": ignored, "shadow": trail.shadow, "subject": trail.subject,
        "issuer": trail.issuer, "skipped": skipped, "steps": steps,
    });
    let (key, value) = match &outcome.decision {
        _ if outcome.missing.is_some() => return explained,
        Decision::Refuse(problem) => ("status", json!(problem.status())),
        Decision::Forward(grant) => {
            let known = (!grant.candidates().depend_on_model()).then_some(grant);
            let (backend, region) = (known.map(|grant| grant.backend()), known.and_then(|grant| grant.region()));
            (
                "forward",
                json!({ "backend": backend, "region": region, "method": grant.method(), "path": grant.path_and_query() }),
            )
        }
        Decision::Send(served, _) => ("status", json!(served.status)),
        Decision::Respond(own) => ("status", json!(own.status)),
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
        printer::line(format_args!("unknown: {missing}"));
        return;
    }
    match &outcome.decision {
        Decision::Forward(grant) => {
            printer::line(format_args!("forwarded: {} {}", grant.method(), grant.path_and_query()));
        }
        Decision::Refuse(problem) => {
            printer::line(format_args!("refused: {} ({})", outcome.trail.verdict, problem.status()));
        }
        Decision::Send(..) | Decision::Respond(_) | Decision::Publish(_) | Decision::Preflight(_) => {
            printer::line(format_args!("the edge responds: {}", outcome.trail.verdict));
        }
    }
}
