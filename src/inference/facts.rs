//! The facts about a request by which it is judged.

use std::collections::BTreeSet;

use super::error::InferenceError;
use super::input;
use super::members::check_names;
use super::nested::{Found, Members};
use super::values::{INCLUDE_USAGE, STREAM_OPTIONS, value};
use crate::json_body::{JsonBody, Value};
use crate::policy::{Api, Inference, Media, Model, StateMember};
use crate::trail::excerpt;

/// The longest name of a model, in bytes; no policy has a longer one.
const MAX_MODEL_BYTES: usize = 128;

/// The facts about a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Facts {
    /// The model, as the caller names it.
    pub(super) model: String,
    /// The most tokens of one response, if the request says it, and the member that does.
    pub(super) max_tokens: Option<(String, u64)>,
    /// How many responses it asks for.
    pub(super) choices: u64,
    /// Whether it asks for a stream.
    pub(super) stream: bool,
    /// Whether it offers tools to the model.
    pub(super) tools: bool,
    /// The types of tools, and of items and parts of the input, that are neither functions nor text, each with its member.
    pub(super) types: BTreeSet<(String, String)>,
    /// What the input contains besides text.
    pub(super) media: BTreeSet<Media>,
    /// What it refers to at the provider.
    pub(super) state: BTreeSet<StateMember>,
}

impl Facts {
    /// Reads the facts from a body.
    ///
    /// # Errors
    /// An [`InferenceError`] if a member is not known, unclear, missing or malformed.
    pub(super) fn read(body: &JsonBody<'_>, inference: &Inference) -> Result<Self, InferenceError> {
        check_names(body, inference)?;
        let api = &inference.api;
        let mut facts = Self { model: model(body, api.model_member())?, choices: 1, ..Self::default() };
        for member in api.token_members() {
            let value = count(body, member)?;
            // The greater one counts, because it is open which of two the origin reads.
            if let Some(value) = value.filter(|value| facts.max_tokens.as_ref().is_none_or(|(_, most)| value > most)) {
                facts.max_tokens = Some((member.to_owned(), value));
            }
        }
        if let Api::Json { .. } = api {
            return Ok(facts);
        }
        facts.stream = flag(body, "stream")?;
        if *api == Api::OpenAiChat {
            facts.choices = count(body, "n")?.unwrap_or(1);
        }
        let mut found = Found::new(&inference.extra_members);
        facts.tools = input::tools(body, api, &mut found)?;
        input::read(body, api, &mut found)?;
        check_stream_options(body, inference)?;
        facts.state = found.state;
        facts.state.extend(state(body, api)?);
        facts.types = found.types.iter().map(|(member, kind)| ((*member).to_owned(), (*kind).to_owned())).collect();
        facts.media = found.media;
        Ok(facts)
    }

    /// The most tokens that all responses together can have, if the request says so.
    pub(super) fn most_output(&self) -> Option<u64> {
        self.max_tokens.as_ref().map(|(_, most)| most.saturating_mul(self.choices))
    }

    /// Checks the facts against what the callers of `model` may use.
    ///
    /// # Errors
    /// An [`InferenceError`] for the first that is refused.
    pub(super) fn check(&self, inference: &Inference, model: &Model) -> Result<(), InferenceError> {
        match (&self.max_tokens, model.max_tokens) {
            (Some((member, value)), Some(most)) if *value > most => {
                return Err(InferenceError::TooMany { member: member.clone(), value: *value, most });
            }
            (None, Some(most)) => {
                let member = inference.api.token_members().first().map_or_else(String::new, |name| (*name).to_owned());
                return Err(InferenceError::NoTokenLimit { member, most });
            }
            _ => {}
        }
        if self.choices > model.max_choices {
            let (value, most) = (self.choices, model.max_choices);
            return Err(InferenceError::TooMany { member: "n".to_owned(), value, most });
        }
        if self.stream && !inference.stream {
            return Err(InferenceError::Stream);
        }
        if self.tools && !model.tools {
            return Err(InferenceError::Tools);
        }
        let refused = |(_, kind): &&(String, String)| !model.tools || !inference.tool_types.contains(kind);
        if let Some((member, kind)) = self.types.iter().find(refused) {
            return Err(InferenceError::Type { member: member.clone(), kind: excerpt(kind) });
        }
        if let Some(media) = self.media.difference(&model.media).next() {
            return Err(InferenceError::Media(*media));
        }
        match self.state.difference(&inference.state).next() {
            Some(state) => Err(InferenceError::State(*state)),
            None => Ok(()),
        }
    }
}

