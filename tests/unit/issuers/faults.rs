//! Faults of an issuer in a policy, and their locations.

use fastgate::policy::{Fault, Policy};
use serde_json::json;

use super::{faults, policy};

#[test]
fn every_fault_has_its_place() {
    let empty = "is empty";
    for (parts, at, fault) in [
        (json!({ "clients": [] }), "clients", empty),
        (json!({ "clients": ["a", ""] }), "clients", empty),
        (json!({ "tenants": [], "claims": { "tenant": "t" } }), "tenants", empty),
        (json!({ "tenants": ["a"] }), "tenants", "restricts tenants, and no claim is known to name the tenant"),
        (json!({ "max_age": 0 }), "max_age", "is 0, outside 1 to 31622400"),
        (json!({ "max_lifetime": 31_622_401 }), "max_lifetime", "is 31622401, outside 1 to 31622400"),
        (json!({ "required_claims": { "a": [] } }), "required_claims.a", empty),
        (json!({ "types": [] }), "types", empty),
        (json!({ "untyped": false, "types": [] }), "types", empty),
        (json!({ "types": ["jwt", ""] }), "types", empty),
        (
            json!({ "required_claims": { "x": 1 }, "refused_claims": ["y", "x"] }),
            "refused_claims",
            "accepts no token: the claim \"x\" is both required and refused",
        ),
        (
            json!({ "preset": "keycloak", "refused_claims": ["typ"] }),
            "refused_claims",
            "accepts no token: the claim \"typ\" is both required and refused",
        ),
        (
            json!({ "required_claims": { "nonce": "x" } }),
            "required_claims.nonce",
            "accepts no token: the claim \"nonce\" is both required and refused",
        ),
        (
            json!({ "refused_claims": ["exp"] }),
            "refused_claims",
            "accepts no token: the claim \"exp\" is both required and refused",
        ),
        (json!({ "issuer_aliases": [""] }), "issuer_aliases", empty),
        (json!({ "issuer_aliases": ["https://idp.test"] }), "issuer_aliases", "is the issuer of \"idp\", too"),
        (json!({ "claims": { "roles": ["a", []] } }), "claims.roles[1]", empty),
        (json!({ "claims": { "scopes": [""] } }), "claims.scopes[0]", empty),
        (json!({ "claims": { "tenant": ["a", ""] } }), "claims.tenant", empty),
        (json!({ "claims": { "audience": [] } }), "claims.audience", empty),
        (
            json!({ "preset": "google", "tokens": "access" }),
            "tokens",
            "is \"access\", and this preset has no such tokens",
        ),
        (json!({ "preset": "clerk", "tokens": "id" }), "tokens", "is \"id\", and this preset has no such tokens"),
        (
            json!({ "preset": "firebase", "clients": ["a"] }),
            "clients",
            "restricts clients, and tokens of this preset name none",
        ),
        (
            json!({ "preset": "kubernetes", "require_client": true }),
            "clients",
            "restricts clients, and tokens of this preset name none",
        ),
        (json!({ "preset": "entra" }), "issuer", "names no tenant"),
        (
            json!({ "preset": "entra", "issuer": "https://login.microsoftonline.com/common/v2.0" }),
            "issuer",
            "names no tenant",
        ),
        (json!({ "jwks_uri": "https://www.googleapis.com/x" }), "jwks_uri", "is not on the issuer's host"),
        (
            json!({ "preset": "google", "tokens": "id", "jwks_uri": "https://evil.test/x" }),
            "jwks_uri",
            "is not on the issuer's host",
        ),
    ] {
        assert_eq!(faults(&parts), [format!("$.issuers.idp.{at}: {fault}")], "{parts}");
    }
}

#[test]
fn unknown_members_and_values_are_refused() {
    for (parts, at) in [
        (json!({ "preset": "github" }), "$.issuers.idp.preset"),
        (json!({ "preset": "Okta" }), "$.issuers.idp.preset"),
        (json!({ "tokens": "any" }), "$.issuers.idp.tokens"),
        (json!({ "claims": { "email": ["email"] } }), "$.issuers.idp.claims.email"),
        (json!({ "required_claims": { "a": 1.5 } }), "$.issuers.idp.required_claims.a"),
        (json!({ "claims": { "tenant": 1 } }), "$.issuers.idp.claims.tenant"),
    ] {
        let found = policy(&parts).unwrap_err().0;
        assert_eq!(found.len(), 1, "{parts}: {found:?}");
        assert_eq!(found[0].at, at, "{}", found[0]);
        assert!(matches!(found[0].fault, Fault::Unreadable(_)), "{}", found[0]);
    }
}

#[test]
fn two_issuers_never_share_a_spelling() {
    let issuer = |iss: &str, aliases: &[&str]| json!({ "issuer": iss, "backend": "b", "audiences": ["a"], "issuer_aliases": aliases });
    let document = json!({
        "edge": { "issuer": "https://edge.test", "hosts": ["edge.test"] },
        "origins": { "api": { "backend": "origin", "audience": "api" } },
        "issuers": { "one": issuer("https://one.test", &["one"]), "two": issuer("https://two.test", &["one", "two"]) },
        "routes": [{ "id": "me", "path": "/me", "methods": ["GET"] }]
    });
    let found = Policy::parse(document.to_string().as_bytes()).unwrap_err();
    assert_eq!(found.to_string(), "$.issuers.two.issuer_aliases: is the issuer of \"one\", too");
}
