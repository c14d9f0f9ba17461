//! `fastgate diff`, run as a program, on the log lines of these tests: lines with enough facts are judged; for the
//! others, the missing facts are named and they never count as "no verdict differs".

use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use super::explain::policy;
use crate::offline::NOW;
use crate::provider;
use crate::rules::route;

static RUNS: AtomicUsize = AtomicUsize::new(0);

/// The log line of a forwarded caller, with other members of `recorded`.
fn line(recorded: Value) -> Value {
    let mut line = json!({
        "time": NOW, "request_id": "q", "method": "GET", "verdict": "forwarded", "subject": "ada", "issuer": "main",
        "recorded": { "path": "/x", "query": 0, "client": {}, "client_id": "shop", "bound": false }
    });
    line["recorded"].as_object_mut().unwrap().extend(recorded.as_object().cloned().unwrap());
    line
}

/// The same line of a request that was refused before identification.
fn refused(verdict: &str) -> Value {
    let mut line = line(json!({ "client_id": null }));
    line.as_object_mut().unwrap().remove("subject");
    line["verdict"] = verdict.into();
    line
}

/// `line` with one member set.
fn with(mut line: Value, name: &str, value: impl Into<Value>) -> Value {
    line[name] = value.into();
    line
}

/// The exit code, the changed verdicts, and the sum.
fn diff(old: &Value, new: &Value, log: &[Value]) -> (i32, Vec<String>, Value) {
    diff_text(old, new, &log.iter().map(Value::to_string).collect::<Vec<_>>().join("\n"))
}

