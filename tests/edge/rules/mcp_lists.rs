//! Lists of an MCP server at the edge: the client gets what the caller may use. Rows O19, O21 and O29 of docs/attacks.md.

use std::io::Write as _;
use std::net::TcpStream;
use std::sync::LazyLock;

use hyper::{Body, Request};
use serde_json::{Value, json};

use super::gate::{Gate, GateResponse, Setting, request};
use crate::support::edge::RUNTIME;
use crate::support::http::exchange;
use crate::support::origin::{Origin, Received, response};

/// An origin that behaves as the path says.
static ORIGIN: LazyLock<Origin> = LazyLock::new(|| Origin::start(behave));

static GATE: LazyLock<Gate> = LazyLock::new(|| {
    let ids = [
        "json",
        "all",
        "events",
        "other",
        "encoded",
        "long",
        "text",
        "cut",
        "broken",
        "late",
        "unfinished",
        "error",
        "failed",
        "accepted",
        "refused",
        "moved",
        "empty",
        "detail",
        "hidden",
    ];
    let route = |id: &&str| {
        json!({
            "id": id, "path": format!("/{id}"), "methods": ["GET", "POST"], "scopes": ["mcp"],
            "mcp": {
                "tools": { "ping": {}, "get_order": { "scopes": ["orders:read"] }, "cancel_order": { "require": { "role": "admin" } } },
                "list": if *id == "all" { "all" } else { "usable" }
            }
        })
    };
    let manifest = format!("[local_server.backends.tools]\nurl = \"http://{}\"\n", ORIGIN.address);
    let origins = json!({ "app": { "backend": "tools", "audience": "app" } });
    let routes: Vec<Value> = ids.iter().map(route).collect();
    Gate::with(&json!({ "origins": origins, "routes": routes }), &Setting { manifest, ..Setting::default() })
});

const PROGRESS: &str = "event: message\ndata: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\"}\n\n";

/// The response to the request with this id.
fn listed(id: &str, tools: &[&str], scope: &str) -> String {
    let tools: Vec<String> = tools.iter().map(|tool| format!("{{ \"name\":\"{tool}\", \"x\":1.0 }}")).collect();
    let list = tools.join(", ");
    format!(
        "{{\"jsonrpc\":\"2.0\",\"id\":{id},\"result\":{{\"tools\":[{list}],\"nextCursor\":\"\",\"ttlMs\":5,\"cacheScope\":\"{scope}\"}}}}"
    )
}

fn everything(id: &str) -> String {
    listed(id, &["cancel_order", "ping", "secret", "get_order"], "public")
}

fn event(data: &str) -> String {
    format!("event: message\nid: 1\ndata: {data}\n\n")
}

/// Sends pieces of a stream without a length.
fn stream(to: &mut TcpStream, pieces: &[&str], ends: bool) {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncache-control: public\r\ntransfer-encoding: chunked\r\n\r\n";
    let _ = to.set_nodelay(true);
    let _ = to.write_all(head.as_bytes());
    for piece in pieces {
        let _ = to.write_all(format!("{:x}\r\n{piece}\r\n", piece.len()).as_bytes());
    }
    if ends {
        let _ = to.write_all(b"0\r\n\r\n");
    }
}

fn behave(request: &Received, to: &mut TcpStream) {
    let line = request.request_line().to_owned();
    let path = line.split(' ').nth(1).unwrap_or_default();
    assert_eq!(request.all("accept-encoding"), ["identity"], "{}", request.head);
    let json = |to: &mut TcpStream, status: &str, more: &[(&str, &str)], body: &str| {
        let mut fields = vec![("cache-control", "public, max-age=60"), ("etag", "\"whole\"")];
        fields.extend_from_slice(more);
        drop(to.write_all(&response(status, &fields, body)));
    };
    let media_type = ("content-type", "application/json; charset=utf-8");
    let text = everything("\"l-1\"");
    match path {
        "/events" => {
            let whole = PROGRESS.to_owned() + &event(&text);
            // The list is cut anywhere.
            let (first, rest) = whole.split_at(PROGRESS.len() + 60);
            stream(to, &[first, rest], true);
        }
        "/late" => stream(to, &[PROGRESS, &event(&everything("\"l-2\""))], true),
        "/unfinished" => stream(to, &[PROGRESS, &format!("data: {}", text.split_at(100).0)], true),
        "/broken" => stream(to, &[PROGRESS, &event(&text)], false),
        "/other" => json(to, "200 OK", &[media_type], &everything("\"l-2\"")),
        "/encoded" => json(to, "200 OK", &[media_type, ("content-encoding", "x-other")], &text),
        "/long" => {
            json(to, "200 OK", &[media_type], &text.replace("[{", &format!("[{}{{", " ".repeat(4 * 1024 * 1024))));
        }
        "/text" => json(to, "200 OK", &[("content-type", "text/plain")], &text),
        "/cut" => json(to, "206 Partial Content", &[media_type], &text[1..]),
        "/error" => json(
            to,
            "200 OK",
            &[media_type],
            "{\"jsonrpc\":\"2.0\",\"id\":\"l-1\",\"error\":{\"code\":-32602,\"message\":\"cursor\"}}",
        ),
        "/accepted" => json(to, "202 Accepted", &[media_type], &text),
        "/refused" => json(to, "400 Bad Request", &[media_type], &text),
        "/moved" => json(to, "302 Found", &[media_type, ("location", "/x")], &text),
        "/empty" => json(to, "202 Accepted", &[media_type], ""),
        "/detail" => json(to, "404 Not Found", &[media_type], "{\"detail\":\"Not Found\"}"),
        "/hidden" => json(to, "500 Internal Server Error", &[media_type, ("content-encoding", "gzip")], &text),
        "/failed" => json(to, "404 Not Found", &[("content-type", "text/plain")], "no session"),
        _ => json(to, "200 OK", &[media_type], &text),
    }
}

