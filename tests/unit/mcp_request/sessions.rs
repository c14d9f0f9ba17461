//! Sessions of the revisions before 2026-07-28. Rows O22 to O26 of docs/attacks.md.

use fastgate::headers::{Headers, response_fields};
use fastgate::mint::new_signing_keys;
use serde_json::{Value, json};

use super::{caller, document, error, gate, sent};
use crate::offline::fakes::{FakeBody, FakeKeys};
use crate::offline::{Gate, Outcome, policy_of, request, text};
use crate::samples::sign::{claims, header, token, with};

const MODERN: &str = "2026-07-28";
const PING: &str = r#"{"jsonrpc":"2.0","id":7,"method":"ping"}"#;

/// A token of another subject.
fn other() -> String {
    token(&header(), &with(&with(&claims(), "scope", json!("mcp")), "sub", json!("other-user")))
}

/// The ids in the response of a server that gives these.
fn given(outcome: &Outcome, ids: &[&str]) -> Vec<String> {
    let arrived: Headers =
        ids.iter().map(|id| ("mcp-session-id", *id)).chain([("content-type", "text/plain")]).collect();
    let edited = outcome.grant().response().apply_to_origin(&response_fields(&arrived));
    edited.all("mcp-session-id").map(text).collect()
}

/// The id that a client of the gate has for the session `s-1`.
fn session(gate: &Gate) -> String {
    let outcome = sent(gate, &caller("mcp", "user"), PING, &[]);
    assert!(outcome.sent("mcp-session-id").is_empty());
    let [id] = <[String; 1]>::try_from(given(&outcome, &["s-1"])).unwrap();
    assert!(id.starts_with("s-1."), "{id}");
    id
}

/// Sends a request without a body.
fn bodiless(gate: &Gate, method: &str, token: &str, fields: &[(&str, &str)]) -> Outcome {
    gate.fakes().body = FakeBody::of(b"");
    gate.send(
        fields.iter().fold(request(method, "/mcp").bearer(token), |request, (name, value)| request.field(name, value)),
    )
}

#[test]
fn the_server_receives_its_own_id() {
    let gate = gate();
    let (me, id) = (caller("mcp", "user"), session(&gate));
    let session = [("mcp-session-id", id.as_str()), ("mcp-protocol-version", "2025-11-25")];
    for outcome in [
        sent(&gate, &me, PING, &session),
        bodiless(&gate, "GET", &me, &session),
        bodiless(&gate, "DELETE", &me, &session),
    ] {
        assert_eq!(outcome.trail.verdict, "forwarded", "{:?}", outcome.trail.cause);
        assert_eq!(outcome.sent("mcp-session-id"), ["s-1"]);
        assert_eq!(given(&outcome, &["s-1"]), [id.as_str()], "the id stays the same");
        assert!(!outcome.trail.to_line().contains("s-1"), "{}", outcome.trail.to_line());
    }
    // With another token of the same caller it goes on.
    assert_eq!(sent(&gate, &caller("mcp orders:read", "admin"), PING, &session).trail.verdict, "forwarded");
}

#[test]
fn a_session_that_is_not_the_callers_is_unknown() {
    let gate = gate();
    let (me, other, id) = (caller("mcp", "user"), other(), session(&gate));
    let long = "x".repeat(1024 + 1 + 22 + 1);
    let altered = format!("t{}", &id[1..]);
    let one = |value: &str| vec![value.to_owned()];
    for (token, values) in [
        (&other, one(&id)),
        (&me, one("s-1")),
        (&me, one("")),
        (&me, one(&altered)),
        (&me, one(&id[..id.len() - 1])),
        (&me, one(&long)),
        (&me, vec![id.clone(), id.clone()]),
        (&me, vec![id.clone(), "s-1".to_owned()]),
    ] {
        let fields: Vec<_> = values.iter().map(|value| ("mcp-session-id", value.as_str())).collect();
        for outcome in [
            sent(&gate, token, PING, &fields),
            bodiless(&gate, "GET", token, &fields),
            bodiless(&gate, "DELETE", token, &fields),
        ] {
            assert_eq!((outcome.trail.verdict, outcome.problem().status()), ("mcp-session-unknown", 404), "{values:?}");
            let error = error(&outcome);
            assert_eq!((&error["jsonrpc"], &error["error"]["code"]), (&json!("2.0"), &json!(-32600)));
            let line = outcome.trail.to_line();
            assert!(!line.contains("s-1") && !outcome.problem().body().contains("s-1"), "{line}");
        }
    }
    assert_eq!(error(&sent(&gate, &me, PING, &[("mcp-session-id", "s-1")]))["id"], 7);
}

