//! The header fields that mirror the body: `MCP-Protocol-Version`, `Mcp-Method` and `Mcp-Name`. They decide nothing. A server
//! or a proxy behind the edge may read them, so they have to agree with the body.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::error::McpError;
use super::message::Message;
use super::versions::{MODERN, VERSIONS};
use crate::headers::Headers;
use crate::trail::excerpt;

/// Compares the fields with a message. Returns whether it is of the version without sessions.
///
/// # Errors
/// [`McpError::Mirrored`] if a field differs, or [`McpError::Version`] if the version is not known.
pub(super) fn check(headers: &Headers, message: &Message) -> Result<bool, McpError> {
    let of_field = field(headers, "mcp-protocol-version")?;
    for version in of_field.iter().chain(&message.version) {
        if !VERSIONS.contains(&version.as_str()) {
            return Err(McpError::Version(excerpt(version)));
        }
    }
    let is_modern = of_field.as_deref() == Some(MODERN);
    // Only requests of the version without sessions have it in the body.
    let agrees =
        if message.version.is_some() || (is_modern && message.is_request) { message.version == of_field } else { true };
    if !agrees {
        return Err(McpError::Mirrored("MCP-Protocol-Version"));
    }
    let method = field(headers, "mcp-method")?;
    if method.is_some() && method != message.method {
        return Err(McpError::Mirrored("Mcp-Method"));
    }
    match field(headers, "mcp-name")? {
        Some(name) if !message.mirrored.contains(&name) => Err(McpError::Mirrored("Mcp-Name")),
        _ => Ok(is_modern),
    }
}

/// Whether the fields say that a request is of the version without sessions.
#[must_use]
pub(super) fn is_modern(headers: &Headers) -> bool {
    field(headers, "mcp-protocol-version").is_ok_and(|version| version.as_deref() == Some(MODERN))
}

/// The value of a field, decoded if it is `=?base64?…?=`.
fn field(headers: &Headers, name: &'static str) -> Result<Option<String>, McpError> {
    let mismatch = || McpError::Mirrored(name);
    let mut values = headers.all(name);
    let value = match (values.next(), values.next()) {
        (None, _) => return Ok(None),
        (Some(value), None) => std::str::from_utf8(value).map_err(|_| mismatch())?.trim(),
        (Some(_), Some(_)) => return Err(mismatch()),
    };
    match value.strip_prefix("=?base64?").and_then(|rest| rest.strip_suffix("?=")) {
        None => Ok(Some(value.to_owned())),
        Some(encoded) => {
            let bytes = STANDARD.decode(encoded).map_err(|_| mismatch())?;
            String::from_utf8(bytes).map(Some).map_err(|_| mismatch())
        }
    }
}
