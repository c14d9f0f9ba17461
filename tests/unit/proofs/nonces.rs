//! Nonces of the edge (RFC 9449 §8, §9): required if the policy says so, the same at every POP, renewed in time.

use fastgate::gateway::Decision;
use fastgate::headers::Headers;
use fastgate::identity::dpop::NONCE_WINDOW;
use fastgate::mint::new_signing_keys;
use serde_json::{Value, json};

use super::{METADATA, bound_token, claims, gate_with, gate_with_signing_keys, header, pair, proof};
use crate::offline::{Gate, NOW, Outcome, get};
use crate::samples::sign::{with, without};

fn edge() -> Value {
    json!({ "dpop": { "nonce": true, "max_age": 600 } })
}

/// The values of a field of the response.
fn response_field(outcome: &Outcome, name: &str) -> Vec<String> {
    let headers = match &outcome.decision {
        Decision::Forward(grant) => grant.response().apply(&Headers::from_iter([("cache-control", "public")])),
        Decision::Refuse(problem) => problem.headers(),
        other => panic!("{other:?}"),
    };
    headers.all(name).map(|value| String::from_utf8(value.to_vec()).unwrap()).collect()
}

/// Sends a proof with this nonce, or without one, at this time.
fn send(gate: &Gate, nonce: impl Into<Value>, now: u64) -> Outcome {
    send_to(gate, "/me", nonce, now)
}

fn send_to(gate: &Gate, path: &str, nonce: impl Into<Value>, now: u64) -> Outcome {
    gate.now.set(now);
    let mut claims = with(&claims(), "htu", format!("https://edge.test{path}"));
    claims = match nonce.into() {
        Value::Null => claims,
        nonce => with(&with(&claims, "nonce", nonce.clone()), "jti", format!("{now} {nonce}")),
    };
    gate.send(get(path).proven(&bound_token(), &[&proof(&header(), &claims)]))
}

/// The nonce in the response to a client without one.
fn given(gate: &Gate, now: u64) -> String {
    let refused = send(gate, Value::Null, now);
    assert_eq!(refused.trail.verdict, "proof-nonce");
    let [nonce] = &response_field(&refused, "dpop-nonce")[..] else { panic!("not exactly one nonce") };
    nonce.clone()
}

#[test]
fn a_proof_without_a_nonce_gets_one_that_is_accepted() {
    let gate = gate_with(&edge());
    let refused = send(&gate, Value::Null, NOW);
    let challenge = format!("DPoP error=\"use_dpop_nonce\", algs=\"ES256 EdDSA\", {METADATA}");
    assert_eq!(refused.refused(), (401, Some(challenge)));
    assert_eq!(response_field(&refused, "cache-control"), ["no-store"]);
    let Decision::Refuse(problem) = &refused.decision else { panic!("the request was not refused") };
    assert!(problem.body().contains("urn:fastgate:problem:proof-nonce-required"));
    let nonce = given(&gate, NOW);
    assert!(nonce.bytes().all(|byte| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e)), "{nonce}: RFC 9449 §8.1");
    let passed = send(&gate, nonce.as_str(), NOW);
    assert_eq!(passed.trail.verdict, "forwarded");
    assert!(response_field(&passed, "dpop-nonce").is_empty(), "the nonce is still fresh");
    assert_eq!(response_field(&passed, "cache-control"), ["public"], "the response is then unchanged");
}

#[test]
fn a_nonce_is_renewed_in_the_next_window_and_invalid_after_it() {
    let start = NOW - NOW % NONCE_WINDOW;
    let gate = gate_with(&edge());
    let nonce = given(&gate, start);
    assert_eq!(given(&gate, start + NONCE_WINDOW - 1), nonce, "one window, one nonce");
    for (after, expected) in [
        (0, ("forwarded", false)),
        (NONCE_WINDOW - 1, ("forwarded", false)),
        (NONCE_WINDOW, ("forwarded", true)),
        (2 * NONCE_WINDOW - 1, ("forwarded", true)),
        (2 * NONCE_WINDOW, ("proof-nonce", true)),
        (3 * NONCE_WINDOW, ("proof-nonce", true)),
    ] {
        let outcome = send(&gate, nonce.as_str(), start + after);
        let renewed = response_field(&outcome, "dpop-nonce");
        assert_eq!((outcome.trail.verdict, !renewed.is_empty()), expected, "{after}");
        for renewed in renewed {
            assert_ne!(renewed, nonce);
            assert_eq!(response_field(&outcome, "cache-control"), ["no-store"], "RFC 9449 §8.2");
            assert_eq!(send(&gate, renewed, start + after).trail.verdict, "forwarded");
        }
    }
    let later = given(&gate, start + 4 * NONCE_WINDOW);
    assert_eq!(send(&gate, later, start).trail.verdict, "proof-nonce", "a nonce is not valid before its window");
}

