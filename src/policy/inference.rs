//! `inference` of a route: the requests to language and embedding models that callers may send. Input: an
//! [`InferenceDocument`]. Output: an [`Inference`], which step [`inference`](crate::inference) applies.

pub(super) mod budgets;
mod document;
pub(super) mod fault;
pub(super) mod members;
mod spending;

use std::collections::{BTreeMap, BTreeSet};

pub use document::{Affinity, ApiName, InferenceDocument, Media, StateMember};
use document::{MembersDocument, ModelDocument};
use fault::InferenceFault;
use members::are_alike;
pub use spending::{Price, Settle, Spending};

use super::conditions::{Condition, Rules};
use super::fault::{Fault, Faults};
use super::pattern::PathTemplate;

/// The longest body without `max_input_bytes`.
const DEFAULT_INPUT_BYTES: u64 = 256 * 1024;
/// The longest body that can be admitted. The whole body is kept in memory.
const MAX_INPUT_BYTES: u64 = 2 * 1024 * 1024;
/// The most tokens, and the most choices, that a limit can admit.
const MAX_COUNT: u64 = 1_000_000_000;

/// The requests for models that a route accepts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inference {
    /// The form of requests and responses.
    pub api: Api,
    /// The models by the name that callers use; at least one.
    pub models: BTreeMap<String, Model>,
    /// The longest body in bytes.
    pub max_input_bytes: u64,
    /// The types of tools, and of items of the input in which they appear, besides functions.
    pub tool_types: BTreeSet<String>,
    /// Whether responses may be streams.
    pub stream: bool,
    /// What requests of one backend have in common; `None` if the origin says that.
    pub affinity: Option<Affinity>,
    /// The references to state at the provider that are accepted.
    pub state: BTreeSet<StateMember>,
    /// Members that are accepted although the API does not have them.
    pub extra_members: BTreeSet<String>,
    /// The budgets of the route.
    pub spending: Spending,
}

/// The form of requests and responses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Api {
    /// OpenAI's chat completions.
    OpenAiChat,
    /// OpenAI's responses.
    OpenAiResponses,
    /// OpenAI's embeddings.
    OpenAiEmbeddings,
    /// Anthropic's messages.
    AnthropicMessages,
    /// Another JSON object.
    Json {
        /// The member with the name of the model.
        model: String,
        /// The member with the greatest number of tokens in the response, if there is one.
        max_tokens: Option<String>,
    },
}

impl Api {
    /// The member with the name of the model.
    pub(crate) fn model_member(&self) -> &str {
        match self {
            Self::Json { model, .. } => model,
            _ => "model",
        }
    }

    /// The members that limit the tokens of the response; the one to write comes first.
    pub(crate) fn token_members(&self) -> Vec<&str> {
        match self {
            Self::OpenAiChat => vec!["max_completion_tokens", "max_tokens"],
            Self::OpenAiResponses => vec!["max_output_tokens"],
            Self::OpenAiEmbeddings => Vec::new(),
            Self::AnthropicMessages => vec!["max_tokens"],
            Self::Json { max_tokens, .. } => max_tokens.as_deref().into_iter().collect(),
        }
    }
}

/// A model, and what its callers may use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Model {
    /// Its name at the origin, if it differs.
    pub name_at_origin: Option<String>,
    /// What its callers must meet in addition to the route's rules.
    pub require: Option<Condition>,
    /// The most tokens of a response; `None` if there is no limit.
    pub max_tokens: Option<u64>,
    /// The most responses to one request.
    pub max_choices: u64,
    /// Whether requests may offer tools to the model.
    pub tools: bool,
    /// What the input may contain besides text.
    pub media: BTreeSet<Media>,
}

impl Inference {
    /// Reads the section at `at`, of a route with this path, except for its budgets. Callers of a public route meet no
    /// conditions.
    pub(super) fn read(
        document: InferenceDocument,
        (template, is_public): (&PathTemplate, bool),
        rules: &mut Rules<'_>,
        at: &str,
        faults: &mut Faults,
    ) -> Self {
        faults.add_if(document.models.is_empty(), format_args!("{at}.models"), Fault::Empty);
        let max_input_bytes = document.max_input_bytes.unwrap_or(DEFAULT_INPUT_BYTES);
        faults.range(max_input_bytes, 1, MAX_INPUT_BYTES, format_args!("{at}.max_input_bytes"));
        let api = Api::read(document.api, document.members.as_ref(), at, faults);
        check_judged(&document, &api, at, faults);
        members::check(&document, at, faults);
        let (max_tokens, max_choices) = (document.max_tokens, document.max_choices.unwrap_or(1));
        check_counts(max_tokens, Some(max_choices), &api, at, faults);
        let of_route = Model {
            name_at_origin: None,
            require: None,
            max_tokens,
            max_choices,
            tools: document.tools,
            media: document.media.into_iter().collect(),
        };
        let mut models = BTreeMap::new();
        for (name, document) in document.models {
            let at = format!("{at}.models.{name}");
            faults.add_if(!is_model_name(&name), &at, InferenceFault::NotAModelName.into());
            let require = document.require.as_ref().map(|document| {
                let at = format!("{at}.require");
                faults.add_if(is_public, &at, Fault::RulesOnPublic);
                let condition = rules.condition(document, &at, faults);
                condition.check_parameters(template, &at, faults);
                condition
            });
            models.insert(name, Model::read(document, require, &of_route, &api, &at, faults));
        }
        Self {
            api,
            models,
            max_input_bytes,
            tool_types: document.tool_types.into_iter().collect(),
            stream: document.stream,
            affinity: document.affinity,
            state: document.state.into_iter().collect(),
            extra_members: document.extra_members.into_iter().collect(),
            spending: Spending::default(),
        }
    }
}