#[test]
fn a_session_is_of_one_route() {
    let mut document = document(&json!({}));
    let mut twin: Value = document["routes"].as_array().unwrap().last().unwrap().clone();
    (twin["id"], twin["path"]) = (json!("twin"), json!("/twin"));
    let mut plain = twin.clone();
    (plain["id"], plain["path"]) = (json!("plain"), json!("/plain"));
    plain.as_object_mut().unwrap().remove("mcp");
    document["routes"].as_array_mut().unwrap().extend([twin, plain]);
    let gate = Gate::new(policy_of(&document), FakeKeys::of_both());
    let id = session(&gate);
    let at = |path: &str, id: &str| {
        gate.fakes().body = FakeBody::of(b"");
        gate.send(request("GET", path).bearer(&caller("mcp", "user")).field("mcp-session-id", id))
    };
    assert_eq!(at("/twin", &id).trail.verdict, "mcp-session-unknown");
    assert_eq!(at("/mcp", &id).trail.verdict, "forwarded");
    // A route without `mcp` is for the application to judge.
    let outcome = at("/plain", "s-1");
    assert_eq!(
        (outcome.sent("mcp-session-id"), given(&outcome, &["s-2"])),
        (vec!["s-1".to_owned()], vec!["s-2".to_owned()])
    );
}

#[test]
fn the_revision_without_sessions_has_none() {
    let gate = gate();
    let body = json!({ "jsonrpc": "2.0", "id": 7, "method": "tools/list", "params": { "_meta": {
        "io.modelcontextprotocol/protocolVersion": MODERN, "io.modelcontextprotocol/clientCapabilities": {}
    } } });
    for id in ["s-1", &session(&gate)] {
        let fields = [("mcp-session-id", id), ("mcp-protocol-version", MODERN)];
        let me = caller("mcp", "user");
        for outcome in [sent(&gate, &me, body.to_string(), &fields), bodiless(&gate, "GET", &me, &fields)] {
            assert_eq!(outcome.trail.verdict, "forwarded", "{:?}", outcome.trail.cause);
            assert!(outcome.sent("mcp-session-id").is_empty());
            assert!(given(&outcome, &["s-1"]).is_empty());
        }
        // A version in two fields, or of no known revision, is no reason to ignore the id.
        for version in [&[MODERN, "2025-11-25"][..], &[MODERN, MODERN], &["2026-07-29"], &[""]] {
            let fields =
                version.iter().map(|version| ("mcp-protocol-version", *version)).chain([("mcp-session-id", "s-1")]);
            let outcome = bodiless(&gate, "GET", &me, &fields.collect::<Vec<_>>());
            assert_eq!(outcome.trail.verdict, "mcp-session-unknown", "{version:?}");
        }
    }
}

#[test]
fn responses_with_other_ids_have_none() {
    let outcome = sent(&gate(), &caller("mcp", "user"), PING, &[]);
    for ids in [&[][..], &[""], &["a b"], &["s-1", "s-2"], &["caf\u{e9}"], &[&"x".repeat(1025)]] {
        assert!(given(&outcome, ids).is_empty(), "{ids:?}");
    }
    assert_eq!(given(&outcome, &[&"x".repeat(1024)]).len(), 1);
}

#[test]
fn sessions_outlast_a_rotation_as_long_as_the_old_key_is_listed() {
    let keys = |json: &str| serde_json::from_str::<Value>(json).unwrap()["keys"].as_array().unwrap().clone();
    let (old, new) = (new_signing_keys().0, new_signing_keys().0);
    let set = |sets: [&str; 2]| json!({ "keys": sets.map(keys).concat() }).to_string();
    let gates = [old.clone(), set([&old, &new]), set([&new, &old]), new.clone()]
        .map(|keys| Gate::with_signing_keys(policy_of(&document(&json!({}))), FakeKeys::of_both(), &keys));
    let verdict =
        |gate: &Gate, id: &str| sent(gate, &caller("mcp", "user"), PING, &[("mcp-session-id", id)]).trail.verdict;
    let of_old = session(&gates[0]);
    let verdicts = [0, 1, 2, 3].map(|number| verdict(&gates[number], &of_old));
    assert_eq!(verdicts, ["forwarded", "forwarded", "forwarded", "mcp-session-unknown"]);
    // Points of presence do not learn of the step at the same time.
    let of_new = session(&gates[2]);
    let verdicts = [0, 1, 2, 3].map(|number| verdict(&gates[number], &of_new));
    assert_eq!(verdicts, ["mcp-session-unknown", "forwarded", "forwarded", "forwarded"]);
}
