//! A proof is valid for one request (RFC 9449 §11.1).

use serde_json::json;

use super::{THIEF, bound_token, claims, digest, gate_with, header, pair, proof, token};
use crate::offline::{NOW, get};
use crate::samples::sign::with;

#[test]
fn a_proof_is_accepted_once_and_a_new_one_is_accepted_again() {
    let gate = gate_with(&json!({}));
    let send = |jti: &str| {
        let proof = proof(&header(), &with(&claims(), "jti", jti));
        gate.verdict(get("/me").proven(&bound_token(), &[&proof]))
    };
    assert_eq!(
        [send("a"), send("a"), send("b"), send("a")],
        ["forwarded", "proof-replayed", "forwarded", "proof-replayed"]
    );
}

#[test]
fn a_new_signature_or_time_does_not_make_a_new_proof_of_the_same_jti() {
    let gate = gate_with(&json!({}));
    for (iat, expected) in [(NOW, "forwarded"), (NOW - 1, "proof-replayed"), (NOW + 1, "proof-replayed")] {
        let proof = proof(&header(), &with(&claims(), "iat", iat));
        assert_eq!(gate.verdict(get("/me").proven(&bound_token(), &[&proof])), expected);
    }
}

#[test]
fn a_client_cannot_use_up_the_proofs_of_another_client() {
    let gate = gate_with(&json!({}));
    let thief = pair(THIEF);
    let theirs = token(&json!({ "jkt": thief.thumbprint() }));
    let claims_of_theirs = with(&claims(), "ath", digest(&theirs));
    let proof_of_theirs = thief.sign(with(&header(), "jwk", thief.jwk()).to_string(), claims_of_theirs.to_string());
    assert_eq!(gate.verdict(get("/me").proven(&theirs, &[&proof_of_theirs])), "forwarded", "the same jti");
    assert_eq!(gate.verdict(get("/me").proven(&bound_token(), &[&proof(&header(), &claims())])), "forwarded");
}

#[test]
fn only_valid_proofs_are_remembered() {
    let gate = gate_with(&json!({}));
    let good = proof(&header(), &claims());
    let content = good.rsplit_once('.').unwrap().0;
    let forged = format!("{content}.{}", proof(&header(), &with(&claims(), "jti", "x")).rsplit_once('.').unwrap().1);
    assert_eq!(gate.verdict(get("/me").proven(&bound_token(), &[&forged])), "proof-signature");
    assert_eq!(gate.verdict(get("/files/x").proven(&bound_token(), &[&good])), "proof-url");
    let expired = bound_token().replace('.', "..");
    assert_eq!(gate.verdict(get("/me").proven(&expired, &[&good])), "token-malformed");
    assert!(gate.fakes().used_proofs.windows.is_empty());
    assert_eq!(gate.verdict(get("/me").proven(&bound_token(), &[&good])), "forwarded");
}

#[test]
fn a_used_proof_is_remembered_for_as_long_as_any_policy_could_accept_it() {
    let least = 600 + 60 + 1;
    for edge in [json!({}), json!({ "dpop": { "max_age": 5, "leeway": 2 } })] {
        let gate = gate_with(&edge);
        assert_eq!(gate.verdict(get("/me").proven(&bound_token(), &[&proof(&header(), &claims())])), "forwarded");
        let windows: Vec<u64> = gate.fakes().used_proofs.windows.values().map(|window| window.as_u64()).collect();
        let [window] = windows[..] else { panic!("{windows:?}") };
        assert!((least..=least + 5).contains(&window), "{window}");
    }
}

#[test]
fn an_unreachable_memory_of_proofs_gives_503() {
    let gate = gate_with(&json!({}));
    gate.fakes().used_proofs.broken = true;
    let outcome = gate.send(get("/me").proven(&bound_token(), &[&proof(&header(), &claims())]));
    assert_eq!(outcome.trail.verdict, "used-proofs-unreachable");
    assert_eq!(outcome.refused(), (503, None));
}
