//! The form of requests, their origins, and closed groups.

use std::time::{Duration, Instant};

use hyper::body::Bytes;
use hyper::{Body, Request};
use serde_json::json;

use super::gate::{get, get_as, minted, request};
use super::shared::GATE;
use crate::support::edge::RUNTIME;

const CLIENT: &str = "198.51.100.7";

fn post(path: &str, body: impl Into<Body>) -> Request<Body> {
    request("POST", path).header("content-type", "application/json").body(body.into()).unwrap()
}

/// A body of unknown length, in pieces.
fn streamed(pieces: usize, piece: usize) -> Body {
    let (mut sender, body) = Body::channel();
    RUNTIME.spawn(async move {
        for _ in 0..pieces {
            if sender.send_data(Bytes::from(vec![b'x'; piece])).await.is_err() {
                break;
            }
        }
    });
    body
}

#[test]
fn requests_without_the_required_form_never_reach_the_origin() {
    let versioned = |path: &str, body: Body| {
        let mut request = post(path, body);
        request.headers_mut().insert("x-version", "1".parse().unwrap());
        request
    };
    let response = GATE.send(versioned("/p?1234567890", Body::from(vec![b'x'; 1000])));
    assert_eq!((response.status, GATE.arrival(&response).unwrap().body.unwrap().len()), (200, 1000));
    let mut text = versioned("/p", Body::from("x"));
    text.headers_mut().insert("content-type", "text/plain".parse().unwrap());
    let mut announced = versioned("/p", Body::from(vec![b'x'; 1001]));
    announced.headers_mut().insert("content-length", "1001".parse().unwrap());
    let mut crowded = get("/dl/a.bin");
    for _ in 0..101 {
        crowded.headers_mut().append("x-many", "1".parse().unwrap());
    }
    for (request, status, kind, code) in [
        (crowded, 431, "header-fields-too-large", "too-many-fields"),
        (versioned("/p?12345678901", Body::from("x")), 414, "uri-too-long", "query-too-long"),
        (announced, 413, "content-too-large", "body-too-long"),
        (versioned("/p", Body::from(vec![b'x'; 1001])), 413, "content-too-large", "body-grew-too-long"),
        (versioned("/p", streamed(11, 100)), 413, "content-too-large", "body-grew-too-long"),
        (text, 415, "unsupported-media-type", "content-type"),
        (post("/p", "x"), 400, "bad-request", "header-missing"),
        (get("/dl/...bin"), 400, "bad-request", "rewrite-ambiguous"),
    ] {
        assert_eq!(GATE.refusal(CLIENT, request), (status, kind.into(), code.into()));
    }
    assert_eq!(GATE.send(versioned("/p", streamed(10, 100))).status, 200);
    let last = GATE.arrival(&GATE.send(get("/dl/a.bin"))).unwrap();
    assert_eq!((last.path.as_str(), &minted(&last)["tctx"]["path"]), ("/files/a", &json!("/files/a")));
}

