//! Presets of products whose tokens resemble other tokens that the same keys sign: a policy with only the required members
//! accepts the documented tokens, and refuses those of another kind. Each fixture has both.

use fastgate::policy::Policy;
use serde_json::{Value, json};

use super::presets::accepts_as_documented;
use super::{faults, merged, policy, shown};

macro_rules! fixtures {
    ($($name:literal),*) => { [$(($name, include_str!(concat!("../../data/providers/", $name, ".json")))),*] };
}

const FIXTURES: [(&str, &str); 16] = fixtures![
    "firebase",
    "supabase",
    "clerk",
    "workos",
    "zitadel",
    "authentik",
    "pingone",
    "descope",
    "kinde",
    "logto",
    "fusionauth",
    "github-actions",
    "gitlab-ci",
    "kubernetes",
    "google-service-account",
    "entra-external-id"
];

fn fixture(product: &str) -> Value {
    let (_, json) = FIXTURES.iter().find(|(name, _)| *name == product).unwrap();
    serde_json::from_str(json).unwrap()
}

fn issuer(parts: &Value) -> (Policy, String) {
    (policy(parts).unwrap(), parts["issuer"].as_str().unwrap().to_owned())
}

/// The policy of a fixture with some members replaced, and its faults.
fn changed(product: &str, parts: &Value) -> Vec<String> {
    faults(&merged(&fixture(product)["issuer"], parts))
}

#[test]
fn each_product_s_tokens_are_accepted_as_documented() {
    for (name, json) in FIXTURES {
        let fixture: Value = serde_json::from_str(json).unwrap();
        assert!(fixture["source"].as_str().unwrap().starts_with("https://"), "{name}");
        accepts_as_documented(&fixture);
    }
}

#[test]
fn no_product_s_tokens_of_another_kind_are_accepted() {
    for (name, json) in FIXTURES {
        let fixture: Value = serde_json::from_str(json).unwrap();
        let policy = policy(&merged(&fixture["issuer"], &json!({ "algorithms": ["ES256"] }))).unwrap();
        let token = &fixture["tokens"][0];
        let now = token["claims"]["iat"].as_u64().unwrap() + 1;
        let refused = fixture["refused"].as_array().unwrap();
        assert!(refused.len() >= 3, "{name}");
        for other in refused {
            let header = other.get("header").unwrap_or(&token["header"]);
            let found = shown(&policy, header, &merged(&token["claims"], &other["claims"]), now);
            let error = found.map(|identity| identity.subject().to_owned()).unwrap_err();
            assert_eq!(format!("{error:?}"), other["error"], "{name}: {}", other["about"]);
        }
    }
}

#[test]
fn each_product_s_algorithm_is_accepted_by_default() {
    for (name, json) in FIXTURES {
        let fixture: Value = serde_json::from_str(json).unwrap();
        let (policy, iss) = issuer(&fixture["issuer"]);
        let accepted = format!("{:?}", policy.issuer(&iss).unwrap().algorithms);
        for token in fixture["tokens"].as_array().unwrap() {
            let alg = token["header"]["alg"].as_str().unwrap();
            assert!(accepted.contains(alg), "{name}: {alg} is not in {accepted}");
        }
    }
    let (logto, iss) = issuer(&fixture("logto")["issuer"]);
    assert_eq!(format!("{:?}", logto.issuer(&iss).unwrap().algorithms), "[ES384, RS256]");
}

#[test]
fn without_its_preset_no_product_s_token_is_accepted() {
    for (name, json) in FIXTURES.into_iter().filter(|(name, _)| *name != "logto") {
        let fixture: Value = serde_json::from_str(json).unwrap();
        let plain = json!({ "preset": null, "audiences": ["x"], "clients": null, "tenants": null, "jwks_uri": "https://k.test" });
        let mut plain = merged(&fixture["issuer"], &plain);
        if fixture["issuer"]["issuer"].as_str().unwrap().starts_with("https:") {
            plain.as_object_mut().unwrap().remove("jwks_uri");
        }
        let token = &fixture["tokens"][0];
        let now = token["claims"]["iat"].as_u64().unwrap() + 1;
        assert!(shown(&policy(&plain).unwrap(), &token["header"], &token["claims"], now).is_err(), "{name}");
    }
}

