//! The reader at the edge and the JSON Schema accept the same forms: a list of members is not an object, and an object
//! around a word is not the word.

use fastgate::policy::{Policy, PolicyDocument};
use serde_json::{Value, json};

const TOUR: &str = include_str!("../../../docs/policy-tour.json");

/// Every place in the document, as JSON pointers.
fn places(value: &Value, at: &str, found: &mut Vec<String>) {
    found.push(at.to_owned());
    let mut step = |name: &str, inner: &Value| {
        places(inner, &format!("{at}/{}", name.replace('~', "~0").replace('/', "~1")), found);
    };
    match value {
        Value::Object(members) => members.iter().for_each(|(name, inner)| step(name, inner)),
        Value::Array(list) => list.iter().enumerate().for_each(|(index, inner)| step(&index.to_string(), inner)),
        _ => {}
    }
}

#[test]
fn the_reader_refuses_the_forms_that_the_schema_refuses() {
    let tour: Value = serde_json::from_str(TOUR).unwrap();
    let validator = jsonschema::validator_for(&schemars::schema_for!(PolicyDocument).to_value()).unwrap();
    let mut all = Vec::new();
    places(&tour, "", &mut all);
    let mut refused = 0;
    for place in &all {
        let found = tour.pointer(place).unwrap();
        let other = match found {
            Value::Object(members) => json!(members.values().collect::<Vec<_>>()),
            Value::String(text) => json!({ text: null }),
            _ => continue,
        };
        let mut document = tour.clone();
        *document.pointer_mut(place).unwrap() = other;
        if !validator.is_valid(&document) {
            refused += 1;
            assert!(Policy::parse(document.to_string().as_bytes()).is_err(), "{place}: {document:#}");
        }
    }
    assert!(refused > 200, "{refused}");
}

#[test]
fn a_list_in_the_order_of_the_members_is_not_an_object() {
    let base = json!({
        "edge": { "issuer": "https://edge.test", "hosts": ["edge.test"] },
        "origins": { "app": { "backend": "b", "audience": "a" } },
        "issuers": { "i": { "issuer": "https://i.test", "backend": "b", "audiences": ["x"] } },
        "limits": { "l": { "count": 1, "window": 1, "by": ["subject"] } },
        "places": { "p": { "allow": [{ "continent": ["EU"] }], "unknown_passes": ["asn"] } },
        "routes": [{ "id": "r", "path": "/", "methods": ["GET"], "access": "authenticated" }]
    });
    assert!(Policy::parse(base.to_string().as_bytes()).is_ok());
    for (pointer, value) in [
        ("/edge", json!(["https://a.test", ["a.test"], 30, 16384, null, false, null, [60, 10, false]])),
        ("/edge/dpop", json!([60, 10, false])),
        ("/origins/app", json!(["b", "a", "ES256"])),
        ("/origins/app", json!(["b", "a"])),
        ("/routes/0/require", json!({ "claim": ["a", 1, null, null, null, null] })),
        ("/routes/0/methods/0", json!({ "GET": null })),
        ("/routes/0/access", json!({ "public": null })),
        ("/issuers/i/algorithms", json!([{ "RS256": null }])),
        ("/issuers/i/preset", json!({ "okta": null })),
        ("/limits/l/by/0", json!({ "subject": null })),
        ("/limits/l/counter", json!({ "exact": null })),
        ("/limits/l/unreachable", json!({ "open": null })),
        ("/places/p/allow/0/continent/0", json!({ "EU": null })),
        ("/places/p/unknown_passes/0", json!({ "asn": null })),
    ] {
        let mut document = base.clone();
        let (parent, name) = pointer.rsplit_once('/').unwrap();
        match document.pointer_mut(parent).unwrap() {
            Value::Object(members) => drop(members.insert(name.to_owned(), value)),
            list => list[0] = value,
        }
        let faults = Policy::parse(document.to_string().as_bytes()).unwrap_err().0;
        let at = &faults[0].at;
        assert!(faults.len() == 1 && at.len() > 1, "{pointer}: {at}");
    }
}
