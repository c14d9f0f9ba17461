//! Messages to MCP servers: what the policy may say, which messages are refused, and how.

mod messages;
mod sessions;

use fastgate::policy::Policy;
use serde_json::{Value, json};

use crate::offline::fakes::{FakeBody, FakeKeys};
use crate::offline::{Gate, Outcome, policy_of, request};
use crate::samples::policy_document;
use crate::samples::sign::{claims, header, token, with};

/// A policy with one route for an MCP server with these tools and more.
pub(crate) fn document(more: &Value) -> Value {
    let mut document = policy_document();
    document["issuers"]["alpha"]["claims"] = json!({ "roles": ["roles"] });
    document["limits"]["scarce"] = json!({ "count": 2, "window": 60, "by": ["subject"] });
    let mut mcp = json!({
        "tools": {
            "ping": {},
            "get_order": { "scopes": ["orders:read"] },
            "cancel_order": { "scopes": ["orders:write"], "require": { "role": "admin" } },
            "export": { "limits": ["scarce"] }
        },
        "resources": {
            "config://app": {}, "orders://{id}": { "scopes": ["orders:read"] }, "orders://secret": { "require": { "role": "admin" } },
            "orders://{id}.pdf": { "scopes": ["orders:print"] }
        },
        "prompts": { "summary": {}, "audit": { "require": { "role": "admin" } } },
        "methods": ["logging/setLevel", "tasks/get"]
    });
    mcp.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let route = json!({
        "id": "tools", "path": "/mcp", "methods": ["GET", "POST", "DELETE"], "origin": "app", "scopes": ["mcp"], "mcp": mcp
    });
    document["routes"].as_array_mut().unwrap().push(route);
    document
}

fn gate() -> Gate {
    Gate::new(policy_of(&document(&json!({}))), FakeKeys::of_both())
}

/// A token with these scopes and this role.
pub(crate) fn caller(scopes: &str, role: &str) -> String {
    token(&header(), &with(&with(&claims(), "scope", json!(scopes)), "roles", json!([role])))
}

fn sent(gate: &Gate, token: &str, body: impl AsRef<[u8]>, fields: &[(&str, &str)]) -> Outcome {
    gate.fakes().body = FakeBody::of(body.as_ref());
    let mut request = request("POST", "/mcp").bearer(token).field("content-type", "application/json");
    for (name, value) in fields {
        request = request.field(name, value);
    }
    gate.send(request)
}

/// Sends a request of a version with sessions.
fn called(gate: &Gate, token: &str, method: &str, params: Value) -> Outcome {
    let body = json!({ "jsonrpc": "2.0", "id": 7, "method": method, "params": params });
    sent(gate, token, body.to_string(), &[])
}

fn error(outcome: &Outcome) -> Value {
    serde_json::from_str(&outcome.problem().body()).unwrap()
}

fn challenge(outcome: &Outcome) -> String {
    let fields = outcome.problem().headers();
    fields.all("www-authenticate").map(|value| String::from_utf8(value.to_vec()).unwrap()).collect()
}

#[test]
fn the_application_learns_what_was_called() {
    let gate = gate();
    for (method, params, name) in [
        ("tools/call", json!({ "name": "get_order", "arguments": { "name": "cancel_order" } }), Some("get_order")),
        ("resources/read", json!({ "uri": "orders://7" }), Some("orders://7")),
        ("prompts/get", json!({ "name": "summary" }), Some("summary")),
        ("tools/list", json!({ "cursor": "" }), None),
        ("logging/setLevel", json!({ "level": "info" }), None),
    ] {
        let outcome = called(&gate, &caller("mcp orders:read", "user"), method, params);
        assert_eq!(outcome.trail.verdict, "forwarded", "{method}: {:?}", outcome.trail.cause);
        let judged = outcome.minted()["tctx"].clone();
        let expected = name.map_or(json!({ "method": method }), |name| json!({ "method": method, "name": name }));
        assert_eq!(judged["mcp"], expected);
        assert!(judged["content_digest"].is_string());
        assert_eq!(outcome.trail.mcp.unwrap(), format!("{method} {}", name.unwrap_or_default()).trim());
    }
}

