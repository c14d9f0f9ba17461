//! Section B of `docs/attacks.md`: the form of a token.

use fastgate::identity::token::{MAX_HEADER_CHARACTERS, TokenError, UnverifiedToken};
use fastgate::secret::Secret;
use serde_json::{Value, json};

use super::{all_are, verdict, verdict_with};
use crate::offline::fakes::FakeKeys;
use crate::offline::policy_of;
use crate::samples::policy_document;
use crate::samples::sign::{Signing, claims, compact, encoded, good, header, sealed, token, with, without};

const KEY: Signing<'static> = Signing::Es256("alpha-ec");

#[test]
fn a_token_has_three_segments_and_none_is_empty() {
    let good = good();
    let [head, body, seal] = good.split('.').collect::<Vec<_>>()[..] else { panic!() };
    let rows = [
        String::new(),
        ".".to_owned(),
        "..".to_owned(),
        "...".to_owned(),
        head.to_owned(),
        format!("{head}.{body}"),
        format!("{head}.{body}."),
        format!("{head}..{seal}"),
        format!(".{body}.{seal}"),
        format!(".{good}"),
        format!("{good}."),
        format!("{good}.{seal}"),
        format!("{good}.{body}.{seal}"),
        format!("{head}.{head}.{body}.{seal}.{seal}"),
    ];
    all_are(&TokenError::Malformed, rows.map(|token| (token.clone(), token)));
}

#[test]
fn encrypted_and_json_serialized_tokens_are_refused() {
    let jwe_header = encoded(r#"{"alg":"RSA-OAEP","enc":"A256GCM","typ":"at+jwt"}"#);
    let good = good();
    let [head, body, seal] = good.split('.').collect::<Vec<_>>()[..] else { panic!() };
    let flat = json!({ "protected": head, "payload": body, "signature": seal });
    let general = json!({ "payload": body, "signatures": [{ "protected": head, "signature": seal }] });
    all_are(
        &TokenError::Malformed,
        [
            ("JWE", format!("{jwe_header}.a2V5.aXY.dGV4dA.dGFn")),
            ("flattened JSON", flat.to_string()),
            ("general JSON", general.to_string()),
            ("encoded JSON", encoded(flat.to_string())),
        ],
    );
    for json in [flat.to_string(), general.to_string()] {
        assert_eq!(UnverifiedToken::parse(Secret::new(&json)).err(), Some(TokenError::Malformed), "{json}");
    }
}

#[test]
fn base64url_is_canonical_without_padding_or_other_characters() {
    let good = good();
    for segment in 0..3 {
        for odd in ["=", "==", "+", "/", " ", "\n", "\r\n", "\t", "%", "\u{e9}", "\0", "A"] {
            for at_end in [true, false] {
                let segments = good.split('.').enumerate().map(|(index, text)| match index == segment {
                    true if at_end => format!("{text}{odd}"),
                    true => format!("{}{odd}{}", &text[..4], &text[4..]),
                    false => text.to_owned(),
                });
                let token = segments.collect::<Vec<_>>().join(".");
                let refused = UnverifiedToken::parse(Secret::new(&token)).is_err() || verdict(&token).is_err();
                assert!(refused, "{odd:?} in segment {segment}, at its end: {at_end}");
            }
        }
    }
    // Padding that is right for the length is still padding.
    let padded = format!("{}=.{}", encoded("{\"a\":1}  "), encoded("{}"));
    assert_eq!(verdict(&sealed(&padded, KEY)), Err(TokenError::Malformed));
}

#[test]
fn trailing_bits_of_a_segment_are_zero() {
    let good = good();
    // 64 bytes of signature leave four unused bits in the last character: A is the only canonical quarter of them.
    let (rest, last) = good.split_at(good.len() - 1);
    for other in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".chars() {
        let token = format!("{rest}{other}");
        assert_eq!(verdict(&token).is_ok(), last == other.to_string(), "{other}");
    }
    let header = encoded(header().to_string() + " ");
    let swapped = |text: &str| text.strip_suffix('A').map(|text| format!("{text}B"));
    for content in [swapped(&header), swapped(&encoded(header.clone() + " "))].into_iter().flatten() {
        let token = sealed(&format!("{content}.{}", encoded(claims().to_string())), KEY);
        assert_eq!(verdict(&token), Err(TokenError::Malformed));
    }
}

#[test]
fn header_and_payload_are_json_objects_in_utf8() {
    let (head, body) = (header().to_string(), claims().to_string());
    let odd: &[&[u8]] = &[
        b"[]",
        b"\"x\"",
        b"1",
        b"null",
        b"true",
        b"",
        b"{",
        b"}",
        b"{}{}",
        b"{} x",
        b"{'a':1}",
        b"{a:1}",
        b"{\"a\":1,}",
        b"{\"a\":\"\xff\"}",
        b"\xef\xbb\xbf{}",
        b"{\"a\":\"\\ud800\"}",
        b"{\"a\":\"\\udc00x\"}",
        b"{\"a\":NaN}",
        b"{\"a\":\"\n\"}",
        b"\0{}",
        b"{/**/}",
        b"\xff\xfe{\0}\0",
        b"{\"a\":01}",
        b"{\"a\":.5}",
        b"{\"a\":+1}",
    ];
    for text in odd {
        for token in [compact(text, &body, KEY), compact(&head, text, KEY)] {
            assert_eq!(verdict(&token), Err(TokenError::Malformed), "{:?}", String::from_utf8_lossy(text));
        }
    }
}

