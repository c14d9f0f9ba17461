//! Issuers whose tokens follow no standard: without an audience, with an `iss` that is no URL, of a third kind.

use fastgate::identity::Identity;
use fastgate::identity::token::TokenError;
use serde_json::{Value, json};

use super::{claims, faults, merged, policy, shown, verdict};
use crate::offline::NOW;

fn of_clients() -> Value {
    json!({ "audiences": "none", "clients": ["web"] })
}

#[test]
fn a_token_without_an_audience_is_accepted_for_its_client() {
    assert!(verdict(&of_clients(), &claims(&json!({ "aud": null }))).is_ok());
    let other = claims(&json!({ "aud": null, "client_id": "other" }));
    assert_eq!(verdict(&of_clients(), &other).unwrap_err(), TokenError::Client);
    let none = claims(&json!({ "aud": null, "client_id": null }));
    assert_eq!(verdict(&of_clients(), &none).unwrap_err(), TokenError::Missing { claim: "client_id" });
    let of_one_client = json!({ "audiences": "none", "keys_of_one_client": true });
    assert!(verdict(&of_one_client, &none).is_ok());
}

#[test]
fn a_token_with_an_audience_is_for_another_application() {
    let mut with_null = claims(&json!({}));
    with_null["aud"] = Value::Null;
    for claims in [
        claims(&json!({})),
        claims(&json!({ "aud": [] })),
        claims(&json!({ "aud": ["https://api.test"] })),
        claims(&json!({ "aud": "" })),
        claims(&json!({ "aud": 1 })),
        claims(&json!({ "aud": {} })),
        with_null,
        claims(&json!({ "aud": null, "_claim_names": { "aud": "src1" } })),
    ] {
        for parts in [of_clients(), json!({ "audiences": "none", "keys_of_one_client": true })] {
            assert_eq!(verdict(&parts, &claims).unwrap_err(), TokenError::Audience, "{claims}");
        }
    }
    let renamed = merged(&of_clients(), &json!({ "claims": { "audience": ["to", ["app", "aud"]] } }));
    for changes in [json!({ "to": "x", "aud": null }), json!({ "app": { "aud": [] }, "aud": null }), json!({})] {
        assert_eq!(verdict(&renamed, &claims(&changes)).unwrap_err(), TokenError::Audience, "{changes}");
    }
    assert!(verdict(&renamed, &claims(&json!({ "app": {}, "aud": null }))).is_ok());
}

#[test]
fn a_list_of_audiences_still_requires_one() {
    let parts = json!({ "clients": ["web"], "keys_of_one_client": true });
    let none = claims(&json!({ "aud": null }));
    assert_eq!(verdict(&parts, &none).unwrap_err(), TokenError::Missing { claim: "aud" });
}

#[test]
fn tokens_without_an_audience_need_another_restriction() {
    let fault = |parts: Value| faults(&merged(&json!({ "audiences": "none" }), &parts));
    let unsafe_ = "$.issuers.idp.audiences: is \"none\", and a token for another application would be accepted";
    let always = "$.issuers.idp.audiences: is \"none\", and all tokens of this kind name an audience";
    assert_eq!(fault(json!({})), [unsafe_]);
    assert_eq!(fault(json!({ "keys_of_one_client": false, "require_client": true })), [unsafe_]);
    assert_eq!(fault(json!({ "clients": [] })), ["$.issuers.idp.clients: is empty"]);
    assert_eq!(fault(json!({ "tokens": "id", "clients": ["web"] })), [always]);
    assert_eq!(fault(json!({ "preset": "cognito", "clients": ["web"] })), [always]);
    for odd in
        [json!("any"), json!("None"), json!("https://api.test"), json!({ "none": true }), json!([1]), json!(null)]
    {
        assert!(policy(&json!({ "clients": ["web"], "audiences": odd })).is_err(), "{odd}");
    }
}

#[test]
fn iss_may_be_any_text_if_the_keys_have_a_url() {
    for iss in ["stytch.com/project-live-1", "P2abcDEF", "kubernetes/serviceaccount", "urn:x:y", "a?b#c@d"] {
        let parts = json!({ "issuer": iss, "jwks_uri": "https://keys.test/jwks" });
        assert_eq!(verdict(&parts, &claims(&json!({ "iss": iss }))).unwrap().issuer(), iss);
        let other = claims(&json!({ "iss": iss.to_ascii_uppercase() }));
        assert_eq!(verdict(&parts, &other).unwrap_err(), TokenError::UnknownIssuer);
        let missing = "is not an https URL, and \"jwks_uri\" is missing";
        assert_eq!(faults(&json!({ "issuer": iss })), [format!("$.issuers.idp.issuer: {missing}")]);
    }
    for iss in ["", "a b", "é", "a\tb", "http://idp.test", "ftp://idp.test", "https://", "x://y", "https://idp.test?x"]
    {
        let found = faults(&json!({ "issuer": iss, "jwks_uri": "https://keys.test/jwks" }));
        assert!(found.contains(&"$.issuers.idp.issuer: is not an https URL".to_owned()), "{iss}: {found:?}");
    }
    let plain = faults(&json!({ "issuer": "idp.test/x", "jwks_uri": "http://keys.test/jwks" }));
    assert_eq!(plain, ["$.issuers.idp.jwks_uri: is not an https URL"]);
    let template = faults(&json!({
        "issuer": "idp.test/{tenant}", "jwks_uri": "https://keys.test/jwks", "tenants": ["a"], "claims": { "tenant": "t" }
    }));
    assert_eq!(template.len(), 1, "{template:?}");
}

fn other(header: &Value, changes: &Value, parts: &Value) -> Result<Identity, TokenError> {
    let policy = policy(&merged(&json!({ "tokens": "other" }), parts)).unwrap();
    shown(&policy, header, &claims(changes), NOW)
}

#[test]
fn other_tokens_are_neither_access_tokens_nor_id_tokens() {
    let none = json!({});
    for header in [json!({}), json!({ "typ": "JWT" }), json!({ "typ": "jwt" })] {
        assert_eq!(other(&header, &none, &none).unwrap().scopes(), ["read"], "{header}");
    }
    for typ in ["at+jwt", "logout+jwt", "dpop+jwt", "secevent+jwt"] {
        assert_eq!(other(&json!({ "typ": typ }), &none, &none).unwrap_err(), TokenError::Type, "{typ}");
    }
    assert!(other(&none, &json!({ "nonce": "n", "at_hash": "h", "iat": null }), &none).is_ok());
    assert!(other(&none, &json!({ "aud": ["x", "https://api.test"] }), &none).is_ok());
    assert_eq!(other(&none, &json!({ "aud": "x" }), &none).unwrap_err(), TokenError::Audience);
    assert_eq!(other(&none, &json!({ "azp": "app", "client_id": "web" }), &none).unwrap().client_id(), Some("app"));
    assert_eq!(other(&none, &json!({ "client_id": null }), &none).unwrap().client_id(), None);
    let refused = other(&none, &json!({ "sts": "pending" }), &json!({ "refused_claims": ["sts"] }));
    assert_eq!(refused.unwrap_err(), TokenError::OtherKind { claim: "sts".to_owned() });
}

#[test]
fn a_preset_with_access_or_id_tokens_has_no_other_tokens() {
    for preset in ["auth0", "okta", "cognito", "google", "keycloak", "hydra", "firebase", "zitadel", "logto"] {
        let expected = "$.issuers.idp.tokens: is \"other\", and this preset has no such tokens";
        assert_eq!(faults(&json!({ "preset": preset, "tokens": "other" })), [expected], "{preset}");
    }
}
