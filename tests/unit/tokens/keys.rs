//! Section C of `docs/attacks.md`: algorithms, signatures, and the choice of the key.

use fastgate::identity::Identity;
use fastgate::identity::token::{MAX_HEADER_CHARACTERS, TokenError};
use serde_json::{Value, json};

use super::{verdict, verdict_with};
use crate::offline::fakes::FakeKeys;
use crate::offline::get;
use crate::samples::policy;
use crate::samples::sign::{
    Signing, claims, compact, decoded, encoded, good, header, public, sealed, signature, token, with, without,
};

/// The verdict if alpha has these keys.
pub(super) fn given(jwks: &Value, token: &str) -> Result<Identity, TokenError> {
    verdict_with(&policy(), FakeKeys::none().with("alpha", jwks), token)
}

fn rs256_header() -> Value {
    with(&with(&header(), "alg", "RS256"), "kid", "alpha-rsa")
}

pub(super) fn signed(header: &Value, signing: Signing<'_>) -> String {
    compact(header.to_string(), claims().to_string(), signing)
}

#[test]
fn only_the_two_algorithms_are_accepted() {
    let names = [
        "none",
        "None",
        "NONE",
        "nOnE",
        "",
        "HS256",
        "HS384",
        "HS512",
        "RS384",
        "RS512",
        "PS256",
        "PS384",
        "PS512",
        "ES384",
        "ES512",
        "ES256K",
        "EdDSA",
        "Ed25519",
        "RSA1_5",
        "es256",
        "rs256",
        "ES256 ",
        "RS256\u{0}",
        "RS1",
        "dir",
    ];
    let values = names.map(|name| json!(name)).into_iter().chain([
        Value::Null,
        json!(1),
        json!(["ES256"]),
        json!({ "alg": "ES256" }),
        json!(true),
    ]);
    for alg in values {
        for (kid, signing) in [("alpha-ec", Signing::Es256("alpha-ec")), ("alpha-rsa", Signing::Ps256("alpha-rsa"))] {
            let header = with(&with(&header(), "alg", alg.clone()), "kid", kid);
            assert_eq!(verdict(&signed(&header, signing)), Err(TokenError::Algorithm), "{alg} {signing:?}");
            for bytes in [&b"x"[..], &[0; 64], &[0; 256]] {
                assert_eq!(verdict(&signed(&header, Signing::Bytes(bytes))), Err(TokenError::Algorithm), "{alg}");
            }
            assert_eq!(verdict(&signed(&header, Signing::Bytes(b""))), Err(TokenError::Malformed), "{alg}, unsigned");
        }
    }
    assert_eq!(verdict(&signed(&without(&header(), "alg"), Signing::Es256("alpha-ec"))), Err(TokenError::Algorithm));
}

#[test]
fn a_public_key_is_never_a_shared_secret() {
    let (rsa, ec) = (public("alpha-rsa"), public("alpha-ec"));
    let coordinate = |name: &str| decoded(ec[name].as_str().unwrap());
    let modulus = decoded(rsa["n"].as_str().unwrap());
    let point = [coordinate("x"), coordinate("y")].concat();
    // The confusion is about the kind of the key, not its encoding: a PEM is base64 of a DER, which ends in these
    // bytes.
    let pem = format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----", encoded(&modulus));
    let secrets: Vec<Vec<u8>> = vec![
        vec![],
        b"secret".to_vec(),
        modulus,
        point.clone(),
        [vec![4], point].concat(),
        rsa.to_string().into_bytes(),
        ec.to_string().into_bytes(),
        rsa["n"].as_str().unwrap().into(),
        pem.clone().into_bytes(),
        format!("{pem}\n").into_bytes(),
    ];
    for secret in secrets {
        for kid in ["alpha-rsa", "alpha-ec"] {
            for (alg, expected) in [
                ("HS256", TokenError::Algorithm),
                ("RS256", if kid == "alpha-rsa" { TokenError::Signature } else { TokenError::UnknownKey }),
                ("ES256", if kid == "alpha-ec" { TokenError::Signature } else { TokenError::UnknownKey }),
            ] {
                let header = with(&with(&header(), "alg", alg), "kid", kid);
                assert_eq!(verdict(&signed(&header, Signing::Hs256(&secret))), Err(expected), "{alg} {kid}");
            }
        }
    }
}

