//! A whole policy in shadow.

use serde_json::{Value, json};

use super::gate::{Gate, Setting, get, get_as};
use crate::support::provider;

fn gate(shadow: &str) -> Gate {
    let active = json!({ "routes": [{ "id": "r", "path": "/r", "methods": ["GET"], "access": "optional" }] });
    let kv = vec![("policy.shadow".to_owned(), shadow.to_owned())];
    Gate::with(&active, &Setting { kv, ..Setting::default() })
}

#[test]
fn a_shadow_policy_is_judged_and_logged_and_changes_nothing() {
    let shadow = provider::policy(&json!({
        "limits": { "l": { "count": 1, "window": 600, "by": ["subject"] } },
        "routes": [{ "id": "r", "path": "/r", "methods": ["GET"], "scopes": ["r:read"], "limits": ["l"] }]
    }));
    let gate = gate(&shadow.to_string());
    let reader = gate.token(json!({ "scope": "r:read" }));
    let other = gate.token(json!({}));
    for (request, would) in [
        (get("/r"), "would-refuse credentials-missing"),
        (get_as("/r", "bad"), "would-refuse token-malformed"),
        (get_as("/r", &other), "would-refuse insufficient-scope"),
        (get_as("/r", &reader), "would-forward"),
        (get_as("/r", &reader), "would-refuse limit-exceeded"),
    ] {
        let response = gate.send(request);
        let line = gate.line(&response);
        assert_eq!((response.status, line["shadow_policy"].as_str()), (200, Some(would)));
    }
    assert_eq!(gate.arrived().len(), 5, "the shadow policy forwards nothing itself");
}

#[test]
fn a_shadow_policy_that_cannot_be_read_is_named_in_the_log_alone() {
    let gate = gate("{}");
    let response = gate.send(get("/r"));
    let line: Value = gate.line(&response);
    assert_eq!(response.status, 200);
    assert!(line["shadow_policy"].as_str().unwrap().starts_with("unusable: $: missing field"), "{line}");
}
