//! `fastgate diff`, with a log that the edge has written.

use std::process::Command;

use hyper::Body;
use serde_json::{Value, json};

use super::gate::{Gate, Setting, get, get_as, request};
use super::places::world;
use crate::support::provider;

const BERLIN: &str = "198.51.100.10";
const TOKYO: &str = "2001:db8:81::1";

fn policy(place: &str, scope: &str, count: u64) -> Value {
    json!({
        "places": { "here": { "allow": [{ "country": [place] }] } },
        "limits": { "l": { "count": count, "window": 3600, "by": ["subject"] } },
        "routes": [
            { "id": "root", "path": "/", "methods": ["GET"], "access": "public", "from": ["here"] },
            { "id": "read", "path": "/read", "methods": ["GET"], "require": { "any": [{ "scope": scope }, { "role": "boss" }] } },
            { "id": "often", "path": "/often", "methods": ["GET"], "limits": ["l"] },
            { "id": "tenant", "path": "/t", "methods": ["GET"],
              "require": { "claim": { "name": "tenant", "equals": "acme" } } }
        ]
    })
}

#[test]
fn different_verdicts_are_listed_and_requests_that_cannot_be_judged_again_are_counted() {
    let (old, new) = (policy("DE", "r", 9), policy("JP", "r:all", 1));
    let gate = Gate::with(&old, &Setting { manifest: world(), ..Setting::default() });
    let reader = gate.token(json!({ "scope": "r" }));
    let boss = gate.token(json!({ "sub": "boss", "roles": ["boss"] }));
    for (client, sent) in [
        (BERLIN, get("/")),
        (TOKYO, get("/")),
        (BERLIN, get_as("/read", &reader)),
        (BERLIN, get_as("/read", &boss)),
        (BERLIN, get("/read")),
        (BERLIN, get_as("/read", "secret.bad.token")),
        (BERLIN, get_as("/often?token=secret", &reader)),
        (BERLIN, get_as("/often", &reader)),
        (BERLIN, get_as("/t", &reader)),
        (BERLIN, get("/none")),
        (BERLIN, request("GET", "//").body(Body::empty()).unwrap()),
    ] {
        gate.send_from(client.parse().unwrap(), sent);
    }
    let log: Vec<Value> = gate.lines_in_order(11);
    let text: String = log.iter().map(|line| format!("{line}\n")).collect();
    assert!(!text.contains("secret") && !text.contains(&reader), "the log holds no token and no query");

    let folder = std::env::temp_dir().join(format!("fastgate-diff-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let old = file("old.json", &provider::policy(&old).to_string());
    let new = file("new.json", &provider::policy(&new).to_string());
    let diff = |old: &std::path::Path, new: &std::path::Path| {
        let log = file("requests.ndjson", &text);
        let command = Command::new(env!("CARGO_BIN_EXE_fastgate-tool"))
            .args(["diff", "--json", "--log"])
            .args([log.as_path(), old, new])
            .output()
            .unwrap();
        let lines = String::from_utf8(command.stdout).unwrap();
        let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        (command.status.code(), lines)
    };
    let (code, same) = diff(&old, &old);
    assert_eq!((code, same.len(), &same[0]["judged"], &same[0]["differ"]), (Some(3), 1, &json!(9), &json!(0)));
    let (code, mut flips) = diff(&old, &new);
    let sum = flips.pop().unwrap();
    assert_eq!(code, Some(1));
    let told: Vec<_> =
        flips.iter().map(|flip| [&flip["path"], &flip["old"], &flip["new"]].map(Value::to_string)).collect();
    assert_eq!(
        told,
        [
            ["\"/\"", "\"forwarded\"", "\"place-not-allowed\""],
            ["\"/\"", "\"place-not-allowed\"", "\"forwarded\""],
            ["\"/read\"", "\"forwarded\"", "\"condition-unmet\""],
            ["\"/often\"", "\"forwarded\"", "\"limit-exceeded\""],
        ]
    );
    assert_eq!(flips[2]["cause"], "the caller does not meet: any of (scope r:all; role boss)");
    assert_eq!(sum["not_judged"]["its route reads a claim"], 1);
    assert_eq!(sum["not_judged"]["it is not a log line of a request with a canonical path"], 1);
    std::fs::remove_dir_all(&folder).unwrap();
}
