//! `inference` in the document.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::spending::{Price, Settle};
use crate::json_form::{objects, strings};
use crate::policy::conditions::ConditionDocument;

objects!(InferenceDocument, ModelDocument, MembersDocument);
strings!(ApiName, Affinity, Media, StateMember);

/// The requests to models that a route accepts: POST with a JSON object. The edge reads the body once, refuses what could be
/// read in two ways, and signs its digest (`sign_body` is implied). It changes at most the name of the model and, if budgets count what a response costs, `stream_options.include_usage`.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(not(target_os = "wasi"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, remote = "Self")]
pub struct InferenceDocument {
    /// The form of the requests.
    pub api: ApiName,
    /// The members of the body, if `api` is `"json"`.
    #[serde(default)]
    pub members: Option<MembersDocument>,
    /// The models by the name that callers use, at least one. A request for another model gets 403.
    pub models: BTreeMap<String, ModelDocument>,
    /// The most tokens that a request may ask for, 1 to 1000000000. A request that does not say how many gets 400.
    /// Default: no limit.
    #[serde(default)]
    pub max_tokens: Option<u64>,
    /// The most responses to one request (`n`). Default: 1.
    #[serde(default)]
    pub max_choices: Option<u64>,
    /// The length of the longest body, in bytes, 1 to 2097152. A longer one gets 413. Default: 262144.
    #[serde(default)]
    pub max_input_bytes: Option<u64>,
    /// Whether requests may offer tools to the model. Default: false.
    #[serde(default)]
    pub tools: bool,
    /// Further types of tools, such as those that the provider runs (`web_search`), and of the items of the input in which
    /// such tools appear. Needs `tools`. Media in them need `media`, and ids of files and containers need `state`. Default:
    /// only functions that the client runs.
    #[serde(default)]
    pub tool_types: Vec<String>,
    /// What the input may contain besides text. Default: nothing.
    #[serde(default)]
    pub media: Vec<Media>,
    /// Whether responses may be streams. Default: true.
    #[serde(default = "default_stream")]
    pub stream: bool,
    /// What requests of one backend have in common, where the origin has several: what a backend keeps of a conversation is
    /// then used again. Default: as `hash_by` of the origin says.
    #[serde(default)]
    pub affinity: Option<Affinity>,
    /// References to state at the provider, which all callers of its key share, that requests may contain. Default: none.
    #[serde(default)]
    pub state: Vec<StateMember>,
    /// Members that the body, its messages and their parts may have although the API does not have them, such as parameters of
    /// the server that runs the model. Default: none; a request with an unknown member gets 400.
    #[serde(default)]
    pub extra_members: Vec<String>,
    /// The budgets that requests are counted against, by their names. Every model needs a token limit, except for
    /// embeddings. Default: none.
    #[serde(default)]
    pub budgets: Vec<String>,
    /// What budgets count in the end: the `usage` of the response (`"usage"`, the default), or the estimate, which needs no
    /// reading of the response (`"estimate"`, required with `"api": "json"`). The estimate is `max_tokens` of the request
    /// for each response, and the body.
    #[serde(default)]
    pub settle: Option<Settle>,
    /// How many bytes of the body are estimated to be one token, 1 to 16. With 1, the default, the estimate of a text is an
    /// upper bound: a token has at least one byte. With a greater number a request can cost more than its estimate.
    #[serde(default)]
    pub input_bytes_per_token: Option<u64>,
}

const fn default_stream() -> bool {
    true
}

/// A model: who may use it, and how. What is left out is as at the route.
#[derive(Clone, Debug, Default, Deserialize)]
#[cfg_attr(not(target_os = "wasi"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, remote = "Self")]
pub struct ModelDocument {
    /// The name of the model at the origin, which replaces the one that callers use. Default: the same.
    #[serde(default)]
    pub name_at_origin: Option<String>,
    /// A condition that callers of this model must meet in addition to the rules of the route.
    #[serde(default)]
    pub require: Option<ConditionDocument>,
    /// The most tokens that a request may ask for.
    #[serde(default)]
    pub max_tokens: Option<u64>,
    /// The most responses to one request.
    #[serde(default)]
    pub max_choices: Option<u64>,
    /// Whether requests may offer tools to the model.
    #[serde(default)]
    pub tools: Option<bool>,
    /// What the input may contain besides text.
    #[serde(default)]
    pub media: Option<Vec<Media>>,
    /// The price of its tokens, for budgets of money.
    #[serde(default)]
    pub price: Option<Price>,
}

/// The members of a JSON object that is of no known API. All others are forwarded as they are.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(not(target_os = "wasi"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, remote = "Self")]
pub struct MembersDocument {
    /// The member with the name of the model.
    pub model: String,
    /// The member with the greatest number of tokens in the response. Default: none.
    #[serde(default)]
    pub max_tokens: Option<String>,
}

/// The form of requests and responses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(not(target_os = "wasi"), derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case", remote = "Self")]
pub enum ApiName {
    /// OpenAI's chat completions, `/v1/chat/completions`.
    OpenaiChat,
    /// OpenAI's responses, `/v1/responses`.
    OpenaiResponses,
    /// OpenAI's embeddings, `/v1/embeddings`.
    OpenaiEmbeddings,
    /// Anthropic's messages, `/v1/messages`.
    AnthropicMessages,
    /// Another JSON object, whose `members` are named.
    Json,
}

/// What requests of one backend have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(not(target_os = "wasi"), derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case", remote = "Self")]
pub enum Affinity {
    /// The beginning of the conversation: instructions and messages up to the first one of the user, at most 8 KiB of each;
    /// or `prompt_cache_key`, or the id of a conversation at the provider, if the request has it.
    Conversation,
    /// Issuer and subject, or the address of an anonymous caller.
    Caller,
}

/// What an input may contain besides text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[cfg_attr(not(target_os = "wasi"), derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case", remote = "Self")]
pub enum Media {
    /// Images.
    Image,
    /// Audio.
    Audio,
    /// Documents and other files.
    File,
}

/// A member of a request that refers to state at the provider. All callers share the provider's key, so one of them could
/// read what another one left there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[cfg_attr(not(target_os = "wasi"), derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case", remote = "Self")]
pub enum StateMember {
    /// The response is kept (`"store": true`).
    Store,
    /// An earlier response is continued.
    PreviousResponseId,
    /// A conversation is continued.
    Conversation,
    /// The response is made in the background, and read later (`"background": true`).
    Background,
    /// A prompt that is kept at the provider.
    Prompt,
    /// Files and containers that are kept at the provider, by their ids.
    Files,
    /// Items of earlier responses, by their ids.
    ItemReference,
}
