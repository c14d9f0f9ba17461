//! Each preset accepts the documented tokens of its provider; a policy can override each field.

use fastgate::identity::Identity;
use fastgate::identity::token::TokenError;
use serde_json::{Value, json};

use super::{merged, policy, shown, shown_to};

/// The committed fixture of a provider: its documentation page, an issuer of a policy, tokens and their meaning.
pub(crate) fn fixture(provider: &str) -> Value {
    let json = match provider {
        "auth0" => include_str!("../../data/providers/auth0.json"),
        "okta" => include_str!("../../data/providers/okta.json"),
        "entra" => include_str!("../../data/providers/entra.json"),
        "cognito" => include_str!("../../data/providers/cognito.json"),
        "google" => include_str!("../../data/providers/google.json"),
        "keycloak" => include_str!("../../data/providers/keycloak.json"),
        "hydra" => include_str!("../../data/providers/hydra.json"),
        _ => panic!("no fixture {provider}"),
    };
    serde_json::from_str(json).unwrap()
}

fn summary(identity: &Identity) -> Value {
    json!({
        "subject": identity.subject(), "client_id": identity.client_id(), "scopes": identity.scopes(),
        "roles": identity.roles(), "groups": identity.groups(), "tenant": identity.tenant()
    })
}

fn is_accepted_as_documented(provider: &str) {
    accepts_as_documented(&fixture(provider));
}

/// Asserts that the policy of a fixture accepts its tokens, with the documented meaning.
pub(super) fn accepts_as_documented(fixture: &Value) {
    // The tests have a key for ES256.
    let policy = policy(&merged(&fixture["issuer"], &json!({ "algorithms": ["ES256"] }))).unwrap();
    for token in fixture["tokens"].as_array().unwrap() {
        let now = token["claims"]["iat"].as_u64().unwrap() + 1;
        let identity = shown(&policy, &token["header"], &token["claims"], now);
        let identity = identity.unwrap_or_else(|error| panic!("{}: {error}", token["about"]));
        assert_eq!(summary(&identity), token["identity"], "{}", token["about"]);
        assert_eq!(identity.issuer(), fixture["issuer"]["issuer"], "{}", token["about"]);
    }
}

/// The verdict on the first token of a fixture, with some claims and some of the issuer's parts replaced.
fn changed(provider: &str, claims: &Value, parts: &Value) -> Result<Identity, TokenError> {
    let fixture = fixture(provider);
    let policy = policy(&merged(&fixture["issuer"], parts)).unwrap();
    let token = &fixture["tokens"][0];
    let now = token["claims"]["iat"].as_u64().unwrap() + 1;
    shown(&policy, &token["header"], &merged(&token["claims"], claims), now)
}

fn refusal(provider: &str, claims: &Value) -> TokenError {
    changed(provider, claims, &json!({})).unwrap_err()
}

#[test]
fn an_auth0_token_is_accepted_as_documented() {
    is_accepted_as_documented("auth0");
}

#[test]
fn an_okta_token_is_accepted_as_documented() {
    is_accepted_as_documented("okta");
}

#[test]
fn an_entra_token_is_accepted_as_documented() {
    is_accepted_as_documented("entra");
}

#[test]
fn a_cognito_token_is_accepted_as_documented() {
    is_accepted_as_documented("cognito");
}

#[test]
fn a_google_token_is_accepted_as_documented() {
    is_accepted_as_documented("google");
}

#[test]
fn a_keycloak_token_is_accepted_as_documented() {
    is_accepted_as_documented("keycloak");
}

#[test]
fn a_hydra_token_is_accepted_as_documented() {
    is_accepted_as_documented("hydra");
}

#[test]
fn without_its_preset_no_documented_token_is_accepted() {
    for provider in ["auth0", "okta", "entra", "cognito", "google", "keycloak", "hydra"] {
        let plain = changed(provider, &json!({}), &json!({ "preset": null, "tokens": null, "tenants": null }));
        assert_eq!(plain.unwrap_err(), TokenError::Type, "{provider}");
    }
}

#[test]
fn no_preset_accepts_an_id_token_as_an_access_token() {
    let missing = |claim| TokenError::Missing { claim };
    let required = |claim: &str| TokenError::Required { claim: claim.to_owned() };
    // The members that the provider omits from ID tokens or writes differently; the audience is the same.
    for (provider, difference, expected) in [
        ("auth0", json!({ "azp": null, "scope": null, "permissions": null }), missing("client_id")),
        ("okta", json!({ "cid": null, "scp": null, "uid": null }), missing("client_id")),
        ("entra", json!({ "azp": null, "azpacr": null, "scp": null }), missing("client_id")),
        ("cognito", json!({ "token_use": "id", "scope": null }), required("token_use")),
        ("keycloak", json!({ "typ": "ID", "realm_access": null, "resource_access": null }), required("typ")),
        ("hydra", json!({ "client_id": null, "scp": null, "ext": null }), missing("client_id")),
    ] {
        assert_eq!(refusal(provider, &difference), expected, "{provider}");
    }
    for provider in ["auth0", "okta", "entra", "cognito", "hydra"] {
        let expected = TokenError::OtherKind { claim: "nonce".to_owned() };
        assert_eq!(refusal(provider, &json!({ "nonce": "n-0S6_WzA2Mj" })), expected, "{provider}");
    }
}

