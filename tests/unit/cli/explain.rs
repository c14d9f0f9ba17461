//! `fastgate explain`, run as a program: a caller described by claims has a token that meets the rules of the policy,
//! and facts that are unknown off the edge are named.

use std::process::{Command, Output};
use std::sync::atomic::{AtomicUsize, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use fastgate::policy::Policy;
use serde_json::{Value, json};

use crate::provider;
use crate::rules::route;

static RUNS: AtomicUsize = AtomicUsize::new(0);

/// A policy with one issuer, to which `parts` is added, and the route `/x` with `more`.
pub(crate) fn policy(parts: &Value, more: &Value) -> Value {
    let mut policy = provider::policy(&json!({ "routes": [route("/x", &json!({ "methods": ["GET", "POST"] }))] }));
    let mut issuer = json!({ "issuer": "https://idp.test", "backend": "idp", "audiences": ["api"] });
    issuer.as_object_mut().unwrap().extend(parts.as_object().cloned().unwrap());
    policy["issuers"] = json!({ "main": issuer });
    policy["routes"][0].as_object_mut().unwrap().extend(more.as_object().cloned().unwrap());
    policy
}

/// The output of `fastgate explain` for `/x` with these further arguments.
fn run(policy: &Value, arguments: &[&str]) -> Output {
    let run = RUNS.fetch_add(1, Ordering::Relaxed);
    let path = std::env::temp_dir().join(format!("fastgate-explain-{}-{run}.json", std::process::id()));
    std::fs::write(&path, policy.to_string()).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_fastgate-tool"));
    command.args(["explain", "/x", "--policy"]).arg(&path).args(arguments);
    let output = command.output().unwrap();
    std::fs::remove_file(&path).unwrap();
    output
}

fn explain(policy: &Value, arguments: &[&str]) -> Value {
    let output = run(policy, &[&["--json"], arguments].concat());
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
fn a_described_caller_has_a_token_for_an_audience_that_the_route_accepts() {
    let policy = policy(&json!({ "audiences": ["api", "tools"] }), &json!({ "token_audiences": ["tools"] }));
    assert_eq!(verdict(&policy, &["--claims", "{}"]), "forwarded");
    assert_eq!(verdict(&policy, &["--claims", r#"{"aud":"api"}"#]), "token-audience");
}

#[test]
fn a_described_caller_has_a_token_of_the_accepted_kind() {
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
        json!({ "tokens": "other" }),
        json!({ "audiences": "none", "clients": ["shop"] }),
        json!({ "audiences": "none", "keys_of_one_client": true, "tokens": "other" }),
        json!({ "issuer": "idp/project", "jwks_uri": "https://idp.test/keys" }),
        json!({ "preset": "entra", "issuer": "https://login.microsoftonline.com/{tenant}/v2.0", "tenants": "any" }),
        json!({
            "preset": "entra", "issuer": "https://sts.windows.net/{tenant}/",
            "tenants": ["aaaabbbb-0000-cccc-1111-dddd2222eeee"]
        }),
        json!({
            "issuer": "https://idp.test/{tenant}", "tenants": "any", "claims": { "tenant": ["org", "id"] },
            "jwks_uri": "https://idp.test/keys"
        }),
    ] {
        assert_eq!(verdict(&policy(&parts, &json!({})), &["--claims", "{}"]), "forwarded", "{parts}");
    }
    // A described client is the only one in the token, whichever claim names it.
    let clients = policy(&json!({ "clients": ["shop"] }), &json!({}));
    for claim in ["client_id", "azp"] {
        for (client, expected) in [("shop", "forwarded"), ("other", "token-client")] {
            let claims = json!({ claim: client }).to_string();
            assert_eq!(verdict(&clients, &["--claims", &claims]), expected, "{claims}");
        }
    }
    let refused = policy(&json!({ "refused_claims": ["scope"] }), &json!({}));
    assert_eq!(
        verdict(&refused, &["--claims", r#"{"scope": "a"}"#]),
        "token-other-kind",
        "what is said is not taken back"
    );
}

#[test]
fn a_caller_with_a_bound_token_presents_its_certificate() {
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
fn offline_no_token_counts_as_revoked_and_the_output_says_so() {
    let note = |deny_list: bool| {
        let explained = explain(&policy(&json!({ "deny_list": deny_list }), &json!({})), &["--claims", "{}"]);
        assert_eq!(explained["verdict"], "forwarded");
        explained["steps"].to_string().contains("the deny-list was not read")
    };
    assert!(note(true) && !note(false));
}

#[test]
fn the_declared_length_of_a_body_counts() {
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

#[test]
fn a_request_to_a_model_is_explained_without_its_body() {
    let inference = json!({ "api": "openai-chat", "models": { "small": {} }, "max_input_bytes": 10 });
    let policy = policy(&json!({}), &json!({ "methods": ["POST"], "inference": inference }));
    let explained = explain(&policy, &["-X", "POST", "--claims", "{}"]);
    assert_eq!(explained["verdict"], "forwarded");
    assert!(explained["steps"].to_string().contains("the body is not known here"), "{explained}");
    let long = ["-X", "POST", "--claims", "{}", "-H", "content-length: 11"];
    assert_eq!(verdict(&policy, &long), "body-grew-too-long");
}

/// The exit code, and the verdict or the missing fact.
fn said(policy: &Value, arguments: &[&str]) -> (i32, String) {
    let output = run(policy, &[&["--json"], arguments].concat());
    let explained: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"));
    let is_said = explained["missing"].is_null();
    assert_eq!(is_said, explained["status"].is_u64() || explained["forward"].is_object(), "{explained}");
    assert_eq!(is_said, explained["verdict"].is_string(), "{explained}");
    let text = if is_said { &explained["verdict"] } else { &explained["missing"] };
    (output.status.code().unwrap(), text.as_str().unwrap().to_owned())
}

/// The policy with a place of these tests before `/x`.
fn placed(place: &Value) -> Value {
    let mut policy = policy(&json!({}), &json!({ "access": "public", "from": ["here"] }));
    policy["places"] = json!({ "here": place });
    policy
}

#[test]
fn a_fact_that_is_not_described_is_not_a_refusal() {
    for (test, given) in [
        (json!({ "country": ["DE"] }), vec!["--country", "DE"]),
        (json!({ "subdivision": ["US-CA"] }), vec!["--country", "US", "--client", r#"{"region":"CA"}"#]),
        (json!({ "continent": ["EU"] }), vec!["--client", r#"{"continent":"EU"}"#]),
        (json!({ "asn": [64500] }), vec!["--client", r#"{"asn":64500}"#]),
        (json!({ "connection": ["wired"] }), vec!["--client", r#"{"connection":"wired"}"#]),
        (json!({ "proxy": ["hosting"] }), vec!["--client", r#"{"proxy":"hosting"}"#]),
        (json!({ "anonymizer": ["vpn"] }), vec!["--client", r#"{"anonymizers":["vpn"]}"#]),
        (json!({ "network": ["198.51.100.0/24"] }), vec!["--address", "198.51.100.7"]),
        (json!({ "acl": ["office"] }), vec!["--address", "198.51.100.7", "--client", r#"{"acls":{"office":"allow"}}"#]),
    ] {
        let fact = test.as_object().unwrap().keys().next().unwrap().clone();
        let policy = placed(&json!({ "allow": [test] }));
        // The demanded fact leads to a verdict; an ACL needs two facts and demands one after the other.
        let (code, missing) = said(&policy, &[]);
        assert_eq!(code, 2, "{missing}");
        assert!(missing.starts_with(&format!("place \"here\" tests the client's {fact}: give --")), "{missing}");
        let first = if fact == "acl" { &given[..2] } else { &given };
        let option =
            first.iter().map(|part| if part.starts_with('{') { format!("'{part}'") } else { (*part).to_owned() });
        assert!(missing.contains(&option.collect::<Vec<_>>().join(" ")), "{missing}");
        assert_eq!(said(&policy, &given), (0, "forwarded".to_owned()), "{given:?}");
        let unknown = json!({ "unknown": [fact] }).to_string();
        assert_eq!(
            said(&policy, &["--client", &unknown]),
            (1, "place-unknown".to_owned()),
            "the edge refuses an unknown fact"
        );
        assert!(missing.contains(&unknown), "{missing}");
    }
}

#[test]
fn a_region_that_a_fact_might_change_is_not_stated() {
    let of_rules = |rules: Value, default: Option<&str>, of_route: Value| {
        let mut policy = policy(&json!({ "claims": { "tenant": "tid" } }), &of_route);
        policy["origins"]["app"] = json!({
            "audience": "app", "backends": { "one": { "region": "eu" }, "two": { "region": "us" } },
            "regions": { "eu": {}, "us": {} }, "selection": { "region_by": rules }
        });
        if let Some(default) = default {
            policy["origins"]["app"]["selection"]["default_region"] = default.into();
        }
        policy
    };
    let rule = |by: &str, value: &str, region: &str| json!({ "by": by, "regions": { value: region } });
    let (tenant, country, continent) =
        (rule("tenant", "acme", "us"), rule("country", "DE", "eu"), rule("continent", "EU", "eu"));
    let acme = ["--claims", r#"{"tid":"acme"}"#];
    let other = ["--claims", r#"{"tid":"other"}"#];
    let none = || json!({});
    let (by_country, by_continent) = (
        "the region depends on the country of the client: give --country DE, or --client '{\"unknown\":[\"country\"]}' if \
         the edge does not know it",
        "the region depends on the continent of the client: give --client '{\"continent\":\"EU\"}', or --client \
         '{\"unknown\":[\"continent\"]}' if the edge does not know it",
    );
    for (fact, first, given) in
        [(by_country, &country, ["--country", "DE"]), (by_continent, &continent, ["--client", r#"{"continent":"EU"}"#])]
    {
        // A rule after it decides, or the default, or nothing.
        let policy = of_rules(json!([first, tenant]), Some("us"), none());
        for caller in [&acme, &other] {
            assert_eq!(said(&policy, caller), (2, fact.to_owned()));
            let explained = explain(&policy, &[caller, given.as_slice()].concat());
            assert_eq!(explained["forward"]["region"], "eu", "{explained}");
        }
        assert_eq!(said(&of_rules(json!([first]), None, none()), &other), (2, fact.to_owned()));
        let elsewhere = of_rules(json!([first]), Some("us"), json!({ "regions": ["eu"] }));
        assert_eq!(said(&elsewhere, &other), (2, fact.to_owned()));
        // It decides nothing: a rule before it does, or the region would be the same.
        let explained = explain(&of_rules(json!([tenant, first]), Some("eu"), none()), &acme);
        assert_eq!(explained["forward"]["region"], "us", "{explained}");
        assert_eq!(said(&of_rules(json!([tenant, first]), Some("eu"), none()), &other).0, 0);
        assert_eq!(said(&of_rules(json!([first]), Some("us"), none()), &[]), (1, "credentials-missing".to_owned()));
    }
    let unknown = [&other[..], &["--client", r#"{"unknown":["country"]}"#]].concat();
    let policy = of_rules(json!([country]), Some("us"), none());
    assert_eq!(explain(&policy, &unknown)["forward"]["region"], "us", "the edge does not know it either");
}

#[test]
fn the_region_its_fallbacks_and_the_version_are_stated() {
    let said = |backends: Value, regions: Value, selection: Value, header: &[&str]| {
        let mut policy = policy(&json!({}), &json!({ "access": "public" }));
        policy["origins"]["app"] =
            json!({ "audience": "app", "backends": backends, "regions": regions, "selection": selection });
        let explained = explain(&policy, header);
        let steps = explained["steps"].as_array().unwrap().iter();
        let mut found =
            steps.filter(|step| step["step"] == "select").map(|step| step["found"].as_str().unwrap().to_owned());
        found.next().unwrap()
    };
    let (one, two) = (json!({ "region": "eu", "version": "next" }), json!({ "region": "ch" }));
    let backends = json!({ "one": one, "old": { "region": "eu" }, "two": two, "three": { "region": "us" } });
    let selection = json!({ "default_region": "eu", "version_by": { "header": "X-Version" } });
    let regions = json!({ "eu": { "fallback": "ch" }, "ch": { "fallback": "us" }, "us": {} });
    assert_eq!(said(backends.clone(), regions, selection.clone(), &[]), "region \"eu\", in its place ch, us");
    let alone = json!({ "eu": {}, "ch": {}, "us": {} });
    let next = ["--header", "X-Version: next"];
    assert_eq!(said(backends, alone, selection, &next), "region \"eu\", version \"next\"");
    let named = json!({ "one": {}, "two": { "version": "next" } });
    let by_header = json!({ "version_by": { "header": "X-Version" } });
    assert_eq!(said(named, json!({}), by_header, &next), "any backend, version \"next\"");
}

#[test]
fn the_backends_that_are_skipped_are_stated() {
    let mut policy = policy(&json!({}), &json!({ "access": "public" }));
    policy["origins"]["app"] = json!({ "audience": "app", "backends": { "b1": {}, "b2": {} } });
    let notes = |explained: &Value| {
        let steps = explained["steps"].as_array().unwrap().iter();
        let select =
            steps.filter(|step| step["step"] == "select").map(|step| step["found"].as_str().unwrap().to_owned());
        select.skip(1).collect::<Vec<_>>()
    };
    let explained = explain(&policy, &[]);
    assert_eq!((&explained["skipped"], notes(&explained).len()), (&json!([]), 1), "{explained}");
    for (skipped, other) in [("b1", "b2"), ("b2", "b1")] {
        // Which backend would be first depends on the request, so several requests are explained.
        let explained = explain(&policy, &["--skipped", skipped]);
        assert_eq!(explained["forward"]["backend"], other);
        match notes(&explained).as_slice() {
            [_] => assert_eq!(explained["skipped"], json!([])),
            [said, _] => {
                assert_eq!(explained["skipped"], json!([skipped]));
                assert_eq!(*said, format!("passes over what is skipped: \"{skipped}\""));
            }
            _ => panic!("{explained}"),
        }
    }
    let both = ["--skipped", "b1", "--skipped", "b2"];
    let explained = explain(&policy, &both);
    let mut skipped: Vec<String> = serde_json::from_value(explained["skipped"].clone()).unwrap();
    let all = "all backends that may serve it are skipped, so they are tried in turn all the same: ";
    let said = notes(&explained);
    assert!(said[0].starts_with(all) && said[0].contains("\"b1\"") && said[0].contains("\"b2\""), "{explained}");
    skipped.sort();
    assert_eq!(skipped, ["b1", "b2"]);
    let text = String::from_utf8(run(&policy, &both).stdout).unwrap();
    assert!(text.contains(all) && text.contains("forwarded:"), "{text}");
    // As long as the region may be another one, so may the skipped backends.
    policy["origins"]["app"] = json!({
        "audience": "app", "backends": { "b1": { "region": "eu" }, "b2": { "region": "us" } },
        "regions": { "eu": {}, "us": {} },
        "selection": { "region_by": [{ "by": "country", "regions": { "DE": "eu" } }], "default_region": "us" }
    });
    assert_eq!(explain(&policy, &["--skipped", "b2"])["skipped"], Value::Null);
}

#[test]
fn an_acl_is_described_by_its_name_and_by_one_of_three_words() {
    let policy = placed(&json!({ "allow": [{ "acl": ["office"] }] }));
    let acls = |acls: &str| said(&policy, &["--address", "198.51.100.7", "--client", &format!(r#"{{"acls":{acls}}}"#)]);
    assert_eq!(acls(r#"{"office":"allow"}"#), (0, "forwarded".to_owned()));
    assert_eq!(acls(r#"{"office":"none"}"#), (1, "place-not-allowed".to_owned()));
    assert_eq!(acls(r#"{"office":"block"}"#), (1, "place-not-allowed".to_owned()));
    let (code, missing) = acls(r#"{"offcie":"allow"}"#);
    assert!(code == 2 && missing.contains(r#"{"acls":{"office":"allow"}}"#), "{missing}");
    let (code, missing) = said(&policy, &["--client", r#"{"acls":{"office":"allow"}}"#]);
    assert!(code == 2 && missing.contains("--address"), "{missing}");
    let output = run(&policy, &["--client", r#"{"acls":{"office":"Allow"}}"#]);
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(error.contains("unknown variant `Allow`, expected one of `allow`, `block`, `none`"), "{error}");
}

#[test]
fn an_unknown_fact_that_refuses_no_request_is_named() {
    let passing = json!({ "deny": [{ "proxy": ["hosting"] }], "unknown_passes": ["proxy"] });
    let tried = json!({ "deny": [{ "proxy": ["hosting"] }], "shadow": true });
    for place in [passing, tried] {
        let explained = |arguments: &[&str]| {
            let explained = explain(&placed(&place), arguments);
            assert_eq!(explained["verdict"], "forwarded", "{explained}");
            explained["steps"].to_string()
        };
        assert!(explained(&[]).contains("not given, so unknown here: proxy"), "{place}");
        assert!(!explained(&["--client", r#"{"unknown":["proxy"]}"#]).contains("not given"), "{place}");
    }
    let denied = said(&placed(&json!({ "deny": [{ "country": ["KP"] }, { "asn": [1] }] })), &["--country", "KP"]);
    assert_eq!(denied, (1, "place-denied".to_owned()), "the other facts have no effect then");
    for (option, value) in [("--country", "Germany"), ("--country", ""), ("--client", r#"{"region":"US-CA"}"#)] {
        assert_eq!(run(&placed(&json!({ "deny": [{ "country": ["KP"] }] })), &[option, value]).status.code(), Some(2));
    }
}

#[test]
fn a_token_that_only_the_edge_can_check_is_not_called_invalid() {
    let token = provider::Provider::new("https://idp.test").token(crate::offline::NOW, json!({}));
    let now = crate::offline::NOW.to_string();
    for access in ["authenticated", "optional"] {
        let (code, missing) =
            said(&policy(&json!({}), &json!({ "access": access })), &["--token", &token, "--now", &now]);
        assert!(code == 2 && missing.contains("--jwks main=FILE, or --claims"), "{missing}");
        let opaque = json!({
            "introspection": { "url": "https://idp.test/i", "backend": "idp", "client_id": "edge", "client_secret": "s" }
        });
        let policy = policy(&opaque, &json!({ "access": access }));
        let (code, missing) = said(&policy, &["--token", "opaque"]);
        assert!(code == 2 && missing.contains("give --issuer main and --claims"), "{missing}");
        let output = run(&policy, &["--token", "opaque"]);
        let text = String::from_utf8(output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(2));
        assert!(text.contains("\nunknown: only the edge can ask issuer \"main\""), "{text}");
        assert!(!text.contains("refused:") && !text.contains("forwarded:"), "{text}");
    }
    let refused = said(&policy(&json!({}), &json!({})), &["--token", "opaque"]);
    assert_eq!(refused, (1, "token-malformed".to_owned()), "without introspection the token is malformed");
}

#[test]
fn the_certificate_of_a_real_token_cannot_be_presented_offline() {
    let provider = provider::Provider::new("https://idp.test");
    let path = std::env::temp_dir().join(format!("fastgate-explain-keys-{}.json", std::process::id()));
    std::fs::write(&path, provider.jwks()).unwrap();
    let jwks = format!("main={}", path.display());
    let policy = policy(&json!({}), &json!({}));
    let bound = |kind: &str| {
        let token = provider.token(crate::offline::NOW, json!({ "cnf": { kind: "A".repeat(43) } }));
        said(&policy, &["--token", &token, "--jwks", &jwks, "--now", &crate::offline::NOW.to_string()])
    };
    let (code, missing) = bound("x5t#S256");
    assert!(code == 2 && missing.contains("give --claims"), "{missing}");
    assert_eq!(bound("jkt"), (1, "token-bound".to_owned()), "its proof would be in a header");
    std::fs::remove_file(&path).unwrap();
}

#[test]
fn a_nonce_that_only_the_edge_knows_is_not_called_wrong() {
    let provider = provider::Provider::new("https://idp.test");
    let path = std::env::temp_dir().join(format!("fastgate-explain-nonce-{}.json", std::process::id()));
    std::fs::write(&path, provider.jwks()).unwrap();
    let mut policy = policy(&json!({}), &json!({}));
    policy["edge"]["dpop"] = json!({ "nonce": true });
    // The key and its thumbprint are those of RFC 9449 §4.1 and §6.1.
    let (x, y) = ("l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs", "9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA");
    let cnf = json!({ "jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I" });
    let token = provider.token(crate::offline::NOW, json!({ "cnf": cnf }));
    let part = |json: &Value| URL_SAFE_NO_PAD.encode(json.to_string());
    let with_proof = |more: Value| {
        let jwk = json!({ "kty": "EC", "crv": "P-256", "x": x, "y": y });
        let mut claims = json!({
            "htm": "GET", "htu": "https://edge.test/x", "iat": crate::offline::NOW, "jti": "j",
            "ath": URL_SAFE_NO_PAD.encode(hmac_sha256::Hash::hash(token.as_bytes()))
        });
        claims.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap());
        let header = part(&json!({ "typ": "dpop+jwt", "alg": "ES256", "jwk": jwk }));
        let proof = format!("dpop: {header}.{}.{}", part(&claims), "A".repeat(86));
        let (authorization, jwks) = (format!("authorization: DPoP {token}"), format!("main={}", path.display()));
        let now = crate::offline::NOW.to_string();
        said(&policy, &["-H", &authorization, "-H", &proof, "--jwks", &jwks, "--now", &now])
    };
    assert_eq!(with_proof(json!({})), (1, "proof-nonce".to_owned()));
    let (code, missing) = with_proof(json!({ "nonce": "of the edge" }));
    assert!(code == 2 && missing.contains("only the edge knows its nonces"), "{missing}");
    std::fs::remove_file(&path).unwrap();
}

/// The exit code and the output, one line for each request of `text`.
fn requests(policy: &Value, text: &str) -> (i32, Vec<Value>) {
    let run = RUNS.fetch_add(1, Ordering::Relaxed);
    let folder = std::env::temp_dir().join(format!("fastgate-explain-requests-{}-{run}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("policy.json"), policy.to_string()).unwrap();
    std::fs::write(folder.join("requests"), text).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_fastgate-tool"));
    let output = command.current_dir(&folder).args(["explain", "--requests", "requests"]).output().unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
    let lines = String::from_utf8(output.stdout).unwrap();
    let lines = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    (output.status.code().unwrap(), lines)
}

#[test]
fn a_request_that_cannot_be_explained_has_a_line_and_stops_no_other() {
    let policy = placed(&json!({ "allow": [{ "country": ["DE"] }] }));
    let good = r#"{"target":"/x","country":"DE"}"#;
    let refused = r#"{"target":"/x","country":"FR"}"#;
    assert_eq!(
        requests(&policy, &format!("{good}\r\n\r\n \n{refused}\r\n")).0,
        0,
        "every request is explained, and blank lines are ignored"
    );
    for (bad, error) in [
        (r#"{"target":"/x","foo":1}"#, "unknown field `foo`"),
        (r#"{"target":"/x""#, "EOF while parsing an object at column 14"),
        (r#"{"target":"/x","target":"/y"}"#, "twice"),
        (r#"{"target":"/x","acls":{"a":"allow","a":"none"}}"#, "twice"),
        (r#"["/x"]"#, "not an object"),
        (r#"{"target":"/x","token":"garbage","claims":{}}"#, "token and claims: give one of the two"),
        (r#"{"target":"/x","token":"garbage","issuer":"main"}"#, "issuer: it is the issuer of the claims"),
        (
            r#"{"target":"/x","claims":{},"issuer":"nobody"}"#,
            "\"nobody\" is not an issuer of the policy, which has \"main\"",
        ),
        (r#"{"target":"/x","client":{},"country":"DE"}"#, "client: it has every fact"),
        (r#"{"target":"/x","client":{"adress":"::1"}}"#, "client: unknown field `adress`"),
    ] {
        let (code, lines) = requests(&policy, &format!("{good}\n\n{bad}\n{refused}"));
        assert_eq!(code, 2, "{bad}");
        let [first, second, third] = lines.as_slice() else { panic!("{lines:?}") };
        assert_eq!((&first["verdict"], &third["verdict"]), (&json!("forwarded"), &json!("place-not-allowed")), "{bad}");
        let said = second["error"].as_str().unwrap();
        assert!(second["line"] == 3 && said.contains(error) && !said.contains("line 1"), "{bad}: {second}");
    }
    let (code, lines) = requests(&policy, &format!("{{\"target\":\"/x\"}}\n{good}"));
    assert!(code == 2 && lines[0]["missing"].is_string() && lines[1]["verdict"] == "forwarded", "{lines:?}");
}

#[test]
fn missing_facts_of_a_whole_client_are_demanded_within_it() {
    let policy = placed(&json!({ "allow": [{ "acl": ["office"] }] }));
    let missing = |case: &str| requests(&policy, case).1[0]["missing"].as_str().unwrap().to_owned();
    let said = missing(r#"{"target":"/x","client":{"country":"DE"}}"#);
    assert!(said.contains(r#"give "address" in "client","#), "{said}");
    let said = missing(r#"{"target":"/x","client":{"country":"DE","address":"198.51.100.7"}}"#);
    assert!(said.contains(r#"{"acls":{"office":"allow"}}"#), "{said}");
}

#[test]
fn every_given_argument_is_used() {
    let policy = placed(&json!({ "allow": [{ "country": ["DE"] }] }));
    for arguments in [
        vec!["--client", r#"{"claims":{}}"#],
        vec!["--client", r#"{"method":"POST"}"#],
        vec!["--client", r#"{"skipped":["one"]}"#],
        vec!["--client", r#"{"country":"DE","country":"FR"}"#],
        vec!["--country", "DE", "--client", r#"{"country":"FR"}"#],
        vec!["--address", "192.0.2.1", "--client", r#"{"client":"192.0.2.2"}"#],
        vec!["--claims", r#"{"sub":"a","sub":"b"}"#],
        vec!["--issuer", "main"],
        vec!["--requests", "none"],
    ] {
        let output = run(&policy, &arguments);
        assert_eq!((output.status.code(), output.stdout.is_empty()), (Some(2), true), "{arguments:?}: {output:?}");
        assert!(!output.stderr.is_empty());
    }
}

#[test]
fn a_backend_that_the_model_decides_is_not_stated() {
    let of = |backends: Value| {
        let inference = json!({ "api": "openai-chat", "models": { "small": {}, "large": {} } });
        let mut policy = policy(&json!({}), &json!({ "methods": ["POST"], "inference": inference }));
        policy["origins"]["app"] = json!({ "audience": "app", "backends": backends });
        explain(&policy, &["-X", "POST", "-H", "content-type: application/json", "--claims", "{}"])
    };
    let open = of(json!({ "s": { "models": ["small"] }, "l": { "models": ["large"] } }));
    let notes = open["steps"].to_string();
    assert_eq!((&open["verdict"], &open["forward"]["backend"]), (&json!("forwarded"), &Value::Null), "{open}");
    assert!(notes.contains("depends on the model, and so on the body"), "{notes}");
    let known = of(json!({ "s": {}, "l": { "weight": 0 } }));
    assert_eq!(known["forward"]["backend"], "s", "{known}");
}
