//! `fastgate diff`: logged requests, judged again by two policies with the edge's own code; every verdict that differs.
//!
//! A log line carries no token, no header and no query. A request whose verdict may hang on them is not judged again: it
//! is counted, and it is said why. So is one of which the old policy does not give what the log says became of it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use fastgate::policy::{Hosts, PolicyDocument};
use fastgate::request::{RequestHead, normalize};
use serde_json::json;

use super::explain::{offline, read};
use super::gaps::Policies;
use super::offline::Offline;
use super::printer;
use super::recorded::{Judged, Line};

/// Two policies and a log.
#[derive(Args)]
#[command(
    after_help = "Exit code 0: all were judged and none differs; 1: some differ; 2: the call was wrong; 3: none differs \
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
    /// Print JSON: one object for each verdict that differs, one for the sum.
    #[arg(long)]
    json: bool,
}

/// What came of a log.
#[derive(Default)]
struct Sum {
    judged: usize,
    differ: usize,
    /// How many lines could not be judged, by the reason.
    not_judged: BTreeMap<String, usize>,
}

/// Replays; the exit code is 0 where all was judged and no verdict differs, 1 where one does, 2 where the call was wrong,
/// and 3 where none differs of those that could be judged.
pub(super) fn diff(arguments: &Diff) -> ExitCode {
    match run(arguments) {
        Ok(sum) if sum.differ > 0 => ExitCode::FAILURE,
        Ok(sum) if sum.not_judged.is_empty() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::from(3),
        Err(message) => {
            printer::error(message);
            ExitCode::from(2)
        }
    }
}

fn run(arguments: &Diff) -> Result<Sum, String> {
    let mut old = offline(&arguments.old, Some(0))?;
    let mut new = offline(&arguments.new, Some(0))?;
    let (was, is) = (old.policy().edge(), new.policy().edge());
    // The ports of these two count as ports of every host.
    let same_ports = (&was.issuer, &was.resource) == (&is.issuer, &is.resource);
    let hosts_differ = was.hosts != is.hosts && !(same_ports && serves_all(&is.hosts, &read(&arguments.old)?)?);
    let policies = Policies::new(old.policy().clone(), new.policy().clone(), hosts_differ);
    let text = read(&arguments.log)?;
    let mut sum = Sum::default();
    for line in text.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty()) {
        let judged = Line::read(line).map_err(str::to_owned).and_then(|line| {
            let verdicts = compare(&line, &policies, &mut old, &mut new)?;
            Ok((line, verdicts))
        });
        match judged {
            Err(gap) => *sum.not_judged.entry(gap).or_default() += 1,
            Ok((line, (before, after))) => {
                sum.judged += 1;
                if before.verdict != after.verdict {
                    sum.differ += 1;
                    tell(&line, &before, &after, arguments.json);
                }
            }
        }
    }
    print(&sum, arguments.json);
    Ok(sum)
}

/// What both policies make of a line, or why that cannot be said. Both count every line against their limits.
fn compare(line: &Line, policies: &Policies, old: &mut Offline, new: &mut Offline) -> Result<(Judged, Judged), String> {
    old.set_time(line.time);
    new.set_time(line.time);
    let case = line.case(old.policy());
    let judged = old.credentials(&case).map(|credentials| {
        let [before, after] = [old, new].map(|offline| line.judged(offline.judge_with(&case, &credentials).trail));
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

/// Whether `hosts` are served that `policy` names: the log does not tell which of them a request named.
fn serves_all(hosts: &Hosts, policy: &[u8]) -> Result<bool, String> {
    let document: PolicyDocument = serde_json::from_slice(policy).map_err(|error| error.to_string())?;
    let served = |host: &String| {
        let headers = [("host", host.as_str())].into_iter().collect();
        let (method, target) = ("GET".to_owned(), b"/".to_vec());
        normalize(RequestHead { method, target, headers, tls: true, certificate: None }, hosts).is_ok()
    };
    Ok(document.edge.hosts.iter().all(served))
}

fn print(sum: &Sum, as_json: bool) {
    let Sum { judged, differ, not_judged } = sum;
    if as_json {
        printer::json(&json!({ "judged": judged, "differ": differ, "not_judged": not_judged }));
        return;
    }
    let missing: usize = not_judged.values().sum();
    let all = judged.saturating_add(missing);
    printer::line(format_args!("{judged} of {all} requests judged by both policies, {differ} differ"));
    if missing > 0 {
        printer::line(format_args!("{missing} not judged: what the new policy does to them is not known"));
    }
    for (gap, count) in not_judged {
        printer::line(format_args!("    {count} not judged because {gap}"));
    }
}

fn tell(line: &Line, before: &Judged, after: &Judged, as_json: bool) {
    let cause = after.cause.as_ref().or(before.cause.as_ref());
    let route = after.route.as_ref().or(before.route.as_ref());
    let path = &line.recorded.path;
    if as_json {
        let flip = json!({
            "request_id": line.request_id, "time": line.time, "method": line.method, "path": path, "route": route,
            "old": before.verdict, "new": after.verdict, "cause": cause
        });
        printer::json(&flip);
        return;
    }
    printer::line(format_args!("{} {path}  {} → {}", line.method, before.verdict, after.verdict));
    printer::line(format_args!("    route {}", route.map_or("none", String::as_str)));
    if let Some(cause) = cause {
        let since = if after.cause.is_some() { "now" } else { "no longer" };
        printer::line(format_args!("    {since} because {cause}"));
    }
}
