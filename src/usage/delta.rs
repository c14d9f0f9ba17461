//! The output in an event: the texts in its members `delta`, as all three APIs have it. Nothing is parsed or kept.

use crate::scan;

/// Members of a `delta` whose texts are no output.
const MARKS: [&[u8]; 2] = [b"role", b"type"];

/// The length in bytes of the output in the data of an event, or in the part of it that is there, and a few bytes more if
/// it has halves of surrogate pairs. `None` if it has no `delta`.
pub(super) fn length(data: &[u8]) -> Option<u64> {
    let mut length: Option<u64> = None;
    let mut rest = data;
    while let Some(value) = scan::member(rest, b"\"delta\"") {
        let (texts, behind) = texts(value);
        length = Some(length.unwrap_or(0).saturating_add(texts));
        rest = behind;
    }
    length
}

/// The length of the texts in the value that begins here, and what follows it.
fn texts(value: &[u8]) -> (u64, &[u8]) {
    let mut rest = value;
    let mut depth: u64 = 0;
    let mut length = 0_u64;
    let mut is_mark = false;
    if !matches!(value, [b'"' | b'{' | b'[', ..]) {
        return (0, value);
    }
    while let Some((found, behind)) = next(rest) {
        rest = behind;
        match found {
            b'"' => {
                let raw = rest;
                let (text, behind) = text(raw);
                rest = behind;
                if let Some(value) = behind.trim_ascii_start().strip_prefix(b":") {
                    let name = raw.get(..(raw.len() - behind.len()).saturating_sub(1)).unwrap_or_default();
                    is_mark = MARKS.contains(&name) && value.trim_ascii_start().starts_with(b"\"");
                    rest = value;
                } else if !std::mem::take(&mut is_mark) {
                    length = length.saturating_add(text);
                }
            }
            b'{' | b'[' => depth += 1,
            _ => depth = depth.saturating_sub(1),
        }
        if depth == 0 {
            return (length, rest);
        }
    }
    (length, b"")
}

/// The next quotation mark, bracket or brace, and what follows it.
fn next(bytes: &[u8]) -> Option<(u8, &[u8])> {
    bytes.get(scan::structure(bytes)?..)?.split_first().map(|(found, behind)| (*found, behind))
}

/// The length of the text that begins here, in UTF-8, and what follows its quotation mark.
fn text(bytes: &[u8]) -> (u64, &[u8]) {
    let mut length = 0_u64;
    let mut rest = bytes;
    while let Some(place) = scan::either(rest, b'"', b'\\') {
        length = length.saturating_add(place as u64);
        match rest.get(place..).unwrap_or_default() {
            [b'\\', b'u', code @ ..] => {
                length = length.saturating_add(of_code(code));
                rest = code.get(4..).unwrap_or_default();
            }
            [b'\\', _, after @ ..] => {
                length = length.saturating_add(1);
                rest = after;
            }
            [b'"', after @ ..] => return (length, after),
            _ => return (length, b""),
        }
    }
    (length.saturating_add(rest.len() as u64), b"")
}

/// The greatest length in UTF-8 of the letter whose code begins here, in four digits.
fn of_code(code: &[u8]) -> u64 {
    match code {
        [b'0', b'0', b'0'..=b'7', ..] => 1,
        [b'0', b'0'..=b'7', ..] => 2,
        _ => 3,
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
            (r#"{"delta": {"text" : "\u20ac\u007f\n\"\ud83e\udd80"} , "x": "yyy"}"#, Some(3 + 1 + 1 + 1 + 6)),
            (r#"{"delta":{"content":"four and"#, Some(8)),
            (r#"{"delta":{"role":"assist"#, Some(0)),
            (r#"{"delta":{"content":"a\"#, Some(1)),
            (r#"{"delta":{"content":"a\u00"#, Some(1 + 2)),
            (r#"{"delta":null,"a":"b"}"#, Some(0)),
            (r#"{"delta":"#, Some(0)),
            (r#"{"delta":{}}]]}"delta":["a"]"#, Some(1)),
            (r#"{"choices":[]}"#, None),
            (r#"{"a":"\"delta\":\"b\""}"#, None),
            ("[DONE]", None),
            ("", None),
        ] {
            assert_eq!(length(event.as_bytes()), expected, "{event}");
        }
    }
}