#[test]
fn only_nonces_of_this_edge_are_accepted() {
    let of_another = given(&gate_with(&edge()), NOW);
    let gate = gate_with(&edge());
    let good = given(&gate, NOW);
    for bad in [
        json!(""),
        json!("x"),
        json!(1),
        json!([good]),
        json!(good.to_lowercase()),
        json!(format!("{good}=")),
        json!(&good[1..]),
        json!(of_another),
    ] {
        assert_eq!(send(&gate, bad.clone(), NOW).trail.verdict, "proof-nonce", "{bad}");
    }
}

#[test]
fn every_pop_gives_and_accepts_the_same_nonces_also_during_key_rotation() {
    let (one, two) = (new_signing_keys().0, new_signing_keys().0);
    let key = |keys: &str| serde_json::from_str::<Value>(keys).unwrap()["keys"][0].clone();
    let set = |keys: [&str; 2]| json!({ "keys": keys.map(key) }).to_string();
    let gates =
        [one.clone(), set([&one, &two]), set([&two, &one]), two].map(|keys| gate_with_signing_keys(&edge(), &keys));
    let nonces: Vec<String> = gates.iter().map(|gate| given(gate, NOW)).collect();
    assert_eq!((&nonces[0], &nonces[2]), (&nonces[1], &nonces[3]));
    let taken = |gate: &Gate, nonce: &str| send(gate, nonce, NOW).trail.verdict == "forwarded";
    for (pop, takes) in [[true, false], [true, true], [true, true], [false, true]].into_iter().enumerate() {
        assert_eq!([&nonces[0], &nonces[2]].map(|nonce| taken(&gates[pop], nonce)), takes, "POP {pop}");
    }
    assert!(!one.contains(&nonces[0]) && !format!("{:?}", gate_with(&edge()).gateway).contains(&nonces[0]));
}

#[test]
fn a_nonce_does_not_make_an_invalid_proof_valid() {
    let gate = gate_with(&edge());
    let claims = with(&claims(), "nonce", given(&gate, NOW));
    let thief = pair(super::THIEF);
    for (expected, proof) in [
        ("proof-method", proof(&header(), &with(&claims, "htm", "POST"))),
        ("proof-too-old", proof(&header(), &with(&claims, "iat", NOW - 601))),
        ("proof-other-key", thief.sign(with(&header(), "jwk", thief.jwk()).to_string(), claims.to_string())),
        ("proof-signature", thief.sign(header().to_string(), claims.to_string())),
        ("proof-claim", proof(&header(), &without(&claims, "jti"))),
        ("forwarded", proof(&header(), &claims)),
        ("proof-replayed", proof(&header(), &claims)),
    ] {
        assert_eq!(gate.verdict(get("/me").proven(&bound_token(), &[&proof])), expected);
    }
}

#[test]
fn optional_and_public_routes_give_a_nonce_too() {
    let gate = gate_with(&edge());
    let outcome = send_to(&gate, "/maybe", Value::Null, NOW);
    assert_eq!((outcome.trail.verdict, outcome.trail.credentials_ignored), ("forwarded", Some("proof-nonce")));
    let nonce = response_field(&outcome, "dpop-nonce").concat();
    assert_eq!(send_to(&gate, "/maybe", nonce, NOW).minted()["sub"], "ada");
}

#[test]
fn pages_that_may_read_a_response_may_read_its_nonce() {
    let gate = gate_with(&edge());
    let proof = proof(&header(), &with(&claims(), "htu", "https://edge.test/page"));
    for (origin, exposed) in [("https://app.test", &["DPoP-Nonce, WWW-Authenticate"][..]), ("https://evil.test", &[])] {
        let request = get("/page").proven(&bound_token(), &[&proof]).field("origin", origin);
        let outcome = gate.send(request);
        assert_eq!(outcome.trail.verdict, "proof-nonce");
        assert_eq!(response_field(&outcome, "access-control-expose-headers"), exposed, "{origin}");
    }
}

#[test]
fn without_the_rule_no_nonce_is_given_and_any_is_ignored() {
    let gate = gate_with(&json!({}));
    for nonce in [Value::Null, json!("x")] {
        let outcome = send(&gate, nonce, NOW);
        assert_eq!((outcome.trail.verdict, response_field(&outcome, "dpop-nonce").len()), ("forwarded", 0));
    }
}
