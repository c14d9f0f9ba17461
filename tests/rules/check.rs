//! `fastgate check`, as it is run: what is valid and yet hardly meant.

use std::process::Command;

use serde_json::{Value, json};

use crate::{desk, route};

fn check(name: &str, parts: &Value) -> (bool, String) {
    let path = std::env::temp_dir().join(format!("fastgate-check-{}-{name}.json", std::process::id()));
    std::fs::write(&path, desk::policy(parts).to_string()).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_fastgate")).arg("check").arg(&path).output().unwrap();
    std::fs::remove_file(&path).unwrap();
    (output.status.success(), String::from_utf8(output.stdout).unwrap())
}

fn public(path: &str, id: &str, methods: &[&str]) -> Value {
    route(path, &json!({ "id": id, "access": "public", "methods": methods }))
}

#[test]
fn what_is_hardly_meant_is_said_with_a_remedy_and_fails_nothing() {
    for (name, parts, hint) in [
        (
            "covers",
            json!({ "routes": [
                public("/{p:path}", "rest", &["GET", "DELETE"]), route("/admin/{id:int}", &json!({}))
            ] }),
            "$.routes[0]\n    lets everybody use DELETE on the paths of the protected route \"route\"",
        ),
        ("default", json!({ "routes": [public("/{p:path}", "rest", &["GET"])] }), "there is no default deny"),
        (
            "keys",
            json!({ "routes": [public("/.well-known/fastgate/jwks.json", "keys", &["GET"])] }),
            "is answered by the edge itself",
        ),
        (
            "http",
            json!({ "issuers": { "dev": { "issuer": "http://127.0.0.1:9080", "backend": "idp", "audiences": ["a"] } },
                    "routes": [route("/", &json!({}))] }),
            "$.issuers.dev.issuer\n    is http",
        ),
        (
            "auth0-preset",
            json!({ "issuers": { "a": { "preset": "auth0", "issuer": "https://login.x.test", "backend": "idp", "audiences": ["a"] } },
                    "routes": [route("/", &json!({}))] }),
            "$.issuers.a.issuer\n    has no slash at its end",
        ),
        (
            "auth0-host",
            json!({ "issuers": { "a": { "issuer": "https://x.eu.auth0.com", "backend": "idp", "audiences": ["a"] } },
                    "routes": [route("/", &json!({}))] }),
            "$.issuers.a.issuer\n    has no slash at its end",
        ),
        (
            "leeway",
            json!({ "issuers": { "dev": { "issuer": "https://x.test", "backend": "idp", "audiences": ["a"], "leeway": 300 } },
                    "routes": [route("/", &json!({}))] }),
            "$.issuers.dev.leeway\n    lets tokens live 300 seconds longer",
        ),
        (
            "limit",
            json!({ "limits": { "l": { "count": 1, "window": 1, "by": ["subject"], "shadow": true } },
                    "routes": [route("/", &json!({ "access": "public", "limits": ["l"] }))] }),
            "limit \"l\" counts callers, whom a public route does not know",
        ),
        (
            "tried",
            json!({ "places": { "p": { "allow": [{ "country": ["DE"] }], "shadow": true } },
                    "routes": [route("/", &json!({ "from": ["p"] }))] }),
            "$.places.p\n    is only tried",
        ),
    ] {
        let (valid, text) = check(name, &parts);
        assert!(valid && text.contains(hint) && text.contains("→"), "{name}: {text}");
    }
}

#[test]
fn a_policy_that_means_what_it_says_gets_no_hint() {
    let parts = json!({
        "issuers": {
            "a": { "preset": "auth0", "issuer": "https://x.eu.auth0.com/", "backend": "idp", "audiences": ["a"] },
            "b": { "issuer": "https://idp.test", "backend": "idp", "audiences": ["a"] },
        },
        "routes": [public("/", "root", &["GET"]), route("/admin/{id:int}", &json!({}))]
    });
    let (valid, text) = check("clean", &parts);
    assert!(valid && text.lines().count() == 1, "{text}");
}

#[test]
fn what_cannot_be_meant_is_a_fault() {
    let parts = json!({
        "issuers": { "dev": { "issuer": "http://example.com", "backend": "idp", "audiences": [], "leeway": 301 } },
        "routes": [route("/", &json!({}))]
    });
    let (valid, text) = check("fault", &parts);
    let places = ["$.issuers.dev.issuer", "$.issuers.dev.audiences", "$.issuers.dev.leeway"];
    assert!(!valid && places.iter().all(|place| text.contains(place)), "{text}");
}
