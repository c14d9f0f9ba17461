//! Sections C and H of `docs/attacks.md`: which keys of a JWK Set are used, and which sets are refused.

use fastgate::identity::keys::{KeySet, KeySetError, MAX_JWKS_BYTES, MAX_KEYS, UnusableKey};
use fastgate::identity::token::TokenError;
use serde_json::{Value, json};

use super::keys::{given, signed};
use crate::samples::key_set;
use crate::samples::sign::{Signing, decoded, encoded, good, header, private, public, with, without};

#[test]
fn a_kid_of_several_keys_for_one_algorithm_selects_none() {
    let (rsa, ec, other) = (public("alpha-rsa"), public("alpha-ec"), public("beta-ec"));
    let twin = with(&other, "kid", "alpha-ec");
    assert_eq!(given(&json!([ec, twin, rsa]), &good()), Err(TokenError::UnknownKey), "of one kind");
    assert_eq!(key_set(&json!([ec, twin, rsa])).unusable(), [UnusableKey::SharedId; 2]);
    assert_eq!(set_error(&json!([ec, twin])), Some(KeySetError::NoUsableKey { count: 2 }));
    // A repetition of one key does not make the choice between the two keys clear.
    assert_eq!(given(&json!([ec, twin, ec, rsa]), &good()), Err(TokenError::UnknownKey));
    // Without `alg` an RSA key accepts every algorithm of its family; the other one is for one of them.
    let (any, one) = (without(&rsa, "alg"), with(&with(&public("beta-rsa"), "kid", "alpha-rsa"), "alg", "RS384"));
    for jwks in [json!([any, one]), json!([one, any])] {
        assert!(given(&jwks, &rs256()).is_ok(), "only one of the two accepts RS256");
    }
    let one = with(&one, "alg", "RS256");
    for jwks in [json!([any, one, ec]), json!([one, any, ec])] {
        assert_eq!(given(&jwks, &rs256()), Err(TokenError::UnknownKey), "both accept RS256");
        assert!(given(&jwks, &good()).is_ok(), "the other keys are still used");
    }
}

#[test]
fn keys_that_share_a_kid_are_distinguished_by_algorithm() {
    let (rsa, ec) = (public("alpha-rsa"), public("alpha-ec"));
    let per_algorithm = |order: [&str; 3]| json!(order.map(|alg| with(&rsa, "alg", alg)));
    for order in [["RS256", "RS384", "RS512"], ["RS512", "RS384", "RS256"]] {
        assert!(given(&per_algorithm(order), &rs256()).is_ok(), "one key, listed for each of its algorithms");
        assert_eq!(key_set(&per_algorithm(order)).skipped(), 0);
    }
    assert_eq!(given(&json!([with(&rsa, "alg", "RS384")]), &rs256()), Err(TokenError::UnknownKey), "and for no other");
    for jwks in [json!([ec, ec]), json!([ec, without(&ec, "alg")]), json!([with(&ec, "use", "enc"), ec])] {
        assert!(given(&jwks, &good()).is_ok(), "the same key twice");
    }
    for jwks in [json!([ec, ec, rsa]), json!([rsa, rsa, with(&ec, "kid", "alpha-rsa")])] {
        assert_eq!(key_set(&jwks).skipped(), 0, "a repeated key does not count as unusable");
    }
    let (any, one) = (without(&rsa, "alg"), with(&with(&public("beta-rsa"), "kid", "alpha-rsa"), "alg", "RS384"));
    assert_eq!(
        key_set(&json!([any, one])).unusable(),
        [UnusableKey::SharedId],
        "the other one is left with algorithms"
    );
    let nameless = signed(&without(&header(), "kid"), Signing::Es256("alpha-ec"));
    assert!(given(&json!([ec, ec, rsa]), &nameless).is_ok(), "also for a token that names no key");
    let renamed = json!([ec, with(&ec, "kid", "other"), rsa]);
    assert_eq!(given(&renamed, &nameless), Err(TokenError::AmbiguousKey), "two ids make two entries");
    let cross = with(&rsa, "kid", "alpha-ec");
    for jwks in [json!([ec, cross]), json!([cross, ec])] {
        assert!(given(&jwks, &good()).is_ok(), "of two kinds");
        let header = with(&header(), "alg", "RS256");
        assert!(given(&jwks, &signed(&header, Signing::Rs256("alpha-rsa"))).is_ok());
        // The token's algorithm chooses among the keys of its `kid`, and never makes a key verify what is not its own.
        let crossed = signed(&with(&header, "alg", "RS256"), Signing::Es256("alpha-ec"));
        assert_eq!(given(&jwks, &crossed), Err(TokenError::Signature));
    }
}

