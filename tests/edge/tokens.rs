//! Sections B and C of `docs/attacks.md` over the network: invalid tokens of every kind get the same response, and none
//! reaches an origin.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::support::tokens::{claims, header, now, sign, sign_bytes};
use crate::support::world::WORLD;

/// A good header with these changes.
fn with_header(change: impl FnOnce(&mut Value)) -> String {
    let mut header = header();
    change(&mut header);
    // Issued well before the key set was fetched: a key that is not in the set then does not exist.
    let mut claims = claims(&WORLD.iss(), "user-1", "");
    claims["iat"] = json!(now() - 600);
    sign(&header, &claims)
}

/// Good claims with these changes.
fn with_claims(change: impl FnOnce(&mut Value)) -> String {
    let mut claims = claims(&WORLD.iss(), "user-1", "");
    change(&mut claims);
    sign(&header(), &claims)
}

/// Sends `token` and returns the code of the log line; the response is the same for all.
#[track_caller]
fn code_of(token: &str) -> String {
    let outcome = WORLD.send("GET /echo/x", format!("authorization: Bearer {token}\r\n"));
    assert_eq!(outcome.refused(), 401, "{token}");
    let reply = outcome.reply();
    let challenge = format!("Bearer error=\"invalid_token\", {}", WORLD.resource_metadata());
    assert_eq!(reply.header("www-authenticate"), Some(challenge.as_str()), "{token}");
    assert_eq!(
        reply.text(),
        r#"{"status":401,"title":"The bearer token is not valid","type":"urn:fastgate:problem:invalid-token"}"#
    );
    let line = WORLD.edge.log_of(reply.header("x-request-id").unwrap());
    line["verdict"].as_str().unwrap().to_owned()
}

#[test]
fn a_token_that_is_not_a_compact_jws_is_refused() {
    let good = WORLD.token("");
    let [head, payload, signature] = good.split('.').collect::<Vec<_>>()[..] else { panic!("{good}") };
    for token in [
        "a".to_owned(),
        format!("{head}.{payload}"),
        format!("{good}.x"),
        format!("{good}.x.y"),
        format!(".{good}"),
        format!("{good}."),
        format!(".{payload}.{signature}"),
        format!("{head}..{signature}"),
        format!("{head}.{payload}."),
        format!("{head}=.{payload}.{signature}"),
        format!("{head}.{payload}.{signature}="),
        format!("{head}.{payload}+.{signature}"),
        format!("{head}.{payload}/.{signature}"),
    ] {
        assert!(["token-malformed", "credentials-malformed"].contains(&code_of(&token).as_str()), "{token}");
    }
    let payload = claims(&WORLD.iss(), "user-1", "").to_string();
    for header in ["[]", "\"x\"", "1", "null", "{", "{\"alg\":\"ES256\",\"alg\":\"ES256\",\"typ\":\"at+jwt\"}"] {
        assert_eq!(code_of(&sign_bytes(header.as_bytes(), payload.as_bytes())), "token-malformed", "{header}");
    }
    let header = header().to_string();
    let deep = format!("{{\"x\":{}1{}}}", "[".repeat(2000), "]".repeat(2000));
    for payload in [
        "[]",
        "null",
        "{\"iss\":\"a\",\"iss\":\"a\"}",
        "{\"sub\":\"a\",\"s\\u0075b\":\"b\"}",
        "{\"a\":1e400}",
        "\u{feff}{}",
        &deep,
    ] {
        assert_eq!(code_of(&sign_bytes(header.as_bytes(), payload.as_bytes())), "token-malformed", "{payload}");
    }
    assert_eq!(code_of(&sign_bytes(header.as_bytes(), b"{\"iss\":\"\xff\"}")), "token-malformed");
}

#[test]
fn a_header_that_requires_an_extension_is_refused() {
    for (member, value) in [
        ("crit", json!(["exp"])),
        ("crit", json!([])),
        ("crit", json!("x")),
        ("crit", json!([1])),
        ("b64", json!(false)),
        ("b64", json!(true)),
        ("cty", json!("JWT")),
    ] {
        assert_eq!(
            code_of(&with_header(|header| header[member] = value.clone())),
            "token-extension",
            "{member} {value}"
        );
    }
    for typ in [
        json!("JWT"),
        json!("dpop+jwt"),
        json!("logout+jwt"),
        json!("JOSE"),
        json!("txntoken+jwt"),
        json!(1),
        Value::Null,
    ] {
        assert_eq!(code_of(&with_header(|header| header["typ"] = typ.clone())), "token-type", "{typ}");
    }
    for alg in [
        json!("none"),
        json!("None"),
        json!("nOnE"),
        json!(""),
        json!("HS256"),
        json!("RS384"),
        json!("ES256K"),
        json!("es256"),
        json!(1),
        json!(["ES256"]),
        Value::Null,
    ] {
        assert_eq!(code_of(&with_header(|header| header["alg"] = alg.clone())), "token-algorithm", "{alg}");
    }
    assert_eq!(
        code_of(&with_header(|header| header["alg"] = json!("RS256"))),
        "token-unknown-key",
        "the algorithm belongs to the key"
    );
}

