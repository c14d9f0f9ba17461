//! Responses of models, which the edge observes as they pass.

use std::collections::BTreeMap;

use fastgate::content_form::ContentForm;
use fastgate::policy::Api;
use fastgate::usage::{MAX_TOKENS, Observed, Observer, Usage};
use serde::de::{Deserializer as _, MapAccess, Visitor};
use serde_json::value::RawValue;

/// The first byte chooses the API, the form and whether usage is hidden; the second one the length of pieces; the rest is
/// the response. What passes and what is found do not depend on the pieces. Every byte passes, at once, unless usage is
/// hidden: then exactly the events that have only a usage are missing. What is found in JSON is what `serde_json` finds.
pub fn usage(data: &[u8]) {
    let [choice, piece, response @ ..] = data else { return };
    let api = api(choice % 8);
    let form = if choice & 8 == 0 { ContentForm::EventStream } else { ContentForm::Json };
    let hides = choice & 16 != 0;
    let (passed, observed) = observe(&api, form, hides, &[response]);
    for length in [1, usize::from(*piece).max(2)] {
        let pieces: Vec<_> = response.chunks(length).collect();
        assert_eq!(observe(&api, form, hides, &pieces), (passed.clone(), observed), "in pieces of {length}");
    }
    assert!(observed.delivered <= response.len() as u64, "{observed:?}");
    match form {
        ContentForm::EventStream if hides && api == Api::OpenAiChat => {
            if let Ok(text) = std::str::from_utf8(response) {
                assert_eq!(String::from_utf8(passed).unwrap(), without_usage(text));
            }
        }
        ContentForm::EventStream => assert_eq!(passed, response),
        ContentForm::Json => {
            assert_eq!(passed, response);
            let Some(document) = std::str::from_utf8(response).ok().and_then(|text| members(text).ok()) else { return };
            assert!(observed.complete);
            let mut found = document.iter().filter(|(name, _)| name == "usage");
            let usage = found.next().filter(|_| found.next().is_none());
            assert_eq!(observed.usage, usage.and_then(|(_, usage)| tokens(&api, usage.get())));
        }
    }
}

/// The API of this number.
pub fn api(number: u8) -> Api {
    match number {
        1 => Api::OpenAiResponses,
        2 => Api::OpenAiEmbeddings,
        3 => Api::AnthropicMessages,
        4 => Api::Json { model: "model".to_owned(), max_tokens: None },
        _ => Api::OpenAiChat,
    }
}

/// What passes, and what is found, if the response is read in these pieces.
pub fn observe(api: &Api, form: ContentForm, hides: bool, pieces: &[&[u8]]) -> (Vec<u8>, Observed) {
    let mut response = Observer::new(api, form, hides);
    let mut passed = Vec::new();
    for piece in pieces {
        let bytes = response.pass(piece);
        assert!(hides || bytes == *piece, "bytes are held");
        passed.extend_from_slice(&bytes);
    }
    let (rest, observed) = response.end();
    assert!(hides || rest.is_empty(), "bytes were held");
    passed.extend_from_slice(&rest);
    (passed, observed)
}

/// The stream without the events that have only a usage. Comments before one of them stay.
fn without_usage(stream: &str) -> String {
    let mut kept = String::new();
    let mut event = String::new();
    let mut rest = stream;
    while !rest.is_empty() {
        let end = rest.find(['\r', '\n']).unwrap_or(rest.len());
        let feed = ["\r\n", "\r", "\n"].into_iter().find(|feed| rest[end..].starts_with(feed)).unwrap_or("");
        let (line, after) = rest.split_at(end + feed.len());
        rest = after;
        if event.is_empty() && line.starts_with(':') {
            kept.push_str(line);
            continue;
        }
        event.push_str(line);
        if end == 0 || rest.is_empty() {
            let lines = event.strip_prefix('\u{feff}').filter(|_| kept.is_empty() && stream.starts_with(&event));
            if !has_only_usage(lines.unwrap_or(&event)) {
                kept.push_str(&event);
            }
            event.clear();
        }
    }
    kept
}

fn has_only_usage(event: &str) -> bool {
    let fields = event.split(['\r', '\n']).filter_map(|line| line.split_once(':').or(Some((line, ""))));
    let values = fields.filter(|(name, _)| *name == "data").map(|(_, value)| value.strip_prefix(' ').unwrap_or(value));
    let data = values.collect::<Vec<_>>().join("\n");
    let named = data.match_indices("\"usage\"").any(|(place, name)| {
        let value = data[place + name.len()..].trim_ascii_start().strip_prefix(':');
        value.is_some_and(|value| !value.trim_ascii_start().starts_with("null"))
    });
    let Some(event) = members(&data).ok().filter(|_| named && !data.starts_with("[DONE]")) else { return false };
    let values = |sought: &str| -> Vec<&str> {
        event.iter().filter(|(name, _)| name == sought).map(|(_, value)| value.get()).collect()
    };
    let is_empty =
        |choices: &str| serde_json::from_str::<Vec<serde_json::Value>>(choices).is_ok_and(|it| it.is_empty());
    matches!((&values("choices")[..], &values("usage")[..]), ([choices], [usage]) if is_empty(choices) && *usage != "null")
}

/// Everything besides the input is output.
fn with_total(input: u64, output: u64, total: Option<u64>) -> (u64, u64) {
    (input, total.map_or(output, |total| output.max(total.saturating_sub(input))))
}

fn tokens(api: &Api, usage: &str) -> Option<Usage> {
    let mut counts: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, value) in members(usage).ok()? {
        counts.entry(name).or_default().push(value.get().to_owned());
    }
    // `None` outside: the usage cannot be read. `None` inside: the member is absent, or null where that is allowed.
    let count = |name: &str| match counts.get(name).map(Vec::as_slice) {
        None => Some(None),
        Some([value]) if value == "null" => Some(None),
        Some([value]) => value.parse::<u64>().ok().filter(|_| !value.starts_with('-')).map(Some),
        Some(_) => None,
    };
    let (input, output) = match api {
        Api::OpenAiChat => with_total(count("prompt_tokens")??, count("completion_tokens")??, count("total_tokens")?),
        Api::OpenAiResponses => with_total(count("input_tokens")??, count("output_tokens")??, count("total_tokens")?),
        Api::OpenAiEmbeddings => (count("prompt_tokens")??, 0),
        Api::AnthropicMessages => {
            let stored = count("cache_creation_input_tokens")?.unwrap_or(0);
            let had = count("cache_read_input_tokens")?.unwrap_or(0);
            let (input, output) = (count("input_tokens")??, count("output_tokens")??);
            (input.checked_add(stored)?.checked_add(had)?, output)
        }
        Api::Json { .. } => return None,
    };
    (input <= MAX_TOKENS && output <= MAX_TOKENS).then_some(Usage { input, output })
}

/// The members of an object, also those that are there several times.
fn members(object: &str) -> Result<Vec<(String, &RawValue)>, serde_json::Error> {
    struct Members;
    impl<'de> Visitor<'de> for Members {
        type Value = Vec<(String, &'de RawValue)>;

        fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            formatter.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
            std::iter::from_fn(|| entries.next_entry().transpose()).collect()
        }
    }
    let mut deserializer = serde_json::Deserializer::from_str(object);
    let members = deserializer.deserialize_map(Members)?;
    deserializer.end().map(|()| members)
}
