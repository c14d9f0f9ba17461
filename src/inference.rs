//! Step *inference*: may this caller send this request to a model? Input: the [`Cleared`] request and the body that was
//! read. Output: [`CheckedBody`], the body as it is sent, with its digest. On a route without `inference` it passes the
//! body on.
//!
//! The body is parsed once and strictly ([`JsonBody`]). The edge changes at most the name of the model and
//! `stream_options.include_usage`.

mod affinity;
mod changes;
mod error;
mod facts;
mod input;
mod members;
mod nested;
mod repeatable;
mod values;

use changes::{Changed, changed};
pub use error::InferenceError;
use facts::Facts;

use crate::authorize::meets;
use crate::content::{Body, ContentDigest, ReadBody};
use crate::headers::Headers;
use crate::json_body::JsonBody;
use crate::policy::{Affinity, Captures, Inference, Model};
use crate::request::Target;
use crate::throttle::Cleared;
use crate::trail::excerpt;

/// What the edge decided about a request to a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admission {
    /// The name of the model in the policy, which the caller used.
    pub model: String,
    /// The name of the model that the origin receives.
    pub model_at_origin: String,
    /// Whether the edge asked for the usage at the end of a stream: the client did not, and must not see it.
    pub adds_usage: bool,
    /// The length of the body as it was received, in bytes.
    pub input_bytes: u64,
    /// The most tokens that all responses to the request together can have; `None` if it does not say so.
    pub max_output_tokens: Option<u64>,
    /// The digest of the beginning of the conversation, if backends are chosen by it.
    pub conversation: Option<[u8; 32]>,
    /// The digest of the body in its canonical form, if the route stores responses and the same request would get the same
    /// response.
    pub repeatable: Option<[u8; 32]>,
}

/// The body as it is sent. Only [`judge`] makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckedBody {
    digest: Option<ContentDigest>,
    admission: Option<Box<Admission>>,
}

impl CheckedBody {
    /// The digest, if the route signs the body.
    #[must_use]
    pub const fn digest(&self) -> Option<&ContentDigest> {
        self.digest.as_ref()
    }

    /// What was decided about a request to a model; `None` if the route is for other requests.
    #[must_use]
    pub fn admission(&self) -> Option<&Admission> {
        self.admission.as_deref()
    }
}

/// Judges the request if its route is for models, and replaces the name of the model. The digest that is signed covers
/// the body as it is sent.
///
/// # Errors
/// An [`InferenceError`] that names the first thing that is refused.
pub fn judge(
    cleared: &Cleared<'_>,
    captures: &Captures,
    target: &Target,
    read: ReadBody,
    body: &mut dyn Body,
) -> Result<CheckedBody, InferenceError> {
    let unjudged = |read: ReadBody| CheckedBody { digest: read.into_digest(), admission: None };
    let Some(inference) = &cleared.route().inference else { return Ok(unjudged(read)) };
    let (checked, changed) = {
        let Some(text) = body.held() else { return Ok(unjudged(read)) };
        if !is_json(target.headers()) {
            return Err(InferenceError::NotJson);
        }
        let parsed = JsonBody::parse(text)?;
        let facts = Facts::read(&parsed, inference)?;
        let model = model_for(inference, &facts, cleared, captures)?;
        facts.check(inference, model)?;
        let Changed { body: changed, adds_usage } = changed(&parsed, &facts, inference, model)?;
        let by_conversation = inference.affinity == Some(Affinity::Conversation);
        let conversation =
            by_conversation.then(|| affinity::conversation(&parsed, &inference.api, &facts.model)).flatten();
        let repeatable = cleared.route().cache.as_ref().and_then(|_| repeatable::digest(&parsed, inference, &facts));
        let admission = Admission {
            model_at_origin: model.name_at_origin.clone().unwrap_or_else(|| facts.model.clone()),
            adds_usage,
            input_bytes: u64::try_from(text.len()).unwrap_or(u64::MAX),
            max_output_tokens: facts.most_output(),
            conversation,
            repeatable,
            model: facts.model,
        };
        let digest = ContentDigest::of(changed.as_deref().map_or(text, str::as_bytes));
        (CheckedBody { digest: Some(digest), admission: Some(Box::new(admission)) }, changed)
    };
    if let Some(changed) = changed {
        body.replace(changed.into_bytes());
    }
    Ok(checked)
}

/// Whether the fields say that the body is JSON in UTF-8, as it is.
pub(crate) fn is_json(headers: &Headers) -> bool {
    members::is_json(headers)
}

/// The model that the request names, if the caller may use it.
fn model_for<'policy>(
    inference: &'policy Inference,
    facts: &Facts,
    cleared: &Cleared<'_>,
    captures: &Captures,
) -> Result<&'policy Model, InferenceError> {
    let refused = |why: String| InferenceError::Model { model: excerpt(&facts.model), why };
    let model = inference.models.get(&facts.model).ok_or_else(|| refused("the policy does not have it".to_owned()))?;
    match model.require.as_ref().and_then(|condition| meets(cleared.caller(), condition, captures).err()) {
        Some(unmet) => Err(refused(format!("the caller does not meet: {unmet}"))),
        None => Ok(model),
    }
}
