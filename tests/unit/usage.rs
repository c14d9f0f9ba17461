//! What a response of a model cost: every form of response, whole and cut at every byte.

use std::borrow::Cow;

use fastgate::content_form::ContentForm;
use fastgate::policy::Api;
use fastgate::usage::{MAX_EVENT, Observed, Observer, Usage};
use proptest::prelude::{Strategy, prop};
use proptest::{prop_assert, prop_oneof};
use serde_json::{Value, json};

use crate::samples::property;

#[allow(unreachable_pub, reason = "the fuzzer has it in a public module")]
#[path = "../../fuzz/targets/usage.rs"]
mod target;

use target::observe;

mod counts;
mod delivered;
mod recorded;

use recorded::{CHAT, CHAT_USAGE, MESSAGES, RESPONSES};

const OTHER: fn() -> Api = || Api::Json { model: "model".to_owned(), max_tokens: None };

#[allow(clippy::unnecessary_wraps, reason = "it is what is expected")]
fn used(input: u64, output: u64) -> Option<Usage> {
    Some(Usage { input, output })
}

/// The stream with each of the three ends of lines, each with and without its last blank line, and without its last end of
/// a line.
fn spellings(stream: &str) -> Vec<String> {
    let mut spellings = Vec::new();
    for feed in ["\n", "\r", "\r\n"] {
        let stream = stream.replace('\n', feed);
        let unended = stream.strip_suffix(feed).unwrap();
        spellings.extend([unended.strip_suffix(feed).unwrap().to_owned(), unended.to_owned(), stream]);
    }
    spellings
}

/// Observes a stream in two pieces that are cut at each byte, in pieces of one byte, and with empty pieces.
fn in_pieces(api: &Api, hides: bool, stream: &str) -> (String, Observed) {
    let bytes = stream.as_bytes();
    let whole = observe(api, ContentForm::EventStream, hides, &[bytes]);
    for place in 0..=bytes.len() {
        let (before, after) = bytes.split_at(place);
        assert_eq!(
            observe(api, ContentForm::EventStream, hides, &[before, &[], after]),
            whole,
            "cut at {place}: {stream}"
        );
    }
    let single: Vec<_> = bytes.chunks(1).collect();
    assert_eq!(observe(api, ContentForm::EventStream, hides, &single), whole, "{stream}");
    (String::from_utf8(whole.0).unwrap(), whole.1)
}

#[test]
fn the_usage_of_a_stream_is_found_however_it_is_cut_and_its_lines_end() {
    for (api, stream, expected) in [
        (Api::OpenAiChat, CHAT.to_owned() + CHAT_USAGE + "data: [DONE]\n\n", used(19, 10)),
        (Api::OpenAiChat, CHAT.to_owned() + "data: [DONE]\n\n", None),
        (Api::OpenAiResponses, RESPONSES.to_owned(), used(37, 11)),
        (Api::AnthropicMessages, MESSAGES.to_owned(), used(25 + 100 + 2000, 15)),
        (Api::OpenAiEmbeddings, CHAT.to_owned() + CHAT_USAGE + "data: [DONE]\n\n", None),
        (OTHER(), CHAT.to_owned() + CHAT_USAGE + "data: [DONE]\n\n", None),
    ] {
        for stream in spellings(&stream) {
            for hides in [false, true] {
                let (passed, observed) = in_pieces(&api, hides, &stream);
                assert_eq!((observed.usage, observed.complete), (expected, true), "{api:?} {stream}");
                if api != Api::OpenAiChat {
                    assert_eq!(passed, stream, "{api:?}");
                }
            }
        }
    }
}

