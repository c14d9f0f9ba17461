//! Requests to models: what the policy may say, which requests are refused, and that nothing but the name of the model
//! changes on the way. Rows O2 and O7 of docs/attacks.md.

mod bodies;
mod inputs;
mod placement;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fastgate::headers::IDENTITY;
use fastgate::policy::Policy;
use serde_json::{Value, json};

use crate::offline::fakes::{FakeBody, FakeKeys};
use crate::offline::{Gate, Outcome, policy_of, request};
use crate::samples::policy_document;
use crate::samples::sign::{claims, good, header, payload_of, token, with};

/// A policy with one route for this `inference`.
fn document(inference: &Value) -> Value {
    let mut document = policy_document();
    document["issuers"]["alpha"]["claims"] = json!({ "roles": ["roles"] });
    let route =
        json!({ "id": "chat", "path": "/v1/chat", "methods": ["POST"], "origin": "app", "inference": inference });
    document["routes"].as_array_mut().unwrap().push(route);
    document
}

/// A gate whose route has two models: `small` for all callers, `large` for those with the role `pro`.
fn gate(api: &str, more: &Value) -> Gate {
    let mut inference = json!({
        "api": api,
        "models": { "small": {}, "large": { "require": { "role": "pro" }, "name_at_origin": "vendor/large-2026" } }
    });
    inference.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    Gate::new(policy_of(&document(&inference)), FakeKeys::of_both())
}

/// Sends a body with a good token, and returns the outcome and the body as it is sent.
fn sent_with(gate: &Gate, token: &str, body: &[u8]) -> (Outcome, Vec<u8>) {
    gate.fakes().body = FakeBody::of(body);
    let outcome = gate.send(request("POST", "/v1/chat").bearer(token).field("content-type", "application/json"));
    let sent = gate.fakes().body.bytes.clone();
    (outcome, sent)
}

/// The state that a usual request refers to: only the Responses API keeps responses unless the request says otherwise.
fn usual_state(api: &str) -> Value {
    if api == "openai-responses" { json!(["store"]) } else { json!([]) }
}

/// The verdict on a body.
fn verdict(gate: &Gate, body: impl AsRef<[u8]>) -> &'static str {
    sent_with(gate, &good(), body.as_ref()).0.trail.verdict
}

fn of_pro() -> String {
    token(&header(), &with(&claims(), "roles", json!(["pro"])))
}

fn faults(inference: &Value) -> String {
    let text = document(inference).to_string();
    Policy::parse(text.as_bytes()).map_or_else(|faults| faults.to_string(), |_| String::new())
}

#[test]
fn the_model_is_replaced_and_the_digest_covers_what_is_sent() {
    let gate = gate("openai-chat", &json!({}));
    let body = r#"{ "messages" : [ {"role":"user","content":"caf\u00e9"} ],  "model": "large" , "temperature":1.0e0 }"#;
    let (outcome, sent) = sent_with(&gate, &of_pro(), body.as_bytes());
    assert_eq!(outcome.trail.verdict, "forwarded", "{:?}", outcome.trail.cause);
    assert_eq!(String::from_utf8(sent.clone()).unwrap(), body.replace("\"large\"", "\"vendor/large-2026\""));
    let digest = format!("sha-256=:{}:", STANDARD.encode(hmac_sha256::Hash::hash(&sent)));
    let judged = payload_of(&outcome.sent(IDENTITY).concat())["tctx"].clone();
    assert_eq!((&judged["content_digest"], outcome.sent("content-digest")), (&json!(digest), vec![digest.clone()]));
    assert_eq!(judged["inference"], json!({ "model": "vendor/large-2026", "alias": "large" }));
    assert_eq!(outcome.trail.model.as_deref(), Some("large"));
}

#[test]
fn a_model_without_another_name_leaves_the_body_as_it_is() {
    let gate = gate("openai-chat", &json!({}));
    let body = br#"{"model":"sm\u0061ll","messages":[]}"#;
    let (outcome, sent) = sent_with(&gate, &good(), body);
    assert_eq!((outcome.trail.verdict, sent.as_slice()), ("forwarded", &body[..]));
    assert_eq!(payload_of(&outcome.sent(IDENTITY).concat())["tctx"]["inference"], json!({ "model": "small" }));
}

#[test]
fn an_unknown_model_and_one_of_other_callers_are_refused_alike() {
    let gate = gate("openai-chat", &json!({}));
    let of =
        |model: &str| sent_with(&gate, &good(), json!({ "model": model, "messages": [] }).to_string().as_bytes()).0;
    let (unknown, others) = (of("other"), of("large"));
    assert_eq!((unknown.trail.verdict, others.trail.verdict), ("model-refused", "model-refused"));
    assert_eq!(unknown.problem().body().replace("other", "large"), others.problem().body());
    assert_eq!(unknown.problem().status(), 403);
    let error: Value = serde_json::from_str(&others.problem().body()).unwrap();
    assert_eq!(error["error"]["param"], "model");
    assert!(others.trail.cause.unwrap().contains("pro"), "the log says why");
}

#[test]
fn callers_are_authorized_before_the_body_is_read() {
    let gate = gate("openai-chat", &json!({}));
    gate.fakes().body = FakeBody::broken();
    let outcome = gate.send(request("POST", "/v1/chat").field("content-type", "application/json"));
    assert_eq!(outcome.problem().status(), 401);
    assert!(gate.fakes().body.requested.is_empty());
    let error: Value = serde_json::from_str(&outcome.problem().body()).unwrap();
    assert_eq!(error["error"]["code"], "invalid_api_key", "the clients of the API understand it");
}

