//! The parameters of a message: what it is about, as its method says where that is named.

use super::error::McpError;
use crate::json_body::{Object, Value};
use crate::policy::{McpMethod, is_like};

/// The member of `_meta` with the version.
const VERSION: &str = "io.modelcontextprotocol/protocolVersion";
/// The members of parameters that are judged or compared. None may be there in another spelling.
const JUDGED: [&str; 7] = ["name", "uri", "ref", "_meta", "notifications", "resourceSubscriptions", "taskId"];
/// The most resources in one subscription.
const MAX_SUBSCRIPTIONS: usize = 100;

/// What a message is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Subject {
    /// Nothing that has an entry.
    None,
    /// The tool with this name.
    Tool(String),
    /// The prompt with this name.
    Prompt(String),
    /// The resources with these URIs.
    Resources(Vec<String>),
    /// What only the policy can admit.
    Listed,
}

impl Subject {
    /// The one name or URI.
    pub(super) fn name(&self) -> Option<&str> {
        match self {
            Self::Tool(name) | Self::Prompt(name) => Some(name),
            Self::Resources(uris) => match uris.as_slice() {
                [uri] => Some(uri),
                _ => None,
            },
            Self::None | Self::Listed => None,
        }
    }
}

/// The parameters of a message.
pub(super) struct Parameters {
    pub(super) subject: Subject,
    /// The version that they name.
    pub(super) version: Option<String>,
    /// The values that `Mcp-Name` may have.
    pub(super) mirrored: Vec<String>,
}

impl Parameters {
    /// Reads the parameters of a method.
    ///
    /// # Errors
    /// [`McpError::Parameters`] if what is judged is missing or malformed.
    pub(super) fn read(method: &str, has_id: bool, object: Option<&Object<'_>>) -> Result<Self, McpError> {
        let none = Object::default();
        let object = object.unwrap_or(&none);
        clear(object, &JUDGED)?;
        let text = |name: &'static str, expected| owned(object.value(name)).ok_or(McpError::Parameters(expected));
        let known = McpMethod::known(method);
        let is_notification =
            known.map_or_else(|| method.starts_with("notifications/"), |known| known == McpMethod::Notification);
        if is_notification == has_id {
            return Err(McpError::Malformed("a request with an id, or a notification without one"));
        }
        let subject = match known {
            None => Subject::Listed,
            Some(McpMethod::Plain | McpMethod::Notification) => Subject::None,
            Some(McpMethod::Tool) => Subject::Tool(text("name", "\"name\" has to be the name of a tool")?),
            Some(McpMethod::Prompt) => Subject::Prompt(text("name", "\"name\" has to be the name of a prompt")?),
            Some(McpMethod::Resource) => Subject::Resources(vec![text("uri", "\"uri\" has to be a URI")?]),
            Some(McpMethod::Reference) => reference(object)?,
            Some(McpMethod::Subscriptions) => Subject::Resources(subscriptions(object)?),
        };
        let mirrored = match known {
            // What a field may mirror in methods that are not judged: the members that any method mirrors.
            None => ["name", "uri", "taskId"].into_iter().filter_map(|name| owned(object.value(name))).collect(),
            Some(McpMethod::Tool | McpMethod::Prompt | McpMethod::Resource) => {
                subject.name().map(str::to_owned).into_iter().collect()
            }
            Some(_) => Vec::new(),
        };
        Ok(Self { subject, version: version(object)?, mirrored })
    }
}

/// The version in `_meta`.
fn version(parameters: &Object<'_>) -> Result<Option<String>, McpError> {
    let malformed = || McpError::Parameters("\"_meta\" has to be an object, and the version in it a text");
    let Some(meta) = parameters.value("_meta") else { return Ok(None) };
    let meta = meta.object().ok_or_else(malformed)?;
    clear(meta, &[VERSION])?;
    meta.value(VERSION).map(|value| owned(Some(value)).ok_or_else(malformed)).transpose()
}

/// `ref`: `{"type": "ref/prompt", "name"}` or `{"type": "ref/resource", "uri"}`.
fn reference(parameters: &Object<'_>) -> Result<Subject, McpError> {
    let malformed = || McpError::Parameters("\"ref\" has to be a reference to a prompt or a resource");
    let object = parameters.value("ref").and_then(Value::object).ok_or_else(malformed)?;
    let text = |name: &str| owned(object.value(name)).ok_or_else(malformed);
    let (known, subject) = match text("type")?.as_str() {
        "ref/prompt" => (["type", "name", "title"], Subject::Prompt(text("name")?)),
        "ref/resource" => (["type", "uri", "title"], Subject::Resources(vec![text("uri")?])),
        _ => return Err(malformed()),
    };
    if object.names().all(|name| known.contains(&name)) { Ok(subject) } else { Err(malformed()) }
}

/// `resourceSubscriptions`, in `notifications` or beside it.
fn subscriptions(parameters: &Object<'_>) -> Result<Vec<String>, McpError> {
    let malformed = || McpError::Parameters("\"resourceSubscriptions\" has to be a list of at most 100 URIs");
    let none = Object::default();
    let notifications = match parameters.value("notifications") {
        Some(value) => value.object().ok_or_else(malformed)?,
        None => &none,
    };
    clear(notifications, &JUDGED)?;
    let mut uris = Vec::new();
    for value in [parameters, notifications].into_iter().filter_map(|object| object.value("resourceSubscriptions")) {
        for uri in value.list().ok_or_else(malformed)? {
            uris.push(owned(Some(uri)).ok_or_else(malformed)?);
        }
    }
    if uris.len() > MAX_SUBSCRIPTIONS { Err(malformed()) } else { Ok(uris) }
}

/// A text.
fn owned(value: Option<&Value<'_>>) -> Option<String> {
    value?.text().map(str::to_owned)
}

/// Checks that no member can be taken for one that is judged.
fn clear(object: &Object<'_>, judged: &[&str]) -> Result<(), McpError> {
    let is_unclear = |name: &str| !judged.contains(&name) && judged.iter().any(|other| is_like(name, other));
    if object.names().any(is_unclear) {
        return Err(McpError::Parameters("a member differs from one that is judged only in case or after NUL"));
    }
    Ok(())
}
