//! Sessions of MCP servers through the guest: the application gives an id, the client has it with a MAC, and the application
//! gets its own id back. Rows O22 to O26 of docs/attacks.md.

use std::sync::LazyLock;

use hyper::{Body, Request};
use serde_json::json;

use super::gate::{GIVES_SESSION, Gate, GateResponse, request};

static GATE: LazyLock<Gate> = LazyLock::new(|| {
    let route = |id: &str| {
        json!({
            "id": id, "path": format!("/{id}"), "methods": ["GET", "POST", "DELETE"], "access": "optional",
            "mcp": { "tools": { "ping": {} } }
        })
    };
    let plain = json!({ "id": "plain", "path": "/plain", "methods": ["GET"], "access": "public" });
    Gate::new(&json!({ "routes": [route("mcp"), route("twin"), plain] }))
});

const SESSION: &str = "mcp-session-id";

/// A request of a caller, or of nobody known, with these fields.
fn sent(method: &str, path: &str, subject: Option<&str>, fields: &[(&str, &str)]) -> GateResponse {
    let mut request = request(method, path);
    if let Some(subject) = subject {
        request = request.header("authorization", format!("Bearer {}", GATE.token(json!({ "sub": subject }))));
    }
    for (name, value) in fields {
        request = request.header(*name, *value);
    }
    let call = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": { "name": "ping" } });
    let request: Request<Body> = match method {
        "POST" => request.header("content-type", "application/json").body(call.to_string().into()).unwrap(),
        _ => request.body(Body::empty()).unwrap(),
    };
    GATE.send(request)
}

/// What a client receives from a server that gives this id.
fn initialized(subject: Option<&str>, id: &str) -> String {
    let response = sent("POST", "/mcp", subject, &[(GIVES_SESSION, id)]);
    assert_eq!(response.status, 200, "{:?}", GATE.line(&response));
    response.field(SESSION).unwrap().to_owned()
}

#[test]
fn the_application_gets_its_own_id_back() {
    for subject in [Some("alice"), None] {
        let id = initialized(subject, "1868a90c.7f");
        assert!(id.starts_with("1868a90c.7f.") && id.len() == "1868a90c.7f.".len() + 22, "{id}");
        for method in ["POST", "GET", "DELETE"] {
            let response = sent(method, "/mcp", subject, &[(SESSION, &id), ("mcp-protocol-version", "2025-06-18")]);
            assert_eq!(response.status, 200, "{method}: {:?}", GATE.line(&response));
            let arrived = GATE.arrival(&response).unwrap();
            let ids: Vec<_> =
                arrived.fields.iter().filter(|(name, _)| name == SESSION).map(|(_, id)| id.as_str()).collect();
            assert_eq!(ids, ["1868a90c.7f"]);
            assert!(!GATE.line(&response).to_string().contains("1868a90c"));
        }
    }
}

#[test]
fn no_other_session_reaches_the_application() {
    let id = initialized(Some("alice"), "s-77");
    let last = if id.ends_with('A') { "Q" } else { "A" };
    let altered = format!("{}{last}", &id[..id.len() - 1]);
    let long = "x".repeat(1048);
    for (path, subject, ids) in [
        ("/mcp", Some("bob"), &[id.as_str()][..]),
        ("/mcp", None, &[&id]),
        ("/twin", Some("alice"), &[&id]),
        ("/mcp", Some("alice"), &["s-77"]),
        ("/mcp", Some("alice"), &[&altered]),
        ("/mcp", Some("alice"), &[&id[..id.len() - 1]]),
        ("/mcp", Some("alice"), &[&long]),
        ("/mcp", Some("alice"), &[&id, &id]),
    ] {
        let fields: Vec<_> = ids.iter().map(|id| (SESSION, *id)).collect();
        for method in ["POST", "GET", "DELETE"] {
            let response = sent(method, path, subject, &fields);
            let line = GATE.line(&response);
            assert_eq!(
                (response.status, line["verdict"].as_str()),
                (404, Some("mcp-session-unknown")),
                "{method} {ids:?}"
            );
            let (body, answers) = (response.json(), method == "POST");
            assert_eq!((&body["jsonrpc"], body.get("id").is_some()), (&json!("2.0"), answers), "{body}");
            assert!(GATE.arrival(&response).is_none());
            assert!(!line.to_string().contains("s-77"), "{line}");
        }
    }
}

#[test]
fn a_response_has_a_mac_or_no_id() {
    for id in ["a b", "caf\u{e9}", &"x".repeat(1025)] {
        let response = sent("POST", "/mcp", Some("alice"), &[(GIVES_SESSION, id)]);
        assert_eq!((response.status, response.field(SESSION)), (200, None), "{id}");
    }
    let two = sent("POST", "/mcp", Some("alice"), &[(GIVES_SESSION, "s-1"), (GIVES_SESSION, "s-2")]);
    assert_eq!((two.status, two.field(SESSION)), (200, None));
    let fields = [(GIVES_SESSION, "s-1"), (SESSION, "s-1"), ("mcp-protocol-version", "2026-07-28")];
    let modern = sent("GET", "/mcp", Some("alice"), &fields);
    assert_eq!((modern.status, modern.field(SESSION)), (200, None), "{:?}", GATE.line(&modern));
    assert_eq!(GATE.arrival(&modern).unwrap().field(SESSION), None);
    let plain = sent("GET", "/plain", None, &[(GIVES_SESSION, "s-1"), (SESSION, "s-1")]);
    assert_eq!((plain.field(SESSION), GATE.arrival(&plain).unwrap().field(SESSION)), (Some("s-1"), Some("s-1")));
}