#[test]
fn a_challenge_names_all_scopes_of_the_operation() {
    let outcome = called(&gate(), &caller("mcp", "admin"), "tools/call", json!({ "name": "cancel_order" }));
    assert_eq!((outcome.trail.verdict, outcome.problem().status()), ("mcp-scope-missing", 403));
    let challenge = challenge(&outcome);
    assert!(
        challenge.contains("error=\"insufficient_scope\"") && challenge.contains("scope=\"mcp orders:write\""),
        "{challenge}"
    );
    assert!(challenge.contains("resource_metadata="), "{challenge}");
    assert_eq!((&error(&outcome)["id"], &error(&outcome)["error"]["code"]), (&json!(7), &json!(-32000)));
}

#[test]
fn what_the_caller_may_not_use_is_like_what_does_not_exist() {
    let gate = gate();
    // The caller lacks the scope, too: that must not tell that the tool exists.
    let of = |method: &str, params: Value| called(&gate, &caller("mcp", "user"), method, params);
    for (method, forbidden, unknown, code) in [
        ("tools/call", json!({ "name": "cancel_order" }), json!({ "name": "cancel_ordes" }), -32602),
        ("prompts/get", json!({ "name": "audit" }), json!({ "name": "audio" }), -32602),
        ("resources/read", json!({ "uri": "orders://secret" }), json!({ "uri": "order2://secret" }), -32002),
        (
            "completion/complete",
            json!({ "ref": { "type": "ref/prompt", "name": "audit" } }),
            json!({ "ref": { "type": "ref/prompt", "name": "audio" } }),
            -32602,
        ),
        (
            "subscriptions/listen",
            json!({ "notifications": { "resourceSubscriptions": ["config://app", "orders://secret"] } }),
            json!({ "notifications": { "resourceSubscriptions": ["config://app", "order2://secret"] } }),
            -32002,
        ),
    ] {
        let (forbidden, unknown) = (of(method, forbidden), of(method, unknown));
        for outcome in [&forbidden, &unknown] {
            assert_eq!((outcome.trail.verdict, outcome.problem().status()), ("mcp-subject-unknown", 200), "{method}");
            assert_eq!((&error(outcome)["id"], &error(outcome)["error"]["code"]), (&json!(7), &json!(code)));
        }
        let same = |text: String| {
            text.replace("cancel_ordes", "cancel_order").replace("audio", "audit").replace("order2", "orders")
        };
        assert_eq!(same(unknown.problem().body()), forbidden.problem().body());
        assert_eq!(unknown.problem().headers(), forbidden.problem().headers());
        assert!(forbidden.trail.cause.unwrap().contains("admin"), "the log says why");
    }
}

#[test]
fn resources_are_found_by_uri_and_by_all_templates_that_match() {
    let gate = gate();
    for (uri, scopes, verdict) in [
        ("config://app", "mcp", "forwarded"),
        ("Config://app", "mcp", "mcp-subject-unknown"),
        ("orders://7", "mcp", "mcp-scope-missing"),
        ("orders://7", "mcp orders:read", "forwarded"),
        ("orders://7/x", "mcp orders:read", "mcp-subject-unknown"),
        ("orders://7.pdf", "mcp orders:read", "mcp-scope-missing"),
        ("orders://7.pdf", "mcp orders:read orders:print", "forwarded"),
        ("orders://%73ecret", "mcp orders:read", "mcp-subject-unknown"),
        ("orders://SECRET", "mcp orders:read", "mcp-subject-unknown"),
        ("orders://..", "mcp orders:read", "mcp-subject-unknown"),
        ("orders://\u{0455}", "mcp orders:read", "mcp-subject-unknown"),
        ("", "mcp orders:read", "mcp-subject-unknown"),
    ] {
        for method in ["resources/read", "resources/subscribe", "resources/unsubscribe"] {
            let outcome = called(&gate, &caller(scopes, "user"), method, json!({ "uri": uri }));
            assert_eq!(outcome.trail.verdict, verdict, "{method} {uri}");
        }
    }
}

#[test]
fn limits_of_a_tool_are_counted_for_that_tool_alone() {
    let gate = gate();
    let call = |name: &str| called(&gate, &caller("mcp", "user"), "tools/call", json!({ "name": name }));
    let verdicts: Vec<_> = ["export", "ping", "export", "export", "ping"].map(|name| call(name).trail.verdict).to_vec();
    assert_eq!(verdicts, ["forwarded", "forwarded", "forwarded", "limit-exceeded", "forwarded"]);
    let refused = call("export");
    assert_eq!((refused.problem().status(), &error(&refused)["id"]), (429, &json!(7)));
    assert_eq!(error(&refused)["error"]["data"]["type"], "urn:fastgate:problem:too-many-requests");
}

