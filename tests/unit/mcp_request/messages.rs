//! The envelope of messages, and the header fields that mirror them.

use serde_json::{Value, json};

use super::{caller, document, error, gate, sent};
use crate::offline::fakes::{FakeBody, FakeKeys};
use crate::offline::{Gate, policy_of, request};

/// The verdict, the status code and the code of the error for a body.
fn outcome(gate: &Gate, body: &[u8]) -> (&'static str, u16, Value) {
    let outcome = sent(gate, &caller("mcp", "user"), body, &[]);
    match outcome.trail.verdict {
        "forwarded" => ("forwarded", 200, Value::Null),
        verdict => (verdict, outcome.problem().status(), error(&outcome)["error"]["code"].clone()),
    }
}

#[test]
fn messages_are_strict() {
    let gate = gate();
    let call =
        |more: &str| format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"ping"{more}}}}}"#);
    let batch = format!("[{}]", vec![call(""); 1000].join(","));
    let deep = call(&format!(",\"arguments\":{}{}", "[".repeat(10_000), "]".repeat(10_000)));
    for (body, verdict, status, code) in [
        (call(""), "forwarded", 200, json!(null)),
        (call("").replace('1', "\"a\""), "forwarded", 200, json!(null)),
        (call("").replace("\"id\":1", "\"id\":9007199254740992"), "forwarded", 200, json!(null)),
        (r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#.to_owned(), "forwarded", 200, json!(null)),
        (r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#.to_owned(), "forwarded", 200, json!(null)),
        (r#"{"jsonrpc":"2.0","id":3,"result":{}}"#.to_owned(), "forwarded", 200, json!(null)),
        (batch, "mcp-batch", 400, json!(-32600)),
        (" []".to_owned(), "mcp-batch", 400, json!(-32600)),
        ("{".to_owned(), "body-not-json", 400, json!(-32700)),
        (String::new(), "body-not-object", 400, json!(-32600)),
        (deep, "body-too-deep", 400, json!(-32600)),
        (call("").replace("\"id\"", "\"method\":\"ping\",\"id\""), "member-repeated", 400, json!(-32600)),
        (call(",\"n\\u0061me\":\"cancel_order\""), "member-repeated", 400, json!(-32600)),
        (call(",\"Name\":\"cancel_order\""), "mcp-parameters", 400, json!(-32602)),
        (call(",\"name\\u0000\":\"cancel_order\""), "mcp-parameters", 400, json!(-32602)),
        (call("").replace("\"ping\"", "[\"ping\"]"), "mcp-parameters", 400, json!(-32602)),
        (call("").replace("\"name\"", "\"tool\""), "mcp-parameters", 400, json!(-32602)),
        (call("").replace("\"2.0\"", "\"1.0\""), "mcp-malformed", 400, json!(-32600)),
        (call("").replace("\"2.0\"", "2.0"), "mcp-malformed", 400, json!(-32600)),
        (call("").replace("\"id\":1,", ""), "mcp-malformed", 400, json!(-32600)),
        (call("").replace("\"id\":1", "\"id\":null"), "mcp-malformed", 400, json!(-32600)),
        (call("").replace("\"id\":1", "\"id\":1.0"), "mcp-malformed", 400, json!(-32600)),
        (call("").replace("\"id\":1", "\"id\":1e2"), "mcp-malformed", 400, json!(-32600)),
        (call("").replace("\"id\":1", "\"id\":9007199254740993"), "mcp-malformed", 400, json!(-32600)),
        (call("").replace("\"id\":1", "\"id\":[1]"), "mcp-malformed", 400, json!(-32600)),
        (call("").replace("\"id\"", "\"Method\":\"ping\",\"id\""), "mcp-malformed", 400, json!(-32600)),
        (call("").replace("\"id\"", "\"result\":{},\"id\""), "mcp-malformed", 400, json!(-32600)),
        (r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":[]}"#.to_owned(), "mcp-malformed", 400, json!(-32600)),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"notifications/initialized"}"#.to_owned(),
            "mcp-malformed",
            400,
            json!(-32600),
        ),
        (r#"{"jsonrpc":"2.0","id":1,"result":{},"error":{}}"#.to_owned(), "mcp-malformed", 400, json!(-32600)),
        (r#"{"jsonrpc":"2.0","result":{}}"#.to_owned(), "mcp-malformed", 400, json!(-32600)),
        (r#"{"jsonrpc":"2.0","id":1,"method":"tools/delete"}"#.to_owned(), "mcp-method-unknown", 200, json!(-32601)),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"TOOLS/CALL","params":{"name":"ping"}}"#.to_owned(),
            "mcp-method-unknown",
            200,
            json!(-32601),
        ),
        (r#"{"jsonrpc":"2.0","method":"notifications/other"}"#.to_owned(), "mcp-method-unknown", 200, json!(-32601)),
        (call("").replace("ping", "a/../ping"), "mcp-subject-unknown", 200, json!(-32602)),
        (call("").replace("ping", "p\u{0456}ng"), "mcp-subject-unknown", 200, json!(-32602)),
        (call("").replace("ping", "PING"), "mcp-subject-unknown", 200, json!(-32602)),
    ] {
        assert_eq!(
            outcome(&gate, body.as_bytes()),
            (verdict, status, code),
            "{}",
            body.chars().take(200).collect::<String>()
        );
    }
    assert_eq!(outcome(&gate, b"{\"jsonrpc\":\"\xff\"}"), ("body-not-utf8", 400, json!(-32700)));
}

#[test]
fn mirrored_fields_agree_with_the_body() {
    const VERSION: &str = "mcp-protocol-version";
    const MODERN: &str = "2026-07-28";
    let gate = gate();
    let send = |fields: &[(&str, &str)], meta: Option<&str>| {
        let mut params = json!({ "name": "ping" });
        if let Some(version) = meta {
            params["_meta"] = json!({ "io.modelcontextprotocol/protocolVersion": version });
        }
        let body = json!({ "jsonrpc": "2.0", "id": "x", "method": "tools/call", "params": params });
        sent(&gate, &caller("mcp", "user"), body.to_string(), fields)
    };
    for (fields, meta, verdict) in [
        (&[][..], None, "forwarded"),
        (&[(VERSION, "2025-06-18")], None, "forwarded"),
        (&[(VERSION, MODERN), ("mcp-method", "tools/call"), ("mcp-name", "ping")], Some(MODERN), "forwarded"),
        (&[(VERSION, MODERN), ("mcp-name", "=?base64?cGluZw==?=")], Some(MODERN), "forwarded"),
        (&[("mcp-name", "=?base64?cGluZy==?=")], None, "mcp-header-mismatch"),
        (&[("mcp-name", "=?base64?b3RoZXI=?=")], None, "mcp-header-mismatch"),
        (&[("mcp-name", "other")], None, "mcp-header-mismatch"),
        (&[("mcp-name", "Ping")], None, "mcp-header-mismatch"),
        (&[("mcp-name", "ping"), ("mcp-name", "ping")], None, "mcp-header-mismatch"),
        (&[("mcp-method", "tools/list")], None, "mcp-header-mismatch"),
        (&[(VERSION, MODERN)], None, "mcp-header-mismatch"),
        (&[(VERSION, "2025-06-18")], Some(MODERN), "mcp-header-mismatch"),
        (&[], Some(MODERN), "mcp-header-mismatch"),
        (&[(VERSION, "2027-01-01")], None, "mcp-version-unknown"),
        (&[(VERSION, MODERN)], Some("2027-01-01"), "mcp-version-unknown"),
    ] {
        let outcome = send(fields, meta);
        assert_eq!(outcome.trail.verdict, verdict, "{fields:?} {meta:?}");
        if verdict != "forwarded" {
            let error = error(&outcome);
            let code = if verdict == "mcp-header-mismatch" { -32020 } else { -32022 };
            assert_eq!(
                (outcome.problem().status(), &error["id"], &error["error"]["code"]),
                (400, &json!("x"), &json!(code))
            );
        }
    }
    let data = error(&send(&[(VERSION, "2027-01-01")], None))["error"]["data"].clone();
    assert_eq!((&data["requested"], &data["supported"][0]), (&json!("2027-01-01"), &json!(MODERN)));
}

#[test]
fn the_version_without_sessions_has_its_own_errors() {
    let gate = gate();
    let send = |method: &str, mut params: Value| {
        params["_meta"] = json!({ "io.modelcontextprotocol/protocolVersion": "2026-07-28" });
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        let outcome = sent(&gate, &caller("mcp", "user"), body.to_string(), &[("mcp-protocol-version", "2026-07-28")]);
        (outcome.trail.verdict, outcome.problem().status(), error(&outcome)["error"]["code"].clone())
    };
    assert_eq!(send("tools/delete", json!({})), ("mcp-method-unknown", 404, json!(-32601)));
    assert_eq!(send("resources/read", json!({ "uri": "none://x" })), ("mcp-subject-unknown", 200, json!(-32602)));
}

#[test]
fn the_media_type_is_json_and_a_body_is_as_long_as_the_policy_says() {
    let gate = Gate::new(policy_of(&document(&json!({ "max_body": 100 }))), FakeKeys::of_both());
    gate.fakes().body = FakeBody::of(b"{}");
    let outcome = gate.send(request("POST", "/mcp").bearer(&caller("mcp", "user")));
    assert_eq!((outcome.trail.verdict, outcome.problem().status()), ("mcp-not-json", 415));
    let outcome = sent(&gate, &caller("mcp", "user"), [b' '; 101], &[]);
    assert_eq!((outcome.trail.verdict, outcome.problem().status()), ("body-grew-too-long", 413));
}

#[test]
fn requests_that_have_no_message_are_not_judged() {
    let gate = gate();
    for method in ["GET", "DELETE"] {
        gate.fakes().body = FakeBody::of(b"");
        let outcome = gate.send(request(method, "/mcp").bearer(&caller("mcp", "user")));
        assert_eq!(outcome.trail.verdict, "forwarded", "{method}");
        assert!(outcome.minted()["tctx"].get("mcp").is_none());
        gate.fakes().body = FakeBody::of(b"{}");
        let outcome = gate.send(request(method, "/mcp").bearer(&caller("mcp", "user")));
        assert_eq!((outcome.trail.verdict, outcome.problem().status()), ("mcp-unexpected-body", 400));
    }
}

#[test]
fn an_anonymous_caller_is_asked_to_sign_in_for_a_tool_with_scopes() {
    let mut document = document(&json!({ "tools": { "ping": {}, "get_order": { "scopes": ["orders:read"] } } }));
    let route = document["routes"].as_array_mut().unwrap().last_mut().unwrap();
    route["access"] = json!("optional");
    route.as_object_mut().unwrap().remove("scopes");
    let gate = Gate::new(policy_of(&document), FakeKeys::of_both());
    let send = |name: &str| {
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": { "name": name } });
        gate.fakes().body = FakeBody::of(body.to_string().as_bytes());
        gate.send(request("POST", "/mcp").field("content-type", "application/json"))
    };
    assert_eq!(send("ping").trail.verdict, "forwarded");
    let outcome = send("get_order");
    assert_eq!((outcome.trail.verdict, outcome.problem().status()), ("mcp-unidentified", 401));
    assert!(super::challenge(&outcome).contains("scope=\"orders:read\""));
}