#[test]
fn unknown_header_members_are_ignored_and_keys_in_the_token_never_used() {
    for change in [
        ("foo", json!(1)),
        ("nonce", json!("x")),
        ("zip", json!("RS256")),
        ("url", json!("https://evil.example")),
        ("typ", json!("application/AT+JWT")),
    ] {
        let token = with_header(|header| header[change.0] = change.1.clone());
        WORLD.send("GET /echo/x", format!("authorization: Bearer {token}\r\n")).echoed();
    }
    for (member, value) in [
        ("jku", json!("https://evil.example/jwks")),
        ("jwk", json!({"kty": "EC"})),
        ("x5u", json!("https://evil.example/x5u")),
    ] {
        let token = with_header(|header| {
            header[member] = value.clone();
            header["kid"] = json!("evil");
        });
        assert_eq!(code_of(&token), "token-unknown-key", "{member}");
    }
}

#[test]
fn a_key_id_is_only_ever_compared() {
    for kid in
        ["../test-key", "' OR 1=1 --", "test-key\u{0}", "test-key\r\nx: 1", "🔑", "TEST-KEY", "", &"k".repeat(1000)]
    {
        assert_eq!(code_of(&with_header(|header| header["kid"] = json!(kid))), "token-unknown-key", "{kid}");
    }
    for kid in [json!(1), json!(["test-key"]), json!({}), Value::Null] {
        assert_eq!(code_of(&with_header(|header| header["kid"] = kid.clone())), "token-malformed", "{kid}");
    }
    let token = with_header(|header| drop(header.as_object_mut().unwrap().remove("kid")));
    WORLD.send("GET /echo/x", format!("authorization: Bearer {token}\r\n")).echoed();
}

#[test]
fn claims_are_judged_exactly() {
    let iss = WORLD.iss();
    for (expected, claim, values) in [
        ("token-claim-missing", "exp", vec![]),
        (
            "token-claim-malformed",
            "exp",
            vec![Value::Null, json!("1"), json!(true), json!([1]), json!(-1), json!(1e300)],
        ),
        ("token-expired", "exp", vec![json!(0), json!(now() - 31), json!(1.5)]),
        ("token-not-yet-valid", "nbf", vec![json!(now() + 60)]),
        ("token-claim-malformed", "nbf", vec![json!("1"), Value::Null]),
        ("token-not-yet-valid", "iat", vec![json!(now() + 60)]),
        (
            "token-unknown-issuer",
            "iss",
            vec![
                json!(""),
                json!(format!("{iss}/")),
                json!(iss.to_uppercase()),
                json!(format!("{iss}.evil")),
                json!("https://evil.example"),
            ],
        ),
        ("token-claim-malformed", "iss", vec![json!([iss]), json!(1)]),
        ("token-claim-missing", "aud", vec![]),
        (
            "token-audience",
            "aud",
            vec![
                json!(""),
                json!([]),
                json!("https://api.test/"),
                json!("https://api.tes"),
                json!(["x", "https://api.test.evil"]),
            ],
        ),
        ("token-claim-malformed", "aud", vec![json!(1), json!(["https://api.test", 1]), Value::Null]),
        ("token-claim-missing", "sub", vec![]),
        (
            "token-claim-malformed",
            "sub",
            vec![json!(""), json!(1), json!("a\r\nb"), json!("s".repeat(300)), json!("a\u{0}")],
        ),
        ("token-bound", "cnf", vec![json!({"jkt": "x"})]),
    ] {
        if values.is_empty() {
            let token = with_claims(|claims| drop(claims.as_object_mut().unwrap().remove(claim)));
            assert_eq!(code_of(&token), expected, "{claim} absent");
        }
        for value in values {
            assert_eq!(code_of(&with_claims(|claims| claims[claim] = value.clone())), expected, "{claim}: {value}");
        }
    }
    for (claim, value) in [
        ("aud", json!(["x", "https://api.test"])),
        ("exp", json!(f64::from(u32::try_from(now()).unwrap()) + 60.5)),
        ("sub", json!("ünïcode 🙂")),
    ] {
        let token = with_claims(|claims| claims[claim] = value.clone());
        WORLD.send("GET /echo/x", format!("authorization: Bearer {token}\r\n")).echoed();
    }
}

