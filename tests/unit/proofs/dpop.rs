//! RFC 9449 §4.3, point by point: one good proof, and rows that change one thing about it.

use fastgate::identity::dpop::MAX_PROOF_BYTES;
use serde_json::{Value, json};

use super::{CLIENT, METADATA, THIEF, bound_token, claims, digest, gate_with, header, pair, proof, token, verdict};
use crate::offline::{NOW, Request, get, request};
use crate::samples::sign::{encoded, with, without};

fn of(header: &Value, claims: &Value) -> &'static str {
    verdict(get("/me").proven(&bound_token(), &[&proof(header, claims)]))
}

#[test]
fn the_proof_that_all_rows_change_is_good() {
    assert_eq!(of(&header(), &claims()), "forwarded");
    let more = with(&with(&claims(), "nonce", "n"), "other", json!({ "a": [1] }));
    assert_eq!(of(&with(&header(), "kid", "mine"), &more), "forwarded", "unknown members are ignored");
}

#[test]
fn there_is_exactly_one_proof() {
    let (token, good) = (bound_token(), proof(&header(), &claims()));
    assert_eq!(verdict(get("/me").proven(&token, &[])), "proof-missing");
    for second in [good.as_str(), "bad", ""] {
        assert_eq!(verdict(get("/me").proven(&token, &[&good, second])), "proof-repeated");
        assert_eq!(verdict(get("/me").proven(&token, &[second, &good])), "proof-repeated");
    }
    for joined in [format!("{good},{good}"), format!("{good}, {good}"), format!(" {good}"), format!("{good} ")] {
        assert_eq!(verdict(get("/me").proven(&token, &[&joined])), "proof-malformed", "{joined}");
    }
    let hidden = get("/me").proven(&token, &[&good]).field("connection", "dpop");
    assert_eq!(verdict(hidden), "proof-missing", "a hop-by-hop field is not a proof");
}

#[test]
fn a_proof_has_a_maximum_length() {
    let padded = |bytes: usize| proof(&header(), &with(&claims(), "padding", "p".repeat(bytes)));
    let missing = (MAX_PROOF_BYTES - padded(0).len()) / 4 * 3;
    let near: Vec<_> = (missing - 6..missing + 6).map(padded).collect();
    let longest = near.iter().find(|proof| proof.len() == MAX_PROOF_BYTES).unwrap();
    let longer = near.iter().find(|proof| proof.len() > MAX_PROOF_BYTES).unwrap();
    assert_eq!(verdict(get("/me").proven(&bound_token(), &[longest])), "forwarded");
    assert_eq!(verdict(get("/me").proven(&bound_token(), &[longer])), "proof-too-long");
}

#[test]
fn a_proof_is_a_compact_jws_of_two_objects_with_unique_members() {
    let good = proof(&header(), &claims());
    let [head, payload, signature] = good.split('.').collect::<Vec<_>>()[..] else { panic!("{good}") };
    let twice = |text: String, name: &str| text.replacen('{', &format!("{{\"{name}\":\"x\","), 1);
    let client = pair(CLIENT);
    for bad in [
        String::new(),
        ".".to_owned(),
        "..".to_owned(),
        "a.b.c".to_owned(),
        format!("{head}.{payload}"),
        format!("{good}.{signature}"),
        format!("{good}="),
        format!("{head}=.{payload}.{signature}"),
        format!("{head}.{payload}.{}", signature.replacen(|_: char| true, "+", 1)),
        client.sign("[]", claims().to_string()),
        client.sign(header().to_string(), "[]"),
        client.sign(header().to_string(), "null"),
        client.sign(twice(header().to_string(), "typ"), claims().to_string()),
        client.sign(header().to_string(), twice(claims().to_string(), "htm")),
        client.sign(header().to_string(), twice(claims().to_string(), "ht\\u006d")),
        client.sign(b"\xff", claims().to_string()),
    ] {
        assert_eq!(verdict(get("/me").proven(&bound_token(), &[&bad])), "proof-malformed", "{bad}");
    }
    let long = with(&claims(), "padding", "x".repeat(4096));
    assert_eq!(of(&header(), &long), "proof-too-long");
}

