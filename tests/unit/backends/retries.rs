//! Requests that are sent again. Row M11 of `docs/attacks.md`.

use fastgate::backend::{Candidates, Outcome as Sent, may_resend};
use fastgate::gateway::{Delivery, Gateway};
use fastgate::mint::{SigningKeys, new_signing_keys};
use fastgate::time::UnixTime;
use serde_json::{Value, json};

use super::{from, gate, origin, policy, skipping};
use crate::offline::fakes::{FakeCounter, SkippedBackends};
use crate::offline::{NOW, policy_of, request};
use crate::rules::token;

#[test]
fn a_request_that_is_sent_again_is_signed_for_the_time_and_the_region_of_that_try() {
    let gate = gate(&origin());
    let first = gate.send(from("/a", "US", "NA").bearer(&token(json!({ "tid": "globex", "n": 1.5 }))));
    let later = UnixTime::from_seconds(NOW + 20);
    let deliver = |outcome, may_resend| {
        let skipped = skipping(&["eu_1", "eu_2"]);
        let mut health = SkippedBackends(&skipped);
        let delivery = Delivery { grant: first.grant(), outcome, may_resend };
        gate.gateway.delivered(&delivery, later, &mut health, &mut FakeCounter::default())
    };
    let (before, again) = (first.minted(), deliver(Sent::Failed, true).expect("it may be sent again"));
    assert_eq!((before["rctx"]["region"].clone(), again.region()), (json!("us"), Some("eu")));
    let token = again.headers().all("fastgate-identity").map(|value| String::from_utf8_lossy(value).into_owned());
    let mut after = crate::samples::sign::payload_of(&token.collect::<Vec<_>>().concat());
    assert_eq!((&after["iat"], &after["exp"]), (&json!(NOW + 20), &json!(NOW + 50)));
    assert_eq!(after["rctx"]["region"], "eu");
    for member in ["iat", "exp", "rctx"] {
        after[member] = before[member].clone();
    }
    assert_eq!(after, before, "nothing else changes");
    // What the route's time limit ended, and what may be the client's fault, may be sent again, too.
    assert!(deliver(Sent::Doubtful, true).is_some() && deliver(Sent::Unclear, true).is_some());
    assert!(deliver(Sent::Responded, true).is_none() && deliver(Sent::Failed, false).is_none());
}

#[test]
fn a_request_is_sent_again_to_the_next_backend_within_its_limit_and_the_budget() {
    let mut origin = origin();
    origin["retries"] = json!({ "limit": 2 });
    let gate = gate(&origin);
    let outcome = gate.send(from("/a", "DE", "EU"));
    let backends = &gate.gateway.policy().routes()[0].origin().unwrap().backends;
    let first = outcome.grant().candidates();
    let again = |candidates: &Candidates, skipped: &[&str]| {
        candidates.after_failure(backends, &mut SkippedBackends(&skipping(skipped)))
    };
    let second = again(first, &[]).unwrap();
    let third = again(&second, &[]).unwrap();
    // What a caller may have caused counts against one backend only.
    assert_eq!(first.judged(Sent::Doubtful), Sent::Doubtful);
    for (outcome, judged) in [(Sent::Doubtful, Sent::Unclear), (Sent::Failed, Sent::Failed)] {
        assert_eq!(second.judged(outcome), judged);
    }
    assert!(second.current().unwrap().name.starts_with("eu_"));
    assert_ne!(first.current(), second.current());
    assert_eq!(third.current().unwrap().name, "eu_spare");
    assert_eq!(again(&third, &[]), None, "the limit");
    let next = again(first, &["eu_1", "eu_2", "eu_spare"]).unwrap();
    assert_eq!(next.current().unwrap().name, "ch_1");
    let all = ["eu_1", "eu_2", "eu_spare", "ch_1"];
    assert_eq!(again(first, &all), None);
    // If all of them are skipped from the beginning, all are tried.
    gate.skipped.replace(all.map(str::to_owned).to_vec());
    let outcome = gate.send(from("/a", "DE", "EU"));
    let second = again(outcome.grant().candidates(), &all).unwrap();
    assert!(again(&second, &all).is_some() && second.current() != outcome.grant().candidates().current());
    for (method, may) in [
        ("GET", true),
        ("HEAD", true),
        ("PUT", true),
        ("DELETE", true),
        ("OPTIONS", true),
        ("POST", false),
        ("PATCH", false),
        ("get", false),
    ] {
        assert_eq!(may_resend(method), may, "{method}");
    }
    for (status, outcome) in [
        (500, Sent::Responded),
        (502, Sent::Doubtful),
        (503, Sent::Doubtful),
        (504, Sent::Doubtful),
        (505, Sent::Responded),
        (404, Sent::Responded),
    ] {
        assert_eq!(Sent::of_status(status), outcome, "{status}");
    }
}

