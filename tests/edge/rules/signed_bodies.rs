//! Signed bodies: the edge reads a body whole, binds it by the identity header, and forwards it unchanged.

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::body::Bytes;
use hyper::{Body, Request};
use serde_json::json;

use super::gate::{Gate, Setting, minted, request};
use crate::support::edge::RUNTIME;
use crate::support::provider;
use crate::support::tokens::now;

static GATE: LazyLock<Gate> = LazyLock::new(|| {
    let route = |id: &str, accepts: serde_json::Value| {
        json!({
            "id": id, "path": format!("/{id}"), "methods": ["POST", "GET"], "access": "public",
            "sign_body": true, "accepts": accepts
        })
    };
    Gate::new(&json!({ "routes": [route("short", json!({ "max_body": 1000 })), route("long", json!({}))] }))
});

fn sent(path: &str, body: Body) -> Request<Body> {
    request("POST", path).header("content-digest", "sha-256=:bGllcw==:").body(body).unwrap()
}

/// A body in these pieces, which ends with an error if `breaks` is set.
fn pieces(pieces: Vec<Vec<u8>>, breaks: bool) -> Body {
    let (mut sender, body) = Body::channel();
    RUNTIME.spawn(async move {
        for piece in pieces {
            if sender.send_data(Bytes::from(piece)).await.is_err() {
                return;
            }
        }
        if breaks {
            sender.abort();
        }
    });
    body
}

#[test]
fn the_application_gets_exactly_the_bytes_that_the_header_binds() {
    let mixed: Vec<u8> = (0..=255).collect();
    for (path, body, whole) in [
        ("/short", Body::empty(), Vec::new()),
        ("/short", Body::from(mixed.clone()), mixed.clone()),
        ("/short", pieces(vec![vec![b'x'; 500]; 2], false), vec![b'x'; 1000]),
        ("/long", pieces(vec![mixed.clone(); 4000], false), mixed.repeat(4000)),
    ] {
        let response = GATE.send(sent(path, body));
        let arrived = GATE.arrival(&response).unwrap();
        let digest = format!("sha-256=:{}:", STANDARD.encode(hmac_sha256::Hash::hash(&whole)));
        assert_eq!(response.status, 200);
        assert_eq!(minted(&arrived)["tctx"]["content_digest"], digest);
        assert_eq!(arrived.fields.iter().filter(|(name, _)| name == "content-digest").count(), 1);
        assert_eq!(arrived.field("content-digest"), Some(digest.as_str()));
        assert!(arrived.body.unwrap() == whole, "{path}");
    }
}

#[test]
fn a_body_that_is_too_long_or_does_not_end_reaches_no_origin() {
    let client = "198.51.100.7";
    let too_long = (413, "content-too-large".into());
    let (status, problem, code) = GATE.refusal(client, sent("/short", pieces(vec![vec![b'x'; 501]; 2], false)));
    assert_eq!(((status, problem), code.as_str()), (too_long.clone(), "body-grew-too-long"));
    let (status, problem, code) = GATE.refusal(client, sent("/long", pieces(vec![vec![b'x'; 64 << 10]; 129], false)));
    assert_eq!(((status, problem), code.as_str()), (too_long, "body-grew-too-long"));
    let (status, problem, code) = GATE.refusal(client, sent("/long", pieces(vec![vec![b'x'; 10]], true)));
    assert_eq!((status, problem.as_str(), code.as_str()), (400, "bad-request", "body-unreadable"));
}

#[test]
fn a_shadow_policy_that_signs_bodies_does_not_read_the_live_requests() {
    let route = |sign: bool| {
        let accepts = if sign { json!({ "max_body": 1000 }) } else { json!({}) };
        json!({ "routes": [{
            "id": "r", "path": "/r", "methods": ["POST"], "access": "public", "sign_body": sign, "accepts": accepts
        }] })
    };
    let kv = vec![("policy.shadow".to_owned(), provider::policy(&route(true)).to_string())];
    let gate = Gate::with(&route(false), &Setting { kv, ..Setting::default() });
    let response = gate.send(request("POST", "/r").body(pieces(vec![vec![b'x'; 1000]; 5], false)).unwrap());
    assert_eq!(response.status, 200);
    assert_eq!(gate.arrival(&response).unwrap().body.unwrap().len(), 5000);
    assert_eq!(
        gate.line(&response)["shadow_policy"],
        "would-forward",
        "the shadow policy does not know a length that was not announced"
    );
    let announced = request("POST", "/r").header("content-length", "5000").body(Body::from(vec![b'x'; 5000])).unwrap();
    let response = gate.send(announced);
    assert_eq!(gate.arrival(&response).unwrap().body.unwrap().len(), 5000);
    assert_eq!(gate.line(&response)["shadow_policy"], "would-refuse body-too-long");
}

/// A body with one byte in each of `seconds`, and then its end.
fn slow(seconds: u64) -> Body {
    let (mut sender, body) = Body::channel();
    RUNTIME.spawn(async move {
        for _ in 0..seconds {
            if sender.send_data(Bytes::from_static(b"x")).await.is_err() {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        }
    });
    body
}

#[test]
fn the_lifetime_of_the_header_begins_when_the_request_is_forwarded() {
    let bounded = |id: &str, sign: bool| {
        json!({
            "id": id, "path": format!("/{id}"), "methods": ["POST"], "access": "public", "sign_body": sign,
            "accepts": { "max_body": 1000 }
        })
    };
    let gate = Gate::new(&json!({
        "edge": { "issuer": "https://edge.test", "hosts": ["edge.test"], "identity_lifetime": 2 },
        "routes": [bounded("signed", true), bounded("bounded", false)]
    }));
    for path in ["/signed", "/bounded"] {
        let response = gate.send(request("POST", path).body(slow(3)).unwrap());
        let left = now();
        let claims = minted(&gate.arrival(&response).unwrap());
        assert!(claims["exp"].as_u64().unwrap() >= left, "{path}: {claims} at {left}");
    }
}

#[test]
fn a_client_that_sends_its_body_too_slowly_is_disconnected() {
    let client = "198.51.100.7";
    let stalled = request("POST", "/short").header("content-length", "30").body(slow(30)).unwrap();
    let (status, problem, code) = GATE.refusal(client, stalled);
    assert_eq!((status, problem.as_str(), code.as_str()), (408, "request-timeout", "body-too-slow"));
}
