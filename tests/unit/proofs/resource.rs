//! RFC 9728: the metadata of the resource that the edge protects.

use fastgate::gateway::Decision;
use serde_json::{Value, json};

use super::gate_with;
use crate::offline::{Gate, get, request};

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
