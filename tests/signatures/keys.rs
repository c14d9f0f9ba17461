//! Rows C4, C5, C11 to C13, C15, C19 and C20 of `docs/attacks.md`: which keys are accepted, and for which algorithms.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use fastgate::identity::keys::{KeySet, KeySetError, UnusableKey};
use fastgate::policy::AlgorithmName;
use serde_json::{Value, json};

use crate::{ALL, base64url, read, rsa_jwk, with};

fn private(jwk: &str) -> Value {
    serde_json::from_str(jwk).unwrap()
}

fn modulus() -> Vec<u8> {
    let jwk = private(include_str!("keys/rsa-2048.json"));
    URL_SAFE_NO_PAD.decode(jwk["n"].as_str().unwrap()).unwrap()
}

/// A valid key of each family, without `alg`, and the algorithms of that family.
fn families() -> [(Value, Vec<AlgorithmName>); 4] {
    use AlgorithmName::{ES256, ES384, EdDSA, PS256, PS384, PS512, RS256, RS384, RS512};
    let p256 = p256::ecdsa::SigningKey::from_slice(&[7; 32]).unwrap().verifying_key().to_sec1_point(false);
    let p384 = p384::ecdsa::SigningKey::from_slice(&[7; 48]).unwrap().verifying_key().to_sec1_point(false);
    let coordinates = |curve: &str, point: &[u8]| {
        let (x, y) = point[1..].split_at(point.len() / 2);
        json!({"kty": "EC", "crv": curve, "x": base64url(x), "y": base64url(y)})
    };
    // The public key of RFC 8037 §A.2.
    let ed25519 = json!({"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"});
    [
        (rsa_jwk(&modulus(), &[1, 0, 1]), vec![RS256, RS384, RS512, PS256, PS384, PS512]),
        (coordinates("P-256", p256.as_bytes()), vec![ES256]),
        (coordinates("P-384", p384.as_bytes()), vec![ES384]),
        (ed25519, vec![EdDSA]),
    ]
}

fn unusable(jwk: &Value) -> Option<UnusableKey> {
    read(jwk).err()
}

#[test]
fn a_key_without_alg_is_for_every_algorithm_of_its_family_and_no_other() {
    for (jwk, family) in families() {
        let key = read(&jwk).unwrap();
        for algorithm in ALL {
            assert_eq!(key.accepts(algorithm), family.contains(&algorithm), "{algorithm:?} {jwk}");
            assert!(key.verify(algorithm, b"", &[0; 64]).is_err());
        }
    }
}

#[test]
fn a_key_with_alg_is_for_that_algorithm_only() {
    for (jwk, family) in families() {
        for only in &family {
            for name in [format!("{only:?}").as_str(), "Ed25519"] {
                let Ok(key) = read(&with(&jwk, "alg", name)) else {
                    assert_eq!((name, family.contains(&AlgorithmName::EdDSA)), ("Ed25519", false));
                    continue;
                };
                assert!(ALL.iter().all(|algorithm| key.accepts(*algorithm) == (algorithm == only)), "{only:?}");
            }
        }
        for foreign in ["none", "HS256", "RSA-OAEP", "ES256K", "ES512", "Ed448", "rs256", ""] {
            assert_eq!(unusable(&with(&jwk, "alg", foreign)), Some(UnusableKey::OtherAlgorithm), "{foreign}");
        }
        let others = ALL.iter().filter(|algorithm| !family.contains(algorithm));
        for other in others {
            assert_eq!(unusable(&with(&jwk, "alg", format!("{other:?}"))), Some(UnusableKey::OtherAlgorithm));
        }
        for no_text in [Value::Null, json!(1), json!(["RS256"])] {
            assert_eq!(unusable(&with(&jwk, "alg", no_text)), Some(UnusableKey::Malformed));
        }
    }
}