#[test]
fn only_a_retry_that_is_sent_counts_against_the_budget() {
    let mut origin = origin();
    let mut key: Value = serde_json::from_str(include_str!("../../data/keys/app-exchange.json")).unwrap();
    key.as_object_mut().unwrap().remove("d");
    origin["key"] = key;
    origin["retries"] = json!({ "limit": 3, "budget": 1 });
    let gate = gate(&origin);
    let first = gate.send(from("/a", "DE", "EU"));
    let mut counter = FakeCounter::default();
    let mut deliver = |gateway: &Gateway, skipped: &[&str], outcome| {
        let skipped = skipping(skipped);
        let delivery = Delivery { grant: first.grant(), outcome, may_resend: true };
        let next =
            gateway.delivered(&delivery, UnixTime::from_seconds(NOW), &mut SkippedBackends(&skipped), &mut counter);
        (next.map(|grant| grant.backend().to_owned()), counter.windows.len())
    };
    // This one cannot sign the header of the second try: it has no key for the exchange.
    let mut keys: Value = serde_json::from_str(&new_signing_keys().0).unwrap();
    keys["keys"].as_array_mut().unwrap().retain(|key| key["crv"] == "Ed25519");
    let other = SigningKeys::parse(keys.to_string().as_bytes()).unwrap();
    let cannot_sign = Gateway::new(policy_of(&policy(&origin, &json!({}))), other);
    assert_eq!(deliver(&cannot_sign, &[], Sent::Failed), (None, 0));
    let all_others = ["eu_1", "eu_2", "eu_spare", "ch_1"];
    assert_eq!(deliver(&gate.gateway, &all_others, Sent::Failed), (None, 0));
    assert_eq!(deliver(&gate.gateway, &[], Sent::Responded), (None, 0));
    assert!(matches!(deliver(&gate.gateway, &[], Sent::Failed), (Some(_), 1)));
    assert_eq!(deliver(&gate.gateway, &[], Sent::Failed), (None, 1), "the budget is used up");
    let spare = deliver(&gate.gateway, &["eu_1", "eu_2"], Sent::Failed);
    assert_eq!(spare, (Some("eu_spare".to_owned()), 2), "each backend has a budget of its own");
}

#[test]
fn a_request_is_kept_for_a_retry_only_if_one_can_follow() {
    let may_resend = |change: &dyn Fn(&mut Value), method: &str, skipped: &[&str]| {
        let mut origin = json!({ "audience": "app", "backends": { "first": {}, "second": { "priority": 2 } } });
        change(&mut origin);
        let mut policy = policy(&origin, &json!({}));
        policy["routes"][0]["methods"] = json!(["GET", "PUT", "POST"]);
        let gate = crate::rules::gate_of(&policy);
        gate.skipped.replace(skipped.iter().map(|name| (*name).to_owned()).collect());
        gate.send(request(method, "/a")).grant().may_resend()
    };
    assert!(may_resend(&|_| {}, "GET", &[]) && may_resend(&|_| {}, "PUT", &[]));
    assert!(!may_resend(&|_| {}, "POST", &[]), "the method");
    assert!(!may_resend(&|origin| origin["retries"] = json!({ "limit": 0 }), "PUT", &[]), "the limit");
    assert!(!may_resend(&|origin| origin["retries"] = json!({ "budget": 0 }), "PUT", &[]), "the budget");
    assert!(!may_resend(&|_| {}, "PUT", &["first"]), "the last backend");
    assert!(!may_resend(&|origin| origin["backends"]["second"] = json!({ "weight": 0 }), "PUT", &[]), "the only one");
}