#[test]
fn the_url_of_the_keys_is_known_where_no_discovery_document_names_it() {
    let keys = |parts: &Value| {
        let (policy, iss) = issuer(parts);
        policy.issuer(&iss).unwrap().jwks_uri.clone()
    };
    for (name, url) in [
        ("firebase", "https://www.googleapis.com/service_accounts/v1/jwk/securetoken@system.gserviceaccount.com"),
        ("supabase", "https://abcdefghijklmnopqrst.supabase.co/auth/v1/.well-known/jwks.json"),
        ("clerk", "https://clerk.example.com/.well-known/jwks.json"),
        ("workos", "https://api.workos.com/sso/jwks/client_123456789"),
        ("descope", "https://api.descope.com/P2YuRTmSv8Pdoasf/.well-known/jwks.json"),
        ("google-service-account", "https://www.googleapis.com/oauth2/v3/certs"),
    ] {
        assert_eq!(keys(&fixture(name)["issuer"]).as_deref(), Some(url), "{name}");
    }
    for name in ["zitadel", "authentik", "pingone", "kinde", "logto", "fusionauth", "github-actions", "gitlab-ci"] {
        assert_eq!(keys(&fixture(name)["issuer"]), None, "{name}");
    }
    let own = json!({ "issuer": "https://auth.example.com/P2", "preset": "descope" });
    let own = merged(&fixture("descope")["issuer"], &own);
    assert_eq!(keys(&own).as_deref(), Some("https://auth.example.com/P2/.well-known/jwks.json"));
    let written = merged(&fixture("clerk")["issuer"], &json!({ "jwks_uri": "https://clerk.example.com/keys" }));
    assert_eq!(keys(&written).as_deref(), Some("https://clerk.example.com/keys"));
    let foreign = changed("clerk", &json!({ "jwks_uri": "https://evil.test/keys" }));
    assert_eq!(foreign, ["$.issuers.idp.jwks_uri: is not on the issuer's host"]);
}

#[test]
fn a_policy_says_what_keeps_other_applications_out() {
    let remedy = |parts: &Value| {
        let found = policy(parts).unwrap_err().0;
        assert_eq!(found.len(), 1, "{parts}: {found:?}");
        (found[0].to_string(), found[0].fault.remedy())
    };
    for (name, word) in [("clerk", "\"clients\""), ("workos", "sso/jwks/<client id>"), ("descope", "JWT template")] {
        let bare = merged(&fixture(name)["issuer"], &json!({ "clients": null, "keys_of_one_client": null }));
        let (fault, remedy) = remedy(&bare);
        assert!(fault.contains("a token for another application would be accepted"), "{fault}");
        assert!(remedy.contains(word), "{name}: {remedy}");
    }
    let (fault, found) = remedy(&merged(&fixture("workos")["issuer"], &json!({ "jwks_uri": null })));
    assert_eq!(fault, "$.issuers.idp.jwks_uri: is missing, and this provider has a key set for each client");
    assert!(found.contains("https://api.workos.com/sso/jwks/<client id>"), "{found}");
    let always = "$.issuers.idp.audiences: is \"none\", and all tokens of this kind name an audience";
    for name in ["firebase", "supabase", "zitadel", "logto", "github-actions", "kubernetes", "google-service-account"] {
        let none = json!({ "audiences": "none", "keys_of_one_client": true });
        assert_eq!(changed(name, &none), [always], "{name}");
    }
}