/// Checks the names of the options of a stream, as of the client 3.57 of OpenAI: another one may withhold the usage.
fn check_stream_options(body: &JsonBody<'_>, inference: &Inference) -> Result<(), InferenceError> {
    let known: &[&'static str] = match inference.api {
        Api::OpenAiChat => &["include_obfuscation", INCLUDE_USAGE],
        Api::OpenAiResponses => &["include_obfuscation"],
        _ => return Ok(()),
    };
    let Some(options) = value(body, STREAM_OPTIONS) else { return Ok(()) };
    Members::of_object(options, STREAM_OPTIONS)?.are_among(known, &inference.extra_members)
}

fn model(body: &JsonBody<'_>, member: &str) -> Result<String, InferenceError> {
    let malformed = || InferenceError::Malformed { member: excerpt(member), expected: "the name of a model, a text" };
    match body.value(member).and_then(Value::text) {
        Some(name) if (1..=MAX_MODEL_BYTES).contains(&name.len()) => Ok(name.to_owned()),
        _ => Err(malformed()),
    }
}

/// A positive whole number, written as one: not `"5"`, `5.0` or `5e0`. `null` counts as absent, as the APIs say.
fn count(body: &JsonBody<'_>, member: &str) -> Result<Option<u64>, InferenceError> {
    match value(body, member) {
        None => Ok(None),
        Some(Value::Whole(number @ 1..)) => Ok(Some(*number)),
        Some(_) => {
            Err(InferenceError::Malformed { member: excerpt(member), expected: "a positive whole number below 2^64" })
        }
    }
}

fn flag(body: &JsonBody<'_>, member: &str) -> Result<bool, InferenceError> {
    match value(body, member) {
        None => Ok(false),
        Some(Value::Bool(flag)) => Ok(*flag),
        Some(_) => Err(InferenceError::Malformed { member: excerpt(member), expected: "true or false" }),
    }
}

/// The members that refer to state at the provider. OpenAI keeps responses unless the request says `"store": false`
/// (platform.openai.com/docs/api-reference/responses/create#store); chat completions only with `"store": true`.
fn state(body: &JsonBody<'_>, api: &Api) -> Result<BTreeSet<StateMember>, InferenceError> {
    let is_there = |member: &str| value(body, member).is_some();
    let mut found = BTreeSet::new();
    match api {
        Api::OpenAiChat => {
            if flag(body, "store")? {
                found.insert(StateMember::Store);
            }
        }
        Api::OpenAiResponses => {
            let is_kept = !is_there("store") || flag(body, "store")?;
            let is_in_background = flag(body, "background")?;
            let present = [
                (is_kept, StateMember::Store),
                (is_there("previous_response_id"), StateMember::PreviousResponseId),
                (is_there("conversation"), StateMember::Conversation),
                (is_in_background, StateMember::Background),
                (is_there("prompt"), StateMember::Prompt),
            ];
            found.extend(present.into_iter().filter_map(|(is_present, member)| is_present.then_some(member)));
        }
        Api::AnthropicMessages => {
            if is_there("container") {
                found.insert(StateMember::Files);
            }
        }
        Api::OpenAiEmbeddings | Api::Json { .. } => {}
    }
    Ok(found)
}