#[test]
fn the_event_that_the_edge_asked_for_is_removed_and_nothing_else() {
    let stream = CHAT.to_owned() + CHAT_USAGE + "data: [DONE]\n\n";
    for feed in ["\n", "\r", "\r\n"] {
        let [with, without] = [stream.clone(), stream.replace(CHAT_USAGE, "")].map(|text| text.replace('\n', feed));
        assert_eq!(in_pieces(&Api::OpenAiChat, true, &with).0, without);
        assert_eq!(in_pieces(&Api::OpenAiChat, false, &with).0, with);
    }
    // As the last event, without its blank line.
    for end in 0..3 {
        let with = CHAT.to_owned() + &CHAT_USAGE[..CHAT_USAGE.len() - end];
        let (passed, observed) = in_pieces(&Api::OpenAiChat, true, &with);
        assert_eq!((passed.as_str(), observed.usage), (CHAT, used(19, 10)));
    }
    for kept in [
        "data: {\"choices\":[],\"usage\":null}\n\n",
        "data: {\"choices\":[{}],\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":1}}\n\n",
        "data: {\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":1}}\n\n",
        "data: {\"choices\":[],\"x\":{\"usage\":{}}}\n\n",
        "data: {\"choices\":[],\"usage\":{},\"usage\":{}}\n\n",
        "data: {\"choices\":[],\"usage\":{}\n\n",
        "data: [[],{\"usage\":{}}]\n\n",
        "data: [[],{\"prompt_tokens\":1,\"completion_tokens\":1,\"usage\":1}]\n\n",
        ": {\"choices\":[],\"usage\":{}}\n\n",
        "event: x\n\n\n\n",
        "\n\r\r\n\n",
    ] {
        assert_eq!(in_pieces(&Api::OpenAiChat, true, kept).0, kept);
    }
    // The other lines of the event belong to it, whatever its data is, apart from comments before it.
    for removed in [
        "id: 7\ndata: {\"choices\":[],\ndata:\"usage\":\"no\"}\nretry: 1\n\n",
        "\u{feff}data:{ \"usage\" : 1, \"choices\" : [ ] }\r\r",
    ] {
        assert_eq!(in_pieces(&Api::OpenAiChat, true, removed).0, "");
        for feed in ["\n", "\r", "\r\n"] {
            let comments = format!(": first{feed}:{feed}");
            let (passed, _) =
                in_pieces(&Api::OpenAiChat, true, &(comments.clone() + removed.trim_start_matches('\u{feff}')));
            assert_eq!(passed, comments);
        }
    }
}

#[test]
fn comments_between_events_pass_at_once() {
    let mut observer = Observer::new(&Api::OpenAiChat, ContentForm::EventStream, true);
    for chunk in [": ping\n", ": pi", "ng\r", "\n", ":\n", "\n: ping\n", "data: {}\n\n: ping\n"] {
        assert_eq!(&*observer.pass(chunk.as_bytes()), chunk.as_bytes());
    }
    assert_eq!(&*observer.pass(b"data: {\"choices\":[],"), b"");
    assert_eq!(&*observer.pass(b"\ndata: \"usage\":{}}\n\n: ping"), b": ping");
    assert_eq!(&*observer.pass(b"\n"), b"\n");
    assert_eq!(observer.end().0, b"");
}

#[test]
fn lines_of_events_are_read_as_browsers_read_them() {
    let found = used(1, 2);
    for (stream, expected) in [
        ("data:{\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":2}}\n\n", found),
        ("\u{feff}data: {\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":2}}\n\n", found),
        (
            ": hello\nid\ndata: {\"usage\":\ndata: {\"prompt_tokens\":1,\ndata:\ndata\ndata:\"completion_tokens\":2}}\n\n",
            found,
        ),
        ("data:  {\"usage\" : {\"prompt_tokens\":1,\"completion_tokens\":2}}\n\n", found),
        ("\n\u{feff}data: {\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":2}}\n\n", None),
        ("Data: {\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":2}}\n\n", None),
        (" data: {\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":2}}\n\n", None),
        ("data : {\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":2}}\n\n", None),
        (":data: {\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":2}}\n\n", None),
        ("data: {\"usage\":\n\ndata: {\"prompt_tokens\":1,\"completion_tokens\":2}}\n\n", None),
        ("data: {\"usage\":{\"prompt_tokens\":1,\ndata\"completion_tokens\":2}}\n\n", None),
    ] {
        assert_eq!(in_pieces(&Api::OpenAiChat, false, stream).1.usage, expected, "{stream}");
    }
}

