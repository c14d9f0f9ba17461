//! Access tokens, ID tokens, types (rows B18 and D8 of `docs/attacks.md`).

use fastgate::identity::token::TokenError;
use serde_json::{Value, json};

use super::{claims, merged, policy, shown, verdict};
use crate::offline::NOW;

fn id_claims(parts: &Value) -> Value {
    let claims = json!({
        "iss": "https://idp.test", "aud": "web", "sub": "ada", "iat": NOW - 60, "exp": NOW + 240,
        "nonce": "n-0S6_WzA2Mj", "at_hash": "77QmUPtjPfzWtF2AnpK9RQ"
    });
    merged(&claims, parts)
}

fn id_verdict(header: &Value, parts: &Value) -> Result<Option<String>, TokenError> {
    let policy = policy(&json!({ "tokens": "id", "audiences": ["web", "mobile"] })).unwrap();
    shown(&policy, header, &id_claims(parts), NOW).map(|identity| identity.client_id().map(str::to_owned))
}

#[test]
fn an_id_token_is_refused_unless_the_policy_accepts_it() {
    for claim in ["nonce", "at_hash", "c_hash"] {
        let expected = Err(TokenError::OtherKind { claim: claim.to_owned() });
        for value in [json!("x"), json!(1), json!({})] {
            assert_eq!(verdict(&json!({}), &claims(&json!({ claim: value }))), expected);
        }
    }
    let policy = policy(&json!({ "audiences": ["web"], "types": ["JWT"] })).unwrap();
    let refused = shown(&policy, &json!({ "typ": "JWT" }), &id_claims(&json!({})), NOW);
    assert!(matches!(refused, Err(TokenError::OtherKind { .. })), "{refused:?}");
}

#[test]
fn an_id_token_is_accepted_if_the_policy_accepts_it() {
    for header in [json!({ "typ": "JWT" }), json!({ "typ": "jwt" }), json!({})] {
        assert_eq!(id_verdict(&header, &json!({})), Ok(Some("web".to_owned())));
    }
    for typ in [json!("at+jwt"), json!("application/at+jwt"), json!("logout+jwt"), json!("dpop+jwt"), json!(1)] {
        assert_eq!(id_verdict(&json!({ "typ": typ }), &json!({})), Err(TokenError::Type), "{typ}");
    }
}

#[test]
fn an_access_token_is_refused_if_the_policy_accepts_id_tokens() {
    for claim in ["scope", "scp"] {
        let expected = Err(TokenError::OtherKind { claim: claim.to_owned() });
        assert_eq!(id_verdict(&json!({}), &json!({ claim: "read" })), expected);
    }
}

#[test]
fn an_id_token_names_only_audiences_that_are_accepted() {
    let audience = |audience: Value| id_verdict(&json!({}), &json!({ "aud": audience, "azp": "web" }));
    assert_eq!(audience(json!(["web", "mobile"])), Ok(Some("web".to_owned())));
    assert_eq!(audience(json!(["web", "other"])), Err(TokenError::Audience));
    assert_eq!(audience(json!("other")), Err(TokenError::Audience));
    assert_eq!(audience(json!([])), Err(TokenError::Audience));
    assert_eq!(audience(json!(["web", 1])), Err(TokenError::ClaimMalformed { claim: "aud" }));
}

#[test]
fn the_client_of_an_id_token_without_azp_is_its_only_audience() {
    let client = |parts: Value| id_verdict(&json!({}), &parts);
    assert_eq!(client(json!({ "aud": ["mobile"] })), Ok(Some("mobile".to_owned())));
    assert_eq!(client(json!({ "azp": "android" })), Ok(Some("android".to_owned())));
    let several = client(json!({ "aud": ["web", "mobile"] }));
    assert_eq!(several, Err(TokenError::ClaimMalformed { claim: "aud" }), "the client would be a guess");
}

#[test]
fn an_id_token_without_iat_is_refused() {
    assert_eq!(id_verdict(&json!({}), &json!({ "iat": null })), Err(TokenError::Missing { claim: "iat" }));
}

#[test]
fn a_type_is_absent_only_where_that_is_accepted() {
    let typed = |parts: Value, header: Value| {
        shown(&policy(&parts).unwrap(), &header, &claims(&json!({})), NOW).map(|identity| identity.subject().to_owned())
    };
    let ada = Ok("ada".to_owned());
    assert_eq!(typed(json!({}), json!({})), Err(TokenError::Type));
    assert_eq!(typed(json!({ "untyped": true }), json!({})), ada);
    assert_eq!(typed(json!({ "untyped": true }), json!({ "typ": "at+jwt" })), ada);
    assert_eq!(typed(json!({ "untyped": true }), json!({ "typ": "JWT" })), Err(TokenError::Type));
    assert_eq!(typed(json!({ "untyped": true, "types": [] }), json!({})), ada);
    for odd in [json!(""), json!(1), json!(["at+jwt"]), json!(false)] {
        assert_eq!(typed(json!({ "untyped": true }), json!({ "typ": odd })), Err(TokenError::Type), "{odd}");
    }
}

#[test]
fn a_type_may_be_written_with_application_in_front_in_the_policy_too() {
    let token = claims(&json!({}));
    let judged = |types: &[&str], typ: &str| {
        shown(&policy(&json!({ "types": types })).unwrap(), &json!({ "typ": typ }), &token, NOW).is_ok()
    };
    for typ in ["at+jwt", "application/at+jwt", "AT+JWT", "Application/At+Jwt"] {
        assert!(judged(&["application/at+jwt"], typ) && judged(&["Application/AT+JWT"], typ), "{typ}");
        assert!(!judged(&["application/jwt"], typ), "{typ}");
    }
    // A second slash follows, so the prefix may not be omitted (RFC 7515 §4.1.9).
    assert!(judged(&["application/a/b"], "application/a/b") && !judged(&["application/a/b"], "a/b"));
}
