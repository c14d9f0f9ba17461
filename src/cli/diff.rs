//! `fastgate diff`: judges logged requests again with two policies and the edge's own code, and lists every verdict
//! that differs.
//!
//! A log line has no token, no header and no query. A request whose verdict may depend on them is not judged again; it
//! is counted with the reason. The same applies to a request for which the old policy does not give the verdict in the
//! log.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use fastgate::policy::{Hosts, PolicyDocument, RouteId};
use fastgate::request::{RequestHead, normalize};
use serde_json::json;

use super::explain::{offline, read};
use super::not_judged::Policies;
use super::offline::Offline;
use super::printer;
use super::recorded::{Judged, Line};

/// Two policies and a log.
#[derive(Args)]
#[command(
    after_help = "Exit code 0: all were judged and none differs; 1: some differ; 2: wrong usage; 3: none differs \
    of those that could be judged, and some could not."
)]
pub(super) struct Diff {
    /// The policy as it is.
    old: PathBuf,
    /// The policy as it may become.
    new: PathBuf,
    /// Log lines of the edge, one JSON object a line.
    #[arg(long)]
    log: PathBuf,
    /// Print JSON: one object for each verdict that differs, and one for the summary.
    #[arg(long)]
    json: bool,
}

/// The summary of a log.
#[derive(Default)]
struct Summary {
    judged: usize,
    differ: usize,
    /// How many lines could not be judged, by reason.
    not_judged: BTreeMap<String, usize>,
}

/// Runs the command. The exit code is 0 if every request was judged and no verdict differs, 1 if one differs, 2 for
/// wrong usage, and 3 if none differs of those that could be judged but some could not.
pub(super) fn diff(arguments: &Diff) -> ExitCode {
    match run(arguments) {
        Ok(summary) if summary.differ > 0 => ExitCode::FAILURE,
        Ok(summary) if summary.not_judged.is_empty() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::from(3),
        Err(message) => {
            printer::error(message);
            ExitCode::from(2)
        }
    }
}

fn run(arguments: &Diff) -> Result<Summary, String> {
    let mut old = offline(&arguments.old, Some(0))?;
    let mut new = offline(&arguments.new, Some(0))?;
    let (was, is) = (old.policy().edge(), new.policy().edge());
    // The ports of these two count as ports of every host.
    let same_ports = (&was.issuer, &was.resource) == (&is.issuer, &is.resource);
    let hosts_differ = was.hosts != is.hosts && !(same_ports && serves_all(&is.hosts, &read(&arguments.old)?)?);
    let policies = Policies::new(old.policy().clone(), new.policy().clone(), hosts_differ);
    let text = read(&arguments.log)?;
    let mut summary = Summary::default();
    for line in text.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty()) {
        let judged = Line::read(line).map_err(str::to_owned).and_then(|line| {
            let verdicts = compare(&line, &policies, &mut old, &mut new)?;
            Ok((line, verdicts))
        });
        match judged {
            Err(gap) => *summary.not_judged.entry(gap).or_default() += 1,
            Ok((line, (before, after))) => {
                summary.judged += 1;
                let moves = policies.knows_region(&line) && before.region.is_some() && after.region.is_some();
                if before.verdict != after.verdict || (moves && before.region != after.region) {
                    summary.differ += 1;
                    print_difference(&line, &before, &after, arguments.json);
                }
            }
        }
    }
    print(&summary, arguments.json);
    Ok(summary)
}

/// The verdicts of both policies on a line, or why there are none. Both count every line against their limits.
fn compare(line: &Line, policies: &Policies, old: &mut Offline, new: &mut Offline) -> Result<(Judged, Judged), String> {
    old.set_time(line.time);
    new.set_time(line.time);
    let case = line.case(old.policy());
    let judged = old.credentials(&case).map(|credentials| {
        let [before, after] = [old, new].map(|offline| line.judged(offline.decide_with(&case, &credentials).trail));
        (before, after)
    });
    if let Some(gap) = policies.gap(line) {
        return Err(gap);
    }
    let (before, after) = judged?;
    match line.contradiction(&before) {
        Some(contradiction) => Err(contradiction),
        None => Ok((before, after)),
    }
}

/// Whether `hosts` includes all hosts that `policy` names: the log does not have the host of a request.
fn serves_all(hosts: &Hosts, policy: &[u8]) -> Result<bool, String> {
    let document: PolicyDocument = serde_json::from_slice(policy).map_err(|error| error.to_string())?;
    let served = |host: &String| {
        let headers = [("host", host.as_str())].into_iter().collect();
        let (method, target) = ("GET".to_owned(), b"/".to_vec());
        normalize(RequestHead { method, target, headers, tls: true, certificate: None }, hosts).is_ok()
    };
    Ok(document.edge.hosts.iter().all(served))
}

fn print(summary: &Summary, as_json: bool) {
    let Summary { judged, differ, not_judged } = summary;
    if as_json {
        printer::json(&json!({ "judged": judged, "differ": differ, "not_judged": not_judged }));
        return;
    }
    let missing: usize = not_judged.values().sum();
    let all = judged.saturating_add(missing);
    printer::line(format_args!("{judged} of {all} requests judged by both policies, {differ} differ"));
    if missing > 0 {
        printer::line(format_args!("{missing} not judged: the verdict of the new policy on them is not known"));
    }
    for (gap, count) in not_judged {
        printer::line(format_args!("    {count} not judged because {gap}"));
    }
}

fn print_difference(line: &Line, before: &Judged, after: &Judged, as_json: bool) {
    let cause = after.cause.as_ref().or(before.cause.as_ref());
    let route = after.route.as_ref().or(before.route.as_ref());
    let path = &line.recorded.path;
    if as_json {
        let difference = json!({
            "request_id": line.request_id, "time": line.time, "method": line.method, "path": path, "route": route,
            "old": before.verdict, "new": after.verdict, "old_region": before.region, "new_region": after.region, "cause": cause
        });
        printer::json(&difference);
        return;
    }
    printer::line(format_args!("{} {path}  {} → {}", line.method, before.outcome(), after.outcome()));
    printer::line(format_args!("    route {}", route.map_or("none", RouteId::as_str)));
    if let Some(cause) = cause {
        let since = if after.cause.is_some() { "now" } else { "no longer" };
        printer::line(format_args!("    {since} because {cause}"));
    }
}
