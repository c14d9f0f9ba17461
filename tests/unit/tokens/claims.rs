//! Section D of `docs/attacks.md`: the claims of a token.

use fastgate::identity::token::TokenError;
use fastgate::time::Seconds;
use serde_json::{Value, json};

use super::{all_are, verdict, verdict_with};
use crate::offline::fakes::FakeKeys;
use crate::offline::{NOW, policy_of};
use crate::samples::sign::{Signing, claims, compact, header, token, with, without};
use crate::samples::{policy, policy_document};

/// The verdict on a good token with one claim changed.
fn given(claim: &str, value: impl Into<Value>) -> Result<(), TokenError> {
    verdict(&token(&header(), &with(&claims(), claim, value))).map(drop)
}

#[test]
fn times_are_exact_to_the_second_and_leeway_is_added_once() {
    let expired = |by| Err(TokenError::Expired { by: Seconds::new(by) });
    let early = |claim| Err(TokenError::NotYetValid { claim });
    for (claim, at, expected) in [
        ("exp", NOW + 1, Ok(())),
        ("exp", NOW, Ok(())),
        ("exp", NOW - 29, Ok(())),
        ("exp", NOW - 30, expired(30)),
        ("exp", NOW - 31, expired(31)),
        ("exp", 0, expired(NOW)),
        ("nbf", NOW, Ok(())),
        ("nbf", NOW + 30, Ok(())),
        ("nbf", NOW + 31, early("nbf")),
        ("iat", NOW + 30, Ok(())),
        ("iat", NOW + 31, early("iat")),
        ("iat", 0, Ok(())),
    ] {
        assert_eq!(given(claim, at), expected, "{claim} at now {:+}", i128::from(at) - i128::from(NOW));
    }
}

#[test]
fn without_leeway_the_second_itself_decides() {
    let mut document = policy_document();
    document["issuers"]["alpha"]["leeway"] = json!(0);
    let policy = policy_of(&document);
    for (claim, at, good) in [
        ("exp", NOW + 1, true),
        ("exp", NOW, false),
        ("nbf", NOW, true),
        ("nbf", NOW + 1, false),
        ("iat", NOW, true),
        ("iat", NOW + 1, false),
    ] {
        let token = token(&header(), &with(&claims(), claim, at));
        assert_eq!(verdict_with(&policy, FakeKeys::of_both(), &token).is_ok(), good, "{claim} {at}");
    }
}

#[test]
fn a_time_is_a_number_of_seconds_and_exp_must_be_there() {
    assert_eq!(verdict(&token(&header(), &without(&claims(), "exp"))), Err(TokenError::Missing { claim: "exp" }));
    for claim in ["exp", "nbf", "iat"] {
        let odd = json!([Value::Null, "1800000600", true, [], [1_800_000_600], {}, -1, -1.5, 1e300, "", u64::MAX]);
        for value in odd.as_array().unwrap() {
            assert_eq!(given(claim, value.clone()), Err(TokenError::ClaimMalformed { claim }), "{claim}: {value}");
        }
    }
    assert_eq!(given("exp", json!(1_800_000_600.5)), Ok(()), "a fraction is cut off (RFC 7519 §2)");
    for claim in ["nbf", "iat"] {
        assert!(verdict(&token(&header(), &without(&claims(), claim))).is_ok(), "{claim} may be absent");
    }
}

#[test]
fn a_lifetime_of_years_is_accepted_up_to_the_last_date() {
    assert_eq!(given("exp", NOW + 10 * 365 * 86_400), Ok(()));
    assert_eq!(given("exp", 253_402_300_799_u64), Ok(()));
    assert_eq!(given("exp", 253_402_300_800_u64), Err(TokenError::ClaimMalformed { claim: "exp" }));
}

#[test]
fn the_issuer_must_equal_one_of_the_policy_byte_for_byte() {
    for iss in [
        "",
        "https://alpha.test/",
        "https://ALPHA.test",
        "HTTPS://alpha.test",
        "http://alpha.test",
        "alpha.test",
        "https://alpha.test.evil.test",
        "https://evil.test/https://alpha.test",
        "https://alpha.tes",
        " https://alpha.test",
        "https://alpha.test\u{0}",
        "https://\u{430}lpha.test",
        "https://alpha.test:443",
        "https://alpha.test#",
        "alpha",
        "https://beta.test",
        "https://edge.test",
    ] {
        assert_eq!(given("iss", iss), Err(TokenError::UnknownIssuer), "{iss:?}");
    }
    for odd in [json!(["https://alpha.test"]), json!(1), Value::Null, json!({ "a": 1 })] {
        assert_eq!(given("iss", odd.clone()), Err(TokenError::ClaimMalformed { claim: "iss" }), "{odd}");
    }
    assert_eq!(verdict(&token(&header(), &without(&claims(), "iss"))), Err(TokenError::Missing { claim: "iss" }));
}