#[test]
fn callers_are_authorized_before_the_body_is_read() {
    let gate = gate();
    gate.fakes().body = FakeBody::broken();
    let outcome = gate.send(request("POST", "/mcp").field("content-type", "application/json"));
    assert_eq!(outcome.problem().status(), 401);
    assert!(gate.fakes().body.requested.is_empty());
    assert!(error(&outcome).get("id").is_none(), "{}", error(&outcome));
    assert!(challenge(&outcome).contains("scope=\"mcp\""));
}

fn faults(document: &Value) -> String {
    Policy::parse(document.to_string().as_bytes()).map_or_else(|faults| faults.to_string(), |_| String::new())
}

#[test]
fn what_a_policy_may_not_say() {
    for (more, place) in [
        (json!({ "tools": { "": {} } }), "mcp.tools.: is not the name"),
        (json!({ "tools": { "caf\u{e9}": {} } }), "is not the name of a tool or prompt"),
        (json!({ "tools": { "a\"b": {} } }), "is not the name of a tool or prompt"),
        (json!({ "tools": { "ping": {}, "Ping": {} } }), "mcp.tools.ping: differs from another name only in case"),
        (json!({ "tools": { "ping": { "scopes": ["a b"] } } }), "mcp.tools.ping.scopes[0]"),
        (json!({ "tools": { "ping": { "limits": ["none"] } } }), "mcp.tools.ping.limits[0]"),
        (json!({ "tools": { "ping": { "require": { "rule": "none" } } } }), "mcp.tools.ping.require"),
        (json!({ "tools": { "ping": { "scope": [] } } }), "unknown field"),
        (json!({ "resources": { "orders://{+id}": {} } }), "is neither a URI nor a URI template"),
        (json!({ "prompts": { " ": {} } }), "is not the name of a tool or prompt"),
        (json!({ "methods": ["tools/call"] }), "mcp.methods[0]: is a method that the edge judges"),
        (json!({ "methods": ["Tools/Call"] }), "mcp.methods[0]: is a method that the edge judges"),
        (json!({ "methods": ["a b"] }), "mcp.methods[0]: is not the name of a method"),
        (json!({ "methods": ["tasks/get", "tasks/get"] }), "mcp.methods[1]: is listed twice"),
        (json!({ "list": "none" }), "unknown variant"),
        (json!({ "max_body": 4_194_305 }), "mcp.max_body: is 4194305"),
    ] {
        let found = faults(&document(&more));
        assert!(found.contains(place), "{more}: {found:?} lacks {place:?}");
    }
}

#[test]
fn the_rest_of_the_route_goes_with_the_section() {
    for (member, value, place) in [
        ("methods", json!(["GET"]), "mcp: is on a route that lacks POST"),
        ("methods", json!(["POST", "PUT"]), "mcp: is on a route that lacks POST"),
        ("websocket", json!(true), "mcp: is on a route that lacks POST"),
        (
            "inference",
            json!({ "api": "openai-chat", "models": { "small": {} } }),
            "mcp: is on a route with \"inference\"",
        ),
        ("accepts", json!({ "max_body": 5 }), "accepts.max_body: limits what \"mcp\" limits"),
        ("accepts", json!({ "content_types": ["application/json"] }), "accepts.content_types: limits what"),
        ("cache", json!({ "audience": "caller", "ttl": 5 }), "cache: is on a route with \"mcp\""),
        ("access", json!("public"), "mcp.tools.cancel_order.require: "),
        ("access", json!("public"), "mcp.tools.get_order.scopes: "),
        ("limits", json!(["scarce"]), "mcp.tools.export.limits[0]: is a limit of the route"),
        ("respond", json!({ "status": 204 }), "mcp: "),
    ] {
        let mut document = document(&json!({}));
        let route = document["routes"].as_array_mut().unwrap().last_mut().unwrap();
        route[member] = value;
        let found = faults(&document);
        assert!(found.contains(place), "{member}: {found:?} lacks {place:?}");
    }
}
