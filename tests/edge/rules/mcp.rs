//! Messages to an MCP server at the edge: what reaches the application, and how refusals are answered.

use std::sync::LazyLock;

use hyper::{Body, Request};
use serde_json::{Value, json};

use super::gate::{Gate, GateResponse, minted, request};

static GATE: LazyLock<Gate> = LazyLock::new(|| {
    Gate::new(&json!({ "routes": [
        {
            "id": "tools", "path": "/mcp", "methods": ["GET", "POST"], "scopes": ["mcp"],
            "mcp": {
                "tools": { "ping": {}, "get_order": { "scopes": ["orders:read"] }, "cancel_order": { "require": { "role": "admin" } } },
                "max_body": 4096
            }
        },
        { "id": "open", "path": "/open", "methods": ["POST"], "access": "optional", "mcp": { "tools": { "get_order": { "scopes": ["orders:read"] } } } }
    ] }))
});

fn post(scope: &str, body: impl Into<Body>) -> Request<Body> {
    let token = GATE.token(json!({ "scope": scope }));
    let request = request("POST", "/mcp").header("authorization", format!("Bearer {token}"));
    request.header("content-type", "application/json").body(body.into()).unwrap()
}

fn call(name: &str) -> String {
    json!({ "jsonrpc": "2.0", "id": "c-1", "method": "tools/call", "params": { "name": name } }).to_string()
}

fn code(response: &GateResponse) -> String {
    GATE.line(response)["verdict"].as_str().unwrap().to_owned()
}

#[test]
fn the_application_receives_the_message_and_the_name_that_was_judged() {
    let body = call("get_order");
    let response = GATE.send(post("mcp orders:read", body.clone()));
    assert_eq!(response.status, 200, "{:?}", GATE.line(&response));
    let arrived = GATE.arrival(&response).unwrap();
    assert_eq!(minted(&arrived)["tctx"]["mcp"], json!({ "method": "tools/call", "name": "get_order" }));
    assert_eq!(minted(&arrived)["tctx"]["content_digest"].as_str(), arrived.field("content-digest"));
    assert_eq!(arrived.body.as_deref(), Ok(body.as_bytes()));
    assert_eq!(GATE.line(&response)["mcp"], "tools/call get_order");
}

#[test]
fn missing_scopes_are_named_with_those_of_the_route() {
    let response = GATE.send(post("mcp", call("get_order")));
    assert_eq!((response.status, code(&response).as_str()), (403, "mcp-scope-missing"));
    let challenge = response.field("www-authenticate").unwrap();
    assert!(
        challenge.contains("error=\"insufficient_scope\"") && challenge.contains("scope=\"mcp orders:read\""),
        "{challenge}"
    );
    assert!(GATE.arrival(&response).is_none());
    let anonymous = request("POST", "/open").header("content-type", "application/json").body(call("get_order").into());
    let response = GATE.send(anonymous.unwrap());
    assert_eq!((response.status, code(&response).as_str()), (401, "mcp-unidentified"));
    assert!(response.field("www-authenticate").unwrap().contains("scope=\"orders:read\""));
}

#[test]
fn a_forbidden_tool_is_answered_like_an_unknown_one() {
    let (forbidden, unknown) =
        (GATE.send(post("mcp", call("cancel_order"))), GATE.send(post("mcp", call("cancel_ordes"))));
    let error = json!({ "code": -32602, "message": "Unknown tool: cancel_order" });
    assert_eq!((forbidden.status, forbidden.json()), (200, json!({ "jsonrpc": "2.0", "id": "c-1", "error": error })));
    assert_eq!(unknown.status, 200);
    assert_eq!(
        String::from_utf8(unknown.body.clone()).unwrap().replace("cancel_ordes", "cancel_order").as_bytes(),
        forbidden.body
    );
    for response in [forbidden, unknown] {
        assert_eq!(code(&response), "mcp-subject-unknown");
        assert!(GATE.arrival(&response).is_none());
    }
}

#[test]
fn refusals_have_codes_and_reach_no_application() {
    let twice = call("ping").replace("\"method\"", "\"method\":\"ping\",\"method\"");
    for (expected, status, error, body) in [
        ("mcp-batch", 400, -32600, format!("[{}]", call("ping"))),
        ("member-repeated", 400, -32600, twice),
        ("mcp-malformed", 400, -32600, call("ping").replace("\"c-1\"", "null")),
        ("mcp-parameters", 400, -32602, call("ping").replace("\"name\"", "\"Name\"")),
        ("mcp-method-unknown", 200, -32601, call("ping").replace("tools/call", "tools/delete")),
        ("body-not-json", 400, -32700, "{".to_owned()),
    ] {
        let response = GATE.send(post("mcp", body));
        assert_eq!((response.status, code(&response).as_str()), (status, expected));
        assert_eq!(response.field("content-type"), Some("application/json"));
        assert_eq!(response.json()["error"]["code"], json!(error));
        assert!(GATE.arrival(&response).is_none(), "{expected}");
    }
    let with = |name: &'static str, value: &'static str| {
        let mut request = post("mcp", call("ping"));
        request.headers_mut().insert(name, value.parse().unwrap());
        GATE.send(request)
    };
    for (name, value, status, expected) in [
        ("mcp-name", "get_order", 400, "mcp-header-mismatch"),
        ("mcp-method", "tools/list", 400, "mcp-header-mismatch"),
        ("mcp-protocol-version", "2027-01-01", 400, "mcp-version-unknown"),
        ("content-type", "text/plain", 415, "mcp-not-json"),
    ] {
        let response = with(name, value);
        assert_eq!((response.status, code(&response).as_str()), (status, expected));
        assert_eq!(response.json()["jsonrpc"], Value::from("2.0"));
        assert!(GATE.arrival(&response).is_none(), "{expected}");
    }
    let token = GATE.token(json!({ "scope": "mcp" }));
    let with_body = request("GET", "/mcp").header("authorization", format!("Bearer {token}")).body(Body::from("{}"));
    assert_eq!(code(&GATE.send(with_body.unwrap())), "mcp-unexpected-body");
}
