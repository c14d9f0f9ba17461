//! The pipeline with a real OpenID provider: its discovery, its keys, its access tokens.

use std::sync::LazyLock;

use serde_json::json;

use crate::support::child::{Provider, Uvicorn};
use crate::support::edge::{Edge, Listener, Stores};
use crate::support::http::{Reply, exchange};
use crate::support::world::{policy, signing_keys};

struct Real {
    edge: Edge,
    _demo: Uvicorn,
    provider: Provider,
}

static REAL: LazyLock<Real> = LazyLock::new(|| {
    let provider = Provider::start();
    let listener = Listener::bind();
    let demo = Uvicorn::start("httptools", listener.address());
    let policy = policy(listener.address(), &provider.issuer);
    let edge = Edge::start(
        listener,
        &Stores {
            kv: Some(vec![("policy".to_owned(), policy.to_string())]),
            signing_keys: Some(signing_keys()),
            backends: [("origin", demo.address), ("issuer", provider.address())]
                .map(|(name, address)| (name.to_owned(), address.to_string()))
                .to_vec(),
            ..Stores::default()
        },
    );
    Real { edge, _demo: demo, provider }
});

fn call(line: &str, token: &str) -> Reply {
    let body = if line.starts_with("POST") { "{\"item\":\"tea\",\"quantity\":1}" } else { "" };
    let request = format!(
        "{line} HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {token}\r\ncontent-type: application/json\r\n\
         content-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    );
    exchange(REAL.edge.address, request.as_bytes()).unwrap()
}

#[test]
fn a_providers_token_is_accepted_for_its_scopes() {
    let token = REAL.provider.token("demo-reader", "scope=orders:read");
    let me = call("GET /me", &token);
    assert_eq!(me.status, 200, "{}", me.text());
    assert_eq!((&me.json()["subject"], &me.json()["issuer"]), (&json!("demo-reader"), &json!(REAL.provider.issuer)));
    assert_eq!(call("GET /orders/7", &token).status, 200);
    assert_eq!(call("POST /orders", &token).problem(), "insufficient-scope");
    let writer = REAL.provider.token("demo-writer", "scope=orders:read%20orders:write");
    assert_eq!(call("POST /orders", &writer).status, 201);
}

#[test]
fn both_of_its_algorithms_verify() {
    for (client, alg) in [("demo-reader", "RS256"), ("demo-es256", "ES256")] {
        use base64::Engine as _;
        let token = REAL.provider.token(client, "scope=orders:read");
        let header = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(token.split('.').next().unwrap()).unwrap();
        assert!(String::from_utf8(header).unwrap().contains(alg));
        assert_eq!(call("GET /orders/7", &token).status, 200, "{alg}");
    }
}

#[test]
fn its_token_for_another_api_is_refused() {
    let token = REAL.provider.token("demo-reader", "scope=orders:read&resource=https://other.fastgate.example");
    assert_eq!(call("GET /me", &token).problem(), "invalid-token");
}