fn sent(path: &str, scope: &str) -> GateResponse {
    let token = GATE.token(json!({ "scope": scope }));
    let request = request("POST", path).header("authorization", format!("Bearer {token}"));
    let request = request.header("content-type", "application/json").header("accept-encoding", "gzip");
    GATE.send(request.body(Body::from(ASKED)).unwrap())
}

const ASKED: &str = "{\"jsonrpc\":\"2.0\",\"id\":\"l-1\",\"method\":\"tools/list\"}";

fn opened(path: &str, scope: &str) -> GateResponse {
    let token = GATE.token(json!({ "scope": scope }));
    let request: Request<Body> = request("GET", path)
        .header("authorization", format!("Bearer {token}"))
        .header("last-event-id", "1")
        .body(Body::empty())
        .unwrap();
    GATE.send(request)
}

fn text(response: &GateResponse) -> &str {
    std::str::from_utf8(&response.body).unwrap()
}

#[test]
fn a_list_has_only_what_the_caller_may_use() {
    for (path, scope, tools) in [
        ("/json", "mcp", &["ping"][..]),
        ("/json", "mcp orders:read", &["ping", "get_order"]),
        ("/all", "mcp", &["ping", "get_order"]),
        ("/events", "mcp", &["ping"]),
        ("/events", "mcp orders:read", &["ping", "get_order"]),
    ] {
        let response = sent(path, scope);
        let expected = listed("\"l-1\"", tools, "private");
        let expected = if path == "/events" { PROGRESS.to_owned() + &event(&expected) } else { expected };
        assert_eq!((response.status, text(&response)), (200, expected.as_str()), "{path} {scope}");
        assert_eq!(response.field("cache-control"), Some("private, no-store"));
        assert_eq!(response.field("etag"), None);
        assert_eq!(GATE.line(&response)["verdict"], "forwarded");
    }
}

#[test]
fn a_stream_that_the_client_opens_is_filtered_too() {
    for path in ["/events", "/late"] {
        let response = opened(path, "mcp");
        let id = if path == "/late" { "\"l-2\"" } else { "\"l-1\"" };
        assert_eq!(text(&response), PROGRESS.to_owned() + &event(&listed(id, &["ping"], "private")), "{path}");
        assert_eq!(response.field("cache-control"), Some("private, no-store"));
    }
    let response = opened("/text", "mcp");
    assert_eq!((response.status, &GATE.line(&response)["verdict"]), (502, &json!("origin-list-unfiltered")));
}

#[test]
fn a_list_that_cannot_be_filtered_does_not_pass() {
    for path in ["/other", "/encoded", "/long", "/text", "/cut", "/hidden"] {
        let response = sent(path, "mcp");
        let line = GATE.line(&response);
        assert_eq!((response.status, line["verdict"].as_str()), (502, Some("origin-list-unfiltered")), "{path}");
        let error = response.json();
        assert_eq!((&error["id"], &error["error"]["code"]), (&json!("l-1"), &json!(-32603)), "{path}");
        assert!(!text(&response).contains("secret"), "{path}");
    }
    // The head of a stream has been sent, so that it breaks off.
    for path in ["/late", "/unfinished", "/broken"] {
        let token = GATE.token(json!({ "scope": "mcp" }));
        let bytes = format!(
            "POST {path} HTTP/1.1\r\nhost: edge.test\r\nauthorization: Bearer {token}\r\ncontent-type: application/json\r\n\
             content-length: {}\r\nconnection: close\r\n\r\n{ASKED}",
            ASKED.len()
        );
        let reply = RUNTIME
            .block_on(async { tokio::task::spawn_blocking(move || exchange(GATE.address(), bytes.as_bytes())).await });
        let text = reply.unwrap().map(|reply| reply.text()).unwrap_or_default();
        assert!(!text.contains("secret") && !text.contains("cancel_order"), "{path}: {text}");
    }
}

#[test]
fn errors_pass() {
    let response = sent("/error", "mcp");
    assert_eq!((response.status, &response.json()["error"]["code"]), (200, &json!(-32602)));
    let response = sent("/failed", "mcp");
    assert_eq!((response.status, text(&response)), (404, "no session"));
    assert_eq!(response.field("cache-control"), Some("private, no-store"));
    let response = sent("/detail", "mcp");
    assert_eq!((response.status, text(&response)), (404, "{\"detail\":\"Not Found\"}"));
    let response = sent("/empty", "mcp");
    assert_eq!((response.status, text(&response)), (202, ""));
}

#[test]
fn a_list_is_filtered_with_any_status() {
    for (path, status) in [("/accepted", 202), ("/refused", 400), ("/moved", 302)] {
        let response = sent(path, "mcp");
        assert_eq!(
            (response.status, text(&response)),
            (status, listed("\"l-1\"", &["ping"], "private").as_str()),
            "{path}"
        );
        assert_eq!(response.field("cache-control"), Some("private, no-store"));
        assert_eq!(response.field("etag"), None);
    }
}
