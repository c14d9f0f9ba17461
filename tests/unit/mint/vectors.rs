//! The public test vectors of the contract (`tests/data/contract/`), which the tests of the origin use, too: the edge
//! makes the headers that origins must accept.

use std::collections::BTreeSet;

use fastgate::mint::SigningKeys;
use fastgate::request::CanonicalPath;
use jwt_simple::prelude::*;
use serde_json::{Map, Value};

use crate::samples::sign::decoded;

const KEYS: &str = include_str!("../../data/contract/jwks.json");
const SIGNING_KEYS: &str = include_str!("../../data/contract/signing-keys.json");
const ACCEPTED: &str = include_str!("../../data/contract/accepted.json");
const REFUSED: &str = include_str!("../../data/contract/refused.json");
const ORIGIN_KEYS: &str = include_str!("../../data/contract/origin-keys-orders.json");
const OTHER_ORIGIN_KEYS: &str = include_str!("../../data/contract/origin-keys-billing.json");
const ACCEPTED_BY_MAC: &str = include_str!("../../data/contract/accepted-hs256.json");
const REFUSED_BY_MAC: &str = include_str!("../../data/contract/refused-hs256.json");
const DOCUMENT: &str = include_str!("../../../docs/concepts/identity-header.md");

fn parsed(json: &str) -> Value {
    serde_json::from_str(json).unwrap()
}

/// The rules by which the tests verify headers of the edge.
fn options(document: &Value) -> VerificationOptions {
    VerificationOptions {
        required_signature_type: Some(fastgate::mint::TOKEN_TYPE.to_owned()),
        artificial_time: Some(UnixTimeStamp::from_secs(document["now"].as_u64().unwrap())),
        time_tolerance: Some(Duration::from_secs(document["leeway"].as_u64().unwrap())),
        ..Default::default()
    }
}

/// The claims of a header, if one of the published keys signed it.
fn opened(header: &str, document: &Value) -> Option<Map<String, Value>> {
    let keys = parsed(KEYS);
    let open = |key: &Value| {
        let mut key = key.clone();
        key.as_object_mut().unwrap().retain(|name, _| ["kty", "crv", "x", "y"].contains(&name.as_str()));
        let key = ES256PublicKey::from_jwk(&key.to_string()).unwrap();
        key.verify_token::<Map<String, Value>>(header, Some(options(document))).ok().map(|claims| claims.custom)
    };
    keys["keys"].as_array().unwrap().iter().find_map(open)
}

#[test]
fn the_edge_reads_the_signing_keys_of_the_vectors_and_publishes_their_public_halves() {
    let keys = SigningKeys::parse(SIGNING_KEYS.as_bytes()).unwrap();
    let published = parsed(&fastgate::mint::Minter::new(keys).published_keys().unwrap());
    assert_eq!(published, parsed(KEYS));
}

#[test]
fn the_edge_would_sign_every_header_that_origins_must_accept() {
    let document = parsed(ACCEPTED);
    let vectors = document["vectors"].as_array().unwrap();
    assert!(vectors.len() >= 5);
    for vector in vectors {
        let name = vector["name"].as_str().unwrap();
        let claims = opened(vector["header"].as_str().unwrap(), &document).unwrap_or_else(|| panic!("{name}"));
        let path = claims["tctx"]["path"].as_str().unwrap();
        assert_eq!(CanonicalPath::parse(path.as_bytes()).unwrap().encoded(), path, "{name}: a canonical path");
        assert_eq!(vector["request"]["path"], path, "{name}");
        assert!(claims["rctx"].get("token_exp").is_none_or(Value::is_u64), "{name}");
    }
    let told = |vector: &Value| {
        let claims = opened(vector["header"].as_str().unwrap(), &document).unwrap();
        claims["rctx"].get("token_exp").is_some()
    };
    assert!(vectors.iter().any(told), "one vector has the end of the caller's token");
}

#[test]
fn every_documented_kind_of_fault_has_a_vector() {
    let document = parsed(REFUSED);
    let vectors = document["vectors"].as_array().unwrap();
    let names: BTreeSet<_> = vectors.iter().map(|vector| vector["name"].as_str().unwrap()).collect();
    assert_eq!(names.len(), vectors.len(), "each has its own name");
    let codes: BTreeSet<_> = vectors.iter().map(|vector| vector["code"].as_str().unwrap()).collect();
    assert!(codes.len() >= 10, "{codes:?}");
    assert!(DOCUMENT.contains("tests/data/contract/"));
    let signed = vectors.iter().filter(|vector| opened(vector["header"].as_str().unwrap(), &document).is_some());
    assert!(signed.count() >= 5, "some are refused although the edge's own key signed them");
}

/// The claims of a header, if its MAC is by one of the keys that the edge derives for the origin of the vectors.
fn opened_by_mac(header: &str, document: &Value) -> Option<Map<String, Value>> {
    let keys = SigningKeys::parse(SIGNING_KEYS.as_bytes()).unwrap().origin_keys(document["audience"].as_str().unwrap());
    let open = |key: &Value| {
        let key = HS256Key::from_bytes(&decoded(key["k"].as_str().unwrap()));
        key.verify_token::<Map<String, Value>>(header, Some(options(document))).ok().map(|claims| claims.custom)
    };
    parsed(&keys)["keys"].as_array().unwrap().iter().find_map(open)
}

#[test]
fn both_sides_derive_the_same_keys_for_an_origin() {
    let keys = SigningKeys::parse(SIGNING_KEYS.as_bytes()).unwrap();
    assert_eq!(parsed(&keys.origin_keys("orders")), parsed(ORIGIN_KEYS));
    assert_eq!(parsed(&keys.origin_keys("billing")), parsed(OTHER_ORIGIN_KEYS));
}

#[test]
fn the_edge_would_sign_every_header_that_an_origin_with_a_shared_key_must_accept() {
    let document = parsed(ACCEPTED_BY_MAC);
    let vectors = document["vectors"].as_array().unwrap();
    assert!(vectors.len() >= 5);
    for vector in vectors {
        let name = vector["name"].as_str().unwrap();
        let claims = opened_by_mac(vector["header"].as_str().unwrap(), &document).unwrap_or_else(|| panic!("{name}"));
        assert_eq!(vector["request"]["path"], claims["tctx"]["path"], "{name}");
    }
    let refused = parsed(REFUSED_BY_MAC);
    let refused = refused["vectors"].as_array().unwrap();
    let signed = refused.iter().filter(|vector| opened_by_mac(vector["header"].as_str().unwrap(), &document).is_some());
    assert!(signed.count() >= 5, "some are refused although the edge's own key signed them");
    assert!(refused.iter().any(|vector| opened(vector["header"].as_str().unwrap(), &document).is_some()));
}