#[test]
fn one_read_is_one_write_and_at_most_one_event_is_held() {
    let mut observer = Observer::new(&Api::OpenAiChat, ContentForm::EventStream, false);
    for chunk in CHAT.as_bytes().chunks(7) {
        assert!(matches!(observer.pass(chunk), Cow::Borrowed(bytes) if bytes == chunk));
    }
    let mut observer = Observer::new(&Api::OpenAiChat, ContentForm::EventStream, true);
    // Whole events are not copied. The beginning of one is held.
    assert!(matches!(observer.pass(CHAT.as_bytes()), Cow::Borrowed(bytes) if bytes == CHAT.as_bytes()));
    assert_eq!(&*observer.pass(b"data: {}\n\ndata: {\"a"), b"data: {}\n\n");
    assert_eq!(&*observer.pass(b"\":"), b"");
    assert_eq!(&*observer.pass(b"1}\n\ndata: {}\n\ndata"), b"data: {\"a\":1}\n\ndata: {}\n\n");
    // What is removed from the middle of a read leaves one write.
    let read = [": 1}\n\ndata: {}\n\n", CHAT_USAGE, CHAT_USAGE, "data: {}\n\ndata: [D"].concat();
    assert_eq!(&*observer.pass(read.as_bytes()), b"data: 1}\n\ndata: {}\n\ndata: {}\n\n");
    assert_eq!(observer.end().0, b"data: [D");
    // An event that ends in CR passes at once, and the LF after it as well.
    let mut observer = Observer::new(&Api::OpenAiChat, ContentForm::EventStream, true);
    assert_eq!(&*observer.pass(b"data: {}\r\n\r"), b"data: {}\r\n\r");
    assert_eq!(&*observer.pass(b"\n"), b"\n");
    assert_eq!(&*observer.pass((CHAT_USAGE.trim_end().to_owned() + "\r\n\r").as_bytes()), b"");
    assert_eq!(&*observer.pass(b"\n: hello\n\n"), b": hello\n\n");
}

#[test]
fn an_event_that_is_too_long_passes_and_is_not_read() {
    let padded = |length: usize| {
        let event = CHAT_USAGE.trim_end().strip_suffix('}').unwrap();
        let padding = " ".repeat(length - event.len() - 3);
        format!("{event}{padding}}}\n\n")
    };
    for (length, is_removed) in [(MAX_EVENT, true), (MAX_EVENT + 1, false), (3 * MAX_EVENT, false)] {
        let stream = CHAT.to_owned() + &padded(length) + CHAT_USAGE + "data: [DONE]\n\n";
        let rest = CHAT.to_owned() + "data: [DONE]\n\n";
        let expected = if is_removed { rest.clone() } else { CHAT.to_owned() + &padded(length) + "data: [DONE]\n\n" };
        for piece in [1, 1000, 65536, usize::MAX] {
            let pieces: Vec<_> = stream.as_bytes().chunks(piece).collect();
            let (passed, observed) = observe(&Api::OpenAiChat, ContentForm::EventStream, true, &pieces);
            assert!(passed == expected.as_bytes(), "{length} {piece}");
            assert_eq!((observed.usage, observed.complete), (used(19, 10), true));
            let stream = stream.replace(CHAT_USAGE, "");
            let pieces: Vec<_> = stream.as_bytes().chunks(piece).collect();
            let (passed, observed) = observe(&Api::OpenAiChat, ContentForm::EventStream, false, &pieces);
            assert!(passed == stream.as_bytes());
            assert_eq!(observed.usage, used(19, 10).filter(|_| is_removed), "an unread event leaves the reservation");
        }
    }
    // Of a long event only the type counts, which is at its beginning.
    let long = format!("event: response.completed\ndata: {}", "x".repeat(MAX_EVENT));
    let observed = observe(&Api::OpenAiResponses, ContentForm::EventStream, false, &[long.as_bytes()]).1;
    assert_eq!(observed, Observed { usage: None, delivered: 0, complete: true });
}

