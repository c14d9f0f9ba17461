//! The matcher of the edge compared with a real Starlette router, on tens of thousands of generated requests: both find
//! the same route. The cases are the same in every run.
//!
//! A case is a table of routes and a raw request target. Here the target is normalized and matched;
//! `starlette_dispatch.py` decodes the raw and the canonical path as uvicorn does and lets Starlette dispatch both.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use fastgate::policy::Policy;
use fastgate::policy::pattern::PathTemplate;
use fastgate::route::{RouteError, find};
use serde_json::{Value, json};

use crate::offline::{request, text};
use crate::random::Random;
use crate::samples::policy_with_routes;

const TABLES: usize = 160;
const TARGETS: usize = 160;
const SEGMENTS: [&str; 22] = [
    "a",
    "b",
    "orders",
    "admin",
    "me",
    "a b",
    "é",
    "50%",
    "x;y=1",
    "a[1]|b",
    "\"<^`>\"",
    ".hidden",
    "v1",
    "7",
    "{}",
    "{}",
    "{:int}",
    "{:float}",
    "{:uuid}",
    "v{}",
    "{}.txt",
    "v{:int}.x",
];
/// Values of parameters; some are nearly valid.
const VALUES: [&str; 24] = [
    "a",
    "b",
    "orders",
    "me",
    "7",
    "007",
    "1.5",
    "1.",
    "-1",
    "٣",
    "é",
    "e\u{301}",
    "😀",
    "x;y=1",
    "a b",
    "50%",
    "%2e",
    ".hidden",
    "v7",
    "v7.x",
    "a.txt",
    "{x}",
    "[a]|^`\"<>",
    "123e4567-e89b-12d3-a456-426614174000",
];

#[test]
fn edge_and_starlette_always_find_the_same_route() {
    let mut random = Random(2);
    let mut lines = Vec::new();
    let mut decisions = Vec::new();
    for _ in 0..TABLES {
        let routes = routes(&mut random);
        let listed: Vec<_> = routes.iter().map(|(id, path, methods)| (&**id, &**path, *methods)).collect();
        let policy = policy_with_routes(&listed);
        lines.push(json!({ "routes": in_order_of_specificity(&policy) }));
        for _ in 0..TARGETS {
            let (method, raw) = (random.pick(&["GET", "POST"]), raw_path(&mut random, &routes));
            let Ok(target) = request(method, &raw).normalized() else { continue };
            let decision = match find(&policy, &target) {
                Ok(route) => route.id.to_string(),
                Err(RouteError::NoRoute) => "not found".to_owned(),
                Err(RouteError::MethodNotAllowed { .. }) => "method not allowed".to_owned(),
            };
            let canonical = target.path().encoded();
            lines.push(json!({ "method": method, "raw": raw, "canonical": canonical }));
            let path = target.path().decoded().to_owned();
            decisions.push(json!({ "path": path, "raw": decision, "canonical": decision }));
        }
    }

    let dispatched = starlette(&lines);
    assert_eq!(dispatched.len(), decisions.len());
    let cases = lines.iter().filter(|line| line.get("raw").is_some());
    for ((case, decided), dispatched) in cases.zip(&decisions).zip(&dispatched) {
        assert_eq!(decided, dispatched, "edge on the left, Starlette on the right, for {case}");
    }
    the_generated_cases_are_varied(&decisions, &lines);
}

/// The test would also pass if nearly no request matched, or if every path were canonical.
fn the_generated_cases_are_varied(decisions: &[Value], lines: &[Value]) {
    let mut kinds = BTreeMap::new();
    for decision in decisions {
        let kind = decision["raw"].as_str().unwrap();
        *kinds.entry(if kind.contains(' ') { kind } else { "routed" }).or_insert(0) += 1;
    }
    let odd = lines.iter().filter(|line| line["raw"] != line["canonical"]).count();
    let total = decisions.len();
    assert!(total >= 20_000, "only {total} paths");
    assert!(kinds["routed"] > total / 4 && kinds["not found"] > total / 10, "{kinds:?}");
    assert!(kinds["method not allowed"] > total / 100, "{kinds:?}");
    assert!(odd > total / 10, "only {odd} of {total} are not canonical as they come");
}

