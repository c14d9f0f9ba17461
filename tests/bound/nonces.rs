//! Nonces of the edge (RFC 9449 §8, §9): asked for where the policy says so, the same at every POP, renewed in time.

use fastgate::gateway::Decision;
use fastgate::headers::Headers;
use fastgate::identity::dpop::NONCE_WINDOW;
use fastgate::mint::new_signing_keys;
use serde_json::{Value, json};

use crate::desk::{
    Desk, METADATA, NOW, Outcome, bound_token, claims, field, get, header, pair, proof, proven, with, without,
};

fn edge() -> Value {
    json!({ "dpop": { "nonce": true, "max_age": 600 } })
}

/// The values of a field of the answer, whoever gives it.
fn answered(outcome: &Outcome, name: &str) -> Vec<String> {
    let headers = match &outcome.decision {
        Decision::Forward(grant) => grant.response().apply(&Headers::from_iter([("cache-control", "public")])),
        Decision::Refuse(problem) => problem.headers(),
        other => panic!("{other:?}"),
    };
    headers.all(name).map(|value| String::from_utf8(value.to_vec()).unwrap()).collect()
}

/// Sends a proof with this nonce, or with none, at this time.
fn send(desk: &Desk, nonce: impl Into<Value>, now: u64) -> Outcome {
    send_to(desk, "/me", nonce, now)
}

fn send_to(desk: &Desk, path: &str, nonce: impl Into<Value>, now: u64) -> Outcome {
    desk.now.set(now);
    let mut claims = with(&claims(), "htu", format!("https://edge.test{path}"));
    claims = match nonce.into() {
        Value::Null => claims,
        nonce => with(&with(&claims, "nonce", nonce.clone()), "jti", format!("{now} {nonce}")),
    };
    desk.send(proven(get(path), &bound_token(), &[&proof(&header(), &claims)]))
}

/// The nonce that a client is given.
fn given(desk: &Desk, now: u64) -> String {
    let refused = send(desk, Value::Null, now);
    assert_eq!(refused.trail.verdict, "proof-nonce");
    let [nonce] = &answered(&refused, "dpop-nonce")[..] else { panic!("not exactly one nonce") };
    nonce.clone()
}

#[test]
fn a_proof_without_a_nonce_is_answered_with_one_that_opens() {
    let desk = Desk::new(&edge());
    let refused = send(&desk, Value::Null, NOW);
    let challenge = format!("DPoP error=\"use_dpop_nonce\", algs=\"ES256 EdDSA\", {METADATA}");
    assert_eq!(refused.refused(), (401, Some(challenge)));
    assert_eq!(answered(&refused, "cache-control"), ["no-store"]);
    let Decision::Refuse(problem) = &refused.decision else { panic!("it is refused") };
    assert!(problem.body().contains("urn:fastgate:problem:proof-nonce-required"));
    let nonce = given(&desk, NOW);
    assert!(nonce.bytes().all(|byte| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e)), "{nonce}: RFC 9449 §8.1");
    let passed = send(&desk, nonce.as_str(), NOW);
    assert_eq!(passed.trail.verdict, "forwarded");
    assert!(answered(&passed, "dpop-nonce").is_empty(), "it is still the fresh one");
    assert_eq!(answered(&passed, "cache-control"), ["public"], "of the application's answers nothing is changed then");
}

#[test]
fn a_nonce_is_renewed_in_the_window_after_its_own_and_then_no_longer_good() {
    let start = NOW - NOW % NONCE_WINDOW;
    let desk = Desk::new(&edge());
    let nonce = given(&desk, start);
    assert_eq!(given(&desk, start + NONCE_WINDOW - 1), nonce, "one window, one nonce");
    for (after, expected) in [
        (0, ("forwarded", false)),
        (NONCE_WINDOW - 1, ("forwarded", false)),
        (NONCE_WINDOW, ("forwarded", true)),
        (2 * NONCE_WINDOW - 1, ("forwarded", true)),
        (2 * NONCE_WINDOW, ("proof-nonce", true)),
        (3 * NONCE_WINDOW, ("proof-nonce", true)),
    ] {
        let outcome = send(&desk, nonce.as_str(), start + after);
        let renewed = answered(&outcome, "dpop-nonce");
        assert_eq!((outcome.trail.verdict, !renewed.is_empty()), expected, "{after}");
        for renewed in renewed {
            assert_ne!(renewed, nonce);
            assert_eq!(answered(&outcome, "cache-control"), ["no-store"], "RFC 9449 §8.2");
            assert_eq!(send(&desk, renewed, start + after).trail.verdict, "forwarded");
        }
    }
    let later = given(&desk, start + 4 * NONCE_WINDOW);
    assert_eq!(send(&desk, later, start).trail.verdict, "proof-nonce", "nor is one good before its time");
}

