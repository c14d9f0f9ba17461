//! An origin with a key of its own: the real application on uvicorn derives the MAC key that the edge derives.

use serde_json::Value;

use crate::support::child::Uvicorn;
use crate::support::edge::{Edge, Listener};
use crate::support::http::{Reply, exchange};
use crate::support::tokens::{claims, header, jwks, sign};
use crate::support::world::{issuer, policy, stores};

const APP: &str = include_str!("../data/keys/app-exchange.json");
const FILES: &str = include_str!("../data/keys/files-exchange.json");

/// The response of the demo application to a caller, if the policy has the public half of the one key and the
/// application the other.
fn response(in_the_policy: Option<&str>, at_the_origin: Option<&str>) -> Reply {
    let listener = Listener::bind();
    let demo = Uvicorn::with_origin_key("httptools", listener.address(), at_the_origin.unwrap_or_default());
    let issuer = issuer(jwks());
    let iss = format!("http://{}", issuer.address);
    let mut policy = policy(listener.address(), &iss);
    if let Some(key) = in_the_policy {
        let mut key: Value = serde_json::from_str(key).unwrap();
        key.as_object_mut().unwrap().remove("d");
        policy["origins"]["demo"]["key"] = key;
    }
    let backends = [("origin", demo.address), ("issuer", issuer.address), ("echo", issuer.address)];
    let edge = Edge::start(listener, &stores(&policy, &backends));
    let token = sign(&header(), &claims(&iss, "user-1", ""));
    let request = format!(
        "GET /me HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {token}\r\nconnection: close\r\n\r\n",
        edge.address
    );
    exchange(edge.address, request.as_bytes()).unwrap()
}

#[test]
fn an_application_with_a_key_identifies_callers_by_mac_and_by_signature() {
    for in_the_policy in [Some(APP), None] {
        let reply = response(in_the_policy, Some(APP));
        assert_eq!(reply.status, 200, "{}", reply.text());
        assert_eq!(reply.json()["subject"], "user-1");
    }
}

#[test]
fn an_application_accepts_no_mac_under_another_key() {
    for at_the_origin in [Some(FILES), None] {
        let reply = response(Some(APP), at_the_origin);
        assert_eq!((reply.status, reply.problem().as_str()), (401, "not-from-the-edge"), "{}", at_the_origin.is_some());
    }
}
