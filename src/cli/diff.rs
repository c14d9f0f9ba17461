//! `fastgate diff`: logged requests, judged again by two policies with the edge's own code; every verdict that differs.
//!
//! A log line carries no token, no header and no query. A request whose verdict may hang on them is not judged again: it
//! is counted, and it is said why.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use fastgate::trail::Trail;
use serde_json::json;

use super::desk::Desk;
use super::explain::{desk, read};
use super::replay::Line;

/// Two policies and a log.
#[derive(Args)]
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

/// Replays; the exit code is 0 where no verdict differs, 1 where one does.
pub(super) fn diff(arguments: &Diff) -> ExitCode {
    match run(arguments) {
        Ok(0) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::from(2)
        }
    }
}

fn run(arguments: &Diff) -> Result<usize, String> {
    let mut old = desk(&arguments.old, Some(0))?;
    let mut new = desk(&arguments.new, Some(0))?;
    let text = read(&arguments.log)?;
    let (mut judged, mut flips) = (0_usize, 0_usize);
    let mut gaps: BTreeMap<&str, usize> = BTreeMap::new();
    for line in text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let Ok(line) = serde_json::from_slice::<Line>(line) else {
            *gaps.entry("no log line of a request with a canonical path").or_default() += 1;
            continue;
        };
        if let Some(gap) = line.gap(old.policy()).or_else(|| line.gap(new.policy())) {
            *gaps.entry(gap).or_default() += 1;
            continue;
        }
        judged += 1;
        let (before, after) = (replay(&mut old, &line)?, replay(&mut new, &line)?);
        if before.verdict != after.verdict {
            flips += 1;
            tell(&line, &before, &after, arguments.json);
        }
    }
    if arguments.json {
        println!("{}", json!({ "judged": judged, "differ": flips, "not_judged": gaps }));
        return Ok(flips);
    }
    println!("{judged} judged by both, {flips} differ");
    for (gap, count) in gaps {
        println!("{count} not judged: {gap}");
    }
    Ok(flips)
}

fn replay(desk: &mut Desk, line: &Line) -> Result<Trail, String> {
    desk.set_time(line.time);
    let case = line.case(desk.policy());
    desk.judge(&case).map(|outcome| outcome.trail)
}

fn tell(line: &Line, before: &Trail, after: &Trail, as_json: bool) {
    let cause = after.cause.as_ref().or(before.cause.as_ref());
    let route = after.route.as_ref().or(before.route.as_ref());
    let path = &line.replay.path;
    if as_json {
        let flip = json!({
            "request_id": line.request_id, "time": line.time, "method": line.method, "path": path, "route": route,
            "old": before.verdict, "new": after.verdict, "cause": cause
        });
        println!("{flip}");
        return;
    }
    println!("{} {path}  {} → {}", line.method, before.verdict, after.verdict);
    println!("    route {}", route.map_or("none", String::as_str));
    if let Some(cause) = cause {
        println!("    {} because {cause}", if after.cause.is_some() { "now" } else { "no longer" });
    }
}
