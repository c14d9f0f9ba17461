//! `fastgate explain`, as it is run: whoever is described by claims has a token that the policy's own rules take, and what
//! is not known off the edge is said.

use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use fastgate::policy::Policy;
use serde_json::{Value, json};

use crate::{desk, route};

static RUNS: AtomicUsize = AtomicUsize::new(0);

/// A policy with one issuer, whose document `parts` is added to, and the route `/x` with `more`.
pub(crate) fn policy(parts: &Value, more: &Value) -> Value {
    let mut policy = desk::policy(&json!({ "routes": [route("/x", &json!({ "methods": ["GET", "POST"] }))] }));
    let mut issuer = json!({ "issuer": "https://idp.test", "backend": "idp", "audiences": ["api"] });
    issuer.as_object_mut().unwrap().extend(parts.as_object().cloned().unwrap());
    policy["issuers"] = json!({ "main": issuer });
    policy["routes"][0].as_object_mut().unwrap().extend(more.as_object().cloned().unwrap());
    policy
}

fn explain(policy: &Value, arguments: &[&str]) -> Value {
    let run = RUNS.fetch_add(1, Ordering::Relaxed);
    let path = std::env::temp_dir().join(format!("fastgate-explain-{}-{run}.json", std::process::id()));
    std::fs::write(&path, policy.to_string()).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_fastgate"));
    command.args(["explain", "/x", "--json", "--policy"]).arg(&path).args(arguments);
    let output = command.output().unwrap();
    std::fs::remove_file(&path).unwrap();
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"))
}

fn verdict(policy: &Value, arguments: &[&str]) -> String {
    explain(policy, arguments)["verdict"].as_str().unwrap().to_owned()
}

#[test]
fn a_described_caller_has_a_token_by_an_algorithm_that_its_issuer_may_use() {
    for algorithm in ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA"] {
        let policy = policy(&json!({ "algorithms": [algorithm] }), &json!({}));
        assert_eq!(verdict(&policy, &["--claims", "{}"]), "forwarded", "{algorithm}");
    }
}

#[test]
fn a_described_caller_has_a_token_of_the_kind_that_is_wanted() {
    let mut of_presets = 0;
    for preset in ["auth0", "okta", "entra", "cognito", "google", "keycloak", "hydra"] {
        for tokens in ["access", "id"] {
            let policy = policy(
                &json!({ "preset": preset, "tokens": tokens, "jwks_uri": "https://idp.test/keys", "clients": ["shop"] }),
                &json!({}),
            );
            if Policy::parse(policy.to_string().as_bytes()).is_ok() {
                of_presets += 1;
                assert_eq!(verdict(&policy, &["--claims", "{}"]), "forwarded", "{preset}, {tokens}");
            }
        }
    }
    assert!(of_presets >= 5, "{of_presets}");
    for parts in [
        json!({ "tokens": "id" }),
        json!({ "tokens": "id", "clients": ["shop"] }),
        json!({ "refused_claims": ["scope", "client_id"] }),
        json!({ "refused_claims": ["client_id"], "require_client": true, "claims": { "client": ["client_id", "azp"] } }),
        json!({ "types": [], "untyped": true }),
        json!({ "types": [], "untyped": true, "algorithms": ["PS512"] }),
        json!({ "required_claims": { "email_verified": true }, "max_lifetime": 60, "max_age": 5 }),
        json!({ "claims": { "tenant": ["org", "id"] }, "tenants": ["acme"] }),
    ] {
        assert_eq!(verdict(&policy(&parts, &json!({})), &["--claims", "{}"]), "forwarded", "{parts}");
    }
    let refused = policy(&json!({ "refused_claims": ["scope"] }), &json!({}));
    assert_eq!(
        verdict(&refused, &["--claims", r#"{"scope": "a"}"#]),
        "token-other-kind",
        "what is said is not taken back"
    );
}

#[test]
fn a_caller_with_a_bound_token_shows_what_it_is_bound_to() {
    let policy = policy(&json!({}), &json!({ "require_bound": true }));
    let digest = "A".repeat(43);
    for (cnf, expected) in [
        (json!({ "jkt": digest }), "forwarded"),
        (json!({ "x5t#S256": digest }), "forwarded"),
        (json!({ "kid": digest }), "token-bound"),
        (json!({}), "token-bound"),
    ] {
        assert_eq!(verdict(&policy, &["--claims", &json!({ "cnf": cnf }).to_string()]), expected, "{cnf}");
    }
    assert_eq!(verdict(&policy, &["--claims", "{}"]), "token-unbound");
}

#[test]
fn nobody_is_revoked_off_the_edge_and_it_is_said_that_the_list_was_not_asked() {
    let note = |deny_list: bool| {
        let explained = explain(&policy(&json!({ "deny_list": deny_list }), &json!({})), &["--claims", "{}"]);
        assert_eq!(explained["verdict"], "forwarded");
        explained["walk"].to_string().contains("the deny list was not asked")
    };
    assert!(note(true) && !note(false));
}

#[test]
fn a_body_is_as_long_as_it_is_declared_to_be() {
    for (parts, bytes, expected) in [
        (json!({ "sign_body": true }), 8 * 1024 * 1024, "forwarded"),
        (json!({ "sign_body": true }), 8 * 1024 * 1024 + 1, "body-grew-too-long"),
        (json!({ "sign_body": true, "accepts": { "max_body": 10 } }), 11, "body-too-long"),
        (json!({ "accepts": { "max_body": 10 } }), 10, "forwarded"),
        (json!({}), 100_000_000, "forwarded"),
    ] {
        let length = format!("content-length: {bytes}");
        let arguments = ["-X", "POST", "-H", &length, "--claims", "{}"];
        assert_eq!(verdict(&policy(&json!({}), &parts), &arguments), expected, "{parts}, {bytes}");
    }
}