#[test]
fn no_preset_accepts_an_access_token_as_an_id_token() {
    let other_kind = |claim: &str| TokenError::OtherKind { claim: claim.to_owned() };
    let required = |claim: &str| TokenError::Required { claim: claim.to_owned() };
    for (provider, expected) in [
        ("auth0", other_kind("scope")),
        ("okta", other_kind("scp")),
        ("entra", other_kind("scp")),
        ("cognito", required("token_use")),
        ("keycloak", required("typ")),
        ("hydra", other_kind("scp")),
    ] {
        // The audience does not distinguish them here.
        let audience = json!({ "aud": "api" });
        let ours = json!({ "tokens": "id", "audiences": ["api"] });
        assert_eq!(changed(provider, &audience, &ours).unwrap_err(), expected, "{provider}");
    }
}

#[test]
fn an_entra_token_is_of_the_tenant_in_its_issuer() {
    let other = json!({ "tid": "9188040d-6c67-4c5b-b112-36a304b66dad" });
    assert_eq!(refusal("entra", &other), TokenError::Tenant);
    assert_eq!(refusal("entra", &json!({ "tid": null })), TokenError::Tenant);
    assert_eq!(refusal("entra", &json!({ "tid": "AAAABBBB-0000-CCCC-1111-DDDD2222EEEE" })), TokenError::Tenant);
    let both = ["aaaabbbb-0000-cccc-1111-dddd2222eeee", "9188040d-6c67-4c5b-b112-36a304b66dad"];
    let identity = changed("entra", &other, &json!({ "tenants": both })).unwrap();
    assert_eq!(identity.tenant(), Some("9188040d-6c67-4c5b-b112-36a304b66dad"));
}

#[test]
fn a_cognito_client_replaces_the_audience_only_if_it_is_absent() {
    assert_eq!(refusal("cognito", &json!({ "client_id": "another" })), TokenError::Audience);
    assert_eq!(refusal("cognito", &json!({ "aud": "https://other.example.com" })), TokenError::Audience);
    assert_eq!(refusal("cognito", &json!({ "token_use": null })), TokenError::Required { claim: "token_use".into() });
}

#[test]
fn google_has_exactly_two_spellings_of_iss() {
    for iss in ["accounts.google.com/", "http://accounts.google.com", "https://accounts.google.com/", "google.com"] {
        assert_eq!(refusal("google", &json!({ "iss": iss })), TokenError::UnknownIssuer, "{iss}");
    }
    let none = changed("google", &json!({ "iss": "accounts.google.com" }), &json!({ "issuer_aliases": [] }));
    assert_eq!(none.unwrap_err(), TokenError::UnknownIssuer);
}

#[test]
fn only_google_may_omit_the_scheme_of_iss() {
    for (provider, iss) in [
        ("auth0", "tenant.auth0.com/"),
        ("okta", "dev.okta.com/oauth2/default"),
        ("keycloak", "keycloak.example.com/realms/shop"),
    ] {
        assert_eq!(refusal(provider, &json!({ "iss": iss })), TokenError::UnknownIssuer, "{provider}");
    }
}

#[test]
fn keycloak_roles_of_other_clients_do_not_count() {
    let elsewhere = json!({ "resource_access": { "account": { "roles": ["admin"] } }, "realm_access": null });
    assert_eq!(changed("keycloak", &elsewhere, &json!({})).unwrap().roles(), [""; 0]);
    for odd in [json!({ "orders-api": ["admin"] }), json!(["admin"]), json!({ "orders-api": { "roles": { "a": 1 } } })]
    {
        let odd = json!({ "resource_access": odd, "realm_access": "admin" });
        assert_eq!(changed("keycloak", &odd, &json!({})).unwrap().roles(), [""; 0], "{odd}");
    }
}