#[test]
fn the_header_is_that_of_a_proof_without_extensions() {
    for typ in [json!("JWT"), json!("at+jwt"), json!("DPoP+jwt"), json!("application/dpop+jwt"), json!(1), json!(null)]
    {
        assert_eq!(of(&with(&header(), "typ", typ.clone()), &claims()), "proof-type", "{typ}");
    }
    assert_eq!(of(&without(&header(), "typ"), &claims()), "proof-type");
    for alg in [json!("none"), json!("None"), json!("HS256"), json!("es256"), json!("RS256"), json!("ES384"), json!(1)]
    {
        assert_eq!(of(&with(&header(), "alg", alg.clone()), &claims()), "proof-algorithm", "{alg}");
    }
    assert_eq!(of(&without(&header(), "alg"), &claims()), "proof-algorithm");
    for (member, value) in [
        ("crit", json!([])),
        ("crit", json!(["exp"])),
        ("b64", json!(false)),
        ("b64", json!(true)),
        ("cty", json!("JWT")),
    ] {
        assert_eq!(of(&with(&header(), member, value), &claims()), "proof-extension", "{member}");
    }
}

#[test]
fn the_key_is_public_and_fits_the_algorithm() {
    let jwk = pair(CLIENT).jwk();
    let short = encoded([1; 31]);
    for bad in [
        json!(null),
        json!("key"),
        json!(jwk.to_string()),
        json!({}),
        json!([jwk]),
        with(&jwk, "d", encoded([2; 32])),
        with(&jwk, "k", "AAAA"),
        with(&jwk, "kty", "oct"),
        with(&jwk, "kty", "RSA"),
        with(&jwk, "crv", "P-384"),
        with(&jwk, "crv", "secp256k1"),
        with(&jwk, "use", "enc"),
        with(&jwk, "alg", "ES384"),
        with(&jwk, "key_ops", json!(["sign"])),
        with(&jwk, "x", jwk["y"].clone()),
        with(&jwk, "x", short.clone()),
        with(&jwk, "x", encoded([0; 33])),
        with(&jwk, "x", 1),
        with(&jwk, "x", format!("{}=", jwk["x"].as_str().unwrap())),
        with(&with(&jwk, "x", encoded([0; 32])), "y", encoded([0; 32])),
        without(&jwk, "y"),
        json!({ "kty": "oct", "k": "AAAA" }),
    ] {
        assert_eq!(of(&with(&header(), "jwk", bad.clone()), &claims()), "proof-key", "{bad}");
    }
    assert_eq!(of(&without(&header(), "jwk"), &claims()), "proof-key");
    let said = with(&with(&with(&jwk, "use", "sig"), "alg", "ES256"), "kid", "mine");
    assert_eq!(of(&with(&header(), "jwk", said), &claims()), "forwarded", "permitted members have no effect");
}

#[test]
fn the_signature_is_by_the_key_in_the_header_which_is_the_key_of_the_token() {
    let thief = pair(THIEF);
    let theirs = with(&header(), "jwk", thief.jwk());
    let send = |proof: &str| verdict(get("/me").proven(&bound_token(), &[proof]));
    assert_eq!(send(&thief.sign(theirs.to_string(), claims().to_string())), "proof-other-key");
    assert_eq!(send(&thief.sign(header().to_string(), claims().to_string())), "proof-signature");
    let (good, other) = (proof(&header(), &claims()), proof(&header(), &with(&claims(), "jti", "two")));
    let signature = |proof: &str| proof.rsplit_once('.').unwrap().1.to_owned();
    let content = good.rsplit_once('.').unwrap().0;
    for bad in [signature(&other), String::new(), encoded([0; 64]), encoded([1; 63]), encoded([1; 72])] {
        assert_eq!(send(&format!("{content}.{bad}")), "proof-signature", "{bad}");
    }
}

