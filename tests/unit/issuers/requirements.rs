//! Requirements of a policy for tokens: clients, tenants, age, lifetime, claims (rows D4, D5, D9 and D15 of
//! `docs/attacks.md`).

use fastgate::identity::token::TokenError;
use fastgate::time::Seconds;
use serde_json::{Value, json};

use super::{claims, verdict};
use crate::offline::NOW;

/// The verdict on a token with these claims, for an issuer with these parts.
fn judged(parts: &Value, changes: &Value) -> Result<(), TokenError> {
    verdict(parts, &claims(changes)).map(drop)
}

#[test]
fn only_listed_clients_are_accepted() {
    let listed = |changes: Value| judged(&json!({ "clients": ["web", "batch"] }), &changes);
    assert_eq!(listed(json!({})), Ok(()));
    assert_eq!(listed(json!({ "client_id": null, "azp": "batch" })), Ok(()));
    for other in ["Web", "web ", "we", "webx", "web,batch", "https://web"] {
        assert_eq!(listed(json!({ "client_id": other })), Err(TokenError::Client), "{other}");
        assert_eq!(listed(json!({ "client_id": null, "azp": other })), Err(TokenError::Client), "{other}");
    }
    assert_eq!(
        listed(json!({ "client_id": "other", "azp": "web" })),
        Err(TokenError::Client),
        "`client_id` has priority over `azp`"
    );
    assert_eq!(listed(json!({ "client_id": null })), Err(TokenError::Missing { claim: "client_id" }));
    assert_eq!(listed(json!({ "client_id": ["web"] })), Err(TokenError::ClaimMalformed { claim: "client_id" }));
}

#[test]
fn a_client_is_needed_if_the_policy_requires_one() {
    let missing = Err(TokenError::Missing { claim: "client_id" });
    assert_eq!(judged(&json!({}), &json!({ "client_id": null })), Ok(()));
    assert_eq!(judged(&json!({ "require_client": true }), &json!({ "client_id": null })), missing);
    assert_eq!(judged(&json!({ "require_client": true }), &json!({})), Ok(()));
}

#[test]
fn only_listed_tenants_are_accepted() {
    let parts = json!({ "claims": { "tenant": "org" }, "tenants": ["acme", "globex"] });
    assert_eq!(judged(&parts, &json!({ "org": "globex" })), Ok(()));
    for odd in [json!("initech"), json!("ACME"), json!(["acme"]), json!(""), json!(1), json!({ "acme": true })] {
        assert_eq!(judged(&parts, &json!({ "org": odd })), Err(TokenError::Tenant), "{odd}");
    }
    assert_eq!(judged(&parts, &json!({})), Err(TokenError::Tenant));
    let unlisted = verdict(&json!({ "claims": { "tenant": "org" } }), &claims(&json!({ "org": "initech" })));
    assert_eq!(unlisted.unwrap().tenant(), Some("initech"));
}

#[test]
fn a_token_may_be_as_old_as_max_age_and_the_leeway() {
    let aged = |age: u64| judged(&json!({ "max_age": 300, "leeway": 10 }), &json!({ "iat": NOW - age }));
    for age in [0, 300, 309, 310] {
        assert_eq!(aged(age), Ok(()), "{age}");
    }
    for age in [311, 100_000, NOW] {
        assert_eq!(aged(age), Err(TokenError::TooOld { age: Seconds::new(age) }), "{age}");
    }
    assert_eq!(judged(&json!({}), &json!({ "iat": 0 })), Ok(()), "the age counts only if the policy limits it");
}

#[test]
fn a_token_of_unknown_age_is_refused_if_age_or_lifetime_are_limited() {
    for parts in [json!({ "max_age": 300 }), json!({ "max_lifetime": 300 })] {
        assert_eq!(judged(&parts, &json!({ "iat": null })), Err(TokenError::Missing { claim: "iat" }), "{parts}");
        assert_eq!(judged(&parts, &json!({ "iat": "1" })), Err(TokenError::ClaimMalformed { claim: "iat" }));
    }
    assert_eq!(judged(&json!({}), &json!({ "iat": null })), Ok(()));
}

#[test]
fn a_token_may_live_as_long_as_max_lifetime() {
    let lives = |iat: u64, exp: u64| judged(&json!({ "max_lifetime": 3600 }), &json!({ "iat": iat, "exp": exp }));
    assert_eq!(lives(NOW, NOW + 3600), Ok(()));
    assert_eq!(lives(NOW - 3000, NOW + 600), Ok(()));
    assert_eq!(lives(NOW, NOW + 3601), Err(TokenError::LivesTooLong { lifetime: Seconds::new(3601) }));
    let decade = 10 * 365 * 24 * 60 * 60;
    assert_eq!(lives(NOW, NOW + decade), Err(TokenError::LivesTooLong { lifetime: Seconds::new(decade) }));
    assert_eq!(judged(&json!({}), &json!({ "exp": NOW + decade })), Ok(()));
}

#[test]
fn a_required_claim_has_one_of_its_values_exactly() {
    let parts = json!({ "required_claims": { "acr": ["gold", "silver"], "email_verified": true, "level": 2 } });
    let good = json!({ "acr": "silver", "email_verified": true, "level": 2 });
    assert_eq!(judged(&parts, &good), Ok(()));
    for (claim, odd) in [
        ("acr", json!("bronze")),
        ("acr", json!("Gold")),
        ("acr", json!(["gold"])),
        ("acr", Value::Null),
        ("email_verified", json!("true")),
        ("email_verified", json!(1)),
        ("email_verified", json!(false)),
        ("email_verified", Value::Null),
        ("level", json!("2")),
        ("level", json!(3)),
        ("level", json!([2])),
    ] {
        let mut claims = good.clone();
        claims[claim] = odd.clone();
        assert_eq!(judged(&parts, &claims), Err(TokenError::Required { claim: claim.to_owned() }), "{claim}: {odd}");
    }
}

#[test]
fn a_refused_claim_must_be_absent_whatever_its_value() {
    let parts = json!({ "refused_claims": ["actor"] });
    assert_eq!(judged(&parts, &json!({ "nonce": "n" })), Ok(()), "the list replaces the default");
    for value in [json!("x"), json!(false), json!({})] {
        assert_eq!(judged(&parts, &json!({ "actor": value })), Err(TokenError::OtherKind { claim: "actor".into() }));
    }
}

#[test]
fn token_rules_are_checked_before_keys_are_fetched() {
    use fastgate::identity::token::UnverifiedToken;
    use fastgate::secret::Secret;
    use fastgate::time::UnixTime;

    let policy = super::policy(&json!({ "clients": ["batch"] })).unwrap();
    // {"alg":"ES256","typ":"at+jwt"} and random bytes as the signature.
    let encoded = |text: &str| base64::Engine::encode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, text);
    let header = encoded(r#"{"alg":"ES256","typ":"at+jwt"}"#);
    let token = format!("{header}.{}.AAAA", encoded(&claims(&json!({})).to_string()));
    let token = UnverifiedToken::parse(Secret::new(token.as_str())).unwrap();
    let issuer = policy.issuer("https://idp.test").unwrap();
    assert_eq!(token.check(issuer, UnixTime::from_seconds(NOW)).err(), Some(TokenError::Client));
}
