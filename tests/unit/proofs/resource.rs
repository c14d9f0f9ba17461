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

#[test]
fn only_get_and_only_the_whole_path_get_the_metadata() {
    let gate = gate_with(&json!({}));
    assert_eq!(gate.verdict(request("POST", "/.well-known/oauth-protected-resource")), "no-route");
    for target in ["/.well-known/oauth-protected-resource/", "/.well-known/oauth-protected-resource/x"] {
        assert_eq!(gate.verdict(get(target)), "no-route", "{target}");
    }
}

#[test]
fn an_unpublished_document_has_no_challenge() {
    let gate = gate_with(&json!({}));
    assert_eq!(gate.send(get("/nowhere")).refused(), (404, None));
}
