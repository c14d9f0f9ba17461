//! Bound tokens: how a client may present them, what a route may require, and what the origin receives.

use serde_json::{Value, json};

use super::{CLIENT, METADATA, bound_token, claims, digest, gate_with, header, pair, proof, token, verdict};
use crate::offline::{NOW, get};
use crate::samples::sign::with;

fn proof_for(target: &str, jti: &str) -> String {
    proof(&header(), &with(&with(&claims(), "htu", format!("https://edge.test{target}")), "jti", jti))
}

#[test]
fn a_bound_token_is_never_accepted_as_a_bearer_token() {
    let good = proof(&header(), &claims());
    assert_eq!(verdict(get("/me").bearer(&bound_token())), "token-bound");
    assert_eq!(verdict(get("/me").bearer(&bound_token()).field("dpop", &good)), "token-bound");
    let outcome = gate_with(&json!({})).send(get("/me").bearer(&bound_token()));
    assert_eq!(outcome.refused(), (401, Some(format!("Bearer error=\"invalid_token\", {METADATA}"))));
}

#[test]
fn a_token_with_an_unknown_binding_is_always_refused() {
    let jkt = pair(CLIENT).thumbprint();
    for cnf in [
        json!({}),
        json!([]),
        json!("x"),
        json!({ "jkt": "short" }),
        json!({ "jkt": jkt, "x5t#S256": digest("x") }),
        json!({ "jwk": pair(CLIENT).jwk() }),
        json!({ "kid": jkt }),
    ] {
        let token = token(&cnf);
        let proof = proof(&header(), &with(&claims(), "ath", digest(&token)));
        assert_eq!(verdict(get("/me").bearer(&token)), "token-bound", "{cnf}");
        assert_eq!(verdict(get("/me").proven(&token, &[&proof])), "token-bound", "{cnf}");
    }
}

#[test]
fn a_token_without_a_key_binding_is_not_accepted_with_a_proof() {
    for cnf in [Value::Null, json!({ "x5t#S256": digest("certificate") })] {
        let token = token(&cnf);
        let proof = proof(&header(), &with(&claims(), "ath", digest(&token)));
        let request = get("/me").proven(&token, &[&proof]);
        assert_eq!(verdict(request.certificate("certificate")), "proof-unbound", "{cnf}");
    }
}

#[test]
fn a_proof_does_not_make_an_invalid_token_valid() {
    let old = token(&json!({ "jkt": pair(CLIENT).thumbprint() }));
    let proof = proof(&header(), &with(&with(&claims(), "ath", digest(&old)), "iat", NOW + 700));
    let gate = gate_with(&json!({}));
    gate.now.set(NOW + 700);
    let outcome = gate.send(get("/me").proven(&old, &[&proof]));
    assert_eq!(outcome.trail.verdict, "token-expired");
    let challenge = format!("DPoP error=\"invalid_token\", algs=\"ES256 EdDSA\", {METADATA}");
    assert_eq!(outcome.refused(), (401, Some(challenge)), "a client that used the scheme gets its challenge");
}

#[test]
fn a_proof_beside_a_plain_bearer_token_changes_nothing() {
    let outcome = gate_with(&json!({})).send(get("/me").bearer(&token(&Value::Null)).field("dpop", "nonsense"));
    assert_eq!(outcome.trail.verdict, "forwarded");
    assert!(outcome.minted()["rctx"].get("cnf").is_none());
    assert_eq!(outcome.sent("dpop"), [""; 0]);
}

#[test]
fn a_route_may_require_a_bound_token() {
    let gate = gate_with(&json!({}));
    let plain = gate.send(get("/safe").bearer(&token(&Value::Null)));
    assert_eq!(plain.trail.verdict, "token-unbound");
    let challenge = |error: &str| Some(format!("DPoP {error}scope=\"orders:read\", algs=\"ES256 EdDSA\", {METADATA}"));
    assert_eq!(plain.refused(), (401, challenge("error=\"invalid_token\", ")));
    assert_eq!(gate.send(get("/safe")).refused(), (401, challenge("")), "no error code without credentials");
    assert_eq!(gate.send(get("/safe").bearer("a.b.c")).refused(), (401, challenge("error=\"invalid_token\", ")));
    assert_eq!(gate.verdict(get("/safe").proven(&bound_token(), &[&proof_for("/safe", "a")])), "forwarded");
    assert_eq!(gate.verdict(get("/safe").proven(&bound_token(), &[&proof_for("/me", "b")])), "proof-url");
}

#[test]
fn the_origin_receives_the_binding_and_never_the_proof() {
    let gate = gate_with(&json!({}));
    let outcome = gate.send(get("/me").proven(&bound_token(), &[&proof_for("/me", "a")]));
    let minted = outcome.minted();
    assert_eq!(minted["rctx"]["cnf"], json!({ "jkt": pair(CLIENT).thumbprint() }));
    assert_eq!(minted["sub"], "ada");
    assert_eq!((outcome.sent("dpop"), outcome.sent("authorization")), (vec![], vec![]));
    let outcome = gate.send(get("/token").proven(&bound_token(), &[&proof_for("/token", "b")]));
    assert_eq!(outcome.sent("authorization"), [format!("DPoP {}", bound_token())]);
    assert_eq!(outcome.sent("dpop"), [""; 0], "a proof is for one request to this edge");
}

#[test]
fn on_a_public_route_a_proof_is_neither_read_nor_forwarded() {
    let gate = gate_with(&json!({}));
    let outcome = gate.send(get("/open").proven(&bound_token(), &["nonsense"]));
    assert_eq!((outcome.trail.verdict, outcome.sent("dpop")), ("forwarded", vec![]));
    assert!(gate.fakes().used_proofs.windows.is_empty());
}

#[test]
fn on_an_optional_route_a_bound_token_without_proof_counts_as_absent() {
    let gate = gate_with(&json!({}));
    let outcome = gate.send(get("/maybe").proven(&bound_token(), &[&proof_for("/me", "a")]));
    assert_eq!((outcome.trail.verdict, outcome.trail.credentials_ignored), ("forwarded", Some("proof-url")));
    assert!(outcome.minted().get("sub").is_none());
    let outcome = gate.send(get("/maybe").proven(&bound_token(), &[&proof_for("/maybe", "b")]));
    assert_eq!(outcome.minted()["sub"], "ada");
}

#[test]
fn the_log_line_holds_neither_token_nor_proof() {
    let gate = gate_with(&json!({}));
    let proof = proof_for("/me", "s3cret");
    for _ in 0..2 {
        let line = gate.send(get("/me").proven(&bound_token(), &[&proof])).trail.to_line();
        assert!(!line.contains(&bound_token()) && !line.contains(&proof) && !line.contains("s3cret"), "{line}");
    }
}

#[test]
fn the_log_line_says_whether_the_token_was_bound() {
    let gate = gate_with(&json!({}));
    let bound = |request| gate.send(request).line()["recorded"]["bound"].clone();
    assert_eq!(bound(get("/me").proven(&bound_token(), &[&proof_for("/me", "a")])), true);
    assert_eq!(bound(get("/me").bearer(&token(&json!(null)))), false);
    assert_eq!(bound(get("/open")), json!(null), "the caller was not identified");
}
