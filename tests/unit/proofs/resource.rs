//! RFC 9728: the metadata of the resource that the edge protects.

use fastgate::gateway::Decision;
use serde_json::{Value, json};

use super::{gate_with, policy};
use crate::offline::fakes::FakeKeys;
use crate::offline::{Gate, get, policy_of, request};

fn published(gate: &Gate, target: &str) -> Option<Value> {
    match gate.send(get(target)).decision {
        Decision::Publish(publication) => {
            assert_eq!(publication.fields.all("access-control-allow-origin").collect::<Vec<_>>(), [b"*"]);
            assert_eq!(publication.fields.all("content-type").collect::<Vec<_>>(), [b"application/json"]);
            Some(serde_json::from_str(&publication.body).unwrap())
        }
        _ => None,
    }
}

#[test]
fn the_metadata_follows_from_the_policy() {
    let expected = json!({
        "resource": "https://edge.test",
        "authorization_servers": ["https://idp.test"],
        "scopes_supported": ["orders:read"],
        "bearer_methods_supported": ["header"],
        "dpop_signing_alg_values_supported": ["ES256", "EdDSA"]
    });
    let gate = gate_with(&json!({}));
    assert_eq!(published(&gate, "/.well-known/oauth-protected-resource"), Some(expected));
}

#[test]
fn the_metadata_names_issuers_only_by_their_urls() {
    let servers = |issuer: Value| {
        let mut policy = policy(&json!({}));
        policy["issuers"] = json!({ "main": issuer });
        let gate = Gate::with_signing_keys(policy_of(&policy), FakeKeys::none(), &super::new_signing_keys().0);
        published(&gate, "/.well-known/oauth-protected-resource").unwrap()["authorization_servers"].clone()
    };
    let of_tenants = |tenants: Value| {
        json!({
            "issuer": "https://idp.test/{tenant}/v2", "backend": "idp", "audiences": ["a"], "claims": { "tenant": "t" },
            "jwks_uri": "https://idp.test/keys", "tenants": tenants
        })
    };
    assert_eq!(servers(of_tenants(json!(["b", "a"]))), json!(["https://idp.test/b/v2", "https://idp.test/a/v2"]));
    assert_eq!(servers(of_tenants(json!("any"))), Value::Null);
    let text = json!({
        "issuer": "idp.test/project", "backend": "idp", "audiences": ["a"], "jwks_uri": "https://idp.test/keys"
    });
    assert_eq!(servers(text), Value::Null);
}

#[test]
fn the_path_of_a_resource_follows_the_well_known_path() {
    let gate = gate_with(&json!({ "resource": "https://edge.test/v1" }));
    let found = published(&gate, "/.well-known/oauth-protected-resource/v1").unwrap();
    assert_eq!(found["resource"], "https://edge.test/v1");
    assert_eq!(published(&gate, "/.well-known/oauth-protected-resource"), None);
    let (_, challenge) = gate.send(get("/me")).refused();
    let metadata = "resource_metadata=\"https://edge.test/.well-known/oauth-protected-resource/v1\"";
    assert_eq!(challenge, Some(format!("Bearer {metadata}")));
}

/// A gate with the resources of the edge, of an origin at `/mcp`, and of an origin that is a host of its own.
fn gate_of_three_resources() -> Gate {
    let mut policy = policy(&json!({}));
    policy["edge"]["hosts"] = json!(["edge.test", "edge.test:8443", "files.test"]);
    policy["issuers"]["other"] =
        json!({ "issuer": "https://other.test", "backend": "idp", "audiences": ["https://files.test/"] });
    policy["origins"]["mcp"] = json!({ "backend": "b", "audience": "mcp", "resource": "https://edge.test/mcp" });
    policy["origins"]["files"] = json!({ "backend": "b", "audience": "files", "resource": "https://files.test/" });
    let routes = policy["routes"].as_array_mut().unwrap();
    for route in &mut *routes {
        route["origin"] = json!("app");
        route["issuers"] = if route["access"].is_null() { json!({ "main": {} }) } else { json!({}) };
    }
    routes.push(json!({ "id": "tool", "path": "/mcp", "methods": ["POST"], "origin": "mcp", "scopes": ["tools"] }));
    routes.push(json!({
        "id": "report", "path": "/reports", "methods": ["GET"], "origin": "files", "issuers": { "other": { "scopes": ["files"] } }
    }));
    Gate::with_signing_keys(policy_of(&policy), FakeKeys::none(), &super::new_signing_keys().0)
}