fn rs256() -> String {
    signed(&with(&with(&header(), "alg", "RS256"), "kid", "alpha-rsa"), Signing::Rs256("alpha-rsa"))
}

#[test]
fn a_key_that_is_for_something_else_is_skipped() {
    let (ec, rsa) = (public("alpha-ec"), public("alpha-rsa"));
    for (jwk, usable) in [
        (with(&ec, "use", "enc"), false),
        (with(&ec, "use", 1), false),
        (with(&ec, "key_ops", json!(["encrypt"])), false),
        (with(&ec, "key_ops", json!(["sign"])), false),
        (with(&ec, "key_ops", json!([])), false),
        (with(&ec, "key_ops", "verify"), false),
        (with(&ec, "key_ops", json!(["verify"])), true),
        (with(&ec, "alg", "ES384"), false),
        (with(&ec, "alg", Value::Null), false),
        (with(&ec, "kid", 7), false),
        (with(&ec, "crv", "P-384"), false),
        (with(&ec, "crv", "secp256k1"), false),
        (with(&ec, "kty", "OKP"), false),
        (with(&ec, "kty", "RSA"), false),
        (without(&ec, "kty"), false),
        (without(&ec, "y"), false),
        (with(&ec, "y", ec["x"].clone()), false),
        (with(&ec, "x", encoded([0; 32])), false),
        (with(&ec, "x", encoded([255; 32])), false),
        (with(&ec, "x", encoded(&decoded(ec["x"].as_str().unwrap())[1..])), false),
        (with(&with(&ec, "x", encoded([0; 32])), "y", encoded([0; 32])), false),
        (with(&ec, "x5c", json!(["A".repeat(20_000)])), true),
        (without(&without(&ec, "use"), "alg"), true),
        (json!("not an object"), false),
    ] {
        let set = key_set(&json!([jwk, rsa]));
        assert_eq!(set.skipped(), usize::from(!usable), "{jwk:.200}");
        let expected = if usable { None } else { Some(TokenError::UnknownKey) };
        assert_eq!(given(&json!([jwk, rsa]), &good()).err(), expected, "{jwk:.200}");
    }
}

