//! The two signatures of the identity header: ES256 for all origins, and HS256 with a key that one origin shares with
//! the edge.

use std::collections::BTreeSet;

use fastgate::headers::IDENTITY;
use fastgate::mint::SigningKeys;
use jwt_simple::prelude::*;
use serde_json::{Value, json};

use crate::offline::fakes::FakeKeys;
use crate::offline::{get, policy_of};
use crate::samples::policy_document;
use crate::samples::sign::{decoded, edge_keys, good, payload_of, private, public};

/// The identity header of a request for the origin `app`, signed by `algorithm`.
fn identity(algorithm: &str) -> String {
    let mut document = policy_document();
    document["origins"]["app"]["algorithm"] = json!(algorithm);
    get("/me").bearer(&good()).decide_with(policy_of(&document), FakeKeys::of_both()).sent(IDENTITY).concat()
}

fn header(identity: &str) -> Value {
    serde_json::from_slice(&decoded(identity.split('.').next().unwrap())).unwrap()
}

fn edges_own() -> SigningKeys {
    SigningKeys::parse(edge_keys().to_string().as_bytes()).unwrap()
}

fn shared(audience: &str) -> Vec<Value> {
    let keys: Value = serde_json::from_str(&edges_own().origin_keys(audience)).unwrap();
    keys["keys"].as_array().unwrap().clone()
}

fn opens(identity: &str, jwk: &Value) -> bool {
    let key = HS256Key::from_bytes(&decoded(jwk["k"].as_str().unwrap()));
    let options = VerificationOptions {
        artificial_time: Some(UnixTimeStamp::from_secs(crate::offline::NOW)),
        ..Default::default()
    };
    key.verify_token::<NoCustomClaims>(identity, Some(options)).is_ok()
}

#[test]
fn an_origin_that_shares_a_key_gets_the_same_claims_under_a_mac() {
    let (everybodys, shared_with) = (identity("ES256"), identity("HS256"));
    assert_eq!(payload_of(&everybodys), payload_of(&shared_with));
    let mut expected = header(&everybodys);
    expected["alg"] = json!("HS256");
    assert_eq!(
        header(&shared_with),
        expected,
        "the same typ, and the kid of the signing key from which the key is derived"
    );
    assert!(opens(&shared_with, &shared("app-audience")[0]));
}

#[test]
fn the_key_of_an_origin_differs_from_other_origins_keys_and_is_never_published() {
    let token = identity("HS256");
    assert!(!opens(&token, &shared("app-audience")[1]), "the first signing key signs");
    for audience in ["files-audience", "app-audience ", "", "app"] {
        assert!(!opens(&token, &shared(audience)[0]), "{audience}");
    }
    let published = public("edge-one");
    for octets in [published.to_string().into_bytes(), decoded(published["x"].as_str().unwrap()), Vec::new()] {
        let jwk = json!({ "k": crate::samples::sign::encoded(octets) });
        assert!(!opens(&token, &jwk));
    }
}

#[test]
fn an_origin_has_one_key_for_each_signing_key_with_the_same_id() {
    let keys = shared("app-audience");
    let published: Value = serde_json::from_str(&edges_own().published().unwrap()).unwrap();
    let ids = |keys: &[Value]| keys.iter().map(|key| key["kid"].clone()).collect::<Vec<_>>();
    assert_eq!(ids(&keys), ids(published["keys"].as_array().unwrap()));
    let all: BTreeSet<_> = keys.iter().map(|key| key["k"].as_str().unwrap().to_owned()).collect();
    assert_eq!(all.len(), 2);
    for key in &keys {
        assert_eq!((&key["kty"], &key["alg"], &key["use"]), (&json!("oct"), &json!("HS256"), &json!("sig")));
        assert_eq!(decoded(key["k"].as_str().unwrap()).len(), 32);
        assert_ne!(key["k"], private("edge-one")["d"]);
    }
}

#[test]
fn an_origin_key_is_derived_by_hkdf_as_documented() {
    // RFC 5869 without the library: extract with an empty salt (a block of zeros), then the first block of expand.
    let secret = decoded(private("edge-one")["d"].as_str().unwrap());
    let extracted = hmac_sha256::HMAC::mac(secret, [0; 32]);
    let expected = hmac_sha256::HMAC::mac(b"Fastgate-Identity HS256 app-audience\x01", extracted);
    assert_eq!(decoded(shared("app-audience")[0]["k"].as_str().unwrap()), expected);
}

#[test]
fn an_unknown_algorithm_is_refused() {
    for name in ["none", "HS512", "RS256", "hs256", ""] {
        let mut document = policy_document();
        document["origins"]["app"]["algorithm"] = json!(name);
        assert!(fastgate::policy::Policy::parse(document.to_string().as_bytes()).is_err(), "{name}");
    }
}
