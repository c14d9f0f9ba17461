//! Roles, groups and other claims: which types count, and what counts as absent (rows D12 to D14 of `docs/attacks.md`).

use fastgate::identity::Identity;
use fastgate::policy::Policy;
use serde_json::{Value, json};

use super::{claims, policy, verdict};

fn with(changes: &Value) -> Identity {
    verdict(&json!({}), &claims(changes)).unwrap()
}

#[test]
fn roles_and_groups_are_whole_texts_sorted_and_once() {
    for (value, expected) in [
        (json!(["writer", "admin", "writer"]), vec!["admin", "writer"]),
        (json!("admin"), vec!["admin"]),
        (json!("admin writer"), vec!["admin writer"]),
        (json!("admin,writer"), vec!["admin,writer"]),
        (json!([" admin", "Admin", "notadmin"]), vec![" admin", "Admin", "notadmin"]),
        (json!(["a", 1, null, true, ["admin"], { "admin": true }]), vec!["a"]),
        (json!([]), vec![]),
        (json!(1), vec![]),
        (json!(true), vec![]),
        (json!({ "admin": true }), vec![]),
        (json!([["admin"]]), vec![]),
    ] {
        let identity = with(&json!({ "roles": value, "groups": value }));
        assert_eq!(identity.roles(), expected, "{value}");
        assert_eq!(identity.groups(), expected, "{value}");
    }
    assert_eq!(with(&json!({})).roles(), [""; 0]);
}

#[test]
fn several_claims_with_roles_count_together() {
    let parts = json!({ "claims": { "roles": ["roles", ["app", "roles"], "https://x.test/roles"] } });
    let claims = claims(&json!({ "roles": ["b"], "app": { "roles": ["a", "b"] }, "https://x.test/roles": "c" }));
    assert_eq!(verdict(&parts, &claims).unwrap().roles(), ["a", "b", "c"]);
}

#[test]
fn distributed_claims_are_absent() {
    let elsewhere = json!({ "groups": "src1" });
    let identity = with(&json!({ "_claim_names": elsewhere, "_claim_sources": { "src1": {} }, "roles": ["a"] }));
    assert_eq!(identity.groups(), [""; 0]);
    assert_eq!(identity.roles(), ["a"]);
    let part = with(&json!({ "_claim_names": elsewhere, "groups": ["some", "of", "many"] }));
    assert_eq!(part.groups(), [""; 0], "incomplete groups count as absent");
    for odd in [json!("groups"), json!(["groups"]), json!(1)] {
        assert_eq!(with(&json!({ "_claim_names": odd, "groups": ["a"] })).groups(), ["a"], "{odd}");
    }
}

#[test]
fn scopes_come_from_the_claims_that_the_policy_names_and_from_no_others() {
    let parts = json!({ "claims": { "scopes": [["grant", "scopes"]] } });
    let scopes = |changes: Value| verdict(&parts, &claims(&changes)).unwrap().scopes().to_vec();
    assert_eq!(scopes(json!({ "scope": "admin", "scp": ["admin"] })), [""; 0]);
    assert_eq!(scopes(json!({ "grant": { "scopes": "read write" } })), ["read", "write"]);
    assert_eq!(scopes(json!({ "grant": { "scopes": ["read", "a b", 1] } })), ["read"]);
    assert_eq!(scopes(json!({ "grant": ["scopes"] })), [""; 0]);
}

#[test]
fn every_claim_can_have_a_path() {
    let identity = with(&json!({ "address": { "country": "CH", "lines": ["a"] }, "a.b": 1 }));
    let policy: Policy = policy(&json!({
        "claims": { "roles": [["address", "country"], ["address", "lines"], "a.b", ["sub", "x"], ["a", "b"]] }
    }))
    .unwrap();
    let paths = &policy.issuer("https://idp.test").unwrap().shape.roles;
    let found: Vec<_> = paths.iter().map(|path| identity.claim(&path.path).cloned()).collect();
    assert_eq!(found, [Some(json!("CH")), Some(json!(["a"])), Some(json!(1)), None, None]);
}

/// The names that a claim with this value has in this form, as scopes, roles and groups.
fn in_form(form: &str, value: &Value) -> [Vec<String>; 3] {
    let named = json!([{ "claim": ["app", "x:y"], "form": form }]);
    let parts = json!({ "claims": { "scopes": named, "roles": named, "groups": named } });
    let identity = verdict(&parts, &claims(&json!({ "app": { "x:y": value } }))).unwrap();
    [identity.scopes(), identity.roles(), identity.groups()].map(<[String]>::to_vec)
}

#[test]
fn names_in_another_form_are_those_that_the_provider_documents() {
    let zitadel = json!({ "editor": { "2018": "acme.example.com" }, "admin": { "2018": "acme.example.com" } });
    for (form, value, expected) in [
        ("keys", zitadel, vec!["admin", "editor"]),
        ("keys", json!({ "a": true, "b": false, "c": null, "": true, "d": 0, "e": {} }), vec!["a", "d", "e"]),
        ("keys", json!({}), vec![]),
        ("comma", json!("create,manage"), vec!["create", "manage"]),
        ("comma", json!("a"), vec!["a"]),
        ("comma", json!(",a,,b,"), vec!["a", "b"]),
        ("comma", json!(""), vec![]),
        ("space", json!("a b"), vec!["a", "b"]),
        ("space", json!("  a  b "), vec!["a", "b"]),
    ] {
        let [scopes, roles, groups] = in_form(form, &value);
        assert_eq!((scopes.as_slice(), roles.as_slice()), (roles.as_slice(), groups.as_slice()), "{form} {value}");
        assert_eq!(roles, expected, "{form} {value}");
    }
    let [scopes, roles, _] = in_form("comma", &json!("a, b"));
    assert_eq!(
        (scopes, roles),
        (vec!["a".to_owned()], vec![" b".to_owned(), "a".to_owned()]),
        "spaces belong to names"
    );
}

#[test]
fn a_claim_of_another_form_than_the_policy_names_is_absent() {
    for (form, values) in [
        ("keys", vec![json!("a"), json!(["a"]), json!(1), json!(true), json!(null), json!([{ "a": true }])]),
        ("comma", vec![json!(["a"]), json!({ "a": true }), json!(1), json!(true), json!(null)]),
        ("space", vec![json!(["a"]), json!({ "a": true }), json!(1), json!(null)]),
    ] {
        for value in values {
            assert_eq!(in_form(form, &value), [vec![], vec![], Vec::<String>::new()], "{form} {value}");
        }
    }
    let several = json!({ "claims": { "roles": ["roles", { "claim": "per", "form": "comma" }] } });
    let both = claims(&json!({ "roles": ["a,b"], "per": "c,d" }));
    assert_eq!(verdict(&several, &both).unwrap().roles(), ["a,b", "c", "d"]);
    for odd in [
        json!({ "claim": "a" }),
        json!({ "form": "comma" }),
        json!({ "claim": "a", "form": "lines" }),
        json!({ "claim": "a", "form": "comma", "trim": true }),
        json!({ "claim": { "claim": "a" }, "form": "comma" }),
    ] {
        assert!(policy(&json!({ "claims": { "roles": [odd] } })).is_err(), "{odd}");
        assert!(policy(&json!({ "claims": { "client": [{ "claim": "a", "form": "comma" }] } })).is_err());
    }
    let empty = policy(&json!({ "claims": { "roles": [{ "claim": "", "form": "keys" }] } })).unwrap_err();
    assert_eq!(empty.to_string(), "$.issuers.idp.claims.roles[0].claim: is empty");
}