#[test]
fn a_signature_by_another_algorithm_of_the_key_is_refused() {
    use jwt_simple::prelude::{Claims, Duration, PS256KeyPair, RSAKeyPairLike as _};
    let jwk = private(include_str!("keys/rsa-2048.json"));
    let signer = PS256KeyPair::from_jwk(&jwk.to_string()).unwrap();
    let token = signer.sign(Claims::create(Duration::from_mins(1))).unwrap();
    let (message, signature) = token.rsplit_once('.').unwrap();
    let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
    let public = rsa_jwk(&modulus(), &[1, 0, 1]);
    let key = read(&public).unwrap();
    for algorithm in ALL {
        let holds = key.verify(algorithm, message.as_bytes(), &signature).is_ok();
        assert_eq!(holds, algorithm == AlgorithmName::PS256, "{algorithm:?}");
    }
    let pinned = read(&with(&public, "alg", "RS256")).unwrap();
    assert!(ALL.iter().all(|algorithm| pinned.verify(*algorithm, message.as_bytes(), &signature).is_err()));
}

#[test]
fn keys_that_are_not_for_verifying_are_skipped() {
    for (jwk, _) in families() {
        for (member, value) in [
            ("use", json!("enc")),
            ("use", json!("SIG")),
            ("use", Value::Null),
            ("key_ops", json!(["encrypt"])),
            ("key_ops", json!(["sign"])),
            ("key_ops", json!([])),
            ("key_ops", json!("verify")),
        ] {
            assert_eq!(unusable(&with(&jwk, member, value.clone())), Some(UnusableKey::OtherPurpose), "{value}");
        }
        let both = with(&with(&jwk, "use", "sig"), "key_ops", json!(["verify"]));
        assert!(read(&both).is_ok());
        let long = with(&with(&jwk, "x5c", json!(["M".repeat(20_000)])), "unknown", json!({"d": {}}));
        assert!(read(&long).is_ok());
    }
}

#[test]
fn rsa_keys_are_2048_to_4096_bits_long_and_odd() {
    let of = |bits: usize| {
        let mut number = vec![0x5b; bits.div_ceil(8)];
        number[0] = 0x80 >> ((8 - bits % 8) % 8);
        number
    };
    for (bits, usable) in [
        (512, false),
        (1024, false),
        (2040, false),
        (2047, false),
        (2048, true),
        (2049, true),
        (2055, true),
        (3072, true),
        (4095, true),
        (4096, true),
        (4097, false),
        (8192, false),
        (16384, false),
        (1_000_000, false),
    ] {
        assert_eq!(read(&rsa_jwk(&of(bits), &[1, 0, 1])).is_ok(), usable, "{bits} bits");
        let mut even = of(bits);
        *even.last_mut().unwrap() = 0x5a;
        assert_eq!(unusable(&rsa_jwk(&even, &[1, 0, 1])), Some(UnusableKey::Invalid), "{bits} bits, even");
    }
    for tiny in [&[][..], &[1], &[0]] {
        assert_eq!(unusable(&rsa_jwk(tiny, &[1, 0, 1])), Some(UnusableKey::Invalid), "{tiny:?}");
    }
}

#[test]
fn one_leading_zero_octet_of_a_modulus_is_accepted() {
    let jwk = |octets: Vec<u8>| json!({"kty": "RSA", "n": base64url(&octets), "e": "AQAB"});
    assert!(read(&jwk([&[0][..], &modulus()].concat())).is_ok());
    assert!(read(&jwk([&[0, 0][..], &modulus()].concat())).is_err());
}

#[test]
fn rsa_keys_have_the_exponent_65537() {
    let jwk = rsa_jwk(&modulus(), &[1, 0, 1]);
    for exponent in ["AQ", "Ag", "Aw", "AA", "", "AQAAAAAAAAAB", "AAEAAQ", "AQAC", "AQAB=", "AQAB "] {
        assert_eq!(unusable(&with(&jwk, "e", exponent)), Some(UnusableKey::Invalid), "{exponent}");
    }
    assert_eq!(unusable(&with(&jwk, "e", 65537)), Some(UnusableKey::Malformed));
    assert_eq!(unusable(&with(&jwk, "n", "A+/B")), Some(UnusableKey::Malformed));
    assert_eq!(unusable(&with(&jwk, "crv", "P-256")), Some(UnusableKey::UnknownType));
}

