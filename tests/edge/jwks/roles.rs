//! A key set belongs to an issuer, the URL of its keys, a backend, and the role of a policy. Keys of a former provider
//! under the same id, or keys that only a shadow policy trusts, verify no token. Rows H21 to H25 of `docs/attacks.md`.

use std::time::Duration;

use fastgate::identity::key_life::FetchedAt;
use fastgate::ports::KeysDigest;
use fastgate::time::{Seconds, UnixTime};
use serde_json::{Value, json};

use super::issuer::Issuer;
use super::{FETCH, aged_token, call, edge, edge_with, good, keys_of, token};
use crate::support::edge::Edge;
use crate::support::http::Reply;
use crate::support::tokens::{jwks, now};

/// A key set under the same `kid`. No test has its private half.
const OTHER_KEYS: &str = r#"{"keys":[{"kty":"EC","crv":"P-256","kid":"test-key","alg":"ES256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]}"#;

fn verdict(edge: &Edge, reply: &Reply) -> Value {
    edge.log_of(reply.header("x-request-id").unwrap())["verdict"].clone()
}

#[test]
fn keys_of_a_former_provider_under_the_same_id_are_not_used() {
    let present = KeysDigest::new("https://idp.test", None, "test");
    let former = KeysDigest::new("https://former.test", None, "test");
    let given = FetchedAt::new(UnixTime::from_seconds(now() - 100), Seconds::new(3600));
    for note in [String::new(), format!("{} 3600", now() - 100), former.note(given), present.note(given)] {
        let issuer = Issuer::healthy();
        issuer.serve(OTHER_KEYS);
        let (edge, echo) = edge_with(&[("test", &issuer)], &json!({}), |policy, stores| {
            stores.kv.as_mut().unwrap().push(("jwks/test".to_owned(), jwks()));
            stores.kv_notes.push(("jwks/test".to_owned(), note.clone()));
            policy["issuers"]["test"]["issuer"] = json!(issuer.iss());
        });
        // The set in the store would verify this token; the issuer's own key does not.
        let reply = good(&edge, &issuer);
        assert_eq!((reply.status, verdict(&edge, &reply)), (401, json!("token-signature")), "{note}");
        assert_eq!(issuer.requests(), FETCH, "{note}: the keys are fetched once");
        assert!(echo.everything().is_empty());
    }
}

#[test]
fn a_seeded_set_names_its_issuer() {
    for (issuer_member, status) in [(None, 503), (Some("https://former.test"), 503), (Some("its own"), 200)] {
        let issuer = Issuer::healthy();
        issuer.fail_with(super::faults::Fault::Refuses);
        let mut seeded: Value = serde_json::from_str(&jwks()).unwrap();
        if let Some(member) = issuer_member {
            seeded["issuer"] = json!(if member == "its own" { issuer.iss() } else { member.to_owned() });
        }
        let (edge, _echo) = edge(&[("test", &issuer)], &json!({}), &[("jwks/test", seeded.to_string(), String::new())]);
        assert_eq!(good(&edge, &issuer).status, status, "{issuer_member:?}");
    }
}

#[test]
fn key_life_limits_stored_keys_too() {
    let issuer = Issuer::healthy();
    let stored = ("jwks/test", jwks(), format!("{} 3600", now() - 100));
    let (edge, _echo) = edge(&[("test", &issuer)], &json!({ "max_fresh": 60, "min_fresh": 1 }), &[stored]);
    let reply = good(&edge, &issuer);
    assert_eq!((reply.status, keys_of(&edge, &reply)["state"].clone()), (200, json!("stale")));
}

#[test]
fn a_withdrawn_key_is_refused_whatever_the_issuer_publishes() {
    for (withdrawn, status) in [
        (json!([{ "issuer": "ours", "kid": "test-key" }]), 401),
        (json!([{ "issuer": "ours" }]), 401),
        (json!([{ "issuer": "ours/", "kid": "test-key" }]), 401), // a spelling in the policy
        (json!([{ "issuer": "ours", "kid": "other" }]), 200),
        (json!([{ "issuer": "https://other.test" }]), 200),
    ] {
        let issuer = Issuer::healthy();
        let switch = json!({ "keys": withdrawn }).to_string().replace("ours", &issuer.iss());
        let (edge, echo) = edge_with(&[("test", &issuer)], &json!({}), |policy, stores| {
            policy["issuers"]["test"]["issuer_aliases"] = json!([format!("{}/", issuer.iss())]);
            stores.kv.as_mut().unwrap().push(("switch".to_owned(), switch));
        });
        for _ in 0..3 {
            assert_eq!(good(&edge, &issuer).status, status, "{withdrawn}");
            assert_eq!(call(&edge, &aged_token(&issuer, "test-key", 600)).status, status, "{withdrawn}");
        }
        assert_eq!(echo.everything().is_empty(), status != 200);
    }
}

