//! The two signatures of the identity header: `EdDSA` by the edge's key, and `HS256` under a key that the edge derives for
//! one origin.

use ed25519_compact::{KeyPair, Seed};
use fastgate::headers::IDENTITY;
use jwt_simple::prelude::*;
use serde_json::{Value, json};
use x25519_dalek::{PublicKey, StaticSecret};

use crate::offline::fakes::FakeKeys;
use crate::offline::{Gate, Outcome, get, policy_of};
use crate::samples::policy_document;
use crate::samples::sign::{decoded, edge_keys, encoded, good, payload_of, private, public};

/// The key that the edge and the origin `app` derive from `edge-exchange-one` and `app-exchange`: computed by the
/// Python package `cryptography` (X25519 and HKDF) from the files in `tests/data/keys`.
const APP_KEY: &str = "Px-qkiccmgzqKAPxcPjObxTxF3p__-cXtN5REvHDq68";

/// A gate whose origin `app` has the public half of this key.
fn gate(key: Option<&str>, keys: &Value) -> Gate {
    let mut document = policy_document();
    if let Some(key) = key {
        document["origins"]["app"]["key"] = public(key);
    }
    Gate::with_signing_keys(policy_of(&document), FakeKeys::of_both(), &keys.to_string())
}

/// The response to a request for the origin `app`.
fn outcome(key: Option<&str>, keys: &Value) -> Outcome {
    gate(key, keys).send(get("/me").bearer(&good()))
}

/// The identity header of that request.
fn identity(key: Option<&str>, keys: &Value) -> String {
    outcome(key, keys).sent(IDENTITY).concat()
}

/// The keys of the edge, those of these indices.
fn chosen(indices: &[usize]) -> Value {
    let all = edge_keys();
    json!({ "keys": indices.iter().map(|index| all["keys"][*index].clone()).collect::<Vec<_>>() })
}

fn header(identity: &str) -> Value {
    serde_json::from_slice(&decoded(identity.split('.').next().unwrap())).unwrap()
}

fn octets(kid: &str, member: &str) -> [u8; 32] {
    decoded(private(kid)[member].as_str().unwrap()).try_into().unwrap()
}

/// The key that an origin derives: the documented rule with other implementations of HKDF and HMAC, from the private
/// key of the origin and the public key of the edge.
fn derived(edge: &str, origin: &str, audience: &str) -> [u8; 32] {
    let shared = StaticSecret::from(octets(origin, "d")).diffie_hellman(&PublicKey::from(octets(edge, "x")));
    let extracted = hmac_sha256::HKDF::extract([], shared.as_bytes());
    let thumbprint = |kid: &str| decoded(private(kid)["kid"].as_str().unwrap());
    let purpose =
        [b"Fastgate-Identity 2 HS256\0", &thumbprint(edge)[..], &thumbprint(origin)[..], audience.as_bytes()].concat();
    let mut key = [0; 32];
    hmac_sha256::HKDF::expand(&mut key, extracted, purpose);
    key
}

/// Content and signature, in octets.
fn parts(identity: &str) -> (&str, Vec<u8>) {
    let (content, signature) = identity.rsplit_once('.').unwrap();
    (content, decoded(signature))
}

#[test]
fn an_origin_without_a_key_gets_headers_that_the_first_ed25519_key_signs() {
    let token = identity(None, &edge_keys());
    let expected = json!({ "alg": "EdDSA", "typ": "txntoken+jwt", "kid": private("edge-one")["kid"], "ver": 2 });
    assert_eq!(header(&token), expected);
    let (content, signature) = parts(&token);
    let pair = KeyPair::from_seed(Seed::new(octets("edge-one", "d")));
    assert_eq!(signature, pair.sk.sign(content, None).to_vec(), "RFC 8032 §5.1.6: there is one signature");
    let options = || {
        Some(VerificationOptions {
            artificial_time: Some(UnixTimeStamp::from_secs(crate::offline::NOW)),
            ..Default::default()
        })
    };
    for (kid, verifies) in [("edge-one", true), ("edge-two", false)] {
        let key = Ed25519PublicKey::from_bytes(&octets(kid, "x")).unwrap();
        assert_eq!(key.verify_token::<NoCustomClaims>(&token, options()).is_ok(), verifies, "{kid}");
    }
}