impl Model {
    fn read(
        document: ModelDocument,
        require: Option<Condition>,
        of_route: &Self,
        api: &Api,
        at: &str,
        faults: &mut Faults,
    ) -> Self {
        let ModelDocument { name_at_origin, require: _, max_tokens, max_choices, tools, media, price: _ } = document;
        check_counts(max_tokens, max_choices, api, at, faults);
        let is_malformed = name_at_origin.as_deref().is_some_and(|name| !is_model_name(name));
        faults.add_if(is_malformed, format_args!("{at}.name_at_origin"), InferenceFault::NotAModelName.into());
        Self {
            name_at_origin,
            require,
            max_tokens: max_tokens.or(of_route.max_tokens),
            max_choices: max_choices.unwrap_or(of_route.max_choices),
            tools: tools.unwrap_or(of_route.tools),
            media: media.map_or_else(|| of_route.media.clone(), |media| media.into_iter().collect()),
        }
    }
}

impl Api {
    fn read(name: ApiName, members: Option<&MembersDocument>, at: &str, faults: &mut Faults) -> Self {
        let at_members = format!("{at}.members");
        let is_other = name != ApiName::Json;
        faults.add_if(is_other == members.is_some(), &at_members, InferenceFault::MembersOfJson.into());
        match name {
            ApiName::OpenaiChat => Self::OpenAiChat,
            ApiName::OpenaiResponses => Self::OpenAiResponses,
            ApiName::OpenaiEmbeddings => Self::OpenAiEmbeddings,
            ApiName::AnthropicMessages => Self::AnthropicMessages,
            ApiName::Json => {
                let (model, max_tokens) =
                    members.map(|members| (members.model.clone(), members.max_tokens.clone())).unwrap_or_default();
                let is_twice = max_tokens.as_ref().is_some_and(|name| are_alike(name, &model));
                faults.add_if(is_twice, &at_members, InferenceFault::SameMember.into());
                for (member, name) in [("model", Some(&model)), ("max_tokens", max_tokens.as_ref())] {
                    let is_empty = name.is_some_and(String::is_empty) && members.is_some();
                    faults.add_if(is_empty, format_args!("{at_members}.{member}"), Fault::Empty);
                }
                Self::Json { model, max_tokens }
            }
        }
    }

    /// Whether some requests of the API would get the same response again, and say so.
    #[must_use]
    pub const fn is_repeatable(&self) -> bool {
        matches!(self, Self::OpenAiChat | Self::OpenAiEmbeddings)
    }

    /// Whether a request can limit the tokens of its response.
    const fn limits_tokens(&self) -> bool {
        !matches!(self, Self::OpenAiEmbeddings | Self::Json { max_tokens: None, .. })
    }
}

/// Adds a fault for each member that would judge nothing.
fn check_judged(document: &InferenceDocument, api: &Api, at: &str, faults: &mut Faults) {
    let is_json = matches!(api, Api::Json { .. });
    let models = || document.models.values();
    let admits_tools = document.tools || models().any(|model| model.tools == Some(true));
    if is_json || *api == Api::OpenAiEmbeddings {
        for (is_present, member) in [
            (!document.stream, "stream"),
            (admits_tools, "tools"),
            (!document.tool_types.is_empty(), "tool_types"),
            (!document.media.is_empty() || models().any(|model| model.media.is_some()), "media"),
            (!document.state.is_empty(), "state"),
            (document.affinity == Some(Affinity::Conversation), "affinity"),
            (is_json && !document.extra_members.is_empty(), "extra_members"),
        ] {
            faults.add_if(is_present, format_args!("{at}.{member}"), InferenceFault::NotJudged.into());
        }
        return;
    }
    let is_idle = !document.tool_types.is_empty() && !admits_tools;
    faults.add_if(is_idle, format_args!("{at}.tool_types"), InferenceFault::NoTools.into());
}

fn check_counts(tokens: Option<u64>, choices: Option<u64>, api: &Api, at: &str, faults: &mut Faults) {
    let at_tokens = format!("{at}.max_tokens");
    faults.add_if(tokens.is_some() && !api.limits_tokens(), &at_tokens, InferenceFault::NoTokenLimit.into());
    if let Some(tokens) = tokens {
        faults.range(tokens, 1, MAX_COUNT, format_args!("{at_tokens}"));
    }
    if let Some(choices) = choices {
        faults.range(choices, 1, MAX_COUNT, format_args!("{at}.max_choices"));
        let is_elsewhere = choices > 1 && *api != Api::OpenAiChat;
        faults.add_if(is_elsewhere, format_args!("{at}.max_choices"), InferenceFault::NoChoices.into());
    }
}

/// Whether this can be the name of a model: 1 to 128 visible ASCII characters, such as `org/model:tag@2026`.
fn is_model_name(name: &str) -> bool {
    (1..=128).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\'))
}