#[test]
fn a_token_longer_than_the_limit_is_refused_before_it_is_decoded() {
    for bytes in [16_381, 60_000, 200_000] {
        let outcome = WORLD.send("GET /echo/x", format!("authorization: Bearer {}.a.a\r\n", "a".repeat(bytes)));
        assert_eq!(
            (outcome.refused(), outcome.reply().problem().as_str()),
            (431, "header-fields-too-large"),
            "{bytes}"
        );
        assert_eq!(outcome.reply().header("www-authenticate"), None, "another token would not help");
        let line = WORLD.edge.log_of(outcome.reply().header("x-request-id").unwrap());
        assert_eq!(line["verdict"], "token-too-long");
    }
}

/// Microsoft Entra ID writes up to 200 groups into a token, each a GUID.
#[test]
fn a_token_with_two_hundred_groups_is_accepted() {
    let group = |number: usize| format!("7d3c1a52-9e4b-4f60-8a1d-{number:012x}");
    let token = with_claims(|claims| claims["groups"] = (0..200).map(group).collect());
    assert!(token.len() > 10_700, "{}", token.len());
    let outcome = WORLD.send("GET /echo/x", format!("authorization: Bearer {token}\r\n"));
    assert_eq!(outcome.identity()["sub"], "user-1");
    let padded = |pad: usize| with_claims(|claims| claims["pad"] = "x".repeat(pad).into());
    let longest = (11_700..12_200).rev().map(padded).find(|token| token.len() <= 16_384).unwrap();
    assert!(longest.len() > 16_380, "{}", longest.len());
    WORLD.send("GET /echo/x", format!("authorization: Bearer {longest}\r\n")).echoed();
}

#[test]
fn a_signature_is_valid_only_for_the_bytes_it_was_made_for() {
    let good = WORLD.token("");
    let other = with_claims(|claims| claims["sub"] = json!("admin"));
    let [head, payload, signature] = good.split('.').collect::<Vec<_>>()[..] else { panic!("{good}") };
    let [_, other_payload, other_signature] = other.split('.').collect::<Vec<_>>()[..] else { panic!("{other}") };
    assert_eq!(code_of(&format!("{head}.{other_payload}.{signature}")), "token-signature");
    assert_eq!(code_of(&format!("{head}.{payload}.{other_signature}")), "token-signature");
    for wrong in [vec![0; 64], vec![0xff; 64], vec![1; 63], vec![1; 65], vec![1]] {
        assert_eq!(code_of(&format!("{head}.{payload}.{}", URL_SAFE_NO_PAD.encode(wrong))), "token-signature");
    }
}

#[test]
fn the_identity_header_of_the_edge_is_not_accepted_as_a_token() {
    let outcome = WORLD.send("GET /open/x", "");
    let own = outcome.echoed().all("fastgate-identity")[0].to_owned();
    assert_eq!(code_of(&own), "token-unknown-issuer");
}

#[test]
fn an_unknown_issuer_causes_no_outgoing_request() {
    use crate::support::origin::{Origin, response};
    let evil = Origin::responding(response("200 OK", &[], "{}"));
    assert_eq!(
        code_of(&with_claims(|claims| claims["iss"] = json!(format!("http://{}", evil.address)))),
        "token-unknown-issuer"
    );
    assert!(evil.everything().is_empty());
}

/// In the guest: a parser that is built with other features there could round.
#[test]
fn numbers_of_forwarded_claims_keep_their_value() {
    for number in
        ["51.248178375505404", "123456789012345.67", "4503599627370497.5", "31.245270191439438", "0.1", "-1e-7", "1e15"]
    {
        let payload = claims(&WORLD.iss(), "user-1", "").to_string();
        let payload = format!("{},\"exact\":{number}}}", payload.strip_suffix('}').unwrap());
        let token = sign_bytes(header().to_string().as_bytes(), payload.as_bytes());
        let outcome = WORLD.send("GET /echo/x", format!("authorization: Bearer {token}\r\n"));
        let identity = outcome.echoed().all("fastgate-identity")[0].to_owned();
        let signed = URL_SAFE_NO_PAD.decode(identity.split('.').nth(1).unwrap()).unwrap();
        let signed: serde_json::Value = serde_json::from_slice(&signed).unwrap();
        assert_eq!(signed["rctx"]["claims"]["exact"], serde_json::from_str::<serde_json::Value>(number).unwrap());
    }
}
