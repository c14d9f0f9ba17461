//! Faults of a policy's shape: each is reported at its location, without a copy of the value.

use serde_json::{Value, json};

use super::{check, check_text};
use crate::provider;
use crate::rules::route;

#[test]
fn a_mistake_inside_a_union_is_reported_at_its_location() {
    let requiring = |condition: Value| json!({ "routes": [route("/", &json!({ "require": condition }))] });
    let with = |member: &str, value: Value| json!({ "routes": [route("/", &json!({ member: value }))] });
    let issuer = |member: &str, value: Value| {
        json!({
            "issuers": { "a": { "issuer": "https://a.test", "backend": "b", "audiences": ["a"], member: value } },
            "routes": [route("/", &json!({}))]
        })
    };
    let deep =
        json!({ "all": [{ "role": "a" }, { "any": [{ "scope": "s" }, { "claim": { "name": "a", "equal": 1 } }] }] });
    let members = "does not exist here; there are \"contains\", \"contains_path\", \"equals\"";
    let limit = json!({ "count": 1, "window": 1, "by": ["ip"] });
    for (parts, at, what) in [
        (requiring(deep), "$.routes[0].require.all[1].any[1].claim.equal", members),
        (requiring(json!({ "role": ["hunter2"] })), "$.routes[0].require.role", "not of type \"string\""),
        (
            requiring(json!({ "roles": "a" })),
            "$.routes[0].require",
            "is none of {\"all\": …}, {\"any\": …}, {\"not\": …}",
        ),
        (requiring(json!({ "role": "a", "scope": "b" })), "$.routes[0].require", "is none of {\"all\": …}"),
        (
            requiring(json!({ "not": { "claim": { "name": 7, "equals": 1 } } })),
            "$.routes[0].require.not.claim.name",
            "is none of a text, a list",
        ),
        (
            requiring(json!({ "claim": { "name": "a", "in": [1, null] } })),
            "$.routes[0].require.claim.in[1]",
            "is none of a text, a whole number, true, false",
        ),
        (with("methods", json!(["get"])), "$.routes[0].methods[0]", "is none of \"GET\", \"HEAD\", \"POST\""),
        (
            with("access", json!("hunter2")),
            "$.routes[0].access",
            "is none of \"authenticated\", \"optional\", \"public\"",
        ),
        (with("acess", json!("public")), "$.routes[0].acess", "does not exist here; there are \"accepts\", \"access\""),
        (
            json!({ "limits": { "l": limit }, "routes": [] }),
            "$.limits.l.by[0]",
            "is none of \"subject\", \"client_id\"",
        ),
        (
            json!({ "places": { "p": { "allow": [{ "country": "DE" }] } }, "routes": [] }),
            "$.places.p.allow[0].country",
            "not of type \"array\"",
        ),
        (issuer("algorithms", json!(["HS256"])), "$.issuers.a.algorithms[0]", "is none of \"RS256\""),
        (
            issuer(
                "introspection",
                json!({ "url": "https://a.test", "backend": 5, "client_id": "c", "client_secret": "hunter2" }),
            ),
            "$.issuers.a.introspection.backend",
            "not of type \"string\"",
        ),
        (
            issuer("introspection", json!({ "backend": "b", "client_id": "c", "client_secret": "hunter2" })),
            "$.issuers.a.introspection",
            "lacks \"url\"",
        ),
        (issuer("introspection", json!("hunter2")), "$.issuers.a.introspection", "is none of an object, null"),
        (json!({ "routes": { "0": { "id": "hunter2" } } }), "$.routes", "not of type \"array\""),
    ] {
        let (valid, text) = check("shape", &parts);
        let [place, fault, ..] = text.lines().collect::<Vec<_>>()[..] else { panic!("{text}") };
        assert!(!valid && place == at && fault.contains(what) && text.ends_with(": 1 fault\n"), "{at}: {text}");
        assert!(!text.contains("hunter2") && text.len() < 1000, "{text}");
    }
}

#[test]
fn a_repeated_member_is_named() {
    let text = provider::policy(&json!({ "rules": { "staff": { "role": "a" } }, "routes": [route("/", &json!({}))] }))
        .to_string();
    let twice = text.replace(r#""staff":{"#, r#""staff":{"scope":"b"},"staff":{"#);
    let (valid, said) = check_text("twice", &twice);
    assert!(!valid && said.contains("the member \"staff\" occurs twice") && said.contains("→ write it once"), "{said}");
}
