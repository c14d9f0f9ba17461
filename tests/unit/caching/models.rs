//! Responses of models: which are sent again, and to whom. Row O27 of `docs/attacks.md`.

use fastgate::headers::IDENTITY;
use fastgate::policy::Policy;
use serde_json::{Value, json};

use super::{Outcome, exchange};
use crate::offline::fakes::{FakeBody, FakeKeys};
use crate::offline::{Gate, Request, policy_of, request};
use crate::samples::policy_document;
use crate::samples::sign::{claims, header, payload_of, token, with};

const EMBEDDINGS: &str = "openai-embeddings";
const CHAT: &str = "openai-chat";

fn document(api: &str, cache: &Value, more: &Value) -> Value {
    let mut document = policy_document();
    document["issuers"]["alpha"]["claims"] = json!({ "roles": ["roles"] });
    document["budgets"] = json!({ "daily": { "tokens": 2000, "window": 86_400, "by": ["subject"] } });
    let mut inference = json!({
        "api": api,
        "models": { "small": {}, "pro": { "require": { "role": "pro" }, "name_at_origin": "vendor/pro" }, "other": { "name_at_origin": "small" } }
    });
    inference.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    document["routes"].as_array_mut().unwrap().push(json!({
        "id": "models", "path": "/v1/models", "methods": ["POST"], "origin": "app", "inference": inference, "cache": cache
    }));
    document
}

fn gate(api: &str, more: &Value) -> Gate {
    let cache = json!({ "audience": "public", "shared": true, "ttl": 60 });
    Gate::new(policy_of(&document(api, &cache, more)), FakeKeys::of_both())
}

fn post(gate: &Gate, body: &str) -> Request {
    post_as(gate, &json!([]), body)
}

fn post_as(gate: &Gate, roles: &Value, body: &str) -> Request {
    gate.fakes().body = FakeBody::of(body.as_bytes());
    let token = token(&header(), &with(&claims(), "roles", roles.clone()));
    request("POST", "/v1/models").bearer(&token).field("content-type", "application/json")
}

fn sent(gate: &Gate, body: &str) -> Outcome {
    let request = post(gate, body);
    exchange(gate, request, 200, &[])
}

/// Whether the second of two requests gets the response to the first.
fn is_shared(api: &str, one: &str, other: &str) -> bool {
    let more = if api == CHAT { json!({ "max_choices": 4 }) } else { json!({}) };
    let gate = gate(api, &more);
    assert_eq!(sent(&gate, one), Outcome::Fetched, "{one}");
    match sent(&gate, other) {
        Outcome::Stored(200) => true,
        Outcome::Fetched => false,
        outcome => panic!("{other}: {outcome:?}"),
    }
}

#[test]
fn an_embedding_is_sent_again_however_the_request_is_written() {
    let one = r#"{"model":"small","input":["caf\u00e9","b"]}"#;
    for other in [one, "{ \"input\": [ \"café\", \"b\" ],\n \"model\": \"sm\\u0061ll\" }"] {
        assert!(is_shared(EMBEDDINGS, one, other), "{other}");
    }
    for other in [
        r#"{"model":"small","input":["b","café"]}"#,
        r#"{"model":"small","input":["café","b","c"]}"#,
        r#"{"model":"small","input":"café"}"#,
        r#"{"model":"other","input":["café","b"]}"#,
        r#"{"model":"small","input":["café","b"],"dimensions":64}"#,
        r#"{"model":"small","input":["café","b"],"encoding_format":"base64"}"#,
        r#"{"model":"small","input":["café","b"],"user":"x"}"#,
    ] {
        assert!(!is_shared(EMBEDDINGS, one, other), "{other}");
    }
}