#[test]
fn each_resource_has_its_own_metadata() {
    let gate = gate_of_three_resources();
    let document = |host: &str, path: &str| {
        let target = format!("/.well-known/oauth-protected-resource{path}");
        let outcome = gate.send(get(&target).hosts(&[host.as_bytes()]));
        match outcome.decision {
            Decision::Publish(publication) => {
                assert_eq!(publication.fields.all("access-control-allow-origin").collect::<Vec<_>>(), [b"*"]);
                let found: Value = serde_json::from_str(&publication.body).unwrap();
                json!([found["resource"], found["authorization_servers"], found["scopes_supported"]])
            }
            _ => json!(outcome.trail.verdict),
        }
    };
    let [main, other] = ["https://idp.test", "https://other.test"];
    let mcp = json!(["https://edge.test/mcp", [main, other], ["tools"]]);
    let files = json!(["https://files.test/", [other], ["files"]]);
    // The optional route of the edge's resource accepts every issuer.
    let edge = json!(["https://edge.test", [main, other], ["orders:read"]]);
    for (host, path, expected) in [
        ("edge.test", "", &edge),
        ("edge.test", "/mcp", &mcp),
        ("EDGE.test:8443", "/mcp", &mcp),
        ("files.test", "", &files),
        ("files.test", "/mcp", &json!("no-route")),
        ("edge.test", "/mcp/", &json!("no-route")),
        ("edge.test", "/files", &json!("no-route")),
        ("unknown.test", "/mcp", &json!("host-unknown")),
    ] {
        assert_eq!(document(host, path), *expected, "{host} {path}");
    }
}

#[test]
fn challenges_name_the_metadata_of_the_resource_of_the_route() {
    let gate = gate_of_three_resources();
    let metadata = |url: &str| format!("resource_metadata=\"{url}\"");
    let mcp = metadata("https://edge.test/.well-known/oauth-protected-resource/mcp");
    let files = metadata("https://files.test/.well-known/oauth-protected-resource");
    let challenge = |request| gate.send(request).refused().1.unwrap();
    assert_eq!(challenge(request("POST", "/mcp")), format!("Bearer scope=\"tools\", {mcp}"));
    assert_eq!(challenge(get("/reports")), format!("Bearer {files}"));
    assert_eq!(challenge(get("/me")), format!("Bearer {}", super::METADATA));
    let bad = challenge(request("POST", "/mcp").bearer("a.b.c"));
    assert_eq!(bad, format!("Bearer error=\"invalid_token\", scope=\"tools\", {mcp}"));
}

#[test]
fn no_other_method_and_no_other_path_get_the_metadata() {
    let gate = gate_with(&json!({}));
    let post = gate.send(request("POST", "/.well-known/oauth-protected-resource"));
    let allowed: Vec<_> = post.problem().headers().all("allow").map(crate::offline::text).collect();
    assert_eq!((post.trail.verdict, allowed), ("method-not-allowed", vec!["GET, HEAD".to_owned()]));
    for target in ["/.well-known/oauth-protected-resource/", "/.well-known/oauth-protected-resource/x"] {
        assert_eq!(gate.verdict(get(target)), "no-route", "{target}");
    }
}

#[test]
fn head_gets_the_fields_and_a_page_may_read_with_fields_of_its_own() {
    let gate = gate_with(&json!({}));
    for path in ["/.well-known/oauth-protected-resource", "/.well-known/fastgate/jwks.json"] {
        let Decision::Publish(whole) = gate.send(get(path)).decision else { panic!("{path} is published") };
        let Decision::Publish(head) = gate.send(request("HEAD", path)).decision else { panic!("{path} has fields") };
        let length = whole.body.len().to_string();
        assert_eq!(head.fields.all("content-length").collect::<Vec<_>>(), [length.as_bytes()]);
        assert_eq!(head.body, "");
        let preflight = request("OPTIONS", path).field("access-control-request-method", "GET");
        let Decision::Preflight(fields) = gate.send(preflight).decision else { panic!("a page may read {path}") };
        for (name, value) in [("origin", "*"), ("methods", "GET, HEAD"), ("headers", "*")] {
            let name = format!("access-control-allow-{name}");
            assert_eq!(fields.all(&name).collect::<Vec<_>>(), [value.as_bytes()], "{name}");
        }
        let other = request("OPTIONS", path).field("access-control-request-method", "PUT");
        assert_eq!(gate.verdict(other), "method-not-allowed");
        assert_eq!(gate.verdict(request("OPTIONS", path)), "method-not-allowed", "it is no preflight");
    }
}

#[test]
fn an_unpublished_document_has_no_challenge() {
    let gate = gate_with(&json!({}));
    assert_eq!(gate.send(get("/nowhere")).refused(), (404, None));
}
