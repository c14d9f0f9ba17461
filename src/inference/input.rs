//! What a request offers to the model: tools, and an input that may contain more than text. Only positions at which the
//! API expects parts are read; the arguments of tools are data. Messages, items and parts have only members that are known
//! here, so that no server finds a part where the edge finds none.

use super::error::InferenceError;
use super::nested::{Found, Members};
use super::values::{list, value};
use crate::json_body::{JsonBody, Value};
use crate::policy::{Api, Media, StateMember};
use crate::trail::excerpt;

/// How deep parts may be nested in parts: a document in the result of a tool, and its pages.
const MAX_PARTS: usize = 3;

/// Members of messages of chats, of Anthropic's messages, and of items of OpenAI's responses.
const OF_MESSAGES: [&str; 18] = [
    "type",
    "role",
    "content",
    "name",
    "tool_calls",
    "tool_call_id",
    "function_call",
    "refusal",
    "audio",
    "annotations",
    "id",
    "status",
    "call_id",
    "arguments",
    "input",
    "output",
    "summary",
    "encrypted_content",
];
/// Members of parts of all three.
const OF_PARTS: [&str; 27] = [
    "type",
    "text",
    "refusal",
    "image_url",
    "input_audio",
    "file",
    "detail",
    "file_id",
    "file_data",
    "file_url",
    "filename",
    "annotations",
    "logprobs",
    "cache_control",
    "citations",
    "source",
    "title",
    "context",
    "thinking",
    "signature",
    "data",
    "id",
    "name",
    "input",
    "tool_use_id",
    "content",
    "is_error",
];

/// Whether the request offers tools. Tools that are not functions of the client are found by their types.
pub(super) fn tools<'read>(
    body: &'read JsonBody<'_>,
    api: &Api,
    found: &mut Found<'read>,
) -> Result<bool, InferenceError> {
    let listed = list(body, "tools")?;
    for tool in listed {
        let members = Members::of(tool, "tools")?;
        members.has_no_likeness_of(&["type"])?;
        match members.kind()? {
            Some("function" | "custom") => {}
            None if *api == Api::AnthropicMessages => {}
            kind => found.other("tools", kind, tool),
        }
    }
    let functions = body.value("functions").is_some_and(|value| !value.is_empty());
    Ok(!listed.is_empty() || functions)
}

/// Reads the input.
pub(super) fn read<'read>(
    body: &'read JsonBody<'_>,
    api: &Api,
    found: &mut Found<'read>,
) -> Result<(), InferenceError> {
    match api {
        Api::OpenAiChat => {
            let has_audio = body.value("audio").is_some_and(|value| !value.is_empty());
            if has_audio || value(body, "modalities").is_some_and(|value| !is_text_only(value)) {
                found.media.insert(Media::Audio);
            }
            messages(body, found)
        }
        Api::AnthropicMessages => {
            if let Some(system) = value(body, "system") {
                content(system, "system", 0, found)?;
            }
            messages(body, found)
        }
        Api::OpenAiResponses => match value(body, "input") {
            None | Some(Value::Text(_)) => Ok(()), // a prompt at the provider may contain it
            Some(_) => list(body, "input")?.iter().try_for_each(|element| item(element, found)),
        },
        Api::OpenAiEmbeddings => embedded(body),
        Api::Json { .. } => Ok(()),
    }
}

fn is_text_only(modalities: &Value<'_>) -> bool {
    modalities.list().is_some_and(|kinds| kinds.iter().all(|kind| kind.text() == Some("text")))
}

/// Texts, or tokens: servers that embed images take objects.
fn embedded(body: &JsonBody<'_>) -> Result<(), InferenceError> {
    let is_plain = |value: &Value<'_>| !matches!(value, Value::List(_) | Value::Object(_));
    let are_tokens = |value: &Value<'_>| value.list().is_some_and(|tokens| tokens.iter().all(is_plain));
    let is_accepted = match body.value("input") {
        Some(Value::Object(_)) => false,
        Some(Value::List(elements)) => elements.iter().all(|each| is_plain(each) || are_tokens(each)),
        _ => true,
    };
    if is_accepted { Ok(()) } else { Err(malformed("input", "text, tokens, or a list of these")) }
}

fn malformed(member: &str, expected: &'static str) -> InferenceError {
    InferenceError::Malformed { member: excerpt(member), expected }
}