#[test]
fn the_algorithm_belongs_to_the_key() {
    let ps256 = with(&public("alpha-rsa"), "alg", "PS256");
    let rs256 = public("alpha-rsa");
    let untold = without(&public("alpha-rsa"), "alg");
    for (jwk, alg, signing, expected) in [
        (&rs256, "RS256", Signing::Rs256("alpha-rsa"), None),
        (&untold, "RS256", Signing::Rs256("alpha-rsa"), None),
        (&rs256, "PS256", Signing::Ps256("alpha-rsa"), Some(TokenError::Algorithm)),
        (&untold, "PS256", Signing::Ps256("alpha-rsa"), Some(TokenError::Algorithm)),
        (&ps256, "PS256", Signing::Ps256("alpha-rsa"), Some(TokenError::Algorithm)),
        (&ps256, "RS256", Signing::Rs256("alpha-rsa"), Some(TokenError::UnknownKey)),
        (&ps256, "RS256", Signing::Ps256("alpha-rsa"), Some(TokenError::UnknownKey)),
        (&rs256, "RS256", Signing::Ps256("alpha-rsa"), Some(TokenError::Signature)),
        (&rs256, "RS256", Signing::Es256("alpha-ec"), Some(TokenError::Signature)),
        (&rs256, "ES256", Signing::Rs256("alpha-rsa"), Some(TokenError::UnknownKey)),
    ] {
        let header = with(&rs256_header(), "alg", alg);
        // The EC key is present so that the set is never empty.
        let found = given(&json!([jwk, public("alpha-ec")]), &signed(&header, signing));
        assert_eq!(found.err(), expected, "{alg} {signing:?} with {}", jwk["alg"]);
    }
}

#[test]
fn keys_in_a_token_are_never_read() {
    let attacker = with(&public("beta-ec"), "kid", "alpha-ec");
    for (member, value) in [
        ("jwk", attacker),
        ("jku", json!("https://evil.test/jwks.json")),
        ("x5u", json!("https://evil.test/cert.pem")),
        ("x5c", json!(["MIIB"])),
    ] {
        let header = with(&header(), member, value);
        let forged = get("/me").bearer(&signed(&header, Signing::Es256("beta-ec"))).decide();
        assert_eq!(
            (forged.trail.verdict, forged.requested),
            ("token-signature", vec!["alpha".to_owned(); 2]),
            "{member}"
        );
        verdict(&signed(&header, Signing::Es256("alpha-ec"))).unwrap_or_else(|error| panic!("{member}: {error}"));
    }
}

#[test]
fn without_a_kid_the_algorithm_must_leave_one_key() {
    let (rsa, ec) = (public("alpha-rsa"), public("alpha-ec"));
    let other = public("beta-ec");
    let nameless = token(&without(&header(), "kid"), &claims());
    assert!(given(&json!([ec]), &nameless).is_ok());
    assert!(given(&json!([without(&ec, "kid")]), &nameless).is_ok());
    assert!(given(&json!([rsa, ec]), &nameless).is_ok(), "one of each kind");
    assert_eq!(given(&json!([ec, other]), &nameless), Err(TokenError::AmbiguousKey));
    assert_eq!(given(&json!([rsa]), &nameless), Err(TokenError::UnknownKey));
    assert_eq!(given(&json!([without(&ec, "kid")]), &good()), Err(TokenError::UnknownKey), "the token names a kid");
}

