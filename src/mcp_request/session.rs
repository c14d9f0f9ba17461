//! The session to which a request on a route for an MCP server belongs.

use super::error::McpError;
use super::mirrored::is_modern;
use crate::headers::Headers;
use crate::identity::Caller;
use crate::mcp_session::{SessionEdit, SessionKeys};
use crate::throttle::Cleared;

/// The session of a request. [`session`] makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    id: Option<Vec<u8>>,
    edit: SessionEdit,
}

impl Session {
    /// The id as the server gave it; `None` if the request has none, or is of the version without sessions.
    #[must_use]
    pub fn id(&self) -> Option<&[u8]> {
        self.id.as_deref()
    }

    /// What becomes of the id in the response.
    #[must_use]
    pub const fn edit(&self) -> &SessionEdit {
        &self.edit
    }
}

/// The session that the fields name; `None` if the route is not for an MCP server. A request may have none: the server decides
/// whether it needs one.
///
/// # Errors
/// [`McpError::Session`] if it is not one of this caller on this route.
pub fn session(cleared: &Cleared<'_>, headers: &Headers, keys: &SessionKeys) -> Result<Option<Session>, McpError> {
    let route = cleared.route();
    if route.mcp.is_none() {
        return Ok(None);
    }
    if is_modern(headers) {
        return Ok(Some(Session { id: None, edit: SessionEdit::Remove }));
    }
    let caller = match cleared.caller() {
        Caller::Known(identity) => Some([identity.issuer(), identity.subject()]),
        Caller::Anonymous => None,
    };
    let seal = keys.seal(caller, route.id.as_str());
    Ok(Some(Session { id: seal.open(headers)?, edit: SessionEdit::Seal(seal) }))
}
