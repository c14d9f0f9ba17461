//! `fastgate revoke`, run as a program.

use std::process::{Command, Output};

use fastgate::identity::deny_list::{Entry, RevocationClaim, RevocationKey};
use serde_json::{Value, json};

use crate::offline::{NOW, get};
use crate::opaque::gate_with;
use crate::rules::MAIN;

fn revoke(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_fastgate-tool"))
        .args(["revoke", "--issuer", "https://idp.test"])
        .args(arguments)
        .output()
        .unwrap()
}

fn printed(arguments: &[&str]) -> (Value, String) {
    let output = revoke(arguments);
    assert!(output.status.success(), "{output:?}");
    (serde_json::from_slice(&output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn it_prints_the_key_that_the_edge_looks_up() {
    for (option, kind, value) in [
        ("--jti", RevocationClaim::Token, "t'1"),
        ("--sid", RevocationClaim::Session, "s 1"),
        ("--sub", RevocationClaim::Subject, "alice"),
    ] {
        let (entry, command) = printed(&[option, value, "--until", "1800000060"]);
        let key = RevocationKey::new(kind, "https://idp.test", value).store_key();
        assert_eq!((&entry["key"], &entry["value"]["until"]), (&json!(key), &json!(NOW + 60)));
        let read = Entry::parse(entry["value"].to_string().as_bytes());
        let line =
            format!("fastly kv-store-entry create --store-id \"$STORE\" --key {key} --value '{}'", read.to_json());
        assert!(command.contains(&line), "{command}");

        let gate = gate_with(&json!({ "deny_list": true }));
        let token = MAIN.token(NOW, json!({ "jti": "t'1", "sid": "s 1", "iat": 5 }));
        assert_eq!(gate.verdict(get("/me").bearer(&token)), "forwarded");
        gate.fakes().deny_list.entries.insert(key, entry["value"].to_string());
        assert_eq!(gate.verdict(get("/me").bearer(&token)), "token-revoked", "{option}");
    }
}

#[test]
fn a_subject_is_revoked_up_to_now_unless_another_moment_is_named() {
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs();
    let near = |moment: &Value, expected: u64| moment.as_u64().unwrap().abs_diff(expected) < 30;
    let (entry, _) = printed(&["--sub", "alice"]);
    assert!(near(&entry["value"]["not_before"], now) && near(&entry["value"]["until"], now + 30 * 86_400), "{entry}");
    let (entry, _) = printed(&["--sub", "alice", "--not-before", "-1h", "--until", "+8h"]);
    assert!(near(&entry["value"]["not_before"], now - 3600) && near(&entry["value"]["until"], now + 28_800), "{entry}");
    let (entry, _) = printed(&["--jti", "t"]);
    assert!(entry["value"].get("not_before").is_none(), "a token is revoked regardless of its age");
}

#[test]
fn an_invalid_call_prints_no_entry() {
    for wrong in [
        &[][..],
        &["--jti", "a", "--sub", "b"],
        &["--jti", "a", "--not-before", "5"],
        &["--jti", "a", "--until", "-1h"],
        &["--jti", "a", "--until", "tomorrow"],
    ] {
        let output = revoke(wrong);
        assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{wrong:?}");
    }
}
