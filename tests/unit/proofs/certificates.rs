//! RFC 8705: tokens that are bound to the TLS certificate of the client.

use serde_json::{Value, json};

use super::{METADATA, digest, gate_with, token, verdict};
use crate::offline::{Request, get};

/// A request with a client certificate of this text.
fn shown(target: &str, certificate: Option<&str>) -> Request {
    let bound = token(&json!({ "x5t#S256": digest("certificate") }));
    let request = get(target).bearer(&bound);
    match certificate {
        Some(text) => request.certificate(text),
        None => request,
    }
}

#[test]
fn a_certificate_bound_token_is_valid_only_with_its_certificate() {
    assert_eq!(verdict(shown("/me", Some("certificate"))), "forwarded");
    assert_eq!(verdict(shown("/me", Some("another"))), "token-bound");
    assert_eq!(verdict(shown("/me", None)), "token-bound");
    let outcome = gate_with(&json!({})).send(shown("/me", None));
    assert_eq!(outcome.refused(), (401, Some(format!("Bearer error=\"invalid_token\", {METADATA}"))));
}

#[test]
fn it_satisfies_a_route_that_requires_a_bound_token_and_the_origin_receives_it() {
    let outcome = gate_with(&json!({})).send(shown("/safe", Some("certificate")));
    assert_eq!(outcome.minted()["rctx"]["cnf"], json!({ "x5t#S256": digest("certificate") }));
}

#[test]
fn a_certificate_alone_binds_nothing() {
    let request = get("/safe").bearer(&token(&Value::Null)).certificate("certificate");
    assert_eq!(verdict(request), "token-unbound");
}
