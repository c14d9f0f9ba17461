//! Hints about the effect of absent claims: about `not`, and about names that are read from no claim.

use serde_json::{Value, json};

use super::check;
use crate::rules::route;

#[test]
fn a_condition_that_an_absent_claim_meets_gets_a_hint() {
    let suspended = json!({ "not": { "group": "suspended" } });
    let hint = |name: &str, parts: Value| {
        let (valid, text) = check(name, &parts);
        assert!(valid, "{text}");
        let hints: Vec<_> = text.lines().filter(|line| line.contains("under \"not\"")).map(str::to_owned).collect();
        (text, hints)
    };
    let with = |condition: &Value| {
        let rules = json!({ "suspended": { "group": "suspended" }, "staff": { "role": "staff" } });
        json!({ "rules": rules, "routes": [route("/", &json!({ "require": condition }))] })
    };
    for (name, condition, kind) in [
        ("a1", suspended.clone(), "groups"),
        ("a2", json!({ "not": { "role": "banned" } }), "roles"),
        ("a3", json!({ "not": { "any": [{ "scope": "a" }, { "rule": "suspended" }] } }), "groups"),
        ("a4", json!({ "all": [{ "role": "staff" }, suspended] }), "groups"),
        ("a5", json!({ "any": [{ "group": "staff" }, suspended] }), "groups"),
    ] {
        let (text, hints) = hint(name, with(&condition));
        let what = format!("tests {kind} under \"not\", which holds for a token without the claim");
        assert!(hints.len() == 1 && hints[0].contains(&what) && text.contains("$.routes[0].require\n"), "{text}");
    }
    for (name, condition) in [
        ("p1", json!({ "all": [{ "group": "members" }, suspended] })),
        ("p2", json!({ "all": [{ "any": [{ "role": "a" }, { "rule": "staff" }] }, { "not": { "role": "banned" } }] })),
        ("p3", json!({ "not": { "not": { "group": "members" } } })),
        ("p4", json!({ "not": { "scope": "a" } })),
        ("p5", json!({ "not": { "any": [{ "not": { "group": "members" } }, { "rule": "suspended" }] } })),
        (
            "p7",
            json!({ "any": [{ "role": "admin" }, { "not": { "any": [{ "not": { "group": "members" } }, { "rule": "suspended" }] } }] }),
        ),
        ("p6", json!({ "all": [{ "all": [{ "scope": "x" }, { "group": "members" }] }, suspended] })),
    ] {
        assert_eq!(hint(name, with(&condition)).1, [""; 0], "{condition}");
    }
    // The requirement of all callers and that of one issuer's tokens must both hold.
    let (member, banned) =
        (json!({ "require": { "role": "m" } }), json!({ "require": { "not": { "role": "banned" } } }));
    let issuers: Value = ["a", "b"]
        .into_iter()
        .map(|id| {
            let issuer = json!({ "issuer": format!("https://{id}.test"), "backend": "idp", "audiences": ["a"] });
            (id.to_owned(), issuer)
        })
        .collect::<serde_json::Map<_, _>>()
        .into();
    let places = |name: &str, everybody: &Value, of_issuers: Value| {
        let mut parts = everybody.clone();
        parts["issuers"] = of_issuers;
        let (text, hints) = hint(name, json!({ "issuers": issuers, "routes": [route("/", &parts)] }));
        let at = |line: &&str| line.starts_with("$.routes[0]") && line.ends_with(".require");
        assert_eq!(text.lines().filter(at).count(), hints.len(), "{text}");
        text.lines().filter(at).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(places("i1", &member, json!({ "a": banned })), [""; 0]);
    assert_eq!(places("i2", &banned, json!({ "a": member })), [""; 0]);
    assert_eq!(places("i3", &banned, json!({ "a": member, "b": {} })), ["$.routes[0].require"]);
    assert_eq!(places("i4", &json!({}), json!({ "a": member, "b": banned })), ["$.routes[0].issuers.b.require"]);
    assert_eq!(places("i5", &json!({ "shadow": banned, "require": { "role": "m" } }), json!({})).len(), 0);
    let unread = json!({
        "issuers": {
            "a": { "issuer": "https://a.test", "backend": "idp", "audiences": ["a"] },
            "b": { "issuer": "https://b.test", "backend": "idp", "audiences": ["a"], "claims": { "roles": [] } },
        },
        "routes": [route("/", &json!({ "require": { "not": { "role": "banned" } } }))]
    });
    let all_pass = "but no token of the issuer \"b\" can have any: it holds for all of them";
    assert!(hint("unread", unread).0.contains(all_pass));
}

/// A policy with one issuer with these members, and one route with this requirement.
fn requiring(issuer: Value, condition: Value) -> Value {
    let mut parts = json!({ "issuer": "https://i.test", "backend": "idp", "audiences": ["app"] });
    parts.as_object_mut().unwrap().extend(issuer.as_object().cloned().unwrap());
    json!({ "issuers": { "i": parts }, "routes": [route("/", &json!({ "require": condition }))] })
}

#[test]
fn presence_is_that_of_a_claim() {
    let banned = json!({ "not": { "role": "banned" } });
    let besides = |other: Value| json!({ "all": [other, banned] });
    let user = || besides(json!({ "role": "user" }));
    let same = || json!({ "claims": { "roles": ["groups"], "groups": ["groups"] } });
    let required = || json!({ "required_claims": { "roles": ["user", "banned"] } });
    let refused = || json!({ "refused_claims": ["roles"] });
    let opaque = json!({ "url": "https://i.test/i", "backend": "b", "client_id": "c", "client_secret": "s" });
    let opaque_with = |member: &str, mut parts: Value| {
        parts["introspection"] = opaque.clone();
        assert!(parts.get(member).is_some());
        parts
    };
    let several = "\"realm_access / roles\" and \"resource_access / app / roles\"";
    let all = "no token of the issuer \"i\" can have any: it holds for all of them";
    for (issuer, condition, hint) in [
        // The same claim, named in different ways.
        (same(), besides(json!({ "group": "user" })), None),
        (json!({}), besides(json!({ "claim": { "name": "roles", "contains": "user" } })), None),
        (required(), banned.clone(), None),
        (
            json!({ "claims": { "roles": ["scope"] } }),
            besides(json!({ "scope": "s" })),
            Some("roles under \"not\", which holds"),
        ),
        (json!({ "claims": { "scopes": ["roles"] } }), besides(json!({ "scope": "s" })), None),
        (
            json!({}),
            besides(json!({ "group": "user" })),
            Some("roles under \"not\", which holds for a token without the claim"),
        ),
        (
            json!({}),
            besides(json!({ "claim": { "name": "role", "equals": "user" } })),
            Some("roles under \"not\", which holds"),
        ),
        (
            json!({}),
            besides(json!({ "not": { "claim": { "name": "roles", "equals": "x" } } })),
            Some("roles under \"not\", which"),
        ),
        // Rules for signed tokens do not apply to introspection responses.
        (opaque_with("required_claims", required()), banned.clone(), Some("roles under \"not\", which holds")),
        (opaque_with("refused_claims", refused()), banned.clone(), Some("roles under \"not\", which holds")),
        // A role may come from any of several claims.
        (json!({ "preset": "keycloak" }), user(), Some(several)),
        (
            json!({ "preset": "keycloak" }),
            besides(json!({ "claim": { "name": ["realm_access", "roles"], "contains": "user" } })),
            Some(several),
        ),
        (json!({ "preset": "keycloak", "claims": { "roles": [["realm_access", "roles"]] } }), user(), None),
        // No token has any role.
        (json!({ "claims": { "roles": [] } }), besides(json!({ "scope": "s" })), Some(all)),
        (refused(), banned.clone(), Some(all)),
    ] {
        let (valid, text) = check("claims", &requiring(issuer.clone(), condition.clone()));
        let hints: Vec<_> = text.lines().filter(|line| line.contains("a hint")).collect();
        let found = match hint {
            Some(hint) => hints.len() == 1 && hints[0].contains(hint),
            None => hints.is_empty(),
        };
        assert!(valid && found, "{issuer} {condition}: {text}");
    }
}

#[test]
fn requirements_that_no_token_can_meet_get_a_hint() {
    let none = || json!({ "claims": { "roles": [] } });
    let role = || json!({ "role": "admin" });
    for (issuer, condition, kind) in [
        (none(), role(), Some("roles")),
        (json!({ "refused_claims": ["roles"] }), role(), Some("roles")),
        (json!({ "claims": { "groups": [] } }), json!({ "all": [{ "scope": "s" }, { "group": "a" }] }), Some("groups")),
        (
            json!({ "claims": { "groups": [], "roles": [] } }),
            json!({ "any": [{ "group": "a" }, role()] }),
            Some("groups"),
        ),
        (json!({ "claims": { "scopes": [] } }), json!({ "scope": "s" }), Some("scopes")),
        (none(), json!({ "any": [{ "scope": "s" }, role()] }), None),
        (json!({}), role(), None),
    ] {
        let (valid, text) = check("nobody", &requiring(issuer.clone(), condition.clone()));
        let hints: Vec<_> = text.lines().filter(|line| line.contains("a hint")).map(str::trim).collect();
        let expected = kind.map(|kind| {
            format!("requires {kind}, but no token that is accepted here can have any: no caller meets it (a hint, not a fault)")
        });
        assert!(valid && hints == expected.into_iter().collect::<Vec<_>>(), "{issuer} {condition}: {text}");
    }
    // A route with an issuer without roles is a mistake only if the route lists that issuer.
    let issuer = |id: &str, claims: Value| json!({ "issuer": format!("https://{id}.test"), "backend": "idp", "audiences": ["a"], "claims": claims });
    let issuers = json!({ "a": issuer("a", json!({})), "b": issuer("b", json!({ "roles": [] })) });
    for (parts, place) in [
        (json!({ "require": role() }), None),
        (json!({ "require": role(), "issuers": { "a": {} } }), None),
        (json!({ "require": role(), "issuers": { "a": {}, "b": {} } }), Some("$.routes[0].require")),
        (json!({ "issuers": { "a": {}, "b": { "require": role() } } }), Some("$.routes[0].issuers.b.require")),
    ] {
        let (valid, text) = check("listed", &json!({ "issuers": issuers, "routes": [route("/", &parts)] }));
        let places: Vec<_> = text.lines().filter(|line| line.starts_with("$.")).collect();
        assert!(valid && places == place.into_iter().collect::<Vec<_>>(), "{parts}: {text}");
        assert!(place.is_none() || text.contains("no token of the issuer \"b\" can have any"), "{text}");
    }
}