#[test]
fn a_long_body_is_truncated_and_does_not_look_complete_at_the_origin() {
    let response = GATE.send(post("/long", streamed(30, 10_000)));
    assert_eq!((response.status, GATE.arrival(&response).unwrap().body.unwrap().len()), (200, 300_000));
    let response = GATE.send(post("/long", streamed(400, 10_000)));
    assert_eq!(
        (response.status, response.json()["type"].as_str()),
        (413, Some("urn:fastgate:problem:content-too-large"))
    );
    assert_eq!(GATE.line(&response)["verdict"], "body-grew-too-long");
    let patience = Instant::now();
    // If the body is cut before the application reads the request, no request arrives.
    while GATE.arrival(&response).is_none() && patience.elapsed() < Duration::from_secs(2) {
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(GATE.arrival(&response).is_none_or(|seen| seen.body.is_err()), "a truncated body does not look complete");
}

#[test]
fn a_body_that_ends_before_its_length_never_looks_complete_at_the_origin() {
    for path in ["/raw", "/long", "/signed"] {
        let announced = |length: &str, body: Body| {
            let mut request = post(path, body);
            request.headers_mut().insert("content-length", length.parse().unwrap());
            request
        };
        let whole = GATE.send(announced("5000", streamed(5, 1000)));
        assert_eq!(GATE.arrival(&whole).unwrap().body.map(|body| body.len()), Ok(5000), "{path}");
        let short = GATE.send(announced("5001", streamed(5, 1000)));
        assert!((400..600).contains(&short.status), "{path}: {}", short.status);
        // If the application saw a part of the body, it also saw the body break off.
        let arrived = GATE.arrival(&short);
        assert!(arrived.as_ref().is_none_or(|seen| seen.body.is_err()), "{path}: {arrived:?}");
    }
}

#[test]
fn fields_are_edited_in_both_directions_and_responses_get_security_fields() {
    let sent = request("GET", "/e").header("x-tier", "lead").header("x-debug", "1").body(Body::empty()).unwrap();
    let response = GATE.send(sent);
    assert_eq!((response.field("x-origin"), response.field("x-powered-by")), (Some("2"), None));
    assert_eq!(response.field("x-content-type-options"), Some("nosniff"));
    let arrived = GATE.arrival(&response).unwrap();
    assert_eq!((arrived.field("x-tier"), arrived.field("x-debug")), (Some("gold"), None));
    assert_eq!(GATE.send(get("/none")).field("x-frame-options"), Some("DENY"));
    let keys = GATE.send(get("/.well-known/fastgate/jwks.json"));
    assert_eq!(keys.field("content-type"), Some("application/jwk-set+json"));
    assert_eq!(keys.field("cache-control"), Some("public, max-age=300"));
    assert_eq!(keys.field("access-control-allow-origin"), Some("*"));
    assert_eq!(keys.field("x-frame-options"), Some("DENY"));
}

#[test]
fn the_edge_responds_to_requests_for_closed_groups() {
    assert_eq!(GATE.refusal(CLIENT, get("/a")), (503, "unavailable".into(), "switched-off".into()));
    assert_eq!(GATE.refusal(CLIENT, get("/b")), (503, "maintenance".into(), "maintenance".into()));
    assert_eq!(GATE.send(get("/b")).field("retry-after"), Some("77"));
    assert_eq!(GATE.send(get("/c")).status, 200);
}

#[test]
fn a_preflight_needs_no_token_and_is_never_forwarded() {
    let preflight = |origin: &str| {
        let sent = request("OPTIONS", "/w").header("origin", origin).header("access-control-request-method", "PUT");
        sent.header("fastgate-identity", "forged").body(Body::empty()).unwrap()
    };
    let response = GATE.send(preflight("https://app.test"));
    assert_eq!((response.status, response.body.len()), (204, 0));
    assert_eq!(response.field("access-control-allow-origin"), Some("https://app.test"));
    assert_eq!(response.field("access-control-allow-headers"), Some("authorization"));
    assert_eq!(GATE.line(&response)["verdict"], "preflight");
    let refused = GATE.refusal(CLIENT, preflight("https://evil.test"));
    assert_eq!(refused, (403, "forbidden".into(), "cors-refused".into()));
    assert!(!GATE.arrived().iter().any(|seen| seen.path == "/w"));
}

#[test]
fn a_websocket_upgrade_is_authenticated_like_any_request() {
    let upgrade = |mut request: Request<Body>| {
        for (name, value) in [
            ("connection", "Upgrade"),
            ("upgrade", "websocket"),
            ("sec-websocket-version", "13"),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ] {
            request.headers_mut().insert(name, value.parse().unwrap());
        }
        request
    };
    let refused = GATE.refusal(CLIENT, upgrade(get("/ws")));
    assert_eq!(refused, (401, "authentication-required".into(), "credentials-missing".into()));
    let response = GATE.send(upgrade(get_as("/ws", &GATE.token(json!({})))));
    let arrived = GATE.arrival(&response).unwrap();
    assert_eq!((response.status, minted(&arrived)["sub"].as_str()), (200, Some("alice")));
    assert_eq!((arrived.field("upgrade"), arrived.field("connection")), (None, None), "the upgrade ends at the edge");
}

#[test]
fn methods_that_a_route_does_not_name_are_refused_despite_override_headers() {
    for method in ["HEAD", "OPTIONS", "TRACE", "get", "INVENTED", "POST"] {
        let refused = GATE.refusal(CLIENT, request(method, "/m").body(Body::empty()).unwrap());
        assert_eq!((refused.0, refused.2.as_str()), (405, "method-not-allowed"), "{method}");
    }
    for name in ["x-http-method-override", "x-method-override", "x-http-method"] {
        let sent = request("GET", "/m").header(name, "DELETE").body(Body::empty()).unwrap();
        assert_eq!(GATE.arrival(&GATE.send(sent)).unwrap().field(name), None, "{name}");
        let sent = request("POST", "/m").header(name, "GET").body(Body::empty()).unwrap();
        assert_eq!(GATE.refusal(CLIENT, sent).0, 405, "{name}");
    }
}
