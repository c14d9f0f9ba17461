//! The envelope of a message: JSON-RPC 2.0 as MCP restricts it. The id is a text or a whole number, parameters are an object,
//! and there are no other members.

use super::error::McpError;
use super::subject::{Parameters, Subject};
use crate::json_body::{JsonBody, Object, Value};

/// The greatest whole number that every parser represents.
const MAX_ID: u64 = 1 << 53;

/// The id of a request, a text or a whole number; absent while it is not known, and for what has none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RequestId(Option<serde_json::Value>);

impl RequestId {
    /// The id as JSON.
    #[must_use]
    pub const fn value(&self) -> Option<&serde_json::Value> {
        self.0.as_ref()
    }
}

/// A message.
#[derive(Debug)]
pub(super) struct Message {
    /// The method; `None` for the response to a request of the server.
    pub(super) method: Option<String>,
    /// Whether it is a request, which has an id and a method.
    pub(super) is_request: bool,
    /// What it is about.
    pub(super) subject: Subject,
    /// The version that its parameters name.
    pub(super) version: Option<String>,
    /// The values that `Mcp-Name` may have.
    pub(super) mirrored: Vec<String>,
}

impl Message {
    /// Reads a body. `id` gets its id as soon as it is read.
    ///
    /// # Errors
    /// An [`McpError`] if the body or its envelope is malformed.
    pub(super) fn read(body: &[u8], id: &mut RequestId) -> Result<Self, McpError> {
        if body.trim_ascii_start().first() == Some(&b'[') {
            return Err(McpError::Batch);
        }
        let body = JsonBody::parse(body)?;
        let envelope = body.object();
        let has_id =
            envelope.value("id").map(|value| request_id(value).map(|read| *id = RequestId(Some(read)))).transpose()?;
        if envelope.value("jsonrpc").and_then(Value::text) != Some("2.0") {
            return Err(McpError::Malformed("JSON-RPC 2.0, which \"jsonrpc\" says"));
        }
        let Some(method) = envelope.value("method") else { return Self::response(envelope, has_id.is_some()) };
        only(envelope, &["jsonrpc", "id", "method", "params"])?;
        let method = method.text().ok_or(McpError::Malformed("a request whose method is a text"))?;
        let parameters = match envelope.value("params") {
            Some(value) => Some(value.object().ok_or(McpError::Malformed("a request whose params are an object"))?),
            None => None,
        };
        let Parameters { subject, version, mirrored } = Parameters::read(method, has_id.is_some(), parameters)?;
        Ok(Self { method: Some(method.to_owned()), is_request: has_id.is_some(), subject, version, mirrored })
    }

    /// The response to a request of the server.
    fn response(envelope: &Object<'_>, has_id: bool) -> Result<Self, McpError> {
        only(envelope, &["jsonrpc", "id", "result", "error"])?;
        let has_one = envelope.value("result").is_some() != envelope.value("error").is_some();
        if !has_id || !has_one {
            return Err(McpError::Malformed("a request with a method, or a response with an id and one outcome"));
        }
        Ok(Self { method: None, is_request: false, subject: Subject::None, version: None, mirrored: Vec::new() })
    }
}

fn request_id(value: &Value<'_>) -> Result<serde_json::Value, McpError> {
    match value {
        Value::Text(text) => Ok(text.as_ref().into()),
        Value::Whole(number) if *number <= MAX_ID => Ok((*number).into()),
        Value::Negative(number) if number.unsigned_abs() <= MAX_ID => Ok((*number).into()),
        _ => Err(McpError::Malformed("one whose id is a text or a whole number up to 2^53")),
    }
}

/// Checks that the envelope has no other members.
fn only(envelope: &Object<'_>, known: &[&str]) -> Result<(), McpError> {
    if envelope.names().all(|name| known.contains(&name)) {
        Ok(())
    } else {
        Err(McpError::Malformed("one without members that JSON-RPC 2.0 does not have"))
    }
}
