//! The output in an event: the texts in its member `delta`, as all three APIs have it.

use serde_json::Value;

/// Members of a `delta` that are no output.
const MARKS: [&str; 2] = ["role", "type"];

/// The length in bytes of the output in the data of an event; `None` if it cannot be read.
pub(super) fn length(data: &[u8]) -> Option<u64> {
    let event: Value = serde_json::from_slice(data).ok()?;
    Some(of_deltas(&event))
}

/// The output in every member `delta` of a value.
fn of_deltas(value: &Value) -> u64 {
    match value {
        Value::Array(elements) => elements.iter().map(of_deltas).fold(0, u64::saturating_add),
        Value::Object(members) => members
            .iter()
            .map(|(name, value)| if name == "delta" { of_texts(value) } else { of_deltas(value) })
            .fold(0, u64::saturating_add),
        _ => 0,
    }
}

fn of_texts(value: &Value) -> u64 {
    match value {
        Value::String(text) => text.len() as u64,
        Value::Array(elements) => elements.iter().map(of_texts).fold(0, u64::saturating_add),
        Value::Object(members) => members
            .iter()
            .filter(|(name, _)| !MARKS.contains(&name.as_str()))
            .map(|(_, value)| of_texts(value))
            .fold(0, u64::saturating_add),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::length;

    #[test]
    fn the_output_of_each_api_is_counted_and_nothing_else() {
        for (event, expected) in [
            (r#"{"id":"chatcmpl-1","choices":[{"index":0,"delta":{"role":"assistant","content":"Hi!"}}]}"#, Some(3)),
            (
                r#"{"choices":[{"delta":{"tool_calls":[{"function":{"arguments":"{}"}}]}},{"delta":{"content":"ab"}}]}"#,
                Some(4),
            ),
            (r#"{"type":"response.output_text.delta","item_id":"x","delta":"word"}"#, Some(4)),
            (r#"{"type":"content_block_delta","delta":{"type":"text_delta","text":"caf\u00e9"}}"#, Some(5)),
            (r#"{"choices":[]}"#, Some(0)),
            ("[DONE]", None),
            ("", None),
        ] {
            assert_eq!(length(event.as_bytes()), expected, "{event}");
        }
    }
}