#[test]
fn a_repeated_member_is_refused_in_every_spelling() {
    let members = |object: &Value| object.to_string().trim_matches(['{', '}']).to_owned();
    let (head, body) = (members(&header()), members(&claims()));
    for twice in [r#""alg":"ES256""#, r#""kid":"alpha-ec""#, r#""typ":"at+jwt""#, r#""\u0061lg":"none""#] {
        for text in [format!("{{{twice},{head}}}"), format!("{{{head},{twice}}}")] {
            assert_eq!(verdict(&compact(text, claims().to_string(), KEY)), Err(TokenError::Malformed), "{twice}");
        }
    }
    for twice in [
        r#""sub":"ada""#,
        r#""s\u0075b":"eve""#,
        r#""aud":"https://api.test""#,
        r#""exp":9999999999"#,
        r#""iss":"https://alpha.test""#,
        r#""scope":"admin""#,
        r#""deep":{"a":1,"a":1}"#,
        r#""deep":[[{"a":1,"\u0061":1}]]"#,
    ] {
        for text in [format!("{{{twice},{body}}}"), format!("{{{body},{twice}}}")] {
            assert_eq!(verdict(&compact(header().to_string(), text, KEY)), Err(TokenError::Malformed), "{twice}");
        }
    }
    let crit = format!("{{{head},\"crit\":[],\"crit\":[]}}");
    assert_eq!(verdict(&compact(crit, claims().to_string(), KEY)), Err(TokenError::Malformed));
}

#[test]
fn depth_is_limited() {
    let depth = |open: &str, close: &str, levels| format!("{}1{}", open.repeat(levels), close.repeat(levels));
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        let text = format!("{{\"a\":{}}}", depth(open, close, 500));
        for token in [compact(&text, "{}", KEY), compact(header().to_string(), &text, KEY)] {
            assert_eq!(verdict(&token), Err(TokenError::Malformed), "{open}");
        }
        let text = format!("{{\"a\":{}}}", depth(open, close, 10_000));
        let token = compact(header().to_string(), &text, KEY);
        assert_eq!(verdict(&token), Err(too_long(token.len())), "{open}");
    }
    let shallow = serde_json::from_str::<Value>(&depth("[", "]", 100)).unwrap();
    assert!(verdict(&token(&header(), &with(&claims(), "x", shallow))).is_ok(), "tokens of issuers are not this deep");
}

#[test]
fn lengths_are_limited_to_the_byte_before_decoding() {
    // A text that is too long is also not base64: it is refused for its length. The policy of the tests sets no length.
    let header_most = usize::try_from(MAX_HEADER_CHARACTERS).unwrap();
    for (header, rest, expected) in [
        (header_most, 10, TokenError::Malformed),
        (header_most + 1, 10, TokenError::TooLong { bytes: header_most + 1, most: MAX_HEADER_CHARACTERS }),
        (10, DEFAULT - 13, TokenError::Malformed),
        (10, DEFAULT - 12, too_long(DEFAULT + 1)),
        (10, 60_000 - 13, too_long(60_000)),
        (10, 1_000_000 - 13, too_long(1_000_000)),
    ] {
        let token = format!("{}.{}.A", "A".repeat(header), "A".repeat(rest));
        assert_eq!(verdict(&token), Err(expected), "{header} and {rest}: {}", token.len());
    }
    // No policy can raise the absolute maximum.
    let most = usize::try_from(fastgate::policy::MAX_TOKEN_BYTES).unwrap();
    for (bytes, expected) in [
        (most, TokenError::Malformed),
        (most + 1, TokenError::TooLong { bytes: most + 1, most: fastgate::policy::MAX_TOKEN_BYTES }),
    ] {
        let token = format!("*.{}.A", "*".repeat(bytes - 4));
        assert_eq!(UnverifiedToken::parse(Secret::new(&token)).err(), Some(expected), "{bytes}");
    }
}

#[test]
fn a_valid_token_may_have_the_maximum_length_of_the_policy() {
    let sized = |bytes: usize| {
        let padded = |pad: usize| token(&header(), &with(&claims(), "pad", "x".repeat(pad)));
        let pad = (bytes - padded(0).len()) * 3 / 4;
        (pad - 4..pad + 8).map(padded).find(|token| token.len() >= bytes).unwrap()
    };
    // The size of an Entra token with 200 groups.
    assert!(verdict(&sized(11_242)).is_ok());
    assert!(verdict(&sized(DEFAULT - 1)).is_ok());
    assert_eq!(verdict(&sized(DEFAULT + 1)), Err(too_long(sized(DEFAULT + 1).len())));
    let shorter = policy_of(&changed(&policy_document(), "/edge/max_token", json!(2048)));
    assert!(verdict_with(&shorter, FakeKeys::of_both(), &sized(2_040)).is_ok());
    let longer = sized(2_049);
    let refused = TokenError::TooLong { bytes: longer.len(), most: 2048 };
    assert_eq!(verdict_with(&shorter, FakeKeys::of_both(), &longer), Err(refused));
    let longest = policy_of(&changed(&policy_document(), "/edge/max_token", json!(32_768)));
    assert!(verdict_with(&longest, FakeKeys::of_both(), &sized(32_760)).is_ok());
}

