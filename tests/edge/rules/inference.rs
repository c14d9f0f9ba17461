//! Requests to models at the edge: what reaches the application, what is refused, and in the form of which API. Row O1 of
//! docs/attacks.md.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::{Body, Request};
use serde_json::{Value, json};

use super::gate::{Gate, GateResponse, minted, request};

static GATE: LazyLock<Gate> = LazyLock::new(|| {
    let route = |id: &str, api: &str| {
        json!({
            "id": id, "path": format!("/{id}"), "methods": ["POST"], "access": "optional",
            "inference": {
                "api": api, "max_tokens": 100, "max_input_bytes": 4096, "stream": false,
                "models": { "small": { "name_at_origin": "vendor/small-2026" }, "plain": {}, "large": { "require": { "role": "pro" } } }
            }
        })
    };
    Gate::new(&json!({ "routes": [route("chat", "openai-chat"), route("messages", "anthropic-messages")] }))
});

fn post(path: &str, body: impl Into<Body>) -> Request<Body> {
    request("POST", path).header("content-type", "application/json").body(body.into()).unwrap()
}

fn code(response: &GateResponse) -> String {
    GATE.line(response)["verdict"].as_str().unwrap().to_owned()
}

#[test]
fn the_application_receives_the_model_of_the_origin_and_every_other_byte_as_it_was_sent() {
    let text = "{ \"messages\":[{\"role\":\"user\",\"content\":\"caf\\u00e9 🦀\"}], \"model\" : \"small\",\n\"max_tokens\":1, \"seed\":1.50 }";
    for (body, model, alias) in
        [(text.to_owned(), "vendor/small-2026", json!("small")), (text.replace("small", "plain"), "plain", Value::Null)]
    {
        let response = GATE.send(post("/chat", body.clone()));
        assert_eq!(response.status, 200, "{:?}", GATE.line(&response));
        let arrived = GATE.arrival(&response).unwrap();
        let judged = minted(&arrived)["tctx"].clone();
        let sent = body.replace("\"small\"", "\"vendor/small-2026\"");
        let digest = format!("sha-256=:{}:", STANDARD.encode(hmac_sha256::Hash::hash(sent.as_bytes())));
        assert_eq!(
            (arrived.field("content-digest"), &judged["content_digest"]),
            (Some(digest.as_str()), &json!(digest))
        );
        assert_eq!((&judged["inference"]["model"], &judged["inference"]["alias"]), (&json!(model), &alias));
        assert_eq!(arrived.field("content-length").unwrap_or_default(), sent.len().to_string());
        assert_eq!(arrived.body.as_deref(), Ok(sent.as_bytes()));
        assert_eq!(GATE.line(&response)["model"], if alias.is_null() { json!("plain") } else { alias });
    }
}

#[test]
fn refusals_have_codes_and_reach_no_application() {
    let deep = format!("{{\"model\":\"small\",\"metadata\":{}{}}}", "[".repeat(1000), "]".repeat(1000));
    let with = |more: &str| format!("{{\"model\":\"small\",\"max_tokens\":5{more}}}");
    let part = |part: &str| with(&format!(",\"messages\":[{{\"content\":[{part}]}}]"));
    let cases = BTreeMap::from([
        ("body-not-json", "{\"model\":NaN}".to_owned()),
        ("body-not-object", "[]".to_owned()),
        ("body-too-deep", deep),
        ("member-repeated", with(",\"model\":\"large\"")),
        ("member-unclear", with(",\"MODEL\":\"large\"")),
        ("member-unknown", with(",\"best_of\":2")),
        ("member-malformed", with(",\"n\":\"2\"")),
        ("model-refused", "{\"model\":\"large\",\"max_tokens\":5}".to_owned()),
        ("token-limit-missing", "{\"model\":\"small\"}".to_owned()),
        ("too-much-asked", with(",\"n\":2")),
        ("stream-refused", with(",\"stream\":true")),
        ("tools-refused", with(",\"tools\":[{\"type\":\"function\"}]")),
        ("type-refused", part("{\"type\":\"video_url\"}")),
        ("media-refused", part("{\"type\":\"image_url\"}")),
        ("state-refused", with(",\"store\":true")),
        ("body-grew-too-long", with(&" ".repeat(4096))),
    ]);
    for (expected, body) in cases {
        let response = GATE.send(post("/chat", body));
        assert!((400..500).contains(&response.status), "{expected}: {}", response.status);
        assert_eq!(code(&response), expected);
        assert!(GATE.arrival(&response).is_none(), "{expected}");
        assert_eq!(response.field("content-type"), Some("application/json"), "{expected}");
        let error = response.json()["error"].clone();
        assert!(error["message"].is_string() && error["type"].is_string(), "{error}");
    }
    let response = GATE.send(post("/chat", Body::from(&b"{\"model\":\"\xff\"}"[..])));
    assert_eq!(code(&response), "body-not-utf8");
    let response = GATE.send(request("POST", "/chat").body(Body::from("{\"model\":\"small\"}")).unwrap());
    assert_eq!((response.status, code(&response).as_str()), (415, "inference-not-json"));
}

#[test]
fn the_clients_of_each_api_get_errors_in_their_form() {
    let response = GATE.send(post("/messages", "{\"model\":\"large\",\"max_tokens\":5,\"messages\":[]}"));
    let error = json!({ "type": "permission_error", "message": "the model \"large\" is not available to you" });
    assert_eq!((response.status, response.json()), (403, json!({ "type": "error", "error": error })));
}

#[test]
fn a_body_of_any_size_and_form_leaves_the_edge_alive() {
    let keys: String = (0..400).map(|number| format!("\"k{number}\":0,")).collect();
    for body in [
        "{".repeat(4096),
        "[".repeat(4096),
        "\"".repeat(4096),
        format!("{{\"metadata\":{{{keys}\"k399\":1}}}}"),
        "\0".repeat(4096),
        "\u{feff}{}".to_owned(),
        "9".repeat(4096),
    ] {
        let response = GATE.send(post("/chat", body));
        assert!(response.status == 400, "{}", response.status);
    }
    assert_eq!(GATE.send(post("/chat", "{\"model\":\"small\",\"max_tokens\":5}")).status, 200);
}