#[test]
fn a_kid_is_only_ever_compared() {
    for kid in [
        "../alpha-ec",
        "/etc/passwd",
        "' OR 1=1 --",
        "alpha-ec\u{0}",
        "alpha-ec\r\n",
        "ALPHA-EC",
        " alpha-ec",
        "",
        "😀",
        "beta-ec",
        "edge-one",
        "*",
        "alpha",
    ] {
        let token = token(&with(&header(), "kid", kid), &claims());
        assert_eq!(verdict(&token), Err(TokenError::UnknownKey), "{kid:?}");
    }
    let long = token(&with(&header(), "kid", "k".repeat(2_000)), &claims());
    assert_eq!(verdict(&long), Err(TokenError::UnknownKey));
    let longer = token(&with(&header(), "kid", "k".repeat(10_000)), &claims());
    assert!(matches!(verdict(&longer), Err(TokenError::TooLong { most: MAX_HEADER_CHARACTERS, .. })));
    for odd in [json!(1), json!(["alpha-ec"]), json!({}), json!(true), Value::Null] {
        let token = token(&with(&header(), "kid", odd.clone()), &claims());
        assert_eq!(verdict(&token), Err(TokenError::Malformed), "{odd}");
    }
    let odd_name = with(&public("alpha-ec"), "kid", "../x' OR 1=1");
    let token = token(&with(&header(), "kid", "../x' OR 1=1"), &claims());
    assert!(given(&json!([odd_name]), &token).is_ok(), "an issuer may choose any names for its keys");
}

#[test]
fn an_unknown_key_of_a_token_that_is_younger_than_the_keys_gives_503() {
    let token = token(&with(&header(), "kid", "new"), &claims());
    let issued = claims()["iat"].as_u64().unwrap();
    for (fetched, status, verdict) in [(issued, 503, "keys-unavailable"), (issued + 1, 401, "token-unknown-key")] {
        let outcome = get("/me").bearer(&token).decide_with(policy(), FakeKeys::of_both().fetched_at(fetched));
        assert_eq!((outcome.problem().status(), outcome.trail.verdict), (status, verdict));
    }
}

/// The cached keys are enough to find a wrong signature. A key that is not among them may be a new one of the issuer.
#[test]
fn an_unknown_key_gives_503_while_the_issuer_does_not_respond() {
    let other = token(&with(&header(), "kid", "new"), &claims());
    let forged = compact(header().to_string(), claims().to_string(), Signing::Es256("beta-ec"));
    for (token, status, verdict) in [(other, 503, "keys-unavailable"), (forged, 401, "token-signature")] {
        let outcome = get("/me").bearer(&token).decide_with(policy(), FakeKeys::of_both().cut_off());
        assert_eq!((outcome.problem().status(), outcome.trail.verdict), (status, verdict));
    }
}

#[test]
fn an_es256_signature_is_two_numbers_of_32_bytes_in_range() {
    const ORDER: [u8; 32] = [
        0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa, 0xad,
        0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
    ];
    let content = format!("{}.{}", encoded(header().to_string()), encoded(claims().to_string()));
    let right = signature(content.as_bytes(), Signing::Es256("alpha-ec"));
    let (r, s) = right.split_at(32);
    let zero = [0; 32];
    let der = |r: &[u8], s: &[u8]| [&[0x30, 70, 2, 33, 0], r, &[2, 33, 0], s].concat();
    let other = subtract(&ORDER, s);
    assert!(verdict(&sealed(&content, Signing::Bytes(&right))).is_ok());
    assert!(verdict(&sealed(&content, Signing::Bytes(&[r, &other].concat()))).is_ok(), "n - s is as valid as s");
    for (what, bytes) in [
        ("DER", der(r, s)),
        ("r = 0", [&zero, s].concat()),
        ("s = 0", [r, &zero].concat()),
        ("both 0", [0; 64].to_vec()),
        ("r = n", [&ORDER, s].concat()),
        ("s = n", [r, &ORDER].concat()),
        ("all ones", [255; 64].to_vec()),
        ("swapped", [s, r].concat()),
        ("short", right[..63].to_vec()),
        ("half", r.to_vec()),
        ("long", [&right[..], &[0]].concat()),
        ("leading zero", [&[0], &right[..]].concat()),
        ("trailing zeros", [&right[..], &[0; 64]].concat()),
        ("of another content", signature(b"x", Signing::Es256("alpha-ec"))),
        ("of another key", signature(content.as_bytes(), Signing::Es256("beta-ec"))),
        ("one bit", right.iter().enumerate().map(|(at, byte)| byte ^ u8::from(at == 40)).collect()),
    ] {
        assert_eq!(verdict(&sealed(&content, Signing::Bytes(&bytes))), Err(TokenError::Signature), "{what}");
    }
}