/// The default of `edge.max_token`.
const DEFAULT: usize = 16_384;

fn too_long(bytes: usize) -> TokenError {
    TokenError::TooLong { bytes, most: 16_384 }
}

fn changed(document: &Value, pointer: &str, value: Value) -> Value {
    let mut document = document.clone();
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    document.pointer_mut(parent).unwrap()[name] = value;
    document
}

#[test]
fn malformed_numbers_are_refused_and_no_number_causes_a_panic() {
    let digits = "9".repeat(3_000);
    for (number, good) in [
        ("1e400", false),
        ("-1e400", false),
        ("1E999999", false),
        ("-0", false),
        ("0", false),
        ("1800000600.9", true),
        ("18000006e2", true),
        (digits.as_str(), false),
        ("-1", false),
        ("1e300", false),
        ("253402300799", true),
        ("253402300800", false),
        ("4294967296", true),
        ("9007199254740993", false),
        ("9223372036854775808", false),
        ("18446744073709551616", false),
    ] {
        let body = without(&claims(), "exp").to_string();
        let body = format!("{},\"exp\":{number}}}", body.trim_end_matches('}'));
        assert_eq!(verdict(&compact(header().to_string(), body, KEY)).is_ok(), good, "{number:.40}");
    }
}

#[test]
fn unknown_header_members_are_ignored() {
    for (name, value) in [("foo", json!(1)), ("url", json!("https://x")), ("nonce", json!("n")), ("x5t", json!("x"))]
        .into_iter()
        .chain([("zip", json!("DEF")), ("zip", json!("RS256")), ("zip", Value::Null), ("enc", json!("A256GCM"))])
        .chain([("cty", json!("")), ("cty", json!("json")), ("cty", json!("application/json"))])
    {
        assert!(verdict(&token(&with(&header(), name, value), &claims())).is_ok(), "{name}");
    }
}

#[test]
fn an_extension_that_would_change_the_meaning_is_refused_whatever_its_value() {
    let crit = [json!(["exp"]), json!(["b64"]), json!(["foo"]), json!([]), json!("x"), json!([1]), json!(["absent"])];
    let rows = crit.map(|value| ("crit", value)).into_iter().chain([
        ("crit", Value::Null),
        ("b64", json!(false)),
        ("b64", json!(true)),
        ("cty", json!("JWT")),
        ("cty", json!("jwt")),
        ("cty", json!("application/JWT")),
        ("cty", json!("application/jwt; charset=utf-8")),
        ("cty", json!("JOSE")),
        ("cty", json!(1)),
        ("cty", Value::Null),
    ]);
    for (member, value) in rows {
        let token = token(&with(&header(), member, value.clone()), &claims());
        assert_eq!(verdict(&token), Err(TokenError::Extension { member }), "{member}: {value}");
    }
    let critical = with(&with(&header(), "zip", "DEF"), "crit", json!(["zip"]));
    let critical = verdict(&token(&critical, &claims()));
    assert_eq!(critical, Err(TokenError::Extension { member: "crit" }), "a critical extension is never ignored");
    let both = with(&with(&header(), "b64", false), "crit", json!(["b64"]));
    let detached = sealed(&format!("{}.{}", encoded(both.to_string()), claims()), KEY);
    assert!(verdict(&detached).is_err(), "RFC 7797 with its own payload form");
    assert!(matches!(verdict(&token(&both, &claims())), Err(TokenError::Extension { .. })));
}

#[test]
fn only_the_configured_types_are_accepted() {
    for (kind, good) in [
        (json!("at+jwt"), true),
        (json!("AT+JWT"), true),
        (json!("application/at+jwt"), true),
        (json!("Application/AT+JWT"), true),
        (json!("JWT"), false),
        (json!("dpop+jwt"), false),
        (json!("logout+jwt"), false),
        (json!("secevent+jwt"), false),
        (json!("txntoken+jwt"), false),
        (json!("id_token"), false),
        (json!("JOSE"), false),
        (json!("application/application/at+jwt"), false),
        (json!("at+jwt "), false),
        (json!("at+jwt;x=1"), false),
        (json!(""), false),
        (json!(1), false),
        (json!(["at+jwt"]), false),
        (Value::Null, false),
    ] {
        let expected = if good { None } else { Some(TokenError::Type) };
        let verdict = verdict(&token(&with(&header(), "typ", kind.clone()), &claims()));
        assert_eq!(verdict.err(), expected, "{kind}");
    }
    assert_eq!(verdict(&token(&without(&header(), "typ"), &claims())), Err(TokenError::Type));
}
