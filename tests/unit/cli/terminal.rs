//! The output of the tool never contains control sequences for a terminal, whatever its input.

use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use super::explain::policy;
use crate::offline::NOW;

static RUNS: AtomicUsize = AtomicUsize::new(0);

/// Clears the screen, sets the title (in the same way with a byte above ASCII, too), reverses the direction of the
/// text.
const HOSTILE: &str = "a\u{1b}[2J\u{1b}]0;t\u{7}\u{9b}2J\u{7f}\u{202e}b";
const ESCAPED: &str = "a\\u{1b}[2J\\u{1b}]0;t\\u{7}\\u{9b}2J\\u{7f}\\u{202e}b";

/// The output of the tool, on both streams, with `arguments` in which these files are named.
fn printed(files: &[(&str, String)], arguments: &[&str]) -> String {
    let run = RUNS.fetch_add(1, Ordering::Relaxed);
    let folder = std::env::temp_dir().join(format!("fastgate-terminal-{}-{run}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    for (name, text) in files {
        std::fs::write(folder.join(name), text).unwrap();
    }
    let output =
        Command::new(env!("CARGO_BIN_EXE_fastgate-tool")).current_dir(&folder).args(arguments).output().unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
    let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    let steering = text.chars().find(|char| (char.is_control() && *char != '\n') || *char == '\u{202e}');
    assert_eq!(steering, None, "{arguments:?}: {text:?}");
    text
}

/// A valid policy with a rule of this name, which requires a role and a claim of this name.
fn named(name: &str) -> Value {
    let mut policy = policy(&json!({}), &json!({ "require": { "rule": name } }));
    policy["rules"] = json!({ name: { "all": [{ "role": name }, { "claim": { "name": name, "equals": name } }] } });
    policy
}

#[test]
fn names_of_a_policy_are_printed_with_escapes() {
    let file = |policy: &Value| [("policy.json", policy.to_string())];
    let explained = printed(&file(&named(HOSTILE)), &["explain", "/x", "--claims", "{}"]);
    assert!(explained.contains(ESCAPED) && explained.contains("refused: condition-unmet"), "{explained}");

    let mut hinted = named("r");
    hinted["routes"][0]["path"] = json!("/a\u{202e}b");
    let open = json!({ "id": "open", "path": "/{x}", "methods": ["DELETE"], "access": "public" });
    hinted["routes"].as_array_mut().unwrap().push(open);
    let hint = printed(&file(&hinted), &["check"]);
    assert!(hint.contains("\\u{202e}") && hint.contains("policy.json: valid"), "{hint}");

    for (place, value) in [
        ("/issuers", json!({ HOSTILE: { "issuer": HOSTILE, "backend": "", "audiences": [] } })),
        ("/routes/0/path", json!(format!("/{{{HOSTILE}}}"))),
        ("/routes/0/methods/0", json!(HOSTILE)),
        ("/routes/0/require", json!({ HOSTILE: 1 })),
        ("/routes/0/require", json!({ "rule": HOSTILE })),
        ("/edge", json!({ "issuer": "https://edge.test", "hosts": ["edge.test"], HOSTILE: 1 })),
        ("/rules", json!({ HOSTILE: { "rule": HOSTILE } })),
        ("/edge/hosts/0", json!("a\nb: valid")),
        ("/routes/0/id", json!(HOSTILE)),
    ] {
        let mut broken = named("r");
        *broken.pointer_mut(place).unwrap() = value;
        printed(&file(&broken), &["check"]);
        printed(&file(&broken), &["explain", "/x"]);
    }
    printed(&[], &["check", HOSTILE]);
    printed(&[], &["explain", "--policy", HOSTILE, "/x"]);
    printed(&[], &[HOSTILE]);
}

#[test]
fn a_line_break_in_a_name_begins_no_line() {
    let explained =
        printed(&[("policy.json", named("r\nforwarded: GET /x").to_string())], &["explain", "/x", "--claims", "{}"]);
    assert!(!explained.lines().any(|line| line.starts_with("forwarded")), "{explained}");
}

#[test]
fn texts_of_a_request_or_a_log_are_printed_with_escapes() {
    let file = ("policy.json", named("r").to_string());
    for arguments in [
        ["explain", "/x", "-X", HOSTILE],
        ["explain", "/x", "--claims", HOSTILE],
        ["explain", "/x", "--country", HOSTILE],
        ["explain", "/x", "--client", HOSTILE],
        ["explain", HOSTILE, "-X", "GET"],
    ] {
        printed(std::slice::from_ref(&file), &arguments);
        let json = printed(std::slice::from_ref(&file), &[&arguments[..], &["--json"]].concat());
        if arguments[2] == "-X" {
            assert!(serde_json::from_str::<Value>(&json).is_ok(), "{json}");
        }
    }
    let claims = json!({ "sub": "a\u{202e}b" }).to_string();
    let json = printed(std::slice::from_ref(&file), &["explain", "/x", "--json", "--claims", &claims]);
    assert_eq!(serde_json::from_str::<Value>(&json).unwrap()["subject"], "a\u{202e}b", "{json}");

    let line = json!({
        "time": NOW, "request_id": HOSTILE, "method": "GET", "verdict": "forwarded", "subject": "ada", "issuer": "main",
        "recorded": { "path": "/x", "query": 0, "client": {}, "client_id": "shop", "bound": false }
    });
    let (old, new) = (policy(&json!({}), &json!({})), policy(&json!({}), &json!({ "require": { "role": HOSTILE } })));
    let mut log = vec![line.to_string()];
    for (member, value) in [("verdict", HOSTILE), ("method", HOSTILE), ("issuer", HOSTILE)] {
        let mut hostile = line.clone();
        hostile[member] = value.into();
        log.push(hostile.to_string());
    }
    let files = [("old.json", old.to_string()), ("new.json", new.to_string()), ("log", log.join("\n"))];
    let told = printed(&files, &["diff", "old.json", "new.json", "--log", "log"]);
    assert!(told.contains(&format!("role {ESCAPED}")), "{told}");
    assert!(told.contains(&format!("the log says {ESCAPED}")), "{told}");
    let json = printed(&files, &["diff", "--json", "old.json", "new.json", "--log", "log"]);
    assert!(json.lines().all(|line| serde_json::from_str::<Value>(line).is_ok()), "{json}");
    assert!(json.contains("\\u202e"), "{json}");
}

#[test]
fn a_closed_pipe_causes_no_panic() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = Command::new(env!("CARGO_BIN_EXE_fastgate-tool")).arg("schema").stdout(writer).output().unwrap();
    assert_eq!((output.status.code(), String::from_utf8(output.stderr).unwrap()), (Some(2), String::new()));
}