#[test]
fn unknown_names_in_the_kill_switch_are_logged() {
    let issuer = Issuer::healthy();
    let switch =
        json!({ "groups": ["shops"], "routes": ["Echo", "echo-not"], "keys": [{ "issuer": "https://x.test" }] });
    let (edge, _) = edge_with(&[("test", &issuer)], &json!({}), |_, stores| {
        stores.kv.as_mut().unwrap().push(("switch".to_owned(), switch.to_string()));
    });
    let reply = good(&edge, &issuer);
    let line = edge.log_of(reply.header("x-request-id").unwrap());
    assert_eq!(line["switch_unknown"], json!(["shops", "Echo", "echo-not", "https://x.test"]));
}

#[test]
fn a_set_that_is_dated_in_the_future_is_not_fresh() {
    let issuer = Issuer::healthy();
    issuer.fail_with(super::faults::Fault::Refuses);
    let stored = ("jwks/test", jwks(), format!("{} 3600", now() + 86_400));
    let (edge, _echo) = edge(&[("test", &issuer)], &json!({}), &[stored]);
    assert_eq!(good(&edge, &issuer).status, 503);
}

/// An edge whose live and shadow policies know two different issuers by the same id.
fn two_roles(live: &Issuer, shadow: &Issuer) -> Edge {
    let (edge, _) = edge_with(&[("test", live)], &json!({ "cool_down": 1 }), |policy, stores| {
        let mut tried = policy.clone();
        tried["issuers"]["test"]["issuer"] = json!(shadow.iss());
        tried["issuers"]["test"]["backend"] = json!("shadow");
        stores.kv.as_mut().unwrap().push(("policy.shadow".to_owned(), tried.to_string()));
        stores.backends.push(("shadow".to_owned(), shadow.address.to_string()));
    });
    edge
}

/// Sends a token of the shadow policy's issuer until the shadow policy knows its keys.
fn until_shadow_knows_its_keys(edge: &Edge, shadow: &Issuer) {
    for _ in 0..200 {
        let reply = good(edge, shadow);
        assert_eq!(reply.status, 401, "the live policy does not know this issuer");
        let line = edge.log_of(reply.header("x-request-id").unwrap());
        if line["shadow_policy"] == "would-forward" {
            return;
        }
        assert_eq!(line["shadow_policy"], "would-refuse keys-unavailable");
        std::thread::sleep(Duration::from_millis(20));
    }
    panic!("the shadow policy never learnt its issuer's keys");
}

#[test]
fn keys_that_a_shadow_policy_fetched_are_not_used_by_the_live_one() {
    let (live, shadow) = (Issuer::healthy(), Issuer::healthy());
    live.serve(OTHER_KEYS);
    let edge = two_roles(&live, &shadow);
    until_shadow_knows_its_keys(&edge, &shadow);
    for _ in 0..10 {
        let reply = call(&edge, &token(&live, "test-key"));
        assert_eq!((reply.status, verdict(&edge, &reply)), (401, json!("token-signature")));
    }
    assert_eq!(live.requests()[..2], FETCH, "the keys of the live issuer were fetched from it");
}

#[test]
fn callers_of_the_live_policy_are_served_while_a_shadow_policy_fetches_keys() {
    let (live, shadow) = (Issuer::healthy(), Issuer::healthy());
    let edge = two_roles(&live, &shadow);
    until_shadow_knows_its_keys(&edge, &shadow);
    shadow.serve(OTHER_KEYS);
    std::thread::sleep(Duration::from_millis(1200));
    for _ in 0..10 {
        assert_eq!(good(&edge, &live).status, 200);
        assert_eq!(good(&edge, &shadow).status, 401);
    }
}

#[test]
fn a_shadow_policy_never_delays_a_response_for_its_issuer() {
    let (live, shadow) = (Issuer::healthy(), Issuer::healthy());
    shadow.slow_by(Duration::from_secs(1));
    let edge = two_roles(&live, &shadow);
    let reply = good(&edge, &shadow);
    // The response arrives before the shadow policy's issuer has responded.
    let logged = edge.log_of(reply.header("x-request-id").unwrap());
    assert_eq!(logged["shadow_policy"], "would-refuse keys-unavailable");
}

#[test]
fn new_key_material_under_an_old_key_id_is_found_by_one_fetch() {
    let issuer = Issuer::healthy();
    issuer.serve(OTHER_KEYS);
    let (edge, _echo) = edge(&[("test", &issuer)], &json!({ "cool_down": 1 }), &[]);
    assert_eq!(good(&edge, &issuer).status, 401);
    issuer.serve(&jwks());
    std::thread::sleep(Duration::from_millis(1200));
    assert_eq!(good(&edge, &issuer).status, 200);
    assert_eq!(issuer.requests().len(), 2 * FETCH.len());
}