#[test]
fn a_proof_may_be_signed_with_ed25519() {
    let pair = ed25519_compact::KeyPair::from_seed(ed25519_compact::Seed::new([5; 32]));
    let x = encoded(*pair.pk);
    let jwk = json!({ "kty": "OKP", "crv": "Ed25519", "x": x });
    let token = token(&json!({ "jkt": digest(&format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#)) }));
    let send = |alg: &str| {
        let header = json!({ "typ": "dpop+jwt", "alg": alg, "jwk": jwk });
        let claims = with(&claims(), "ath", digest(&token));
        let content = format!("{}.{}", encoded(header.to_string()), encoded(claims.to_string()));
        let proof = format!("{content}.{}", encoded(*pair.sk.sign(&content, None)));
        verdict(get("/me").proven(&token, &[&proof]))
    };
    assert_eq!(
        [send("EdDSA"), send("Ed25519"), send("ES256"), send("PS256")],
        ["forwarded", "forwarded", "proof-key", "proof-algorithm"]
    );
}

#[test]
fn the_method_is_that_of_the_request() {
    for htm in ["POST", "get", "Get", "GET ", "", "HEAD"] {
        assert_eq!(of(&header(), &with(&claims(), "htm", htm)), "proof-method", "{htm}");
    }
    for bad in [json!(1), json!(null), json!(["GET"])] {
        assert_eq!(of(&header(), &with(&claims(), "htm", bad)), "proof-claim");
    }
    let post = proof(&header(), &with(&claims(), "htm", "POST"));
    assert_eq!(verdict(request("POST", "/me").proven(&bound_token(), &[&post])), "forwarded");
}

#[test]
fn the_url_is_that_of_the_request_in_canonical_form() {
    for same in [
        "https://edge.test/me",
        "HTTPS://EDGE.test/me",
        "https://edge.test:443/me",
        "https://edge.test/%6De",
        "https://edge.test/me?x=1",
        "https://edge.test/me#part",
    ] {
        assert_eq!(of(&header(), &with(&claims(), "htu", same)), "forwarded", "{same}");
    }
    for other in [
        "",
        "/me",
        "edge.test/me",
        "//edge.test/me",
        "https://",
        "https://edge.test",
        "https://edge.test/",
        "https://edge.test/me/",
        "https://edge.test//me",
        "https://edge.test/ME",
        "https://edge.test/./me",
        "https://edge.test/x/../me",
        "https://edge.test/x%2f..%2fme",
        "https://edge.test/me;x",
        "https://edge.test/other",
        "http://edge.test/me",
        "https://edge.test:80/me",
        "https://edge.test:8443/me",
        "https://evil.test/me",
        "https://edge.test.evil.test/me",
        "https://user@edge.test/me",
        "https://edge.test\\me",
        "https:/edge.test/me",
        " https://edge.test/me",
        "https://edge.test/me ",
    ] {
        assert_eq!(of(&header(), &with(&claims(), "htu", other)), "proof-url", "{other}");
    }
    assert_eq!(of(&header(), &without(&claims(), "htu")), "proof-claim");
}

#[test]
fn the_url_is_compared_as_the_client_addressed_the_edge() {
    let for_url = |htu: &str| proof(&header(), &with(&claims(), "htu", htu));
    let send = |request: Request, htu: &str| verdict(request.proven(&bound_token(), &[&for_url(htu)]));
    assert_eq!(send(get("/files/a%20b?x=1"), "https://edge.test/files/a%20b"), "forwarded");
    assert_eq!(send(get("/files/%C3%BC"), "https://edge.test/files/%c3%bc"), "forwarded");
    assert_eq!(send(get("/files/%C3%BC"), "https://edge.test/files/ü"), "proof-url", "a URL is ASCII");
    let hosted = |host: &str, tls| {
        let mut request = get("/me").hosts(&[host.as_bytes()]);
        request.head.tls = tls;
        request
    };
    assert_eq!(send(hosted("EDGE.test:8443", true), "https://edge.test:8443/me"), "forwarded");
    assert_eq!(send(hosted("edge.test:8443", true), "https://edge.test/me"), "proof-url");
    assert_eq!(send(hosted("edge.test:443", true), "https://edge.test/me"), "forwarded");
    assert_eq!(send(hosted("[::1]:7676", false), "http://[::1]:7676/me"), "forwarded");
    assert_eq!(send(hosted("edge.test:80", false), "http://edge.test/me"), "forwarded");
    assert_eq!(send(hosted("edge.test", false), "https://edge.test/me"), "proof-url");
}

#[test]
fn the_proof_is_recent() {
    for (iat, expected) in [
        (json!(NOW), "forwarded"),
        (json!(NOW - 60), "forwarded"),
        (json!(NOW + 10), "forwarded"),
        (json!(1_800_000_000.9), "forwarded"),
        (json!(NOW - 61), "proof-too-old"),
        (json!(0), "proof-too-old"),
        (json!(NOW + 11), "proof-too-early"),
        (json!(NOW * 1000), "proof-claim"),
        (json!(-1), "proof-claim"),
        (json!(1e300), "proof-claim"),
        (json!(NOW.to_string()), "proof-claim"),
        (json!(null), "proof-claim"),
    ] {
        assert_eq!(of(&header(), &with(&claims(), "iat", iat.clone())), expected, "{iat}");
    }
    assert_eq!(of(&header(), &without(&claims(), "iat")), "proof-claim");
    let strict = gate_with(&json!({ "dpop": { "max_age": 5, "leeway": 0 } }));
    let at = |iat: u64| {
        let claims = with(&with(&claims(), "iat", iat), "jti", iat.to_string());
        strict.verdict(get("/me").proven(&bound_token(), &[&proof(&header(), &claims)]))
    };
    assert_eq!([at(NOW - 5), at(NOW - 6), at(NOW + 1)], ["forwarded", "proof-too-old", "proof-too-early"]);
}

#[test]
fn the_proof_is_for_this_token() {
    let other = token(&json!({ "jkt": pair(CLIENT).thumbprint(), "x5t#S256": digest("x") }));
    for ath in [digest(&other), digest(""), format!("{}=", digest(&bound_token())), String::new()] {
        assert_eq!(of(&header(), &with(&claims(), "ath", ath)), "proof-token");
    }
    assert_eq!(of(&header(), &with(&claims(), "ath", 1)), "proof-claim");
    assert_eq!(of(&header(), &without(&claims(), "ath")), "proof-claim");
}

#[test]
fn the_proof_has_a_jti() {
    for jti in [json!(""), json!("x".repeat(257)), json!(1), json!(null)] {
        assert_eq!(of(&header(), &with(&claims(), "jti", jti)), "proof-claim");
    }
    assert_eq!(of(&header(), &without(&claims(), "jti")), "proof-claim");
    assert_eq!(of(&header(), &with(&claims(), "jti", "x".repeat(256))), "forwarded");
}

#[test]
fn every_invalid_proof_gets_the_same_response() {
    let gate = gate_with(&json!({}));
    let expected = (401, Some(format!("DPoP error=\"invalid_dpop_proof\", algs=\"ES256 EdDSA\", {METADATA}")));
    let bad = [
        vec![],
        vec!["bad".to_owned()],
        vec![proof(&without(&header(), "typ"), &claims())],
        vec![proof(&header(), &with(&claims(), "htm", "POST"))],
        vec![proof(&header(), &with(&claims(), "iat", 1))],
        vec![pair(THIEF).sign(header().to_string(), claims().to_string())],
        vec![pair(THIEF).sign(with(&header(), "jwk", pair(THIEF).jwk()).to_string(), claims().to_string())],
    ];
    for proofs in bad {
        let proofs: Vec<&str> = proofs.iter().map(String::as_str).collect();
        assert_eq!(gate.send(get("/me").proven(&bound_token(), &proofs)).refused(), expected);
    }
    assert_eq!(gate.send(get("/me").proven(&token(&json!(null)), &[])).refused(), expected);
}