#[test]
fn an_audience_is_named_exactly_or_not_at_all() {
    let many: Vec<_> = (0..500).map(|number| number.to_string()).collect();
    let many_with_ours: Vec<_> = many.iter().map(String::as_str).chain(["https://api.test"]).collect();
    for (audience, expected) in [
        (json!("https://api.test"), Ok(())),
        (json!(["https://api.test"]), Ok(())),
        (json!(["x", "https://api.test", "y"]), Ok(())),
        (json!(many_with_ours), Ok(())),
        (json!(many), Err(TokenError::Audience)),
        (json!(""), Err(TokenError::Audience)),
        (json!([]), Err(TokenError::Audience)),
        (json!("https://api.test/"), Err(TokenError::Audience)),
        (json!("https://api.tes"), Err(TokenError::Audience)),
        (json!("https://API.test"), Err(TokenError::Audience)),
        (json!("x https://api.test"), Err(TokenError::Audience)),
        (json!("app-audience"), Err(TokenError::Audience)),
        (json!(["https://api.test", 1]), Err(TokenError::ClaimMalformed { claim: "aud" })),
        (json!([["https://api.test"]]), Err(TokenError::ClaimMalformed { claim: "aud" })),
        (json!({ "https://api.test": true }), Err(TokenError::ClaimMalformed { claim: "aud" })),
        (json!(1), Err(TokenError::ClaimMalformed { claim: "aud" })),
        (Value::Null, Err(TokenError::ClaimMalformed { claim: "aud" })),
    ] {
        assert_eq!(given("aud", audience.clone()), expected, "{audience:.100}");
    }
    assert_eq!(verdict(&token(&header(), &without(&claims(), "aud"))), Err(TokenError::Missing { claim: "aud" }));
}

#[test]
fn an_audience_of_another_issuer_is_refused() {
    assert_eq!(given("aud", "other"), Err(TokenError::Audience), "\"other\" is an audience of beta only");
}

#[test]
fn an_id_token_is_not_an_access_token() {
    let id_claims = with(&with(&with(&claims(), "nonce", "n"), "at_hash", "h"), "aud", "shop");
    all_are(&TokenError::Audience, [("audience is the client", token(&header(), &id_claims))]);
    let id_header = with(&header(), "typ", "JWT");
    all_are(&TokenError::Type, [("typ is JWT", token(&id_header, &id_claims))]);
}

#[test]
fn a_subject_is_short_text_that_is_safe_in_a_log() {
    let malformed = || Err(TokenError::ClaimMalformed { claim: "sub" });
    for (subject, expected) in [
        (json!("auth0|5f7c8ec7c33c6c004bbafe82"), Ok(())),
        (json!("ada@example.com"), Ok(())),
        (json!("😀"), Ok(())),
        (json!("s".repeat(255)), Ok(())),
        (json!("s".repeat(256)), malformed()),
        (json!("s".repeat(5_000)), malformed()),
        (json!("é".repeat(128)), malformed()),
        (json!(""), malformed()),
        (json!("a\r\nx: y"), malformed()),
        (json!("a\u{0}"), malformed()),
        (json!("\u{1b}[31m"), malformed()),
        (json!("\u{7f}"), malformed()),
        (json!("\u{85}"), malformed()),
        (json!(1), malformed()),
        (json!(["ada"]), malformed()),
        (Value::Null, malformed()),
    ] {
        assert_eq!(given("sub", subject.clone()), expected, "{subject:.60}");
    }
    assert_eq!(verdict(&token(&header(), &without(&claims(), "sub"))), Err(TokenError::Missing { claim: "sub" }));
}