#[test]
fn a_completion_is_sent_again_if_it_asks_for_no_randomness() {
    let of = |rest: &str| format!(r#"{{"model":"small","messages":[{{"role":"user","content":"Hi"}}]{rest}}}"#);
    let deterministic = of(r#","temperature":0,"seed":7"#);
    assert!(is_shared(CHAT, &deterministic, &of(r#","seed":7,"temperature":0"#)));
    assert!(is_shared(CHAT, &of(r#","temperature":0.0,"seed":-7"#), &of(r#","temperature":0.0,"seed":-7"#)));
    for other in [
        r#","temperature":0,"seed":8"#,
        r#","temperature":0,"seed":7,"n":2"#,
        r#","temperature":0,"seed":7,"top_p":0.5"#,
    ] {
        assert!(!is_shared(CHAT, &deterministic, &of(other)), "{other}");
    }
    let gate = gate(CHAT, &json!({ "state": ["store"], "media": ["image"], "extra_members": ["web_search_options"] }));
    for other in [
        "",
        r#","temperature":0"#,
        r#","seed":7"#,
        r#","temperature":0.1,"seed":7"#,
        r#","temperature":null,"seed":7"#,
        r#","temperature":0,"seed":null"#,
        r#","temperature":0,"seed":"7""#,
        r#","temperature":"0","seed":7"#,
        r#","temperature":0,"seed":7,"stream":true"#,
        r#","temperature":0,"seed":7,"store":true"#,
        r#","temperature":0,"seed":18446744073709551617"#,
        r#","temperature":0,"seed":7,"web_search_options":{}"#,
        r#","temperature":0,"seed":7,"top_p":-0"#,
        r#","temperature":0,"seed":7,"messages":[{"role":"user","content":"Hi","web_search_options":1}]"#,
        r#","temperature":0,"seed":7,"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"https://cam.test"}}]}]"#,
    ] {
        let body = of(other);
        let body = if other.contains("messages") {
            body.replacen(r#""messages":[{"role":"user","content":"Hi"}],"#, "", 1)
        } else {
            body
        };
        let request = post(&gate, &body);
        let outcome = gate.send(request);
        assert_eq!((outcome.trail.verdict, outcome.trail.cache), ("forwarded", None), "{other}");
        assert!(outcome.grant().storage().is_none(), "{other}");
        assert!(payload_of(&outcome.sent(IDENTITY).concat())["tctx"].get("shared").is_none(), "{other}");
    }
}

#[test]
fn only_a_success_is_stored_and_only_for_the_declared_time() {
    let body = r#"{"model":"small","input":"a"}"#;
    for (status, fields, why) in [
        (201, &[][..], "status"),
        (301, &[], "status"),
        (404, &[("cache-control", "max-age=60")], "status"),
        (200, &[("cache-control", "no-store")], "cache-control"),
        (200, &[("set-cookie", "a=b")], "set-cookie"),
        (200, &[("content-type", "text/event-stream")], "endless"),
    ] {
        let gate = gate(EMBEDDINGS, &json!({}));
        let request = post(&gate, body);
        assert_eq!(exchange(&gate, request, status, fields), Outcome::Relayed(why.to_owned()), "{status}");
        assert_ne!(sent(&gate, body), Outcome::Stored(200), "{status}");
    }
    let gate = gate(EMBEDDINGS, &json!({}));
    assert_eq!(sent(&gate, body), Outcome::Fetched);
    gate.now.set(gate.now.get() + 59);
    assert_eq!(sent(&gate, body), Outcome::Stored(200));
    gate.now.set(gate.now.get() + 2);
    // It is fetched anew: a condition of a request with a body would be a precondition.
    let request = post(&gate, body);
    let outcome = gate.send(request);
    assert_eq!(outcome.grant().storage().unwrap().validators().count(), 0);
}

#[test]
fn conditions_and_ranges_of_the_client_do_not_count() {
    let gate = gate(EMBEDDINGS, &json!({}));
    let body = r#"{"model":"small","input":"a"}"#;
    let request = post(&gate, body);
    assert_eq!(exchange(&gate, request, 200, &[("etag", "\"1\""), ("content-length", "10")]), Outcome::Fetched);
    let request = post(&gate, body).field("if-none-match", "\"1\"").field("range", "bytes=1-2");
    assert_eq!(exchange(&gate, request, 200, &[]), Outcome::Stored(200));
}

#[test]
fn the_rule_of_a_model_holds_for_what_is_stored() {
    let gate = gate(EMBEDDINGS, &json!({}));
    let body = r#"{"model":"pro","input":"a"}"#;
    let as_pro = || post_as(&gate, &json!(["pro"]), body);
    assert_eq!(exchange(&gate, as_pro(), 200, &[]), Outcome::Fetched);
    assert_eq!(exchange(&gate, as_pro(), 200, &[]), Outcome::Stored(200));
    let request = post(&gate, body);
    assert_eq!(exchange(&gate, request, 200, &[]), Outcome::Refused("model-refused"));
}

#[test]
fn the_origin_learns_only_what_the_audience_has_in_common() {
    let cache = json!({ "audience": "roles", "ttl": 60 });
    let more = json!({ "budgets": ["daily"] });
    let gate = Gate::new(policy_of(&document(EMBEDDINGS, &cache, &more)), FakeKeys::of_both());
    let body = r#"{"model":"other","input":"a"}"#;
    let request = post_as(&gate, &json!(["pro"]), body).field("user-agent", "x").field("cookie", "a=b");
    let outcome = gate.send(request);
    let signed = payload_of(&outcome.sent(IDENTITY).concat());
    assert_eq!(signed["tctx"]["shared"], json!(["roles"]));
    // What is left of a budget is about one caller.
    assert_eq!(signed["tctx"]["inference"], json!({ "model": "small", "alias": "other" }));
    assert!(signed.get("sub").is_none(), "{signed}");
    for name in ["user-agent", "cookie", "x-forwarded-for"] {
        assert!(outcome.sent(name).is_empty(), "{name}");
    }
    let share = |one: Value, other: Value| {
        let gate = Gate::new(policy_of(&document(EMBEDDINGS, &cache, &json!({}))), FakeKeys::of_both());
        let request = post_as(&gate, &one, body);
        assert_eq!(exchange(&gate, request, 200, &[]), Outcome::Fetched);
        let request = post_as(&gate, &other, body);
        exchange(&gate, request, 200, &[]) == Outcome::Stored(200)
    };
    assert!(share(json!(["a", "b"]), json!(["b", "a"])));
    assert!(!share(json!(["a"]), json!(["a", "b"])));
}

#[test]
fn a_stored_response_costs_no_tokens() {
    let gate = gate(EMBEDDINGS, &json!({ "budgets": ["daily"] }));
    let body = format!(r#"{{"model":"small","input":"{}"}}"#, "x".repeat(1200));
    assert_eq!(sent(&gate, &body), Outcome::Fetched);
    // A second one is more than is left of the budget.
    for _ in 0..3 {
        assert_eq!(sent(&gate, &body), Outcome::Stored(200));
    }
    assert_eq!(sent(&gate, &body.replace("xx", "yy")), Outcome::Refused("budget-exceeded"));
}

/// Otherwise each response would be purged when it arrives.
#[test]
fn a_request_to_a_model_makes_nothing_invalid() {
    let cache = json!({ "audience": "public", "shared": true, "ttl": 60 });
    let mut policy = document(EMBEDDINGS, &cache, &json!({}));
    policy["routes"].as_array_mut().unwrap().push(json!({
        "id": "pages", "path": "/v1/models", "methods": ["GET"], "origin": "app", "cache": cache
    }));
    let gate = Gate::new(policy_of(&policy), FakeKeys::of_both());
    let request = post(&gate, r#"{"model":"small","input":"a"}"#);
    assert!(gate.send(request).grant().invalidates().is_none());
}

#[test]
fn what_a_policy_may_not_say() {
    let faults = |cache: &Value| {
        let text = document(EMBEDDINGS, cache, &json!({})).to_string();
        Policy::parse(text.as_bytes()).map_or_else(|faults| faults.to_string(), |_| String::new())
    };
    assert_eq!(faults(&json!({ "audience": "caller", "ttl": 60, "stale_if_error": 60 })), "");
    let text = faults(&json!({ "audience": "caller", "ttl": 60, "stale_while_revalidate": 60 }));
    assert!(text.contains("routes[") && text.contains("is on a route for models"), "{text}");
    let cache = json!({ "audience": "caller", "ttl": 60 });
    for (api, more) in [
        ("anthropic-messages", json!({})),
        ("openai-responses", json!({})),
        ("json", json!({ "members": { "model": "engine" } })),
    ] {
        let text = document(api, &cache, &more).to_string();
        let text = Policy::parse(text.as_bytes()).map_or_else(|faults| faults.to_string(), |_| String::new());
        assert!(text.contains("cache: stores nothing: requests of this \"api\""), "{text}");
    }
}
