//! The form of bodies, and the limits of what they ask for. Rows O1, O3, O4 and O8 of docs/attacks.md.

use serde_json::json;

use super::{document, gate, sent_with, usual_state, verdict};
use crate::offline::fakes::{FakeBody, FakeKeys};
use crate::offline::{Gate, policy_of, request};
use crate::samples::sign::good;

fn chat(more: &str) -> String {
    format!("{{\"model\":\"small\",\"messages\":[]{more}}}")
}

#[test]
fn a_body_that_can_be_read_in_two_ways_is_refused() {
    let gate = gate("openai-chat", &json!({}));
    let deep = chat(&format!(",\"metadata\":{}{}", "[".repeat(10_000), "]".repeat(10_000)));
    for (body, code) in [
        (chat(",\"model\":\"large\""), "member-repeated"),
        (chat(",\"mod\\u0065l\":\"large\""), "member-repeated"),
        (chat(",\"metadata\":{\"a\":1,\"a\":2}"), "member-repeated"),
        (chat(",\"Model\":\"large\""), "member-unclear"),
        (chat(",\"model\\u0000\":\"large\""), "member-unclear"),
        (chat(",\"max_to\u{212a}ens\":5"), "member-unclear"),
        (chat(",\"best_of\":1000"), "member-unknown"),
        (chat(",\"service_tier\":\"priority\""), "member-unknown"),
        (chat(",\"m\u{43e}del\":\"large\""), "member-unknown"),
        (deep, "body-too-deep"),
        ("[]".to_owned(), "body-not-object"),
        (String::new(), "body-not-object"),
        ("{\"model\":NaN}".to_owned(), "body-not-json"),
        ("{\"messages\":[]}".to_owned(), "member-malformed"),
        ("{\"model\":null,\"messages\":[]}".to_owned(), "member-malformed"),
        ("{\"model\":[\"small\"],\"messages\":[]}".to_owned(), "member-malformed"),
        ("{\"model\":\"\",\"messages\":[]}".to_owned(), "member-malformed"),
        (format!("{{\"model\":\"{}\",\"messages\":[]}}", "m".repeat(129)), "member-malformed"),
    ] {
        assert_eq!(verdict(&gate, &body), code, "{}", &body[..body.len().min(100)]);
    }
    assert_eq!(verdict(&gate, b"{\"model\":\"\xff\"}"), "body-not-utf8");
    assert_eq!(verdict(&gate, chat("")), "forwarded");
}

#[test]
fn further_members_are_listed_by_the_policy() {
    let gate = gate("openai-chat", &json!({ "extra_members": ["best_of"] }));
    assert_eq!(verdict(&gate, chat(",\"best_of\":2")), "forwarded");
    assert_eq!(verdict(&gate, chat(",\"top_k\":2")), "member-unknown");
}

#[test]
fn the_media_type_is_json_and_nothing_else() {
    let gate = gate("openai-chat", &json!({}));
    for fields in [
        vec![],
        vec![("content-type", "text/plain")],
        vec![("content-type", "application/json; charset=utf-16")],
        vec![("content-type", "application/json"), ("content-encoding", "gzip")],
    ] {
        gate.fakes().body = FakeBody::of(chat("").as_bytes());
        let request = fields
            .into_iter()
            .fold(request("POST", "/v1/chat").bearer(&good()), |it, (name, value)| it.field(name, value));
        let outcome = gate.send(request);
        assert_eq!((outcome.trail.verdict, outcome.problem().status()), ("inference-not-json", 415));
    }
}

#[test]
fn a_body_is_as_long_as_the_policy_says() {
    let gate = gate("openai-chat", &json!({ "max_input_bytes": 40 }));
    assert_eq!(chat("").len(), 31);
    assert_eq!(verdict(&gate, chat(&" ".repeat(9))), "forwarded");
    assert_eq!(verdict(&gate, chat(&" ".repeat(10))), "body-grew-too-long");
    let usual = super::gate("openai-chat", &json!({}));
    assert_eq!(verdict(&usual, chat(&" ".repeat(256 * 1024 - 31))), "forwarded");
    assert_eq!(verdict(&usual, chat(&" ".repeat(256 * 1024 - 30))), "body-grew-too-long");
}

#[test]
fn tokens_are_limited_by_whichever_member_says_more() {
    let gate = gate("openai-chat", &json!({ "max_tokens": 100 }));
    for (more, code) in [
        (",\"max_completion_tokens\":100", "forwarded"),
        (",\"max_tokens\":100", "forwarded"),
        (",\"max_tokens\":1,\"max_completion_tokens\":100", "forwarded"),
        ("", "token-limit-missing"),
        (",\"max_tokens\":null", "token-limit-missing"),
        (",\"max_tokens\":101", "too-much-asked"),
        (",\"max_tokens\":1000000000", "too-much-asked"),
        (",\"max_tokens\":1,\"max_completion_tokens\":101", "too-much-asked"),
        (",\"max_tokens\":101,\"max_completion_tokens\":1", "too-much-asked"),
        (",\"max_tokens\":\"5\"", "member-malformed"),
        (",\"max_tokens\":5.0", "member-malformed"),
        (",\"max_tokens\":5e0", "member-malformed"),
        (",\"max_tokens\":-1", "member-malformed"),
        (",\"max_tokens\":0", "member-malformed"),
        (",\"max_tokens\":99999999999999999999999", "member-malformed"),
        (",\"max_tokens\":true", "member-malformed"),
        (",\"max_tokens\":[5]", "member-malformed"),
    ] {
        assert_eq!(verdict(&gate, chat(more)), code, "{more}");
    }
    assert_eq!(
        verdict(&super::gate("openai-chat", &json!({})), chat("")),
        "forwarded",
        "without a limit none is needed"
    );
}

