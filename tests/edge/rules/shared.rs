//! One gate for the tests that need only a few routes of their own. They find their requests at the application by
//! request id or path.

use std::sync::LazyLock;

use serde_json::{Value, json};

use super::gate::{Gate, Setting};

pub(crate) static GATE: LazyLock<Gate> = LazyLock::new(|| {
    let accepts = json!({
        "max_body": 1000, "max_query": 10, "content_types": ["application/json"], "required_headers": ["x-version"]
    });
    let edits = json!({
        "request_headers": { "set": { "x-tier": "gold" }, "remove": ["x-debug"] },
        "response_headers": { "set": { "x-origin": "2" }, "remove": ["x-powered-by"] }
    });
    let parts = json!({
        "edge": { "issuer": "https://edge.test", "hosts": ["edge.test"], "security_headers": true },
        "groups": {
            "shop": {}, "news": { "maintenance": { "retry_after": 77 } },
            "web": { "cors": { "origins": ["https://app.test"], "headers": ["authorization"] } }
        },
        "routes": [
            public("p", "POST", json!({ "accepts": accepts })),
            public("raw", "POST", json!({})),
            public("signed", "POST", json!({ "sign_body": true })),
            public("long", "POST", json!({ "accepts": { "max_body": 300_000 } })),
            { "id": "r", "path": "/dl/{name}.bin", "methods": ["GET"], "access": "public",
              "rewrite": { "template": "/files/{name}" } },
            public("e", "GET", edits),
            public("a", "GET", json!({ "group": "shop" })),
            public("b", "GET", json!({ "group": "news" })),
            public("c", "GET", json!({})),
            { "id": "w", "path": "/w", "methods": ["PUT"], "group": "web" },
            { "id": "ws", "path": "/ws", "methods": ["GET"] },
            public("m", "GET", json!({})),
            { "id": "tenant", "path": "/t/{tenant}", "methods": ["GET"],
              "require": { "claim": { "name": "tenant", "equals_path": "tenant" } } },
            { "id": "partner", "path": "/partner", "methods": ["GET"], "issuers": { "partner": {} } },
            { "id": "greet", "path": "/greet", "methods": ["GET"], "access": "optional" }
        ]
    });
    let kv = vec![("switch".to_owned(), r#"{"groups":["shop"]}"#.to_owned())];
    Gate::with(&parts, &Setting { kv, ..Setting::default() })
});

fn public(id: &str, method: &str, parts: Value) -> Value {
    let mut route = json!({ "id": id, "path": format!("/{id}"), "methods": [method], "access": "public" });
    route.as_object_mut().unwrap().extend(parts.as_object().cloned().unwrap());
    route
}