fn messages<'read>(body: &'read JsonBody<'_>, found: &mut Found<'read>) -> Result<(), InferenceError> {
    for element in list(body, "messages")? {
        let message = Members::of(element, "messages")?;
        message.are_among(&OF_MESSAGES, found.extra)?;
        if message.value("audio").is_some() {
            found.state.insert(StateMember::ItemReference);
        }
        if let Some(value) = message.value("content") {
            content(value, "messages", 0, found)?;
        }
    }
    Ok(())
}

/// An item of the input of OpenAI's responses.
fn item<'read>(element: &'read Value<'_>, found: &mut Found<'read>) -> Result<(), InferenceError> {
    let item = Members::of(element, "input")?;
    let kind = item.kind()?;
    let is_known = matches!(
        kind,
        None | Some(
            "message"
                | "reasoning"
                | "function_call"
                | "custom_tool_call"
                | "compaction"
                | "function_call_output"
                | "custom_tool_call_output"
                | "item_reference"
        )
    );
    if !is_known {
        found.other("input", kind, element);
        return Ok(());
    }
    item.are_among(&OF_MESSAGES, found.extra)?;
    // The type of a reference may be left out; thoughts without their encrypted content are those that are kept.
    let refers = match kind {
        Some("item_reference") => true,
        None => item.value("role").is_none(),
        Some("reasoning") => item.value("id").is_some() && item.value("encrypted_content").is_none(),
        _ => false,
    };
    if refers {
        found.state.insert(StateMember::ItemReference);
    }
    [item.value("content"), item.value("output")]
        .into_iter()
        .flatten()
        .try_for_each(|value| content(value, "input", 0, found))
}

/// Text, or parts.
fn content<'read>(
    value: &'read Value<'_>,
    member: &'static str,
    depth: usize,
    found: &mut Found<'read>,
) -> Result<(), InferenceError> {
    let parts = match value {
        Value::Text(_) => return Ok(()),
        Value::List(parts) => parts,
        _ => return Err(malformed(member, "text or a list of parts")),
    };
    if depth >= MAX_PARTS {
        return Err(malformed(member, "less deeply nested"));
    }
    parts.iter().try_for_each(|each| part(each, member, depth, found))
}

fn part<'read>(
    element: &'read Value<'_>,
    member: &'static str,
    depth: usize,
    found: &mut Found<'read>,
) -> Result<(), InferenceError> {
    let part = Members::of(element, member)?;
    let kind = part.kind()?;
    match kind {
        Some(
            "text" | "refusal" | "input_text" | "output_text" | "summary_text" | "reasoning_text" | "thinking"
            | "redacted_thinking" | "tool_use" | "tool_result" | "search_result",
        ) => {}
        Some("image_url" | "input_image" | "image") => {
            found.media.insert(Media::Image);
        }
        Some("input_audio") => {
            found.media.insert(Media::Audio);
        }
        Some("file" | "input_file" | "document") => {
            found.media.insert(Media::File);
        }
        Some("container_upload") => {
            found.state.insert(StateMember::Files);
        }
        kind => {
            found.other(member, kind, element);
            return Ok(());
        }
    }
    part.are_among(&OF_PARTS, found.extra)?;
    // Servers may look for what is there, and not for what the type says.
    for (name, media) in [
        ("image_url", Media::Image),
        ("input_audio", Media::Audio),
        ("file", Media::File),
        ("file_data", Media::File),
        ("file_url", Media::File),
    ] {
        if part.value(name).is_some() {
            found.media.insert(media);
        }
    }
    if part.value("file_id").is_some() {
        found.state.insert(StateMember::Files);
    }
    // The source of a search result is text.
    for holder in ["source", "file"].into_iter().filter_map(|name| part.value(name)) {
        if holder.object().is_some() {
            let inside = Members::of(holder, member)?;
            inside.has_no_likeness_of(&["file_id", "content", "type"])?;
            if inside.value("file_id").is_some() {
                found.state.insert(StateMember::Files);
            }
            if let Some(value) = inside.value("content") {
                content(value, member, depth.saturating_add(1), found)?;
            }
        }
    }
    match part.value("content") {
        Some(value) => content(value, member, depth.saturating_add(1), found),
        None => Ok(()),
    }
}
