//! The output that a stream delivered before it was cut off: never less than there was, whatever is around it.

use std::fmt::Write as _;

use fastgate::content_form::ContentForm;
use fastgate::policy::Api;
use proptest::prelude::{Strategy, prop};
use proptest::prop_assert;
use serde_json::{Value, json};

use super::in_pieces;
use super::target::observe;
use crate::samples::property;

fn stream(events: &[Value]) -> String {
    events.iter().flat_map(|event| ["data: ".to_owned(), event.to_string(), "\n\n".to_owned()]).collect()
}

fn chat(delta: &Value) -> Value {
    json!({ "id": "chatcmpl-123", "choices": [{ "index": 0, "delta": delta, "finish_reason": null }] })
}

#[test]
fn padding_and_another_envelope_do_not_hide_output() {
    let padded = |mut event: Value, length: usize| {
        event["obfuscation"] = "x".repeat(length).into();
        event
    };
    let responses = |text: &str| json!({ "type": "response.output_text.delta", "item_id": "msg", "delta": text });
    let message = |delta: Value| json!({ "type": "content_block_delta", "index": 0, "delta": delta });
    let text = "sixteen letters.";
    for (api, events, expected) in [
        // All events are of one length.
        (
            Api::OpenAiChat,
            vec![padded(chat(&json!({ "content": "a" })), 16), padded(chat(&json!({ "content": text })), 1)],
            1 + 16,
        ),
        (Api::OpenAiResponses, vec![padded(responses("a"), 16), padded(responses(text), 1)], 1 + 16),
        // The shortest event has no text, and more around it.
        (
            Api::OpenAiChat,
            vec![
                chat(&json!({ "role": "assistant", "content": "", "refusal": null })),
                chat(&json!({ "content": text })),
                chat(&json!({})),
            ],
            1 + 16 + 1,
        ),
        (
            Api::AnthropicMessages,
            vec![
                message(json!({ "type": "input_json_delta", "partial_json": "" })),
                message(json!({ "type": "text_delta", "text": text })),
            ],
            1 + 16,
        ),
        (
            Api::OpenAiChat,
            vec![chat(
                &json!({ "tool_calls": [{ "index": 0, "type": "function", "function": { "arguments": "{}" } }] }),
            )],
            2,
        ),
    ] {
        let stream = stream(&events);
        let observed = in_pieces(&api, false, &stream).1;
        assert_eq!((observed.delivered, observed.usage), (expected, None), "{stream}");
    }
}

#[test]
fn an_event_without_a_delta_counts_as_a_whole() {
    let text = "data: {\"choices\":[{\"text\":\"some text\"}]}\n\n";
    let whole = text.trim_end().len() as u64 - 6;
    assert_eq!(in_pieces(&Api::OpenAiChat, false, text).1.delivered, whole);
    let filter = json!({ "choices": [], "prompt_filter_results": [{ "content_filter_results": { "hate": "safe" } }] });
    assert_eq!(in_pieces(&Api::OpenAiChat, false, &stream(&[filter])).1.delivered, 1, "no output");
    // Of an event that is cut off, what there is counts.
    let whole = stream(&[chat(&json!({ "content": "a" })), chat(&json!({ "content": "four and more" }))]);
    for (end, expected) in [("four", 1 + 4), ("four and", 1 + 8), ("\"content\":\"four", 1 + 4)] {
        let place = whole.find(end).unwrap() + end.len();
        let observed = observe(&Api::OpenAiChat, ContentForm::EventStream, false, &[&whole.as_bytes()[..place]]).1;
        assert_eq!((observed.delivered, observed.complete), (expected, false), "{end}");
    }
}

/// The texts in a value, without what no model writes.
fn texts(value: &Value) -> u64 {
    match value {
        Value::String(text) => text.len() as u64,
        Value::Array(values) => values.iter().map(texts).sum(),
        Value::Object(members) => {
            let is_output =
                |(name, value): &(&String, &Value)| !["role", "type"].contains(&name.as_str()) || !value.is_string();
            members.iter().filter(is_output).map(|(_, value)| texts(value)).sum()
        }
        _ => 0,
    }
}

#[test]
fn no_output_is_missed_and_none_is_invented() {
    let text = || {
        prop::sample::select(vec![
            "",
            "a",
            "\"",
            "\\",
            "\"delta\":\"",
            "}]",
            "caf\u{e9}",
            "\u{1f980}",
            "\n\u{1}",
            "word word",
        ])
    };
    let delta = (text(), text(), text(), 0..4_u8).prop_map(|(one, two, three, form)| match form {
        0 => json!({ "role": one, "content": two, "refusal": null }),
        1 => {
            json!({ "tool_calls": [{ "index": 1, "function": { "name": one, "arguments": two } }, { "type": three }] })
        }
        2 => json!({ "content": one, "reasoning": { "delta": [two, { "role": three }] }, "type": {"type": two} }),
        _ => json!(one),
    });
    let deltas = prop::collection::vec((delta, text(), 1..4_usize, prop::bool::ANY), 1..6);
    property(3_000, &deltas, |events| {
        let mut expected = 0;
        let mut stream = String::new();
        for (delta, padding, choices, is_ascii) in &events {
            let choice = json!({ "index": 0, "delta": delta, "x": padding });
            let event = json!({ "a": padding, "choices": vec![choice; *choices], "obfuscation": padding }).to_string();
            let escaped = |text: &str| {
                let mut escaped = String::new();
                for letter in text.encode_utf16() {
                    match u8::try_from(letter).ok().filter(u8::is_ascii) {
                        Some(letter) => escaped.push(char::from(letter)),
                        None => write!(escaped, "\\u{letter:04x}").unwrap(),
                    }
                }
                escaped
            };
            let event = if *is_ascii { escaped(&event) } else { event };
            write!(stream, "data: {event}\n\n").unwrap();
            expected += (texts(delta) * *choices as u64).max(1);
        }
        let found = observe(&Api::OpenAiChat, ContentForm::EventStream, false, &[stream.as_bytes()]).1.delivered;
        // Each half of a surrogate pair counts three bytes.
        let most = expected + 2 * stream.matches("\\u").count() as u64;
        prop_assert!((expected..=most).contains(&found), "{found} of {expected}: {stream}");
        Ok(())
    });
}