#[test]
fn refusals_have_the_form_that_the_clients_of_the_api_read() {
    let body = |api: &str| {
        let more = if api == "json" { json!({ "members": { "model": "model" } }) } else { json!({}) };
        let (outcome, _) = sent_with(&gate(api, &more), &good(), br#"{"model":"none"}"#);
        let media_type = outcome.problem().headers().all("content-type").next().unwrap().to_vec();
        (String::from_utf8(media_type).unwrap(), serde_json::from_str::<Value>(&outcome.problem().body()).unwrap())
    };
    let message = "the model \"none\" is not available to you";
    let openai = json!({ "message": message, "type": "permission_error", "param": "model", "code": "forbidden" });
    for api in ["openai-chat", "openai-responses", "openai-embeddings"] {
        assert_eq!(body(api), ("application/json".to_owned(), json!({ "error": openai })));
    }
    let anthropic = json!({ "type": "error", "error": { "type": "permission_error", "message": message } });
    assert_eq!(body("anthropic-messages"), ("application/json".to_owned(), anthropic));
    let (media_type, problem) = body("json");
    assert_eq!((media_type.as_str(), &problem["detail"]), ("application/problem+json", &json!(message)));
}

#[test]
fn what_a_policy_may_not_say() {
    let model = json!({ "small": {} });
    for (inference, place) in [
        (json!({ "api": "openai-chat", "models": {} }), "inference.models: is empty"),
        (json!({ "api": "openai", "models": model }), "unknown variant"),
        (json!({ "api": "openai-chat", "models": model, "max_token": 1 }), "unknown field"),
        (json!({ "api": "openai-chat", "models": model, "max_tokens": 0 }), "inference.max_tokens: is 0"),
        (
            json!({ "api": "openai-embeddings", "models": model, "max_tokens": 5 }),
            "inference.max_tokens: limits tokens",
        ),
        (json!({ "api": "openai-chat", "models": { "small": { "max_tokens": 0 } } }), "models.small.max_tokens: is 0"),
        (json!({ "api": "openai-responses", "models": model, "max_choices": 2 }), "inference.max_choices"),
        (json!({ "api": "openai-chat", "models": model, "max_input_bytes": 2_097_153 }), "inference.max_input_bytes"),
        (json!({ "api": "openai-chat", "models": { "a b": {} } }), "models.a b: is not the name"),
        (json!({ "api": "openai-chat", "models": { "a": { "name_at_origin": "" } } }), "models.a.name_at_origin"),
        (
            json!({ "api": "openai-chat", "models": { "a": { "require": { "rule": "none" } } } }),
            "models.a.require.rule",
        ),
        (json!({ "api": "json", "models": model }), "inference.members"),
        (json!({ "api": "json", "models": model, "members": { "model": "m", "max_tokens": "m" } }), "names one member"),
        (json!({ "api": "openai-chat", "models": model, "members": { "model": "m" } }), "inference.members"),
        (json!({ "api": "json", "models": model, "members": { "model": "m", "max_tokens": "M" } }), "names one member"),
        (json!({ "api": "json", "models": model, "members": { "model": "m" }, "stream": false }), "inference.stream"),
        (
            json!({ "api": "json", "models": model, "members": { "model": "m" }, "extra_members": ["a"] }),
            "extra_members",
        ),
        (
            json!({ "api": "openai-embeddings", "models": { "a": { "tools": true } } }),
            "inference.tools: judges nothing",
        ),
        (json!({ "api": "openai-embeddings", "models": model, "media": ["image"] }), "inference.media: judges nothing"),
        (json!({ "api": "openai-chat", "models": model, "tool_types": ["x"] }), "inference.tool_types: lists types"),
        (
            json!({ "api": "openai-chat", "models": model, "extra_members": ["top_k", "Top_K"] }),
            "extra_members[1]: has \"Top_K\", which some parsers read as \"top_k\"",
        ),
        (
            json!({ "api": "anthropic-messages", "models": model, "extra_members": ["top_\u{212a}"] }),
            "which some parsers read as \"top_k\"",
        ),
        (
            json!({ "api": "json", "models": model, "members": { "model": "to\u{212a}ens", "max_tokens": "tokens" } }),
            "names one member",
        ),
        (
            json!({ "api": "json", "models": model, "members": { "model": "m", "max_tokens": "m\0x" } }),
            "names one member",
        ),
        (json!({ "api": "openai-chat", "models": model, "state": ["store", "prompt"] }), "state: judges nothing"),
        (json!({ "api": "anthropic-messages", "models": model, "state": ["store"] }), "state: judges nothing"),
    ] {
        let found = faults(&inference);
        assert!(found.contains(place), "{inference}: {found:?} lacks {place:?}");
    }
}

#[test]
fn the_rest_of_the_route_has_to_go_with_it() {
    let inference = json!({ "api": "openai-chat", "models": { "small": { "require": { "role": "pro" } } } });
    for (member, value, expected) in [
        ("methods", json!(["POST", "GET"]), "routes[6].inference: is on a route that accepts other requests"),
        ("accepts", json!({ "max_body": 5 }), "accepts.max_body"),
        ("accepts", json!({ "content_types": ["text/plain"] }), "accepts.content_types"),
        ("access", json!("public"), "models.small.require"),
        ("respond", json!({ "status": 204 }), "routes[6].inference"),
    ] {
        let mut document = document(&inference);
        document["routes"][6][member] = value;
        let found =
            Policy::parse(document.to_string().as_bytes()).map_or_else(|faults| faults.to_string(), |_| String::new());
        assert!(found.contains(expected), "{member}: {found:?} lacks {expected:?}");
    }
}
