//! What the responses of each API say about their cost.

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::counts::{ChatUsage, EmbeddingsUsage, MessagesUsage, ResponsesUsage, believed, with_total};
use super::delta;
use super::found::{Observed, Usage};
use crate::event_stream::Event;
use crate::policy::Api;
use crate::scan;

/// Counts the events of one stream.
#[derive(Debug)]
pub(super) struct Account {
    api: Api,
    usage: Option<Usage>,
    /// Anthropic's usage at the beginning of a message, of which the usage at its end may repeat only a part.
    first: Option<MessagesUsage>,
    /// The output that passed, in bytes.
    delivered: u64,
    /// Whether an event had a `delta`.
    has_delta: bool,
    long: Kind,
    complete: bool,
}

/// What an event is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// It carries output.
    Output,
    /// The first event of Anthropic's messages.
    First,
    /// It carries the usage, and does not end the stream: the last but one of Anthropic's messages.
    Usage,
    /// The last event of OpenAI's responses, which carries the usage.
    Result,
    /// The last event.
    Last,
    Other,
}

impl Account {
    pub(super) fn new(api: &Api) -> Self {
        Self {
            api: api.clone(),
            usage: None,
            first: None,
            delivered: 0,
            has_delta: false,
            long: Kind::Other,
            complete: false,
        }
    }

    /// Reads an event. Returns whether it has a usage and nothing else: the event that chat completions send on request.
    pub(super) fn read(&mut self, event: &Event) -> bool {
        let kind = self.kind(event);
        let has_only_usage = self.read_usage(kind, &event.data);
        if kind == Kind::Output && !has_only_usage {
            let output = delta::length(&event.data);
            self.has_delta |= output.is_some();
            self.deliver(output.unwrap_or_else(|| without_delta(&event.data)));
        }
        has_only_usage
    }

    /// Reads an event that no blank line ends. It may be a part of one, so that its `delta` may be missing.
    pub(super) fn read_last(&mut self, event: &Event) -> bool {
        let kind = self.kind(event);
        let has_only_usage = self.read_usage(kind, &event.data);
        if kind == Kind::Output && !has_only_usage {
            let missing = || if self.has_delta { 0 } else { without_delta(&event.data) };
            self.deliver(delta::length(&event.data).unwrap_or_else(missing));
        }
        has_only_usage
    }

    /// An event that is too long to be read begins like this.
    pub(super) fn begin_long(&mut self, head: &Event) {
        self.long = self.kind(head);
        self.usage = None;
    }

    /// It ends, and had this length.
    pub(super) fn end_long(&mut self, length: u64) {
        match self.long {
            Kind::Output => self.deliver(length),
            Kind::Result | Kind::Last => self.complete = true,
            Kind::First | Kind::Usage | Kind::Other => {}
        }
    }

    pub(super) fn into_observed(self) -> Observed {
        let delivered = if has_output(&self.api) { self.delivered } else { 0 };
        Observed { usage: self.usage, delivered, complete: self.complete }
    }

    /// An event with this output passes. A token may be in an event without a letter.
    fn deliver(&mut self, output: u64) {
        self.delivered = self.delivered.saturating_add(output.max(1));
    }

    fn kind(&self, event: &Event) -> Kind {
        let known = match self.api {
            Api::OpenAiChat | Api::OpenAiEmbeddings | Api::Json { .. } => {
                return match &*event.data {
                    [] => Kind::Other,
                    data if data.starts_with(b"[DONE]") => Kind::Last,
                    _ => Kind::Output,
                };
            }
            Api::OpenAiResponses => of_responses,
            Api::AnthropicMessages => of_messages,
        };
        let of_data = || {
            let mut rest = &*event.data;
            loop {
                rest = scan::member(rest, b"\"type\"")?;
                let end = rest.iter().skip(1).position(|byte| *byte == b'"');
                let name = rest.strip_prefix(b"\"").and_then(|rest| rest.get(..end?));
                if let Some(kind) = name.and_then(known) {
                    return Some(kind);
                }
            }
        };
        known(event.name).or_else(of_data).unwrap_or(Kind::Other)
    }