/// Values of a member with a number of tokens, and what they are read as.
fn counts() -> [(&'static str, Option<u64>); 17] {
    [
        ("0", Some(0)),
        ("7", Some(7)),
        ("1000000000", Some(1_000_000_000)),
        ("1000000001", None),
        ("18446744073709551615", None),
        ("18446744073709551616", None),
        ("-1", None),
        ("-0", None),
        ("1.5", None),
        ("7.0", None),
        ("1e3", None),
        ("\"7\"", None),
        ("null", None),
        ("true", None),
        ("[7]", None),
        ("{}", None),
        ("7,\"NAME\":7", None),
    ]
}

#[test]
fn counts_that_cannot_be_leave_the_reservation() {
    let apis = [
        (Api::OpenAiChat, "prompt_tokens", "completion_tokens"),
        (Api::OpenAiResponses, "input_tokens", "output_tokens"),
        (Api::AnthropicMessages, "input_tokens", "output_tokens"),
    ];
    for (api, input, output) in apis {
        for (count, expected) in counts() {
            for usage in [
                format!("{{\"{input}\":{},\"{output}\":7}}", count.replace("NAME", input)),
                format!("{{\"{output}\":{},\"{input}\":7}}", count.replace("NAME", output)),
            ] {
                let is_input = usage.starts_with(&format!("{{\"{input}\""));
                let expected = expected.map(|count| if is_input { (count, 7) } else { (7, count) });
                let expected = expected.map(|(input, output)| Usage { input, output });
                let document = format!("{{\"usage\":{usage}}}");
                let observed = observe(&api, ContentForm::Json, false, &[document.as_bytes()]).1;
                assert_eq!((observed.usage, observed.complete), (expected, true), "{document}");
                let event = match api {
                    Api::OpenAiResponses => format!("event: response.incomplete\ndata: {{\"response\":{document}}}"),
                    Api::AnthropicMessages => format!("event: message_delta\ndata: {document}"),
                    _ => format!("data: {document}"),
                };
                // The last usage counts, also if it cannot be.
                let stream =
                    format!("{}\n\n{event}\n\n", event.replace(&usage, &format!("{{\"{input}\":1,\"{output}\":2}}")));
                let observed = observe(&api, ContentForm::EventStream, false, &[stream.as_bytes()]).1;
                assert_eq!(observed.usage, expected, "{stream}");
            }
        }
        for usage in ["{}", "[7,7]", "7", "\"7\"", "null", "{\"total_tokens\":9}"] {
            let document = format!("{{\"usage\":{usage}}}");
            assert_eq!(observe(&api, ContentForm::Json, false, &[document.as_bytes()]).1.usage, None, "{usage}");
        }
    }
    for (count, expected) in counts() {
        let document = format!("{{\"usage\":{{\"prompt_tokens\":{}}}}}", count.replace("NAME", "prompt_tokens"));
        let observed = observe(&Api::OpenAiEmbeddings, ContentForm::Json, false, &[document.as_bytes()]).1;
        assert_eq!(
            observed,
            Observed { usage: expected.and_then(|input| used(input, 0)), delivered: 0, complete: true }
        );
    }
}

#[test]
fn the_input_of_a_message_is_the_sum_of_its_parts_and_only_grows() {
    let stream = |first: &Value, last: &Value| {
        let first = json!({ "type": "message_start", "message": { "usage": first } });
        format!("event: message_start\ndata: {first}\n\nevent: message_delta\ndata: {}\n\n", json!({ "usage": last }))
    };
    let first = json!({ "input_tokens": 5, "cache_read_input_tokens": 30, "output_tokens": 1 });
    for (first, last, expected) in [
        (first.clone(), json!({ "output_tokens": 9 }), used(35, 9)),
        (
            first.clone(),
            json!({ "input_tokens": 50, "cache_creation_input_tokens": 200, "output_tokens": 9 }),
            used(280, 9),
        ),
        (first.clone(), json!({ "input_tokens": 0, "cache_read_input_tokens": null, "output_tokens": 9 }), used(35, 9)),
        (first.clone(), json!({ "input_tokens": 9 }), None),
        (first.clone(), json!({ "input_tokens": 1_000_000_000, "output_tokens": 9 }), None),
        (first.clone(), json!({ "input_tokens": u64::MAX, "output_tokens": 9 }), None),
        (first, json!({ "input_tokens": -1, "output_tokens": 9 }), None),
        (json!({ "input_tokens": "5" }), json!({ "output_tokens": 9 }), None),
        (json!(null), json!({ "output_tokens": 9 }), None),
        (json!(null), json!({ "input_tokens": 4, "output_tokens": 9 }), used(4, 9)),
    ] {
        let stream = stream(&first, &last);
        assert_eq!(in_pieces(&Api::AnthropicMessages, false, &stream).1.usage, expected, "{stream}");
    }
}

#[test]
fn the_type_of_an_event_may_be_in_its_data() {
    for (api, stream, expected) in
        [(Api::OpenAiResponses, RESPONSES, used(37, 11)), (Api::AnthropicMessages, MESSAGES, used(2125, 15))]
    {
        let named = in_pieces(&api, false, stream).1;
        let unnamed: Vec<_> = stream.lines().filter(|line| !line.starts_with("event:")).collect();
        let observed = in_pieces(&api, false, &(unnamed.join("\n") + "\n\n")).1;
        assert_eq!((observed, observed.usage), (named, expected));
        let observed = in_pieces(&api, false, &stream.replace("event: ", "event: other.")).1;
        assert_eq!(observed, named);
    }
}

#[test]
fn a_stream_that_is_cut_off_tells_how_much_output_passed() {
    for (api, stream, tokens) in
        [(Api::OpenAiChat, CHAT, 2), (Api::OpenAiResponses, RESPONSES, 2), (Api::AnthropicMessages, MESSAGES, 2)]
    {
        let mut before = 0;
        for place in 0..=stream.len() {
            let observed = observe(&api, ContentForm::EventStream, false, &[&stream.as_bytes()[..place]]).1;
            let whole = stream[..place].ends_with("\n\n");
            assert!(!whole || observed.delivered >= before, "{api:?} at {place}: {observed:?} after {before}");
            if whole {
                before = observed.delivered;
            }
        }
        assert!(before >= tokens && before < 200, "{api:?}: {before}");
    }
    let event = |text: &str| format!("data: {{\"choices\":[{{\"delta\":{{\"content\":\"{text}\"}}}}]}}\n\n");
    for (texts, expected) in [
        (vec![], 0),
        (vec![""], 1),
        (vec!["", "four", "", "sixsix"], 1 + 4 + 1 + 6),
        (vec!["sixsix", "four", ""], 6 + 4 + 1),
        (vec!["four"; 100], 400),
    ] {
        let stream: String = texts.into_iter().map(event).collect();
        let observed = in_pieces(&Api::OpenAiChat, false, &stream).1;
        assert_eq!(observed, Observed { usage: None, delivered: expected, complete: false }, "{stream}");
        let more = stream + ": hello\n\ndata:\n\nevent: x\n\ndata: [DONE]\n\n";
        let observed = in_pieces(&Api::OpenAiChat, false, &more).1;
        assert_eq!(observed, Observed { usage: None, delivered: expected, complete: true }, "{more}");
    }
}

#[test]
fn a_document_that_is_cut_off_is_not_complete() {
    let document =
        json!({ "id": "x", "usage": { "prompt_tokens": 1, "completion_tokens": 2 }, "choices": [{ "a": "}]" }] });
    let document = document.to_string();
    for place in 0..document.len() {
        let observed = observe(&Api::OpenAiChat, ContentForm::Json, false, &[&document.as_bytes()[..place]]).1;
        assert_eq!(observed, Observed { usage: None, delivered: place as u64, complete: false });
    }
    let whole =
        |after: &str| observe(&Api::OpenAiChat, ContentForm::Json, false, &[document.as_bytes(), after.as_bytes()]).1;
    assert_eq!((whole("").usage, whole("").complete), (used(1, 2), true));
    assert_eq!((whole(" \r\n\t").usage, whole("\n").complete), (used(1, 2), true));
    for after in ["x", "{}", ",", "}", "\0"] {
        assert_eq!((whole(after).usage, whole(after).complete), (None, false), "{after}");
    }
    for (text, complete) in
        [("[]", true), ("[{\"usage\":{}}]", true), ("", false), ("1", false), ("[}", false), ("{]", false)]
    {
        let observed = observe(&Api::OpenAiChat, ContentForm::Json, false, &[text.as_bytes()]).1;
        assert_eq!((observed.usage, observed.complete), (None, complete), "{text}");
    }
}

#[test]
fn only_one_usage_of_the_outermost_object_counts() {
    let usage = "{\"prompt_tokens\":1,\"completion_tokens\":2}";
    let found = used(1, 2);
    for (text, expected) in [
        ("{\"usage\":@}", found),
        ("{\"a\":[{\"usage\":7}],\"usage\" \n:\t @ ,\"b\":\"usage\"}", found),
        ("{\"us\\u0061g\\u0065\":@}", found),
        ("{\"a\":\"\\\"usage\\\":7,\\\\\",\"usage\":@}", found),
        ("{\"usage\":@,\"usage\":@}", None),
        ("{\"usage\":null,\"usage\":@}", None),
        ("{\"usage\":@,\"\\u0075sage\":@}", None),
        ("{\"a\":{\"usage\":@}}", None),
        ("[{\"usage\":@}]", None),
        ("{\"a\":\"{\\\"usage\\\":@}\"}", None),
        ("{\"Usage\":@}", None),
        ("{\"usage \":@}", None),
        ("{\"usage\\u0000\":@}", None),
        ("{\"usage\":[@]}", None),
        ("{\"usage\":@ @}", None),
        ("{\"usage\":}", None),
        ("{usage:@}", None),
    ] {
        let text = text.replace('@', usage);
        let bytes = text.as_bytes();
        for place in 0..=bytes.len() {
            let (before, after) = bytes.split_at(place);
            assert_eq!(
                observe(&Api::OpenAiChat, ContentForm::Json, false, &[before, after]).1.usage,
                expected,
                "{text} at {place}"
            );
        }
    }
    let padded = |length: usize| {
        let padding = "x".repeat(length - usage.len() - ",\"x\":\"\"".len());
        format!("{{\"a\":\"{}\",\"usage\":{},\"x\":\"{padding}\"}}}}", "y".repeat(3_000_000), &usage[..usage.len() - 1])
    };
    for (length, expected) in [(65536, found), (65537, None)] {
        let text = padded(length);
        for piece in [1000, usize::MAX] {
            let pieces: Vec<_> = text.as_bytes().chunks(piece).collect();
            let observed = observe(&Api::OpenAiChat, ContentForm::Json, false, &pieces).1;
            assert_eq!((observed.usage, observed.complete), (expected, true), "{length}");
        }
    }
}

/// Texts of JSON in many spellings, with members named `usage` everywhere, several times, and in texts.
fn documents() -> impl Strategy<Value = String> {
    let space = || prop::sample::select(vec!["", "", "", " ", "\n\t", "\r  "]);
    let leaf = prop::sample::select(vec![
        "null",
        "true",
        "-1.5e3",
        "12",
        "\"\"",
        "\"text\"",
        "\"\\\"usage\\\":{\"",
        "\"\\\\\"",
        "\"\\\\\\\"\"",
        "\"{[,:]}\"",
        "\"\\u0022}\\ud83e\\udd80\"",
        "{\"prompt_tokens\":3,\"completion_tokens\":4}",
        "{\"input_tokens\":3,\"output_tokens\":4,\"cache_read_input_tokens\":5}",
        "{\"prompt_tokens\":3,\"completion_tokens\":4,\"prompt_tokens\":3}",
    ]);
    let name = || {
        prop::sample::select(vec!["usage", "us\\u0061ge", "a", "usage2", "\\\"usage\\\"", "prompt_tokens", "choices"])
    };
    let value = leaf.prop_map(str::to_owned).prop_recursive(4, 24, 4, move |value| {
        let member = (name(), space(), value.clone(), space());
        let member =
            member.prop_map(|(name, before, value, after)| format!("{before}\"{name}\"{after}:{before}{value}{after}"));
        let members = prop::collection::vec(member, 0..4);
        let items = prop::collection::vec((space(), value), 0..4);
        let items =
            items.prop_map(|items| items.into_iter().map(|(space, item)| format!("{space}{item}")).collect::<Vec<_>>());
        prop_oneof![
            3 => members.prop_map(|members| format!("{{{}}}", members.join(","))),
            1 => items.prop_map(|items| format!("[{}]", items.join(","))),
        ]
    });
    let usage = "\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":4,\"input_tokens\":5,\"output_tokens\":6";
    let extra = prop::option::of((space(), value.clone()));
    (space(), value, space(), extra).prop_map(move |(before, value, after, extra)| {
        // Half of the documents get a usage at the right place, whatever else they have.
        let Some((space, extra)) = extra else { return format!("{before}{value}{after}") };
        let document = format!("{{{space}{usage},\"x\":{extra}}},");
        value.strip_prefix('{').map_or(value.clone(), |rest| {
            let document = if rest.trim_start() == "}" { document.trim_end_matches(',') } else { &document };
            format!("{before}{document}{rest}{after}")
        })
    })
}

#[test]
fn the_usage_of_any_document_is_what_serde_json_finds() {
    let found = std::cell::Cell::new(0);
    let cut = prop::option::weighted(0.2, 0..200_usize);
    property(20_000, &(0..5_u8, 2..20_u8, documents(), cut), |(api, piece, document, cut)| {
        let mut document = document.into_bytes();
        document.truncate(cut.unwrap_or(usize::MAX));
        let observed = observe(&target::api(api), ContentForm::Json, false, &[&document]).1;
        found.set(found.get() + u32::from(observed.usage.is_some()));
        target::usage(&[&[8 | api, piece], document.as_slice()].concat());
        prop_assert!(observed.complete || observed.usage.is_none());
        Ok(())
    });
    assert!(found.get() > 200, "only {} documents had a usage: the test is too weak", found.get());
}

#[test]
fn any_stream_passes_without_the_events_that_have_only_usage() {
    let line = prop::sample::select(vec![
        "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":2}}",
        "data: {\"choices\":[],\"usage\":null}",
        "data: {\"choices\":[{\"delta\":{\"content\":\"usage\"}}]}",
        "data: {\"choices\":[],",
        "data:\"usage\":{}}",
        "data",
        ": comment",
        "event: response.completed",
        "\u{feff}",
        "",
        "",
        "data: [DONE]",
    ]);
    let feed = prop::sample::select(vec!["\n", "\r", "\r\n", "\n\n", "\r\r", "\r\n\r\n", ""]);
    let stream = prop::collection::vec((line, feed), 0..12);
    property(10_000, &(0..32_u8, 2..20_u8, stream), |(choice, piece, lines)| {
        let stream: String = lines.into_iter().flat_map(|(line, feed)| [line, feed]).collect();
        target::usage(&[&[choice & !8, piece], stream.as_bytes()].concat());
        Ok(())
    });
}
