//! The public test vectors of the contract (`tests/data/contract/`), which the tests of the origin use, too: the edge
//! makes the headers that origins must accept.

use std::collections::BTreeSet;

use fastgate::headers::IDENTITY;
use fastgate::mint::SigningKeys;
use fastgate::request::CanonicalPath;
use jwt_simple::prelude::*;
use serde_json::{Map, Value, json};

use crate::offline::fakes::FakeKeys;
use crate::offline::{Gate, get, policy_of};
use crate::samples::policy_document;
use crate::samples::sign::{decoded, good, without};

const KEYS: &str = include_str!("../../data/contract/jwks.json");
const SIGNING_KEYS: &str = include_str!("../../data/contract/signing-keys.json");
const ACCEPTED: &str = include_str!("../../data/contract/accepted.json");
const REFUSED: &str = include_str!("../../data/contract/refused.json");
const MAC_KEYS: &str = include_str!("../../data/contract/mac-keys.json");
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

/// The claims of a header, if one of the published Ed25519 keys or one of the MAC keys for this audience signed it.
fn opened(header: &str, document: &Value) -> Option<Map<String, Value>> {
    let (keys, macs) = (parsed(KEYS), parsed(MAC_KEYS));
    let claims = |result: Result<JWTClaims<Map<String, Value>>, _>| result.ok().map(|claims| claims.custom);
    let by_signature = |key: &Value| {
        let key = Ed25519PublicKey::from_bytes(&decoded(key["x"].as_str().unwrap())).unwrap();
        claims(key.verify_token(header, Some(options(document))))
    };
    let by_mac = |key: &Value| {
        let key = HS256Key::from_bytes(&hex(&key["key"]));
        claims(key.verify_token(header, Some(options(document))))
    };
    let mut signing = keys["keys"].as_array().unwrap().iter().filter(|key| key["crv"] == "Ed25519");
    let mut macs = macs["keys"].as_array().unwrap().iter().filter(|key| key["audience"] == document["audience"]);
    signing.find_map(by_signature).or_else(|| macs.find_map(by_mac))
}

fn hex(text: &Value) -> Vec<u8> {
    let text = text.as_str().unwrap();
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

#[test]
fn the_edge_reads_the_signing_keys_of_the_vectors_and_publishes_their_public_halves() {
    let keys = SigningKeys::parse(SIGNING_KEYS.as_bytes()).unwrap();
    let published = parsed(&fastgate::mint::Minter::new(keys, []).published_keys().unwrap());
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

/// The edge derives the MAC key that the vectors have for each of its keys, each key of an origin and each audience.
#[test]
fn the_edge_derives_the_mac_keys_of_the_vectors() {
    let signing_keys = parsed(SIGNING_KEYS);
    let vectors = parsed(MAC_KEYS);
    let vectors = vectors["keys"].as_array().unwrap();
    assert!(vectors.len() >= 5);
    for vector in vectors {
        let is_other = |key: &&Value| key["crv"] == "Ed25519" || key["kid"] == vector["edge"]["kid"];
        let keys: Vec<_> = signing_keys["keys"].as_array().unwrap().iter().filter(is_other).collect();
        let mut document = policy_document();
        document["origins"]["app"] = json!({
            "backend": "app-backend", "audience": vector["audience"], "key": without(&vector["origin"], "d")
        });
        let gate =
            Gate::with_signing_keys(policy_of(&document), FakeKeys::of_both(), &json!({ "keys": keys }).to_string());
        let header = gate.send(get("/me").bearer(&good())).sent(IDENTITY).concat();
        let (input, signature) = header.rsplit_once('.').unwrap();
        assert_eq!(decoded(signature), hmac_sha256::HMAC::mac(input, hex(&vector["key"])), "{}", vector["audience"]);
        let jose: Value = serde_json::from_slice(&decoded(input.split('.').next().unwrap())).unwrap();
        assert_eq!(jose, json!({ "alg": "HS256", "typ": "txntoken+jwt", "kid": vector["kid"], "ver": 2 }));
    }
}
