//! RFC 8705: tokens that are bound to the certificate with which the client comes over TLS.

use fastgate::request::RequestHead;
use serde_json::json;

use super::desk::{Desk, METADATA, borne, digest, get, token, verdict};

/// A request whose client showed the certificate that this text is.
fn shown(target: &str, certificate: Option<&str>) -> RequestHead {
    let bound = token(&json!({ "x5t#S256": digest("certificate") }));
    let certificate = certificate.map(|text| hmac_sha256::Hash::hash(text.as_bytes()));
    RequestHead { certificate, ..borne(get(target), &bound) }
}

#[test]
fn a_certificate_bound_token_is_good_with_its_certificate_alone() {
    assert_eq!(verdict(shown("/me", Some("certificate"))), "forwarded");
    assert_eq!(verdict(shown("/me", Some("another"))), "token-bound");
    assert_eq!(verdict(shown("/me", None)), "token-bound");
    let outcome = Desk::new(&json!({})).send(shown("/me", None));
    assert_eq!(outcome.refused(), (401, Some(format!("Bearer error=\"invalid_token\", {METADATA}"))));
}

#[test]
fn it_satisfies_a_route_that_wants_a_bound_token_and_the_origin_learns_of_it() {
    let outcome = Desk::new(&json!({})).send(shown("/safe", Some("certificate")));
    assert_eq!(outcome.minted()["rctx"]["cnf"], json!({ "x5t#S256": digest("certificate") }));
}

#[test]
fn a_certificate_alone_binds_nothing() {
    let head = RequestHead { certificate: Some([7; 32]), ..borne(get("/safe"), &token(&json!(null))) };
    assert_eq!(verdict(head), "token-unbound");
}