#[test]
fn points_are_on_their_curve_and_have_full_length() {
    let [_, (p256, _), (p384, _), (ed25519, _)] = families();
    for (jwk, length) in [(p256, 32), (p384, 48)] {
        let x = URL_SAFE_NO_PAD.decode(jwk["x"].as_str().unwrap()).unwrap();
        for other in [
            vec![0; length],
            vec![0xff; length],
            vec![1; length],
            x[1..].to_vec(),
            [&[0][..], &x].concat(),
            [&[4][..], &x].concat(),
            vec![],
        ] {
            assert_eq!(unusable(&with(&jwk, "x", base64url(&other))), Some(UnusableKey::Invalid), "{other:?}");
        }
        let zero = base64url(&vec![0; length]);
        assert_eq!(unusable(&with(&with(&jwk, "x", zero.clone()), "y", zero)), Some(UnusableKey::Invalid));
        for curve in ["P-521", "secp256k1", "p-256", "Ed25519", ""] {
            assert_eq!(unusable(&with(&jwk, "crv", curve)), Some(UnusableKey::UnknownType), "{curve}");
        }
        let swapped = if length == 32 { "P-384" } else { "P-256" };
        assert_eq!(unusable(&with(&jwk, "crv", swapped)), Some(UnusableKey::Invalid));
    }
    // Points of order 1, 2, 4 and 8, two of them written in another way, and one that is too short.
    let mut ff = String::new();
    write!(ff, "ed{}7f", "ff".repeat(30)).unwrap();
    for hex in [
        format!("01{}", "00".repeat(31)),
        format!("ec{}7f", "ff".repeat(30)),
        "00".repeat(32),
        format!("{}80", "00".repeat(31)),
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05".to_owned(),
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a".to_owned(),
        ff,
        format!("ee{}7f", "ff".repeat(30)),
        "11".repeat(31),
    ] {
        let octets: Vec<u8> =
            (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect();
        assert_eq!(unusable(&with(&ed25519, "x", base64url(&octets))), Some(UnusableKey::Invalid), "{hex}");
    }
    assert_eq!(unusable(&with(&ed25519, "crv", "X25519")), Some(UnusableKey::UnknownType));
}

/// base64url without padding and without set bits behind the last octet (RFC 7515 §2, RFC 4648 §3.5), as a string.
#[test]
fn a_coordinate_has_one_spelling() {
    let [_, (p256, _), (p384, _), (ed25519, _)] = families();
    for (jwk, member) in [(&p256, "x"), (&p256, "y"), (&p384, "x"), (&p384, "y"), (&ed25519, "x")] {
        let text = jwk[member].as_str().unwrap();
        let (front, last) = text.split_at(text.len() - 1);
        let next = char::from(last.as_bytes()[0] + 1); // for 32 octets, the last character ends in two bits that are zero
        for other in [
            format!("{text}="),
            format!("{text}A"),
            format!("{text}AAAA"),
            format!("{front}{next}"),
            format!(" {text}"),
            format!("{text}\n"),
            format!("{}+{last}", &front[1..]),
            format!("{}/{last}", &front[1..]),
            front.to_owned(),
        ] {
            assert_eq!(unusable(&with(jwk, member, other.clone())), Some(UnusableKey::Invalid), "{other:?}");
        }
        for no_text in [Value::Null, json!(7), json!([text]), json!({})] {
            assert_eq!(unusable(&with(jwk, member, no_text)), Some(UnusableKey::Malformed));
        }
        let mut without = jwk.clone();
        without.as_object_mut().unwrap().remove(member);
        assert_eq!(unusable(&without), Some(UnusableKey::Malformed));
    }
}

/// A coordinate is smaller than the prime of its field, and as long as the prime: x = 0 is on both curves, and is
/// refused as the prime itself and with fewer or more zeros.
#[test]
fn a_coordinate_is_reduced_and_has_full_length() {
    let octets = |hex: &str| -> Vec<u8> {
        (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
    };
    for (curve, prime, y) in [
        (
            "P-256",
            "ffffffff00000001000000000000000000000000ffffffffffffffffffffffff",
            "66485c780e2f83d72433bd5d84a06bb6541c2af31dae871728bf856a174f93f4",
        ),
        (
            "P-384",
            concat!(
                "fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffe",
                "ffffffff0000000000000000ffffffff"
            ),
            concat!(
                "c306610fb0ae5a159cf45c06069f22a6c5eb3641c602d42dea2c4b4f75550793",
                "406d80d2b91ad54f9048bd487af1ade1"
            ),
        ),
    ] {
        let jwk = |x: &[u8]| json!({"kty": "EC", "crv": curve, "x": base64url(x), "y": base64url(&octets(y))});
        let prime = octets(prime);
        assert!(read(&jwk(&vec![0; prime.len()])).is_ok());
        assert_eq!(unusable(&jwk(&prime)), Some(UnusableKey::Invalid), "{curve}");
        for length in [0, 1, prime.len() - 1, prime.len() + 1] {
            assert_eq!(unusable(&jwk(&vec![0; length])), Some(UnusableKey::Invalid), "{curve}, {length}");
        }
    }
}

/// The base point of secp256k1 has coordinates of P-256's length and is not on it; on edwards25519 no point has y = 2.
#[test]
fn a_point_of_another_curve_is_not_a_key() {
    let x = "eb5mfvncu6xVoGKVzocLBwKb_NstzijZWfKBWxb4F5g";
    let y = "SDradyajxGVdpPv8DhEIqP0XtEimhVQZnEfQj_sQ1Lg";
    assert_eq!(unusable(&json!({"kty": "EC", "crv": "P-256", "x": x, "y": y})), Some(UnusableKey::Invalid));
    let two = base64url(&[&[2][..], &[0; 31]].concat());
    assert_eq!(unusable(&json!({"kty": "OKP", "crv": "Ed25519", "x": two})), Some(UnusableKey::Invalid));
    let [_, (p256, _), ..] = families();
    let swapped = json!({"kty": "EC", "crv": "P-256", "x": p256["y"], "y": p256["x"]});
    assert_eq!(unusable(&swapped), Some(UnusableKey::Invalid));
}

#[test]
fn private_and_symmetric_keys_are_never_used() {
    let [(rsa, _), (p256, _), (p384, _), (ed25519, _)] = families();
    for jwk in [rsa, p256, p384, ed25519] {
        for member in ["d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"] {
            assert_eq!(unusable(&with(&jwk, member, "AQAB")), Some(UnusableKey::HoldsSecret), "{member}");
        }
    }
    assert_eq!(unusable(&json!({"kty": "oct"})), Some(UnusableKey::HoldsSecret));
}

#[test]
fn one_unusable_key_never_makes_the_others_unusable_and_is_counted() {
    let [(rsa, _), (p256, _), (p384, _), (ed25519, _)] = families();
    let set = json!({"keys": [
        with(&rsa, "kid", "shared"), with(&p256, "kid", "shared"),
        with(&p384, "kid", "good"), with(&ed25519, "use", "enc"),
        "no object", {"kty": "AKP"}, with(&rsa, "kid", 7), with(&rsa, "e", "Aw"),
    ]});
    let set = KeySet::parse(set.to_string().as_bytes()).unwrap();
    // The types distinguish the two keys with the same `kid`.
    assert_eq!(set.skipped(), 5);
    let mut reasons: Vec<String> = set.unusable().iter().map(|reason| format!("{reason:?}")).collect();
    reasons.sort();
    assert_eq!(reasons, ["Invalid", "Malformed", "Malformed", "OtherPurpose", "UnknownType"].map(str::to_owned));
}

#[test]
fn a_set_with_a_private_key_is_refused() {
    let [(rsa, _), (p256, _), ..] = families();
    let set = json!({"keys": [rsa, with(&p256, "d", "AQAB")]});
    assert_eq!(KeySet::parse(set.to_string().as_bytes()).err(), Some(KeySetError::HoldsSecrets));
}