#[test]
fn an_origin_with_a_key_gets_the_same_claims_under_a_mac() {
    let (signed, token) = (identity(None, &edge_keys()), identity(Some("app-exchange"), &edge_keys()));
    assert_eq!(payload_of(&signed), payload_of(&token));
    let kids = ["edge-exchange-one", "app-exchange"].map(|kid| private(kid)["kid"].as_str().unwrap().to_owned());
    let expected = json!({ "alg": "HS256", "typ": "txntoken+jwt", "kid": kids.join("."), "ver": 2 });
    assert_eq!(header(&token), expected);
    let (content, mac) = parts(&token);
    let key = derived("edge-exchange-one", "app-exchange", "app-audience");
    assert_eq!(encoded(key), APP_KEY);
    assert_eq!(mac, hmac_sha256::HMAC::mac(content, key));
}

#[test]
fn another_key_or_audience_has_another_mac_key() {
    let key = derived("edge-exchange-one", "app-exchange", "app-audience");
    for (edge, origin, audience) in [
        ("edge-exchange-two", "app-exchange", "app-audience"),
        ("edge-exchange-one", "files-exchange", "app-audience"),
        ("edge-exchange-one", "app-exchange", "files-audience"),
        ("edge-exchange-one", "app-exchange", ""),
    ] {
        assert_ne!(derived(edge, origin, audience), key);
    }
    let mut document = policy_document();
    document["origins"]["app"]["key"] = public("app-exchange");
    document["origins"]["files"]["key"] = public("files-exchange");
    let gate = Gate::with_signing_keys(policy_of(&document), FakeKeys::of_both(), &edge_keys().to_string());
    for (path, origin, audience) in [
        ("/me", "app-exchange", "app-audience"),
        ("/files/a.txt", "files-exchange", "files-audience"),
        ("/me", "app-exchange", "app-audience"),
    ] {
        let token = gate.send(get(path).bearer(&good())).sent(IDENTITY).concat();
        let (content, mac) = parts(&token);
        assert_eq!(mac, hmac_sha256::HMAC::mac(content, derived("edge-exchange-one", origin, audience)), "{path}");
    }
}

#[test]
fn the_first_key_of_each_kind_is_used_wherever_it_is() {
    for (order, signing, exchange) in [
        ([0, 1, 2, 3], "edge-one", "edge-exchange-one"),
        ([1, 0, 3, 2], "edge-two", "edge-exchange-two"),
        ([2, 3, 0, 1], "edge-one", "edge-exchange-one"),
        ([3, 1, 2, 0], "edge-two", "edge-exchange-two"),
    ] {
        let keys = chosen(&order);
        assert_eq!(header(&identity(None, &keys))["kid"], private(signing)["kid"]);
        let (token, key) = (identity(Some("app-exchange"), &keys), derived(exchange, "app-exchange", "app-audience"));
        let (content, mac) = parts(&token);
        assert_eq!(mac, hmac_sha256::HMAC::mac(content, key), "{order:?}");
    }
}

#[test]
fn an_origin_with_a_key_is_refused_and_no_other_if_the_edge_has_no_x25519_key() {
    let keys = chosen(&[0, 1]);
    let gate = gate(Some("app-exchange"), &keys);
    let refused = gate.send(get("/me").bearer(&good()));
    assert_eq!(refused.trail.verdict, "no-exchange-key");
    let cause = refused.trail.cause.clone().unwrap();
    for word in ["app-audience", "signing-keys", "X25519", "fastgate keys new"] {
        assert!(cause.contains(word), "{cause}");
    }
    assert_eq!(gate.send(get("/files/a.txt").bearer(&good())).trail.verdict, "forwarded");
    assert_eq!(outcome(None, &keys).trail.verdict, "forwarded");
}

#[test]
fn nothing_prints_a_secret() {
    let gate = gate(Some("app-exchange"), &edge_keys());
    gate.send(get("/me").bearer(&good()));
    let printed = format!("{:?} {:#?}", gate.gateway, gate.gateway);
    let mut secrets: Vec<Vec<u8>> = crate::samples::sign::EDGE_KEYS.map(|kid| octets(kid, "d").to_vec()).to_vec();
    secrets.push(derived("edge-exchange-one", "app-exchange", "app-audience").to_vec());
    for secret in secrets {
        let list = format!("{secret:?}");
        for form in [encoded(&secret), list.trim_matches(['[', ']']).to_owned()] {
            assert!(!printed.contains(&form));
        }
    }
}

#[test]
fn a_former_algorithm_is_refused() {
    for name in ["ES256", "HS256", "EdDSA", "none"] {
        let mut document = policy_document();
        document["origins"]["app"]["algorithm"] = json!(name);
        assert!(fastgate::policy::Policy::parse(document.to_string().as_bytes()).is_err(), "{name}");
    }
}