fn diff_text(old: &Value, new: &Value, log: &str) -> (i32, Vec<String>, Value) {
    let run = RUNS.fetch_add(1, Ordering::Relaxed);
    let folder = std::env::temp_dir().join(format!("fastgate-diff-lines-{}-{run}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let files = [("old.json", old.to_string()), ("new.json", new.to_string()), ("log", log.to_owned())];
    let [old, new, log] = files.map(|(name, text)| {
        let path = folder.join(name);
        std::fs::write(&path, text).unwrap();
        path
    });
    let output = Command::new(env!("CARGO_BIN_EXE_fastgate-tool"))
        .args(["diff", "--json", "--log"])
        .args([log, old, new])
        .output();
    let output = output.unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
    let lines = String::from_utf8(output.stdout.clone()).unwrap();
    let mut lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let sum = lines.pop().unwrap_or_else(|| panic!("{output:?}"));
    let verdicts = lines.iter().map(|flip| flip["new"].as_str().unwrap().to_owned()).collect();
    (output.status.code().unwrap(), verdicts, sum)
}

/// The result for one line: `same`, the new verdict, or the reason why it was not judged.
fn becomes(old: &Value, new: &Value, line: &Value) -> String {
    let (code, verdicts, sum) = diff(old, new, std::slice::from_ref(line));
    let missing = sum["not_judged"].as_object().unwrap();
    match (code, verdicts.as_slice(), missing.keys().next()) {
        (0, [], None) => "same".to_owned(),
        (1, [verdict], None) => verdict.clone(),
        (3, [], Some(gap)) => gap.clone(),
        other => panic!("{other:?}"),
    }
}

fn changed(member: &str) -> String {
    format!("the new policy changes {member}, and the log does not have enough facts")
}

#[test]
fn a_new_rule_is_noticed_with_all_kinds_of_tokens() {
    let scope = (json!({ "scopes": ["admin"] }), "insufficient-scope");
    let role = (json!({ "require": { "role": "admin" } }), "condition-unmet");
    for issuer in [
        json!({}),
        json!({ "deny_list": true }),
        json!({ "tokens": "id" }),
        json!({ "preset": "google", "issuer": "https://accounts.google.com", "tokens": "id" }),
        json!({ "refused_claims": ["scope"] }),
        json!({ "algorithms": ["PS256"] }),
        json!({ "algorithms": ["EdDSA"] }),
        json!({ "types": [], "untyped": true }),
        json!({ "required_claims": { "email_verified": true }, "max_age": 60 }),
        json!({ "clients": ["shop", "till"], "require_client": true }),
    ] {
        // ID tokens have no scopes, nor do tokens in which the claim is refused.
        let (changed, verdict) =
            if issuer["tokens"].is_null() && issuer["refused_claims"].is_null() { &scope } else { &role };
        let (old, new) = (policy(&issuer, &json!({})), policy(&issuer, changed));
        assert_eq!(becomes(&old, &new, &line(json!({}))), *verdict, "{issuer}");
        assert_eq!(becomes(&new, &old, &with(line(json!({})), "verdict", *verdict)), "forwarded", "{issuer}");
    }
}

#[test]
fn a_bound_caller_is_judged_as_one() {
    let bound = |more: Value| {
        let mut parts = json!({ "require_bound": true });
        parts.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap());
        policy(&json!({}), &parts)
    };
    let (plain, old, new) = (policy(&json!({}), &json!({})), bound(json!({})), bound(json!({ "scopes": ["admin"] })));
    let untold = line(json!({ "bound": null }));
    // The route tells: it takes no other token. So does the line, where it is of an edge that writes that down.
    assert_eq!(becomes(&old, &new, &untold), "insufficient-scope");
    assert_eq!(becomes(&plain, &old, &line(json!({ "bound": true }))), "same");
    assert_eq!(becomes(&plain, &old, &line(json!({}))), "token-unbound");
    assert_eq!(becomes(&plain, &old, &untold), changed("require_bound of route \"route\""));
    assert_eq!(becomes(&old, &plain, &with(untold, "verdict", "token-unbound")), "forwarded");
}

#[test]
fn logged_facts_about_a_token_are_replayed_and_missing_ones_are_named() {
    let plain = json!({ "audiences": ["api", "b"], "algorithms": ["ES256", "RS256"], "types": ["at+jwt", "jwt"] });
    let extended = |parts: &Value| {
        let mut issuer = plain.clone();
        issuer.as_object_mut().unwrap().extend(parts.as_object().cloned().unwrap());
        policy(&issuer, &json!({}))
    };
    let old = extended(&json!({}));
    for (parts, member) in [
        (json!({ "audiences": ["b"] }), "audiences"),
        (json!({ "algorithms": ["ES256"] }), "algorithms"),
        (json!({ "types": ["at+jwt"] }), "types"),
        (json!({ "required_claims": { "email_verified": true } }), "required_claims"),
        (json!({ "refused_claims": ["nonce", "at_hash", "c_hash", "acr"] }), "refused_claims"),
        (json!({ "max_age": 60 }), "max_age"),
        (json!({ "max_lifetime": 600 }), "max_lifetime"),
        (json!({ "leeway": 0 }), "leeway"),
        (json!({ "issuer": "https://other.test" }), "issuer"),
        (json!({ "issuer": "https://other.test", "issuer_aliases": ["https://idp.test"] }), "issuer"),
        (json!({ "jwks_uri": "https://idp.test/other" }), "jwks_uri"),
        (json!({ "backend": "other" }), "backend"),
        (json!({ "deny_list": true }), "deny_list"),
        (json!({ "claims": { "roles": ["other"] } }), "claims"),
    ] {
        let becomes = becomes(&old, &extended(&parts), &line(json!({})));
        assert_eq!(becomes, changed(&format!("issuers.main.{member}")), "{parts}");
    }
    let (acme, both) = (json!(["acme"]), json!(["acme", "globex"]));
    let tenants = |list: &Value| extended(&json!({ "claims": { "tenant": "org" }, "tenants": list }));
    assert_eq!(becomes(&tenants(&both), &tenants(&acme), &line(json!({}))), changed("issuers.main.tenants"));
    assert_eq!(becomes(&tenants(&acme), &tenants(&both), &line(json!({}))), "same");
    let of_tenant = |tenant: &str| line(json!({ "tenant": tenant }));
    assert_eq!(becomes(&tenants(&both), &tenants(&acme), &of_tenant("acme")), "same");
    assert_eq!(becomes(&tenants(&both), &tenants(&acme), &of_tenant("globex")), "token-tenant");
    let any = |tenants: Value| {
        extended(&json!({
            "issuer": "https://idp.test/{tenant}", "jwks_uri": "https://idp.test/keys", "claims": { "tenant": "org" },
            "tenants": tenants
        }))
    };
    let every = any(json!("any"));
    assert_eq!(becomes(&every, &every, &line(json!({}))), "same", "a line of an earlier version");
    assert_eq!(becomes(&every, &any(acme.clone()), &of_tenant("acme")), "same");
    assert_eq!(becomes(&every, &any(acme), &of_tenant("globex")), "token-tenant");

    let of_route = |names: Value| {
        policy(&json!({ "audiences": ["api", "b"] }), &json!({ "token_audiences": names, "scopes": ["read"] }))
    };
    let (only_b, all) = (of_route(json!(["b"])), of_route(json!(["api", "b"])));
    let read = line(json!({ "scopes": ["read"] }));
    assert_eq!(becomes(&only_b, &only_b, &read), "same", "the token was for the audience of the route");
    assert_eq!(becomes(&only_b, &all, &read), "same");
    assert_eq!(becomes(&all, &only_b, &read), changed("the audiences of tokens on route \"route\""));

    let clients = extended(&json!({ "clients": ["shop"] }));
    assert_eq!(becomes(&old, &clients, &line(json!({}))), "same");
    assert_eq!(becomes(&old, &clients, &line(json!({ "client_id": "till" }))), "token-client");
    assert_eq!(becomes(&old, &clients, &line(json!({ "client_id": null }))), "token-claim-missing");

    for wider in [
        json!({ "audiences": ["api", "b", "c"] }),
        json!({ "algorithms": ["ES256", "RS256", "EdDSA"] }),
        json!({ "types": ["at+jwt", "jwt"], "untyped": true }),
        json!({ "issuer_aliases": ["https://other.test"] }),
    ] {
        assert_eq!(becomes(&old, &extended(&wider), &line(json!({}))), "same", "{wider}");
    }
    let denied = extended(&json!({ "deny_list": true }));
    assert_eq!(becomes(&denied, &denied, &line(json!({}))), "same", "the list was read for the logged request");
    assert_eq!(
        becomes(&denied, &old, &line(json!({}))),
        "same",
        "a caller who was not on the list stays accepted without it"
    );
    let keys = |issuer: &str, alias: &str| {
        extended(&json!({ "issuer": issuer, "issuer_aliases": [alias], "jwks_uri": "https://idp.test/keys" }))
    };
    let (one, other) = ("https://idp.test", "https://idp.test/other");
    let renamed = becomes(&keys(one, other), &keys(other, one), &line(json!({})));
    assert_eq!(renamed, "same", "the keys and both spellings are unchanged");
    let open = policy(&json!({ "audiences": ["b"] }), &json!({ "access": "public" }));
    assert_eq!(becomes(&old, &open, &line(json!({}))), "same", "a route that reads no token ignores its facts");
}

#[test]
fn rules_for_every_request_that_the_log_cannot_replay_are_named() {
    let edge = |parts: Value| {
        let mut policy = policy(&json!({}), &json!({}));
        policy["edge"].as_object_mut().unwrap().extend(parts.as_object().cloned().unwrap());
        policy
    };
    let (one, two) = (edge(json!({})), edge(json!({ "hosts": ["edge.test", "other.test"] })));
    assert_eq!(becomes(&one, &two, &line(json!({}))), "same");
    assert_eq!(becomes(&two, &one, &line(json!({}))), changed("edge.hosts"));
    assert_eq!(becomes(&one, &edge(json!({ "hosts": ["other.test"] })), &line(json!({}))), changed("edge.hosts"));
    assert_eq!(becomes(&one, &edge(json!({ "max_token": 1024 })), &line(json!({}))), changed("edge.max_token"));
    let proofs = edge(json!({ "dpop": { "nonce": true } }));
    assert_eq!(becomes(&one, &proofs, &line(json!({}))), "same", "its token was not bound");
    assert_eq!(becomes(&one, &proofs, &line(json!({ "bound": true }))), changed("edge.dpop"));
}

#[test]
fn limits_of_edge_rate_limiting_are_never_counted_again() {
    let limited = |counter: &Value, shadow: bool, place: &str| {
        let mut policy = policy(&json!({}), &json!({}));
        let by = if place == "edge" { "network" } else { "subject" };
        policy["limits"] =
            json!({ "l": { "count": 60, "window": 60, "by": [by], "counter": counter, "shadow": shadow } });
        match place {
            "edge" => policy["edge"]["flood_limit"] = json!("l"),
            _ => policy["routes"][0]["limits"] = json!(["l"]),
        }
        policy
    };
    let erl = json!({ "erl": { "rate_counter": "r", "penalty_box": "b", "penalty": 600 } });
    let plain = policy(&json!({}), &json!({}));
    for (place, gap) in [
        ("route", "Edge Rate Limiting counts a limit of its route, by estimates and penalties"),
        ("edge", "Edge Rate Limiting counts the flood limit, by estimates and penalties"),
    ] {
        assert_eq!(becomes(&plain, &limited(&erl, false, place), &line(json!({}))), gap);
        assert_eq!(becomes(&limited(&erl, false, place), &plain, &line(json!({}))), gap);
        assert_eq!(
            becomes(&plain, &limited(&erl, true, place), &line(json!({}))),
            "same",
            "a limit in shadow refuses no request"
        );
        assert_eq!(becomes(&plain, &limited(&json!("exact"), false, place), &line(json!({}))), "same");
    }
}

#[test]
fn an_invalid_token_keeps_its_verdict_unless_its_rules_change() {
    let (old, open) = (policy(&json!({}), &json!({})), policy(&json!({}), &json!({ "access": "optional" })));
    let (denied, lenient) =
        (policy(&json!({ "deny_list": true }), &json!({})), policy(&json!({ "leeway": 9 }), &json!({})));
    for code in ["token-expired", "token-other-kind", "proof-replayed"] {
        assert_eq!(becomes(&old, &old, &refused(code)), "same", "{code}");
        assert_eq!(becomes(&old, &open, &refused(code)), "forwarded", "{code}");
        assert_eq!(becomes(&old, &denied, &refused(code)), "same", "{code}");
        assert_eq!(becomes(&old, &lenient, &refused(code)), changed("issuers.main"), "{code}");
        let ignored = with(with(refused("forwarded"), "credentials_ignored", code), "verdict", "forwarded");
        assert_eq!(becomes(&open, &old, &ignored), code);
    }
    assert_eq!(becomes(&denied, &denied, &refused("token-revoked")), "same");
    assert_eq!(becomes(&denied, &old, &refused("token-revoked")), changed("issuers.main"));
    let mut unnamed = refused("token-unknown-issuer");
    unnamed.as_object_mut().unwrap().remove("issuer");
    assert_eq!(becomes(&old, &old, &unnamed), "same");
    assert_eq!(becomes(&old, &lenient, &unnamed), changed("issuers"));
}

#[test]
fn the_declared_length_of_a_body_is_judged() {
    let (old, signed) = (policy(&json!({}), &json!({})), policy(&json!({}), &json!({ "sign_body": true })));
    let post = |recorded: Value| with(line(recorded), "method", "POST");
    assert_eq!(becomes(&old, &signed, &post(json!({ "content_length": 100_000_000 }))), "body-grew-too-long");
    assert_eq!(becomes(&old, &signed, &post(json!({ "content_length": 100 }))), "same");
    assert_eq!(becomes(&old, &signed, &post(json!({}))), changed("the longest body of route \"route\""));
    assert_eq!(becomes(&old, &signed, &line(json!({}))), "same", "a GET without a length has no body");
}

#[test]
fn a_line_that_contradicts_the_old_policy_never_counts_as_the_same() {
    let old = policy(&json!({}), &json!({ "scopes": ["read"] }));
    let reader = line(json!({ "scopes": ["read"] }));
    assert_eq!(becomes(&old, &old, &reader), "same");
    for (line, gap) in [
        (line(json!({})), "the old policy gives insufficient-scope, the log says forwarded"),
        (
            with(reader.clone(), "verdict", "limit-exceeded"),
            "the old policy gives forwarded, the log says limit-exceeded",
        ),
        (refused("keys-unavailable"), "its token was not read when it was logged"),
        (line(json!({ "scopes": ["read", "read"] })), "the old policy finds other scopes than the log says"),
    ] {
        assert_eq!(becomes(&old, &old, &line), gap);
    }
    assert_eq!(
        becomes(&old, &old, &with(reader.clone(), "verdict", "origin-too-slow")),
        "same",
        "the gate let it pass"
    );

    let new = policy(&json!({}), &json!({ "scopes": ["write"] }));
    let (code, verdicts, sum) = diff(&old, &new, &[reader.clone(), line(json!({})), json!({})]);
    assert_eq!((code, verdicts.len(), &sum["judged"], &sum["differ"]), (1, 1, &json!(1), &json!(1)));
    assert_eq!(sum["not_judged"].as_object().unwrap().len(), 2);
    assert_eq!(diff(&old, &old, &[reader, json!({})]).0, 3, "one line was not judged");
}

#[test]
fn a_line_that_no_edge_writes_is_counted_and_the_rest_is_judged() {
    let policy = policy(&json!({}), &json!({}));
    let long = "its path or query is too long to be judged again";
    let other = "it is not a log line of a request with a canonical path";
    for (hostile, gap) in [
        (line(json!({ "query": u64::MAX })), long),
        (line(json!({ "query": 10_000_000_000_000_u64 })), long),
        (line(json!({ "query": 8193 })), long),
        (line(json!({ "path": format!("/{}", "x".repeat(4096)) })), long),
        (line(json!({ "query": -1 })), other),
        (line(json!({ "path": "/x?y" })), other),
        (line(json!({ "path": "https://edge.test/x" })), other),
        (line(json!({ "path": "/%78" })), other),
        (line(json!({ "path": "" })), other),
    ] {
        let (code, verdicts, sum) = diff(&policy, &policy, &[hostile.clone(), line(json!({}))]);
        assert_eq!((code, verdicts.len(), &sum["judged"]), (3, 0, &json!(1)), "{hostile}");
        assert_eq!(sum["not_judged"], json!({ gap: 1 }), "{hostile}");
    }
    for (text, judged, gaps) in [
        (format!("fastgate :: {}", line(json!({}))), 1, json!({})),
        ("listening on 127.0.0.1".to_owned(), 0, json!({ "it is not JSON": 1 })),
        (format!("other :: {}", line(json!({}))), 0, json!({ "it is not JSON": 1 })),
    ] {
        let (_, _, sum) = diff_text(&policy, &policy, &text);
        assert_eq!((&sum["judged"], &sum["not_judged"]), (&json!(judged), &gaps), "{text}");
    }
    for usual in [
        line(json!({ "query": 8000 })),
        line(json!({ "path": "/x" })),
        with(line(json!({ "content_length": u64::MAX })), "method", "POST"),
    ] {
        assert_eq!(diff(&policy, &policy, std::slice::from_ref(&usual)).0, 0, "{usual}");
    }
    // A token that would outlive the last date is not judged, and the run continues.
    let late = with(line(json!({})), "time", u64::MAX);
    assert_eq!(diff(&policy, &policy, &[late, line(json!({}))]).2["judged"], 1);
}

#[test]
fn a_blank_line_is_not_a_request() {
    let (policy, line) = (policy(&json!({}), &json!({})), line(json!({})));
    for log in [format!("{line}\r\n\r\n"), format!("\n \t\n{line}\n\n"), format!("\r\n{line}\r\n \r\n")] {
        let (code, _, sum) = diff_text(&policy, &policy, &log);
        assert_eq!((code, &sum["judged"], &sum["not_judged"]), (0, &json!(1), &json!({})), "{log:?}");
    }
}

#[test]
fn a_required_sign_in_cannot_be_judged_from_a_log() {
    let old = policy(&json!({}), &json!({}));
    let new = policy(&json!({}), &json!({ "authentication": { "acr": ["phr"] } }));
    assert_eq!(becomes(&old, &new, &line(json!({}))), "its route reads a claim");
}

#[test]
fn a_request_to_a_model_cannot_be_judged_from_a_log() {
    let inference = json!({ "api": "openai-chat", "models": { "small": {} } });
    let policy = policy(&json!({}), &json!({ "methods": ["POST"], "inference": inference }));
    let post = with(line(json!({})), "method", "POST");
    assert!(becomes(&policy, &policy, &post).contains("depends on the body"));
}

#[test]
fn a_request_to_an_mcp_server_cannot_be_judged_from_a_log() {
    let policy =
        policy(&json!({}), &json!({ "methods": ["GET", "POST", "DELETE"], "mcp": { "tools": { "ping": {} } } }));
    for method in ["GET", "POST", "DELETE"] {
        let line = with(line(json!({})), "method", method);
        assert!(becomes(&policy, &policy, &line).contains("depends on the body and the session"), "{method}");
    }
}

#[test]
fn a_request_that_moves_to_another_region_is_a_difference() {
    let policy = |germany: &str, by: Value| {
        let mut policy = provider::policy(&json!({ "routes": [route("/x", &json!({}))] }));
        policy["issuers"]["main"]["claims"] = json!({ "tenant": "tid" });
        policy["origins"]["app"] = json!({
            "audience": "app", "backends": { "one": { "region": "eu" }, "two": { "region": "us" } },
            "regions": { "eu": {}, "us": { "fallback": "eu" } },
            "selection": { "region_by": [{ "by": by, "regions": { "DE": germany } }], "default_region": "us" }
        });
        policy
    };
    let of = |germany| policy(germany, json!("country"));
    let from = |country: &str| line(json!({ "client": { "country": country } }));
    assert_eq!(becomes(&of("eu"), &of("us"), &from("DE")), "forwarded");
    assert_eq!(becomes(&of("eu"), &of("us"), &from("FR")), "same");
    // The log has no such claim, so nothing is said about the region.
    let by_claim = |germany| policy(germany, json!({ "claim": "country" }));
    assert_eq!(becomes(&by_claim("eu"), &by_claim("us"), &from("DE")), "same");
    // A backend that was skipped then is skipped in the replay: then its fallback counts, which the new policy removes.
    let mut alone = of("eu");
    alone["origins"]["app"]["regions"]["us"] = json!({});
    let skipped = with(from("FR"), "skipped", json!(["two"]));
    assert_eq!(becomes(&of("eu"), &alone, &skipped), "forwarded");
    assert_eq!(becomes(&of("eu"), &alone, &from("FR")), "same", "no backend was skipped");
}

#[test]
fn a_region_that_may_refuse_by_a_claim_that_the_log_lacks_is_not_judged() {
    let policy = |by: Value, default: Option<&str>, of_route: &Value| {
        let mut policy = provider::policy(&json!({ "routes": [route("/x", of_route)] }));
        policy["issuers"]["main"]["claims"] = json!({ "tenant": "tid" });
        let selection = json!({ "region_by": [{ "by": by, "regions": { "acme": "eu", "ada": "eu" } }] });
        policy["origins"]["app"] = json!({
            "audience": "app", "backends": { "one": { "region": "eu" }, "two": { "region": "us" } },
            "regions": { "eu": {}, "us": {} }, "selection": selection
        });
        if let Some(default) = default {
            policy["origins"]["app"]["selection"]["default_region"] = default.into();
        }
        policy
    };
    let claim = |name: &str| json!({ "claim": name });
    let old = policy(json!("country"), Some("eu"), &json!({}));
    let mut old_eu = old.clone();
    old_eu["origins"]["app"]["selection"]["region_by"] = json!([{ "by": "country", "regions": { "DE": "eu" } }]);
    let becomes = |new: &Value, line: &Value| becomes(&old_eu, new, line);
    let (plain, gap) = (json!({}), "its route chooses the region by a claim, and some regions would refuse it");
    let here = json!({ "regions": ["eu"] });
    assert_eq!(becomes(&policy(claim("cell"), None, &plain), &line(json!({}))), gap, "without it: no-region");
    assert_eq!(becomes(&policy(claim("cell"), Some("us"), &here), &line(json!({}))), gap, "without it: other-region");
    // Whatever the claim is, the verdict is the same.
    assert_eq!(becomes(&policy(claim("cell"), Some("eu"), &plain), &line(json!({}))), "same");
    let there = json!({ "regions": ["us"] });
    assert_eq!(becomes(&policy(claim("cell"), Some("eu"), &there), &line(json!({}))), "other-region");
    // The log has these claims.
    assert_eq!(becomes(&policy(claim("sub"), None, &plain), &line(json!({}))), "same");
    let of_acme = line(json!({ "tenant": "acme" }));
    assert_eq!(becomes(&policy(claim("tid"), None, &plain), &of_acme), "same");
    let of_globex = line(json!({ "tenant": "globex" }));
    assert_eq!(becomes(&policy(claim("tid"), None, &plain), &of_globex), "no-region");
    // A rule before it decides.
    let mut placed = policy(claim("cell"), None, &plain);
    let rules = placed["origins"]["app"]["selection"]["region_by"].as_array_mut().unwrap();
    rules.insert(0, json!({ "by": "country", "regions": { "DE": "us" } }));
    assert_eq!(becomes(&placed, &line(json!({ "client": { "country": "DE" } }))), "forwarded");
    assert_eq!(becomes(&placed, &line(json!({ "client": { "country": "FR" } }))), gap);
    // A caller without a token has no claims.
    let open = policy(claim("cell"), None, &json!({ "access": "optional" }));
    let mut before = old_eu.clone();
    before["routes"][0]["access"] = json!("optional");
    let anonymous = with(refused("forwarded"), "credentials_ignored", "credentials-missing");
    assert_eq!(self::becomes(&before, &open, &anonymous), "no-region");
}