#[test]
fn what_is_no_nonce_of_this_edge_is_none() {
    let desk = Desk::new(&edge());
    let good = given(&desk, NOW);
    let of_another = given(&Desk::new(&edge()), NOW);
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
        assert_eq!(send(&desk, bad.clone(), NOW).trail.verdict, "proof-nonce", "{bad}");
    }
}

#[test]
fn every_pop_gives_and_takes_the_same_nonces_also_while_keys_are_exchanged() {
    let (one, two) = (new_signing_keys().0, new_signing_keys().0);
    let key = |keys: &str| serde_json::from_str::<Value>(keys).unwrap()["keys"][0].clone();
    let set = |keys: [&str; 2]| json!({ "keys": keys.map(key) }).to_string();
    let desks = [one.clone(), set([&one, &two]), set([&two, &one]), two].map(|keys| Desk::with_keys(&edge(), &keys));
    let nonces: Vec<String> = desks.iter().map(|desk| given(desk, NOW)).collect();
    assert_eq!((&nonces[0], &nonces[2]), (&nonces[1], &nonces[3]));
    let taken = |desk: &Desk, nonce: &str| send(desk, nonce, NOW).trail.verdict == "forwarded";
    for (pop, takes) in [[true, false], [true, true], [true, true], [false, true]].into_iter().enumerate() {
        assert_eq!([&nonces[0], &nonces[2]].map(|nonce| taken(&desks[pop], nonce)), takes, "POP {pop}");
    }
    assert!(!one.contains(&nonces[0]) && !format!("{:?}", Desk::new(&edge()).gateway()).contains(&nonces[0]));
}

#[test]
fn a_nonce_makes_no_bad_proof_good() {
    let desk = Desk::new(&edge());
    let claims = with(&claims(), "nonce", given(&desk, NOW));
    let thief = pair(crate::desk::THIEFS);
    for (expected, proof) in [
        ("proof-method", proof(&header(), &with(&claims, "htm", "POST"))),
        ("proof-too-old", proof(&header(), &with(&claims, "iat", NOW - 601))),
        ("proof-other-key", thief.sign(with(&header(), "jwk", thief.jwk()).to_string(), claims.to_string())),
        ("proof-signature", thief.sign(header().to_string(), claims.to_string())),
        ("proof-claim", proof(&header(), &without(&claims, "jti"))),
        ("forwarded", proof(&header(), &claims)),
        ("proof-replayed", proof(&header(), &claims)),
    ] {
        assert_eq!(desk.verdict(proven(get("/me"), &bound_token(), &[&proof])), expected);
    }
}

#[test]
fn who_need_not_say_who_they_are_is_given_a_nonce_all_the_same() {
    let desk = Desk::new(&edge());
    let outcome = send_to(&desk, "/maybe", Value::Null, NOW);
    assert_eq!((outcome.trail.verdict, outcome.trail.credentials_ignored), ("forwarded", Some("proof-nonce")));
    let nonce = answered(&outcome, "dpop-nonce").concat();
    assert_eq!(send_to(&desk, "/maybe", nonce, NOW).minted()["sub"], "ada");
}

#[test]
fn pages_that_may_see_an_answer_see_its_nonce() {
    let desk = Desk::new(&edge());
    let proof = proof(&header(), &with(&claims(), "htu", "https://edge.test/page"));
    for (origin, exposed) in [("https://app.test", &["DPoP-Nonce, WWW-Authenticate"][..]), ("https://evil.test", &[])] {
        let head = field(proven(get("/page"), &bound_token(), &[&proof]), "origin", origin);
        let outcome = desk.send(head);
        assert_eq!(outcome.trail.verdict, "proof-nonce");
        assert_eq!(answered(&outcome, "access-control-expose-headers"), exposed, "{origin}");
    }
}

#[test]
fn without_the_demand_no_nonce_is_given_and_any_is_ignored() {
    let desk = Desk::new(&json!({}));
    for nonce in [Value::Null, json!("x")] {
        let outcome = send(&desk, nonce, NOW);
        assert_eq!((outcome.trail.verdict, answered(&outcome, "dpop-nonce").len()), ("forwarded", 0));
    }
}
