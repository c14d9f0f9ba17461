//! The errors of JSON-RPC 2.0 that refusals of messages to MCP servers become (modelcontextprotocol.io, revision 2026-07-28;
//! jsonrpc.org/specification §5.1).

use serde_json::{Value, json};

use super::form::Detail;
use super::kind::Kind;
use crate::json_body::JsonBodyError;
use crate::mcp_request::{McpError, RequestId, SubjectKind, VERSIONS};

const PARSE_ERROR: i32 = -32700;
const INVALID_REQUEST: i32 = -32600;
const METHOD_NOT_FOUND: i32 = -32601;
const INVALID_PARAMS: i32 = -32602;
const INTERNAL_ERROR: i32 = -32603;
/// Of revisions before 2026-07-28.
const RESOURCE_NOT_FOUND: i32 = -32002;
const HEADER_MISMATCH: i32 = -32020;
const UNSUPPORTED_VERSION: i32 = -32022;
/// Any other refusal: the first code that implementations may define.
const REFUSED: i32 = -32000;

/// An error of JSON-RPC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RpcError {
    code: i32,
    data: Option<Value>,
    /// The status code, if it is not the one of the kind.
    pub(super) status: Option<u16>,
}

/// The kind of problem that a refusal is, and its error. To clients of revisions with sessions, 404 would say that the session
/// has ended. What does not exist is no error of HTTP in any revision.
pub(super) fn row(error: &McpError) -> (Kind, RpcError) {
    let plain = |kind, code| (kind, RpcError { code, data: None, status: None });
    let responded = |code| (Kind::NotFound, RpcError { code, data: None, status: Some(200) });
    match error {
        McpError::NotJson => plain(Kind::UnsupportedMediaType, INVALID_REQUEST),
        McpError::Body(JsonBodyError::NotUtf8(_) | JsonBodyError::NotJson { .. }) => {
            plain(Kind::BadRequest, PARSE_ERROR)
        }
        McpError::Body(_) | McpError::Batch | McpError::Malformed(_) | McpError::BodyOfOther => {
            plain(Kind::BadRequest, INVALID_REQUEST)
        }
        McpError::Parameters(_) => plain(Kind::BadRequest, INVALID_PARAMS),
        McpError::Mirrored(_) => plain(Kind::BadRequest, HEADER_MISMATCH),
        McpError::Version(requested) => {
            let data = Some(json!({ "supported": VERSIONS, "requested": requested }));
            (Kind::BadRequest, RpcError { code: UNSUPPORTED_VERSION, data, status: None })
        }
        // Clients initialize again when they see this status code (revision 2025-11-25, Session Management).
        McpError::Session(_) => plain(Kind::NotFound, INVALID_REQUEST),
        McpError::UnknownMethod { is_modern: true, .. } => plain(Kind::NotFound, METHOD_NOT_FOUND),
        McpError::UnknownMethod { is_modern: false, .. } => responded(METHOD_NOT_FOUND),
        McpError::Unknown { kind: SubjectKind::Resource, is_modern: false, .. } => responded(RESOURCE_NOT_FOUND),
        McpError::Unknown { .. } => responded(INVALID_PARAMS),
        McpError::InsufficientScope { .. } => plain(Kind::InsufficientScope, REFUSED),
        McpError::Unidentified { .. } => plain(Kind::AuthenticationRequired, REFUSED),
    }
}

/// The response to the message with this id. Without an id it has none, as MCP says of errors of the transport.
pub(super) fn body(kind: Kind, detail: Option<&Detail>, error: Option<&RpcError>, id: &RequestId) -> Value {
    let (status, slug, title) = kind.row();
    let message = detail.map_or(title, |detail| &detail.message);
    let mut body = json!({ "jsonrpc": "2.0" });
    let of_gate = || {
        let code = if status < 500 { REFUSED } else { INTERNAL_ERROR };
        (code, Some(json!({ "type": format!("urn:fastgate:problem:{slug}"), "status": status })))
    };
    let (code, data) = error.map_or_else(of_gate, |error| (error.code, error.data.clone()));
    if let Some(members) = body.as_object_mut() {
        if let Some(id) = id.value() {
            members.insert("id".to_owned(), id.clone());
        }
        let mut error = json!({ "code": code, "message": message });
        if let (Some(members), Some(data)) = (error.as_object_mut(), data) {
            members.insert("data".to_owned(), data);
        }
        members.insert("error".to_owned(), error);
    }
    body
}