#[test]
fn every_field_of_a_preset_can_be_overridden() {
    let auth0 = |claims: Value, parts: Value| changed("auth0", &claims, &parts);
    let types = auth0(json!({}), json!({ "types": ["at+jwt"] }));
    assert_eq!(types.unwrap_err(), TokenError::Type);
    let untyped = changed("okta", &json!({}), &json!({ "untyped": false }));
    assert_eq!(untyped.unwrap_err(), TokenError::Type);
    let retyped = changed("okta", &json!({}), &json!({ "types": ["jwt"] }));
    assert_eq!(retyped.unwrap_err(), TokenError::Type, "a list of types does not permit a token without a type");

    let claims = json!({
        "scopes": ["permissions"], "roles": ["my_custom_claim"], "groups": [["a", "b"]], "client": ["sub"],
        "audience": ["to"], "tenant": ["a", "c"]
    });
    let identity = auth0(
        json!({ "a": { "b": "g", "c": "t" }, "to": "x", "aud": null, "azp": null }),
        json!({ "claims": claims, "audiences": ["x"] }),
    );
    let expected = json!({
        "subject": "auth0|123456", "client_id": "auth0|123456", "scopes": ["read:patients", "read:admin"],
        "roles": ["my_custom_value"], "groups": ["g"], "tenant": "t"
    });
    assert_eq!(summary(&identity.unwrap()), expected);

    let anonymous = auth0(json!({ "azp": null }), json!({ "require_client": false }));
    assert_eq!(anonymous.unwrap().client_id(), None);
    assert!(auth0(json!({ "nonce": "n" }), json!({ "refused_claims": [] })).is_ok());
    let renamed = json!({ "required_claims": { "token_use": "api" } });
    assert!(changed("cognito", &json!({ "token_use": "api" }), &renamed).is_ok());
    assert!(changed("cognito", &json!({}), &renamed).is_err());
}

#[test]
fn a_preset_knows_the_url_of_the_keys() {
    let keys =
        |parts: &Value| policy(parts).unwrap().issuer(parts["issuer"].as_str().unwrap()).unwrap().jwks_uri.clone();
    let google = fixture("google")["issuer"].clone();
    assert_eq!(keys(&google).as_deref(), Some("https://www.googleapis.com/oauth2/v3/certs"));
    let entra = "https://login.microsoftonline.com/common/discovery/keys";
    let parts = json!({
        "preset": "entra", "issuer": "https://sts.windows.net/aaaabbbb-0000-cccc-1111-dddd2222eeee/", "jwks_uri": entra
    });
    assert_eq!(keys(&parts).as_deref(), Some(entra));
}

/// The verdict on the first token of Entra's fixture, if its key is listed with each of these as its `issuer`.
fn entra_reads(listed: &Value, parts: &Value, preset: bool) -> Result<(), TokenError> {
    let fixture = fixture("entra");
    let without = if preset { json!({}) } else { json!({ "preset": null, "types": ["JWT"] }) };
    let policy = policy(&merged(&merged(&fixture["issuer"], parts), &without)).unwrap();
    let token = &fixture["tokens"][0];
    let claims = merged(&token["claims"], &json!({ "iss": parts.get("issuer").unwrap_or(&token["claims"]["iss"]) }));
    let now = claims["iat"].as_u64().unwrap() + 1;
    shown_to(&policy, &token["header"], &claims, now, listed).map(drop)
}

#[test]
fn a_key_that_entra_lists_for_another_tenant_is_not_used() {
    const TENANT: &str = "aaaabbbb-0000-cccc-1111-dddd2222eeee";
    const CONSUMERS: &str = "https://login.microsoftonline.com/9188040d-6c67-4c5b-b112-36a304b66dad/v2.0";
    let listed = |issuers: &[&str]| issuers.iter().map(|issuer| json!({ "issuer": issuer })).collect::<Value>();
    let own = format!("https://login.microsoftonline.com/{TENANT}/v2.0");
    let old = format!("https://sts.windows.net/{TENANT}/");
    let common = "https://login.microsoftonline.com/{tenantid}/v2.0";
    let v1 = json!({ "issuer": old, "issuer_aliases": null });
    for parts in [json!({}), v1.clone()] {
        for issuer in [common, &own, &old, "https://sts.windows.net/{tenantid}/"] {
            assert_eq!(entra_reads(&listed(&[issuer]), &parts, true), Ok(()), "{issuer}");
        }
        assert_eq!(entra_reads(&json!([{}]), &parts, true), Ok(()), "a key that names no issuer");
        for other in [
            CONSUMERS,
            "https://sts.windows.net/9188040d-6c67-4c5b-b112-36a304b66dad/",
            "https://login.microsoftonline.com/common/v2.0",
            "https://login.microsoftonline.com/{tenant}/v2.0",
            "https://login.microsoftonline.us/{tenantid}/v2.0",
            "{tenantid}",
            "",
        ] {
            let found = entra_reads(&listed(&[other]), &parts, true);
            assert_eq!(found, Err(TokenError::UnknownKey), "{other}");
        }
        for odd in [json!(1), json!([own]), json!({})] {
            let found = entra_reads(&json!([{ "issuer": odd }]), &parts, true);
            assert_eq!(found, Err(TokenError::UnknownKey), "{odd}");
        }
    }
    for both in [[CONSUMERS, common], [common, CONSUMERS], [common, &own]] {
        assert_eq!(entra_reads(&listed(&both), &json!({}), true), Ok(()), "one key, listed for two: {both:?}");
    }
    assert_eq!(entra_reads(&listed(&[CONSUMERS]), &json!({}), false), Ok(()), "the member has a meaning only at Entra");
}