#[test]
fn a_policy_says_whose_tokens_it_accepts_if_everybody_can_obtain_them() {
    for (name, claim, value) in [
        ("github-actions", "repository_id", "74"),
        ("github-actions", "repository", "octo-org/octo-repo"),
        ("github-actions", "sub", "repo:octo-org/octo-repo:environment:prod"),
        ("gitlab-ci", "project_id", "20"),
        ("google-service-account", "sub", "113774264463038321964"),
    ] {
        let open = json!({ "tenants": null, "required_claims": null });
        let expected = "$.issuers.idp.required_claims: does not say whose tokens are accepted, and everybody can obtain tokens \
                        of this provider";
        assert_eq!(changed(name, &open), [expected], "{name}");
        let irrelevant = json!({ "tenants": null, "required_claims": { "environment": "prod" } });
        assert_eq!(changed(name, &irrelevant), [expected], "{name}");
        let closed = json!({ "tenants": null, "required_claims": { claim: value } });
        assert_eq!(changed(name, &closed), [""; 0], "{name}, {claim}");
        let fixture = fixture(name);
        let policy =
            policy(&merged(&merged(&fixture["issuer"], &closed), &json!({ "algorithms": ["ES256"] }))).unwrap();
        let token = &fixture["tokens"][0];
        let now = token["claims"]["iat"].as_u64().unwrap() + 1;
        let judged = |claims: &Value| shown(&policy, &token["header"], &merged(&token["claims"], claims), now);
        assert!(judged(&json!({})).is_ok(), "{name}, {claim}");
        assert!(judged(&json!({ claim: "other" })).is_err(), "{name}, {claim}");
    }
}

#[test]
fn a_claim_that_may_be_absent_can_be_required_or_refused_by_the_policy() {
    let clerk = fixture("clerk");
    let judged = |parts: &Value, status: Value| {
        let policy = policy(&merged(&clerk["issuer"], &merged(parts, &json!({ "algorithms": ["ES256"] })))).unwrap();
        let token = &clerk["tokens"][0];
        let claims = merged(&token["claims"], &json!({ "sts": status }));
        shown(&policy, &token["header"], &claims, token["claims"]["iat"].as_u64().unwrap() + 1).is_ok()
    };
    for (parts, absent, active, pending) in [
        (json!({}), true, true, false),
        (json!({ "required_claims": { "sts": "active" } }), false, true, false),
        (json!({ "required_claims": { "sts": ["active", "pending"] } }), false, true, true),
        (json!({ "refused_claims": ["sts"] }), true, false, false),
    ] {
        assert_eq!(judged(&parts, Value::Null), absent, "{parts}");
        assert_eq!(judged(&parts, json!("active")), active, "{parts}");
        assert_eq!(judged(&parts, json!("pending")), pending, "{parts}");
    }
}

#[test]
fn a_machine_of_fusionauth_names_no_application() {
    let fixture = fixture("fusionauth");
    let machine = json!({ "applicationId": null, "roles": null, "permissions": ["orders:write"], "sub": "entity-1" });
    let parts = json!({ "require_client": false, "algorithms": ["ES256"] });
    let policy = policy(&merged(&fixture["issuer"], &parts)).unwrap();
    let token = &fixture["tokens"][0];
    let now = token["claims"]["iat"].as_u64().unwrap() + 1;
    let identity = shown(&policy, &token["header"], &merged(&token["claims"], &machine), now).unwrap();
    assert_eq!((identity.client_id(), identity.roles()), (None, &["orders:write".to_owned()][..]));
}

#[test]
fn id_tokens_are_accepted_instead_where_a_policy_says_so() {
    for (name, changes) in [
        ("zitadel", json!({ "jti": null, "auth_time": 1_311_280_969, "amr": ["pwd"], "aud": "69234237810729019" })),
        ("authentik", json!({ "azp": null, "uid": null })),
        ("pingone", json!({ "client_id": null, "scope": null, "aud": "https://api.example.com", "nonce": "n" })),
        ("kinde", json!({ "scp": null, "scope": null, "at_hash": "h", "aud": "https://api.example.com" })),
        ("fusionauth", json!({ "applicationId": null, "at_hash": "h" })),
    ] {
        let fixture = fixture(name);
        let parts = json!({ "tokens": "id", "algorithms": ["ES256"] });
        let policy = policy(&merged(&fixture["issuer"], &parts)).unwrap();
        let token = &fixture["tokens"][0];
        let now = token["claims"]["iat"].as_u64().unwrap() + 1;
        let judged = |claims: &Value| shown(&policy, &token["header"], &merged(&token["claims"], claims), now);
        assert!(judged(&changes).is_ok(), "{name}: {:?}", judged(&changes).map(|_| ()));
        let audience = changes.get("aud").unwrap_or(&token["claims"]["aud"]);
        assert!(judged(&json!({ "aud": audience })).is_err(), "{name}: an access token");
    }
}
