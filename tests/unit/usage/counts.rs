//! Tokens that some providers count outside the counts that have their name.

use fastgate::content_form::ContentForm;
use fastgate::policy::Api;
use serde_json::{Value, json};

use super::target::observe;
use super::used;

fn of_json(api: &Api, usage: &Value) -> Option<fastgate::usage::Usage> {
    let document = json!({ "usage": usage }).to_string();
    observe(api, ContentForm::Json, false, &[document.as_bytes()]).1.usage
}

#[test]
fn what_the_total_has_besides_input_and_output_is_output() {
    for (api, input, output) in [
        (Api::OpenAiChat, "prompt_tokens", "completion_tokens"),
        (Api::OpenAiResponses, "input_tokens", "output_tokens"),
    ] {
        for (total, expected) in [
            (json!(40), used(10, 30)),
            (json!(15), used(10, 5)),
            (json!(14), used(10, 5)),
            (json!(0), used(10, 5)),
            (json!(null), used(10, 5)),
            (json!(2_000_000_000_u64), None),
            (json!(-1), None),
            (json!("40"), None),
        ] {
            let usage = json!({ input: 10, output: 5, "total_tokens": total });
            assert_eq!(of_json(&api, &usage), expected, "{usage}");
        }
    }
    assert_eq!(of_json(&Api::OpenAiEmbeddings, &json!({ "prompt_tokens": 7, "total_tokens": 7 })), used(7, 0));
}

#[test]
fn iterations_of_a_message_count_if_the_sum_does_not_have_them() {
    let of =
        |kind: &str, input: u64, output: u64| json!({ "type": kind, "input_tokens": input, "output_tokens": output });
    for (iterations, expected) in [
        (json!([]), used(30, 7)),
        (json!(null), used(30, 7)),
        (json!([of("message", 20, 7)]), used(30, 7)),
        (json!([of("message", 20, 7), of("message", 40, 5)]), used(60, 12)),
        (json!([of("compaction", 1000, 50), of("message", 20, 7)]), used(1030, 57)),
        (json!([of("message", 1, 100), of("fallback_message", 2, 1), of("advisor_message", 3, 4)]), used(33, 105)),
        (
            json!([{ "type": "compaction", "input_tokens": 1, "cache_creation_input_tokens": 2, "cache_read_input_tokens": 4,
                     "output_tokens": 8 }]),
            used(37, 15),
        ),
        (json!([{ "type": "compaction", "input_tokens": 1 }]), None),
        (json!([of("message", u64::MAX, 1)]), None),
        (json!(7), None),
    ] {
        let usage =
            json!({ "input_tokens": 25, "cache_read_input_tokens": 5, "output_tokens": 7, "iterations": iterations });
        assert_eq!(of_json(&Api::AnthropicMessages, &usage), expected, "{usage}");
        let first =
            json!({ "message": { "usage": { "input_tokens": 25, "cache_read_input_tokens": 5, "output_tokens": 1 } } });
        let last = json!({ "usage": { "output_tokens": 7, "iterations": iterations } });
        let stream = format!("event: message_start\ndata: {first}\n\nevent: message_delta\ndata: {last}\n\n");
        let found = observe(&Api::AnthropicMessages, ContentForm::EventStream, false, &[stream.as_bytes()]).1.usage;
        assert_eq!(found, expected, "{stream}");
    }
}