#[test]
fn an_rs256_signature_is_the_keys_own_and_of_its_length() {
    let content = format!("{}.{}", encoded(rs256_header().to_string()), encoded(claims().to_string()));
    let right = signature(content.as_bytes(), Signing::Rs256("alpha-rsa"));
    assert!(verdict(&sealed(&content, Signing::Bytes(&right))).is_ok());
    for (what, bytes) in [
        ("of another key", signature(content.as_bytes(), Signing::Rs256("beta-rsa"))),
        ("of another content", signature(b"x", Signing::Rs256("alpha-rsa"))),
        ("short", right[..255].to_vec()),
        ("long", [&right[..], &[0]].concat()),
        ("leading zero", [&[0], &right[..]].concat()),
        ("zeros", vec![0; 256]),
        ("one", [&[0; 255][..], &[1]].concat()),
        ("ones", vec![255; 256]),
        ("the modulus", decoded(public("alpha-rsa")["n"].as_str().unwrap())),
    ] {
        assert_eq!(verdict(&sealed(&content, Signing::Bytes(&bytes))), Err(TokenError::Signature), "{what}");
    }
}

#[test]
fn a_signature_covers_header_and_payload() {
    let good = good();
    let seal = good.rsplit('.').next().unwrap();
    let richer = encoded(with(&claims(), "sub", "root").to_string());
    let spaced = encoded(format!("{} ", header()));
    let (head, body) = (encoded(header().to_string()), encoded(claims().to_string()));
    for token in [format!("{head}.{richer}.{seal}"), format!("{spaced}.{body}.{seal}")] {
        assert_eq!(verdict(&token), Err(TokenError::Signature));
    }
}

#[test]
fn an_issuers_token_is_checked_with_that_issuers_keys_alone() {
    let shared = |kid: &str| with(&public(kid), "kid", "shared");
    let keys =
        || FakeKeys::none().with("alpha", &json!([shared("alpha-rsa")])).with("beta", &json!([shared("beta-rsa")]));
    let header = with(&with(&header(), "alg", "RS256"), "kid", "shared");
    let genuine = signed(&header, Signing::Rs256("alpha-rsa"));
    let crossed = signed(&header, Signing::Rs256("beta-rsa"));
    assert!(verdict_with(&policy(), keys(), &genuine).is_ok());
    assert_eq!(verdict_with(&policy(), keys(), &crossed), Err(TokenError::Signature));
}

#[test]
fn the_edges_identity_header_is_not_accepted_as_a_token() {
    let word = get("/me").bearer(&good()).decide().sent("fastgate-identity").concat();
    assert_eq!(verdict(&word), Err(TokenError::UnknownIssuer));
}

/// `minuend - subtrahend`, both big-endian.
fn subtract(minuend: &[u8; 32], subtrahend: &[u8]) -> Vec<u8> {
    let mut difference = vec![0; 32];
    let mut borrow = 0;
    for place in (0..32).rev() {
        let wide = 256 + u16::from(minuend[place]) - u16::from(subtrahend[place]) - borrow;
        difference[place] = u8::try_from(wide % 256).unwrap();
        borrow = u16::from(wide < 256);
    }
    difference
}
