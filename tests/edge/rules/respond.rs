//! The rules on routes to which the edge responds itself: a policy in shadow, the kill switch, the sign-in.

use serde_json::{Value, json};

use super::gate::{Gate, GateResponse, Setting, get, get_as};
use crate::support::provider;
use crate::support::tokens::now;

const CLIENT: &str = "198.51.100.7";
const PAGE: &str = "a page of the store";

/// A gate with these routes, a file, and further keys of the KV store.
fn gate(parts: &Value, kv: &[(&str, String)]) -> Gate {
    let mut keys = vec![("files/page.txt".to_owned(), PAGE.to_owned())];
    keys.extend(kv.iter().map(|(key, value)| ((*key).to_owned(), value.clone())));
    Gate::with(parts, &Setting { kv: keys, ..Setting::default() })
}

/// A route with `respond` that sends the file, and with these members in addition.
fn page(id: &str, more: &Value) -> Value {
    let mut route = json!({
        "id": id, "path": format!("/{id}"), "methods": ["GET", "HEAD"], "respond": { "file": "page.txt" }
    });
    route.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap());
    route
}

#[track_caller]
fn assert_sends_the_page(gate: &Gate, response: &GateResponse) {
    assert_eq!((response.status, &*String::from_utf8_lossy(&response.body)), (200, PAGE));
    assert_eq!(gate.line(response)["verdict"], "responded");
}

#[test]
fn a_shadow_policy_is_judged_on_a_route_with_respond_and_changes_nothing() {
    let public = json!({ "access": "public" });
    let shadow = provider::policy(&json!({ "routes": [
        page("same", &public),
        page("closing", &json!({ "scopes": ["page:read"] })),
        { "id": "forwarding", "path": "/forwarding", "methods": ["GET"], "access": "public" },
        page("responding", &public),
        page("missing", &json!({ "access": "public", "respond": { "file": "none.txt" } }))
    ] }));
    let gate = gate(
        &json!({ "routes": [
            page("same", &public),
            page("closing", &public),
            page("forwarding", &public),
            { "id": "responding", "path": "/responding", "methods": ["GET"], "access": "public" },
            page("missing", &public),
            page("removed", &public)
        ] }),
        &[("policy.shadow", shadow.to_string())],
    );
    for (path, would) in [
        ("/same", "would-respond"),
        ("/closing", "would-refuse credentials-missing"),
        ("/forwarding", "would-forward"),
        ("/missing", "would-respond"), // the shadow policy reads no file
        ("/removed", "would-refuse no-route"),
    ] {
        let response = gate.send(get(path));
        assert_sends_the_page(&gate, &response);
        assert_eq!(gate.line(&response)["shadow_policy"], would, "{path}");
    }
    let reader = gate.token(json!({ "scope": "page:read" }));
    let response = gate.send(get_as("/closing", &reader));
    assert_eq!(gate.line(&response)["shadow_policy"], "would-respond");
    assert!(gate.arrived().is_empty(), "the policy in shadow forwards nothing");

    let response = gate.send(get("/responding"));
    let line = gate.line(&response);
    assert_eq!((&line["verdict"], &line["shadow_policy"]), (&json!("forwarded"), &json!("would-respond")));
    assert_eq!(response.body, b"{}", "the response is that of the application");
    assert_eq!(gate.arrived().len(), 1);
}

#[test]
fn the_kill_switch_closes_routes_with_respond() {
    let public = json!({ "access": "public" });
    let routes = json!({
        "groups": { "site": {} },
        "routes": [
            page("named", &public),
            page("grouped", &json!({ "access": "public", "group": "site" })),
            { "id": "text", "path": "/text", "methods": ["GET"], "access": "public", "respond": { "body": "ok" } },
            { "id": "old", "path": "/old", "methods": ["GET"], "access": "public", "respond": { "redirect": "/text" } },
            page("other", &public)
        ]
    });
    let switch = json!({ "routes": ["named", "text", "old"], "groups": ["site"] });
    let some = gate(&routes, &[("switch", switch.to_string())]);
    let all = gate(&routes, &[("switch", json!({ "all": true }).to_string())]);
    let off = (503, "unavailable".to_owned(), "switched-off".to_owned());
    for path in ["/named", "/grouped", "/text", "/old"] {
        assert_eq!(some.refusal(CLIENT, get(path)), off, "{path}");
        assert_eq!(all.refusal(CLIENT, get(path)), off, "{path}");
    }
    assert_sends_the_page(&some, &some.send(get("/other")));
    assert_eq!(all.refusal(CLIENT, get("/other")), off);
}

#[test]
fn a_file_for_callers_who_have_signed_in_as_required() {
    let strong = json!({ "acr": ["phr"], "max_age": 300 });
    let gate = gate(
        &json!({ "routes": [
            page("strong", &json!({ "authentication": strong })),
            page("tried", &json!({ "shadow": { "authentication": strong } }))
        ] }),
        &[],
    );
    let (soon, long_ago) = (now() - 60, now() - 10_000);
    let weak = [
        json!({}),
        json!({ "acr": "phr" }),
        json!({ "auth_time": soon }),
        json!({ "acr": "pwd", "auth_time": soon }),
        json!({ "acr": "phr", "auth_time": long_ago }),
    ];
    for claims in weak {
        let token = gate.token(claims.clone());
        let response = gate.send(get_as("/strong", &token));
        let challenge = response.field("www-authenticate").unwrap();
        for part in ["error=\"insufficient_user_authentication\"", "acr_values=\"phr\"", "max_age=\"300\""] {
            assert!(challenge.contains(part), "{claims}: {challenge}");
        }
        assert!(!String::from_utf8_lossy(&response.body).contains(PAGE), "{claims}");
        let expected = (401, "insufficient-user-authentication".to_owned(), "authentication-insufficient".to_owned());
        assert_eq!(gate.refusal(CLIENT, get_as("/strong", &token)), expected, "{claims}");

        let passed = gate.send(get_as("/tried", &token));
        assert_sends_the_page(&gate, &passed);
        assert_eq!(gate.line(&passed)["shadow"], json!(["would-refuse authentication-insufficient"]), "{claims}");
    }
    let token = gate.token(json!({ "acr": "phr", "auth_time": soon }));
    let response = gate.send(get_as("/strong", &token));
    assert_sends_the_page(&gate, &response);
    assert_eq!(response.field("cache-control"), Some("private, no-cache"));

    // A caller who has the file is asked to sign in again all the same.
    let known = response.field("etag").unwrap().to_owned();
    let mut again = get_as("/strong", &gate.token(json!({ "acr": "phr", "auth_time": long_ago })));
    again.headers_mut().insert("if-none-match", known.parse().unwrap());
    assert_eq!(gate.send(again).status, 401);
    assert!(gate.arrived().is_empty());
}
