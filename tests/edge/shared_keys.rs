//! An origin that shares a key with the edge: the real application on uvicorn accepts only headers that this key
//! signed.

use fastgate::mint::SigningKeys;
use serde_json::json;

use crate::support::child::Uvicorn;
use crate::support::edge::{Edge, Listener, Stores};
use crate::support::http::{Reply, exchange};
use crate::support::tokens::{claims, header, jwks, sign};
use crate::support::world::{issuer, policy, signing_keys};

/// The response of the demo application to a caller, if edge and application have these algorithms and keys.
fn response(algorithm: &str, audience_of_the_keys: Option<&str>) -> Reply {
    let listener = Listener::bind();
    let keys = signing_keys();
    let edges_own = SigningKeys::parse(keys.as_bytes()).unwrap();
    let origin_keys = audience_of_the_keys.map_or_else(String::new, |audience| edges_own.origin_keys(audience));
    let demo = Uvicorn::with_origin_keys("httptools", listener.address(), &origin_keys);
    let issuer = issuer(jwks());
    let iss = format!("http://{}", issuer.address);
    let mut policy = policy(listener.address(), &iss);
    policy["origins"]["demo"]["algorithm"] = json!(algorithm);
    let backends = [("origin", demo.address), ("issuer", issuer.address), ("echo", issuer.address)];
    let stores = Stores {
        kv: Some(vec![("policy".to_owned(), policy.to_string())]),
        signing_keys: Some(keys),
        backends: backends.map(|(name, address)| (name.to_owned(), address.to_string())).to_vec(),
        ..Stores::default()
    };
    let edge = Edge::start(listener, &stores);
    let token = sign(&header(), &claims(&iss, "user-1", ""));
    let request = format!(
        "GET /me HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {token}\r\nconnection: close\r\n\r\n",
        edge.address
    );
    exchange(edge.address, request.as_bytes()).unwrap()
}

#[test]
fn an_application_with_its_own_key_identifies_callers_with_it() {
    let reply = response("HS256", Some("demo-api"));
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert_eq!(reply.json()["subject"], "user-1");
}

#[test]
fn an_application_accepts_only_its_own_key_and_algorithm() {
    for (algorithm, keys) in [("HS256", Some("echo-api")), ("HS256", None), ("ES256", Some("demo-api"))] {
        let reply = response(algorithm, keys);
        assert_eq!((reply.status, reply.problem().as_str()), (401, "not-from-the-edge"), "{algorithm} {keys:?}");
    }
}
