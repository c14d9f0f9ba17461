//! The result of the pipeline for a request that is forwarded.

use std::sync::Arc;

use crate::backend::{Candidates, may_resend};
use crate::budget::Charge;
use crate::caching::{Invalidation, Storage, Tags};
use crate::headers::Headers;
use crate::mcp_list::ListFilter;
use crate::mcp_request::RequestId;
use crate::policy::{Api, Inference, Origin};
use crate::response::ResponseFields;
use crate::time::Seconds;

/// A request that may be forwarded, in the form in which it is forwarded. Only [`Minter`](super::Minter) makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    pub(super) origin: Arc<Origin>,
    pub(super) candidates: Candidates,
    pub(super) method: String,
    pub(super) authority: String,
    pub(super) path_and_query: String,
    pub(super) headers: Headers,
    pub(super) response: ResponseFields,
    pub(super) max_body: Option<u64>,
    pub(super) timeout: Option<Seconds>,
    pub(super) opens_websocket: bool,
    pub(super) tells_health: bool,
    pub(super) tags: Tags,
    pub(super) invalidates: Option<Box<Invalidation>>,
    pub(super) storage: Option<Box<Storage>>,
    pub(super) inference: Option<Arc<Inference>>,
    pub(super) charge: Option<Box<Charge>>,
    pub(super) hides_usage: bool,
    pub(super) mcp: Option<RequestId>,
    pub(super) lists: Option<Box<ListFilter>>,
}

impl Grant {
    /// The origin that receives it.
    #[must_use]
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// The backends of the origin that may receive it.
    #[must_use]
    pub const fn candidates(&self) -> &Candidates {
        &self.candidates
    }

    /// The backend that receives it.
    #[must_use]
    pub fn backend(&self) -> &str {
        self.candidates.current().map_or("", |backend| &backend.name)
    }

    /// The region of that backend.
    #[must_use]
    pub fn region(&self) -> Option<&str> {
        self.candidates.current()?.region.as_deref()
    }

    /// Whether rules chose the backend: the origin has several, or regions.
    #[must_use]
    pub fn backend_is_chosen(&self) -> bool {
        self.origin.backends.are_chosen()
    }

    /// Whether its outcome says something about the health of its backend: a handshake is handed over, and a long body may be
    /// cut off by the client.
    #[must_use]
    pub const fn tells_health(&self) -> bool {
        self.tells_health
    }

    /// Whether it may be sent again if it fails: its method allows that, and a retry and another backend are left.
    #[must_use]
    pub fn may_resend(&self) -> bool {
        may_resend(&self.method) && self.candidates.has_next(&self.origin.backends)
    }

    /// The API whose clients send such requests, if the route is for requests to models.
    #[must_use]
    pub fn api(&self) -> Option<&Api> {
        self.inference.as_ref().map(|inference| &inference.api)
    }

    /// What must be settled after its response: once, also if it is sent again. `None` if it is counted against no budget.
    #[must_use]
    pub fn charge(&self) -> Option<&Charge> {
        self.charge.as_deref()
    }

    /// Whether the edge asked for the usage at the end of a stream, which the client did not: the client must not see it.
    #[must_use]
    pub const fn hides_usage(&self) -> bool {
        self.hides_usage
    }

    /// The id of its message, if the route is for an MCP server.
    #[must_use]
    pub const fn mcp(&self) -> Option<&RequestId> {
        self.mcp.as_ref()
    }

    /// The filter for its response, if that may have lists of an MCP server.
    #[must_use]
    pub fn lists(&self) -> Option<&ListFilter> {
        self.lists.as_deref()
    }

    /// For how long its response is awaited; `None` if the backend alone limits that.
    #[must_use]
    pub const fn timeout(&self) -> Option<Seconds> {
        self.timeout
    }

    /// The method.
    #[must_use]
    pub fn method(&self) -> &str {
        &self.method
    }

    /// Scheme and host, `https://api.example.com`.
    #[must_use]
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// The canonical path, and `?` and the query if there is one: the bytes that were authorized and signed.
    #[must_use]
    pub fn path_and_query(&self) -> &str {
        &self.path_and_query
    }

    /// The edits of the origin's response.
    #[must_use]
    pub const fn response(&self) -> &ResponseFields {
        &self.response
    }

    pub(crate) fn with_response(mut self: Box<Self>, response: ResponseFields) -> Box<Self> {
        self.response = response;
        self
    }

    /// The longest body that is forwarded, in bytes, if its length must be measured while it is forwarded.
    #[must_use]
    pub const fn max_body(&self) -> Option<u64> {
        self.max_body
    }

    /// Whether the connection is passed to the origin as a WebSocket.
    #[must_use]
    pub const fn opens_websocket(&self) -> bool {
        self.opens_websocket
    }

    /// The surrogate keys of the origin.
    #[must_use]
    pub const fn tags(&self) -> &Tags {
        &self.tags
    }

    /// What its response makes invalid, if its method is unsafe.
    #[must_use]
    pub fn invalidates(&self) -> Option<&Invalidation> {
        self.invalidates.as_deref()
    }

    pub(crate) fn with_invalidation(mut self, invalidation: Option<Invalidation>) -> Self {
        self.invalidates = invalidation.map(Box::new);
        self
    }

    /// What is to be done with the response, if those of the route are stored.
    #[must_use]
    pub fn storage(&self) -> Option<&Storage> {
        self.storage.as_deref()
    }

    /// This request, with the fields by which the origin can validate what is stored.
    pub(crate) fn with_storage(mut self, storage: Box<Storage>) -> Self {
        for (name, value) in storage.validators().iter() {
            self.headers.append(name, value);
        }
        self.storage = Some(storage);
        self
    }

    /// Every field that the origin receives, including `Host`. The platform adds the fields that frame the body.
    #[must_use]
    pub const fn headers(&self) -> &Headers {
        &self.headers
    }
}