#[test]
fn rsa_keys_are_neither_short_nor_huge_and_have_the_usual_exponent() {
    let modulus = |bits: usize| {
        let mut bytes = vec![0xff; bits.div_ceil(8)];
        bytes[0] = 0xff >> (bytes.len() * 8 - bits);
        encoded(bytes)
    };
    let key = |n: &str, e: &[u8]| with(&with(&public("alpha-rsa"), "n", n), "e", encoded(e));
    let usual = [1, 0, 1];
    let ours = public("alpha-rsa")["n"].as_str().unwrap().to_owned();
    let with_zero = |bits: usize| encoded([vec![0], decoded(&modulus(bits))].concat());
    let even = [&decoded(&ours)[..255], &[2]].concat();
    for (what, jwk, usable) in [
        ("1024 bits", public("short-rsa"), false),
        ("512 bits", key(&modulus(512), &usual), false),
        ("2047 bits", key(&modulus(2047), &usual), false),
        ("2048 bits", key(&modulus(2048), &usual), true),
        ("4096 bits", key(&modulus(4096), &usual), true),
        ("4097 bits", key(&modulus(4097), &usual), false),
        ("16384 bits", key(&modulus(16384), &usual), false),
        ("4096 bits and a zero octet, as DER has it", key(&with_zero(4096), &usual), true),
        ("4095 bits and a zero octet that DER has not", key(&with_zero(4095), &usual), false),
        ("4096 bits and two zero octets", key(&encoded([vec![0, 0], decoded(&modulus(4096))].concat()), &usual), false),
        ("even", key(&encoded(even), &usual), false),
        ("n = 1", key(&encoded([1]), &usual), false),
        ("n = 0", key(&encoded([0]), &usual), false),
        ("e = 0", key(&ours, &[0]), false),
        ("e = 1", key(&ours, &[1]), false),
        ("e = 2", key(&ours, &[2]), false),
        ("e = 3", key(&ours, &[3]), false),
        ("e = 2^64 + 1", key(&ours, &[1, 0, 0, 0, 0, 0, 0, 0, 1]), false),
    ] {
        assert_eq!(key_set(&json!([jwk, public("alpha-ec")])).skipped(), usize::from(!usable), "{what}");
    }
}

#[test]
fn a_set_with_a_private_or_symmetric_key_is_not_used_at_all() {
    let (rsa, ec) = (public("alpha-rsa"), public("alpha-ec"));
    for secret in [
        private("alpha-rsa"),
        private("beta-ec"),
        json!({ "kty": "oct", "k": "c2VjcmV0" }),
        json!({ "kty": "oct" }),
        with(&rsa, "d", ""),
        with(&rsa, "p", Value::Null),
        with(&ec, "use", "enc").as_object().map(|jwk| with(&json!(jwk), "d", "x")).unwrap(),
    ] {
        for jwks in [json!([secret]), json!([ec, secret]), json!([secret, rsa, ec])] {
            assert_eq!(set_error(&jwks), Some(KeySetError::HoldsSecrets), "{secret:.100}");
        }
    }
}

#[test]
fn a_malformed_key_set_is_refused_as_a_whole() {
    let good = json!({ "keys": [public("alpha-ec")] }).to_string();
    for text in [
        "",
        "null",
        "[]",
        "{}",
        "1",
        "<html></html>",
        "{\"keys\":null}",
        "{\"keys\":{}}",
        "{\"keys\":\"x\"}",
        &good[..good.len() - 1],
        &format!("\u{feff}{good}"),
        &format!("{good}x"),
        &good.replace("\"kty\"", "\"kty\":\"EC\",\"kty\""),
        &format!("{{\"keys\":[],{}", &good[1..]),
    ] {
        assert_eq!(KeySet::parse(text.as_bytes()).err(), Some(KeySetError::Malformed), "{text}");
    }
    for empty in [json!([]), json!([1, null]), json!([public("short-rsa")])] {
        let count = empty.as_array().unwrap().len();
        assert_eq!(
            set_error(&empty),
            Some(KeySetError::NoUsableKey { count }),
            "a set without keys does not disable the check"
        );
    }
    let many =
        |count: usize| (0..count).map(|number| with(&public("alpha-ec"), "kid", number.to_string())).collect::<Value>();
    assert_eq!(set_error(&many(MAX_KEYS)), None);
    assert_eq!(set_error(&many(MAX_KEYS + 1)), Some(KeySetError::TooManyKeys { count: MAX_KEYS + 1 }));
    let padded = |bytes: usize| format!("{good}{}", " ".repeat(bytes - good.len()));
    assert!(KeySet::parse(padded(MAX_JWKS_BYTES).as_bytes()).is_ok());
    let bytes = MAX_JWKS_BYTES + 1;
    assert_eq!(KeySet::parse(padded(bytes).as_bytes()).err(), Some(KeySetError::TooLong { bytes }));
}

fn set_error(jwks: &Value) -> Option<KeySetError> {
    KeySet::parse(json!({ "keys": jwks }).to_string().as_bytes()).err()
}