/// The result of Starlette for each case.
fn starlette(lines: &[Value]) -> Vec<Value> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let python = root.join(".venv/bin/python");
    assert!(python.exists(), "{} is missing: run `make test`", python.display());
    let mut child = Command::new(python)
        .arg(root.join("tests/unit/routing/starlette_dispatch.py"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let cases = lines.iter().map(Value::to_string).collect::<Vec<_>>().join("\n");
    let writer = std::thread::spawn(move || input.write_all(cases.as_bytes()).unwrap());
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    assert!(output.status.success(), "starlette_dispatch.py failed");
    text(&output.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Starlette takes the first matching route, so the most specific routes are given first.
fn in_order_of_specificity(policy: &Policy) -> Value {
    let mut routes: Vec<_> = policy.routes().iter().collect();
    routes.sort_by(|one, two| two.template.cmp_specificity(&one.template));
    let told = |route: &&fastgate::policy::Route| {
        let methods: Vec<_> = route.methods.iter().map(|method| method.as_str()).collect();
        json!({ "id": route.id, "path": route.template.as_str(), "methods": methods })
    };
    routes.iter().map(told).collect()
}

/// Overlapping templates: id, path, methods.
fn routes(random: &mut Random) -> Vec<(String, String, &'static str)> {
    let mut routes: Vec<(String, String, &'static str)> = Vec::new();
    // Few different segments in one table, so that its templates overlap.
    let vocabulary: Vec<_> = (0..5).map(|_| random.pick(&SEGMENTS)).collect();
    for number in 0..12 {
        let mut segments: Vec<_> = (0..random.below(4)).map(|_| random.pick(&vocabulary)).collect();
        if random.below(3) == 0 {
            let place = random.below(segments.len() + 1);
            segments.insert(place, "{:path}");
        }
        let named = segments.iter().enumerate().map(|(place, segment)| segment.replace('{', &format!("{{p{place}")));
        let mut path: String = named.flat_map(|segment| ["/".to_owned(), segment]).collect();
        if path.is_empty() || random.below(8) == 0 {
            path.push('/');
        }
        let methods = random.pick(&["GET", "GET", "POST", "GET POST"]);
        let template = PathTemplate::parse(&path).unwrap();
        let twin =
            routes.iter().any(|(_, other, _)| PathTemplate::parse(other).unwrap().cmp_specificity(&template).is_eq());
        if !twin {
            routes.push((format!("r{number}"), path, methods));
        }
    }
    routes
}

/// A path that matches one of the routes or nearly does, with some bytes encoded that need not be.
fn raw_path(random: &mut Random, routes: &[(String, String, &'static str)]) -> String {
    let template = &routes[random.below(routes.len())].1;
    let mut segments: Vec<String> = Vec::new();
    for segment in template.split('/').skip(1) {
        match segment.split_once('{').and_then(|(prefix, rest)| Some((prefix, rest.split_once('}')?))) {
            Some((_, (parameter, _))) if parameter.ends_with(":path") => {
                segments.extend((0..random.below(4)).map(|_| random.pick(&VALUES).to_owned()));
            }
            Some((prefix, (_, suffix))) => segments.push(format!("{prefix}{}{suffix}", random.pick(&VALUES))),
            None => segments.push(segment.to_owned()),
        }
    }
    match random.below(10) {
        0 => segments.push(String::new()),
        1 => drop(segments.pop()),
        2 => segments.push(random.pick(&VALUES).to_owned()),
        3 => {
            let place = random.below(segments.len() + 1);
            segments.insert(place, random.pick(&["a", ".", "..", "orders", ""]).to_owned());
        }
        _ => {}
    }
    let mut raw = String::new();
    for segment in &segments {
        raw.push('/');
        for byte in segment.bytes() {
            let lax = b"\"<>[]^`{|}".contains(&byte) && random.below(2) == 0;
            let must = !(lax || byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@".contains(&byte));
            let encoded = match random.below(24) {
                0 => format!("%{byte:02x}"),
                1 => format!("%{byte:02X}"),
                _ if must => format!("%{byte:02X}"),
                _ => char::from(byte).to_string(),
            };
            raw.push_str(&encoded);
        }
    }
    if raw.is_empty() { "/".to_owned() } else { raw }
}