    /// Reads the usage of an event, if it may have one. Returns whether it has nothing else.
    fn read_usage(&mut self, kind: Kind, data: &[u8]) -> bool {
        if matches!(kind, Kind::Last | Kind::Result) {
            self.complete = true;
        }
        if !may_have_usage(data) {
            return false;
        }
        match (&self.api, kind) {
            (Api::OpenAiChat, Kind::Output) => {
                let Some(Chunk { choices, usage: Some(usage) }) = object(data) else { return false };
                self.usage = of_document(&self.api, usage.get().as_bytes());
                choices.is_some_and(|choices| choices.is_empty())
            }
            (Api::OpenAiResponses, Kind::Result) => {
                let response = object(data).and_then(|event: ResultEvent| event.response);
                let usage = response.and_then(|response| object(response.get().as_bytes()));
                let usage = usage.and_then(|response: HasUsage| response.usage);
                self.usage = usage.and_then(|usage| of_document(&self.api, usage.get().as_bytes()));
                false
            }
            (Api::AnthropicMessages, Kind::First) => {
                let message = object(data).and_then(|event: FirstEvent| event.message);
                let usage = message.and_then(|message| object(message.get().as_bytes()));
                let usage = usage.and_then(|message: HasUsage| message.usage);
                self.first = usage.and_then(|usage| object(usage.get().as_bytes()));
                false
            }
            (Api::AnthropicMessages, Kind::Usage) => {
                let usage = object(data).and_then(|event: HasUsage| event.usage);
                let usage = usage.and_then(|usage| object::<MessagesUsage>(usage.get().as_bytes()));
                self.usage = usage.and_then(|usage| usage.with(self.first.as_ref()).read());
                false
            }
            _ => false,
        }
    }
}

/// Whether responses of this API have output tokens.
pub(super) fn has_output(api: &Api) -> bool {
    *api != Api::OpenAiEmbeddings
}

/// The most output that an event without `delta` can have: all of it, unless it has no response of the model.
fn without_delta(data: &[u8]) -> u64 {
    let choices = scan::member(data, b"\"choices\"").and_then(|choices| choices.strip_prefix(b"["));
    let is_empty = choices.is_some_and(|choices| choices.trim_ascii_start().starts_with(b"]"));
    if is_empty { 0 } else { data.len() as u64 }
}

/// Reads the member `usage` of a document, or of an event that has it in the same form.
pub(super) fn of_document(api: &Api, usage: &[u8]) -> Option<Usage> {
    let (input, output) = match api {
        Api::OpenAiChat => {
            let usage: ChatUsage = object(usage)?;
            (usage.prompt_tokens, with_total(usage.prompt_tokens, usage.completion_tokens, usage.total_tokens))
        }
        Api::OpenAiResponses => {
            let usage: ResponsesUsage = object(usage)?;
            (usage.input_tokens, with_total(usage.input_tokens, usage.output_tokens, usage.total_tokens))
        }
        Api::OpenAiEmbeddings => {
            let usage: EmbeddingsUsage = object(usage)?;
            (usage.prompt_tokens, 0)
        }
        Api::AnthropicMessages => return object::<MessagesUsage>(usage)?.read(),
        Api::Json { .. } => return None,
    };
    believed(input, output)
}

fn of_responses(name: &[u8]) -> Option<Kind> {
    Some(match name.strip_prefix(b"response.")? {
        b"completed" | b"incomplete" | b"failed" => Kind::Result,
        name if name.ends_with(b".delta") => Kind::Output,
        _ => Kind::Other,
    })
}

fn of_messages(name: &[u8]) -> Option<Kind> {
    Some(match name {
        b"message_start" => Kind::First,
        b"content_block_delta" => Kind::Output,
        b"message_delta" => Kind::Usage,
        b"message_stop" => Kind::Last,
        b"content_block_start" | b"content_block_stop" | b"ping" | b"error" => Kind::Other,
        _ => return None,
    })
}

/// Whether data has a member `usage` that is not null, at some depth. Servers that were asked for usage write null in all
/// events before the last: these need not be parsed.
fn may_have_usage(mut data: &[u8]) -> bool {
    while let Some(value) = scan::member(data, b"\"usage\"") {
        if !value.starts_with(b"null") {
            return true;
        }
        data = value;
    }
    false
}

/// Reads an object. A derived `Deserialize` would accept an array of the members' values as well.
fn object<'json, T: Deserialize<'json>>(json: &'json [u8]) -> Option<T> {
    json.trim_ascii_start().starts_with(b"{").then(|| serde_json::from_slice(json).ok()).flatten()
}

#[derive(Deserialize)]
struct Chunk<'json> {
    choices: Option<Vec<IgnoredAny>>,
    #[serde(borrow)]
    usage: Option<&'json RawValue>,
}

#[derive(Deserialize)]
struct ResultEvent<'json> {
    #[serde(borrow)]
    response: Option<&'json RawValue>,
}

#[derive(Deserialize)]
struct FirstEvent<'json> {
    #[serde(borrow)]
    message: Option<&'json RawValue>,
}

#[derive(Deserialize)]
struct HasUsage<'json> {
    #[serde(borrow)]
    usage: Option<&'json RawValue>,
}