#[test]
fn a_client_is_named_by_client_id_or_by_azp() {
    let client = |claims: &Value| verdict(&token(&header(), claims)).map(|it| it.client_id().map(str::to_owned));
    let none = without(&claims(), "client_id");
    assert_eq!(client(&none), Ok(None));
    assert_eq!(client(&with(&none, "azp", "web")), Ok(Some("web".to_owned())));
    assert_eq!(client(&with(&claims(), "azp", "web")), Ok(Some("shop".to_owned())));
    for odd in [json!(1), json!(""), json!("a\n"), json!(["shop"])] {
        for claim in ["client_id", "azp"] {
            let expected = Err(TokenError::ClaimMalformed { claim });
            assert_eq!(client(&with(&none, claim, odd.clone())), expected, "{claim}: {odd}");
        }
    }
}

#[test]
fn scopes_are_whole_words_from_text_or_list() {
    let scopes = |claims: &Value| verdict(&token(&header(), claims)).unwrap().scopes().to_vec();
    let none = without(&claims(), "scope");
    for (value, expected) in [
        (json!("a b"), vec!["a", "b"]),
        (json!("a  b"), vec!["a", "b"]),
        (json!(" a "), vec!["a"]),
        (json!("a a b"), vec!["a", "b"]),
        (json!("a\tb"), vec![]),
        (json!("a\nb c"), vec!["c"]),
        (json!("notadmin Admin"), vec!["notadmin", "Admin"]),
        (json!("a,b"), vec!["a,b"]),
        (json!("a\"b c\\d é"), vec![]),
        (json!(["a", "b"]), vec!["a", "b"]),
        (json!(["a b", "c"]), vec!["c"]),
        (json!(["a", 1, null, ["admin"], "b"]), vec!["a", "b"]),
        (json!({ "admin": true }), vec![]),
        (json!(1), vec![]),
        (Value::Null, vec![]),
        (json!(""), vec![]),
    ] {
        for claim in ["scope", "scp"] {
            assert_eq!(scopes(&with(&none, claim, value.clone())), expected, "{claim}: {value}");
        }
    }
    assert_eq!(scopes(&with(&with(&none, "scope", "a b"), "scp", json!(["b", "c"]))), ["a", "b", "c"]);
    assert_eq!(scopes(&none), [""; 0]);
}

#[test]
fn a_token_that_is_bound_to_a_key_is_not_accepted_as_a_bearer_token() {
    for cnf in [json!({ "jkt": "x" }), json!({ "x5t#S256": "x" }), json!({}), Value::Null] {
        assert_eq!(given("cnf", cnf.clone()), Err(TokenError::Bound), "{cnf}");
    }
}

#[test]
fn claims_of_other_protocols_change_nothing() {
    for (claim, value) in [
        ("tctx", json!({ "route": "admin" })),
        ("rctx", json!({ "iss": "https://evil.test" })),
        ("txn", json!("x")),
        ("roles", json!(["admin"])),
        ("jti", json!("x")),
        ("act", json!({ "sub": "eve" })),
    ] {
        assert_eq!(given(claim, value), Ok(()), "{claim}");
    }
}

#[test]
fn each_issuer_has_its_own_rules() {
    let beta = json!({ "iss": "https://beta.test/", "aud": "other", "sub": "bob", "iat": NOW, "exp": NOW + 60 });
    let rs256 = json!({ "alg": "RS256", "typ": "JWT", "kid": "beta-rsa" });
    let sign = |header: &Value, claims: &Value| match header["alg"].as_str() {
        Some("ES256") => compact(header.to_string(), claims.to_string(), Signing::Es256("beta-ec")),
        _ => compact(header.to_string(), claims.to_string(), Signing::Rs256("beta-rsa")),
    };
    let identity = verdict(&sign(&rs256, &beta)).unwrap();
    assert_eq!((identity.subject(), identity.issuer_id()), ("bob", "beta"));
    let es256 = with(&with(&rs256, "alg", "ES256"), "kid", "beta-ec");
    assert_eq!(verdict(&sign(&es256, &beta)), Err(TokenError::Algorithm), "beta signs with RS256 only");
    assert_eq!(verdict(&sign(&with(&rs256, "typ", "at+jwt"), &beta)), Err(TokenError::Type), "and types JWT");
    assert_eq!(
        verdict(&sign(&rs256, &with(&beta, "exp", NOW))),
        Err(TokenError::Expired { by: Seconds::new(0) }),
        "no leeway"
    );
    assert_eq!(policy().issuer("https://beta.test/").unwrap().leeway.as_u64(), 0);
}