#[test]
fn a_model_may_have_other_limits_than_its_route() {
    let inference = json!({
        "api": "openai-chat", "max_tokens": 10, "tools": true,
        "models": { "small": {}, "wide": { "max_tokens": 99, "max_choices": 3, "tools": false } }
    });
    let gate = Gate::new(policy_of(&document(&inference)), FakeKeys::of_both());
    let of = |model: &str, more: &str| verdict(&gate, format!("{{\"model\":\"{model}\",\"max_tokens\":{more}}}"));
    assert_eq!((of("small", "10"), of("small", "11")), ("forwarded", "too-much-asked"));
    assert_eq!((of("wide", "99"), of("wide", "100")), ("forwarded", "too-much-asked"));
    assert_eq!((of("wide", "9,\"n\":3"), of("wide", "9,\"n\":4")), ("forwarded", "too-much-asked"));
    assert_eq!(of("small", "9,\"n\":2"), "too-much-asked");
    let tools = "9,\"tools\":[{\"type\":\"function\"}]";
    assert_eq!((of("small", tools), of("wide", tools)), ("forwarded", "tools-refused"));
}

#[test]
fn each_api_has_its_own_member_for_tokens() {
    for (api, member) in [("openai-responses", "max_output_tokens"), ("anthropic-messages", "max_tokens")] {
        let gate = gate(api, &json!({ "max_tokens": 5, "state": usual_state(api) }));
        assert_eq!(verdict(&gate, format!("{{\"model\":\"small\",\"{member}\":5}}")), "forwarded", "{api}");
        assert_eq!(verdict(&gate, format!("{{\"model\":\"small\",\"{member}\":6}}")), "too-much-asked", "{api}");
        assert_eq!(verdict(&gate, "{\"model\":\"small\"}"), "token-limit-missing", "{api}");
    }
    let members = json!({ "members": { "model": "engine", "max_tokens": "length" }, "max_tokens": 5 });
    let json = gate("json", &members);
    for (body, code) in [
        ("{\"engine\":\"small\",\"length\":5,\"anything\":{\"a\":[1]}}", "forwarded"),
        ("{\"engine\":\"small\",\"length\":6}", "too-much-asked"),
        ("{\"engine\":\"small\",\"length\":5,\"Engine\":\"large\"}", "member-unclear"),
        ("{\"engine\":\"small\",\"length\":5,\"LENGTH\":7}", "member-unclear"),
        ("{\"model\":\"small\",\"length\":5}", "member-malformed"),
    ] {
        assert_eq!(verdict(&json, body), code, "{body}");
    }
}

#[test]
fn streams_may_be_refused() {
    let (free, bound) = (gate("openai-chat", &json!({})), gate("openai-chat", &json!({ "stream": false })));
    assert_eq!(verdict(&free, chat(",\"stream\":true")), "forwarded");
    assert_eq!(verdict(&bound, chat(",\"stream\":true")), "stream-refused");
    assert_eq!(verdict(&bound, chat(",\"stream\":false")), "forwarded");
    assert_eq!(verdict(&bound, chat(",\"stream\":\"true\"")), "member-malformed");
    assert_eq!(verdict(&bound, chat(",\"stream\":1")), "member-malformed");
}

#[test]
fn a_secret_in_a_body_is_neither_logged_nor_sent_back() {
    let gate = gate("openai-chat", &json!({ "max_tokens": 5 }));
    for body in [
        chat(",\"max_tokens\":\"SECRET\""),
        chat(",\"stream\":\"SECRET\""),
        "{\"model\":{\"SECRET\":1},\"messages\":[]}".to_owned(),
        "{\"model\":\"small\",\"messages\":\"SECRET\"}".to_owned(),
        "{\"model\":\"small\",SECRET".to_owned(),
    ] {
        let (outcome, _) = sent_with(&gate, &good(), body.as_bytes());
        let seen = format!("{}{}", outcome.trail.to_line(), outcome.problem().body());
        assert!(!seen.contains("SECRET"), "{seen}");
    }
}

#[test]
fn the_options_of_a_stream_are_judged_like_other_members() {
    for (api, members, other) in [
        ("openai-chat", "\"messages\":[]", "include_usage"),
        ("openai-responses", "\"input\":[]", "include_obfuscation"),
    ] {
        let policy = json!({ "state": usual_state(api) });
        let with =
            |options: &str| format!("{{\"model\":\"small\",{members},\"stream\":true,\"stream_options\":{options}}}");
        let judged = gate(api, &policy);
        let unclear = other.to_uppercase();
        for (options, code) in [
            ("{}".to_owned(), "forwarded"),
            ("null".to_owned(), "forwarded"),
            (format!("{{\"{other}\":true,\"include_obfuscation2\":1}}"), "member-unknown"),
            (format!("{{\"{other}\":true}}"), "forwarded"),
            ("{\"include_obfuscation\":false}".to_owned(), "forwarded"),
            ("{\"continuous_usage_stats\":true}".to_owned(), "member-unknown"),
            (format!("{{\"{unclear}\":false}}"), "member-unclear"),
            (format!("{{\"{other}\\u0000\":false}}"), "member-unclear"),
            ("[]".to_owned(), "member-malformed"),
            ("true".to_owned(), "member-malformed"),
        ] {
            assert_eq!(verdict(&judged, with(&options)), code, "{api} {options}");
        }
        let listed = json!({ "state": usual_state(api), "extra_members": ["continuous_usage_stats"] });
        assert_eq!(verdict(&gate(api, &listed), with("{\"continuous_usage_stats\":true}")), "forwarded");
    }
}
