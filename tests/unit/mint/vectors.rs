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

/// The claims of a header, if one of the published Ed25519 keys signed it.
fn opened(header: &str, document: &Value) -> Option<Map<String, Value>> {
    let keys = parsed(KEYS);
    let open = |key: &Value| {
        let key = Ed25519PublicKey::from_bytes(&decoded(key["x"].as_str().unwrap())).unwrap();
        key.verify_token::<Map<String, Value>>(header, Some(options(document))).ok().map(|claims| claims.custom)
    };
    keys["keys"].as_array().unwrap().iter().filter(|key| key["crv"] == "Ed25519").find_map(open)
}

#[test]
#[ignore = "until the vectors of version 2 are written"]
fn the_edge_reads_the_signing_keys_of_the_vectors_and_publishes_their_public_halves() {
    let keys = SigningKeys::parse(SIGNING_KEYS.as_bytes()).unwrap();
    let published = parsed(&fastgate::mint::Minter::new(keys, []).published_keys().unwrap());
    assert_eq!(published, parsed(KEYS));
}

#[test]
#[ignore = "until the vectors of version 2 are written"]
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
#[ignore = "until the vectors of version 2 are written"]
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
