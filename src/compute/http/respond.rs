//! Responses: the edge's own and the origin's.

use fastgate::budget::Spent;
use fastgate::caching::Served;
use fastgate::content_form::{ContentForm, UnclearForm};
use fastgate::gateway::Publication;
use fastgate::headers::{Headers, response_fields};
use fastgate::problem::Problem;
use fastgate::refusal::{OriginError, Refusal};
use fastgate::respond::{Content as OwnContent, OwnResponse};
use fastgate::response::ResponseFields;
use fastgate::usage::Observer;
use fastly::handle::{BodyHandle, ResponseHandle};
use fastly::http::{FramingHeadersMode, StatusCode, Version};

use super::copy::Copy;
use super::listing::Listing;
use super::observed::Observation;
use crate::compute::abi::{self, AbiError};
use crate::compute::platform::files::StoredFiles;

/// The status of a response that has no content, and no length (RFC 9110 §8.6).
pub(super) const NO_CONTENT: u16 = 204;
/// The status of a response without content: the client has it (RFC 9110 §15.4.5).
const NOT_MODIFIED: u16 = 304;

/// A response that can be sent to the client.
pub(in crate::compute) struct Response {
    pub(in crate::compute) status: u16,
    handle: ResponseHandle,
    content: Content,
}

/// The content of a response.
pub(super) enum Content {
    /// It is there, or the platform copies it.
    Whole(BodyHandle),
    /// It is stored while it is sent.
    Copied(Box<Copy>),
    /// What it cost is read while it is sent.
    Observed(Box<Observation>),
    /// It is a stream of which lists are filtered while it is sent.
    Listed(Box<Listing>),
}

/// The origin's response, as it arrived.
pub(in crate::compute) struct OriginResponse {
    pub(super) status: u16,
    pub(super) handle: ResponseHandle,
    /// The names of its fields, in lower case.
    pub(super) names: Vec<String>,
    pub(super) content: BodyHandle,
    pub(super) is_for_head: bool,
}

impl OriginResponse {
    /// The form of the content; `None` if it is none that the edge reads.
    ///
    /// # Errors
    /// [`UnclearForm`] if clients may read such a form where the edge cannot.
    pub(super) fn form(&self, buffer: &mut Vec<u8>) -> Result<Option<ContentForm>, UnclearForm> {
        let mut values = |name| {
            let mut found = Vec::new();
            let read = abi::values(&self.handle, name, buffer, |value| found.push(value.to_vec()));
            read.map(|()| found).map_err(|_| UnclearForm)
        };
        ContentForm::of(&values("content-encoding")?, &values("content-type")?)
    }

    /// The response without its content, and its content.
    pub(super) fn without_content(self) -> (Self, BodyHandle) {
        (Self { content: BodyHandle::new(), ..self }, self.content)
    }
}

impl Response {
    /// Sends the response with the id of the request. Returns what was observed of it.
    pub(in crate::compute) fn send(self, request_id: &str) -> Option<Spent> {
        // Without this field the response is as good.
        let _ = abi::append(&self.handle, "x-request-id", request_id.as_bytes());
        match self.content {
            Content::Whole(body) => self.handle.send_to_client(body),
            Content::Copied(copy) if self.status == NOT_MODIFIED => {
                self.handle.send_to_client(BodyHandle::new());
                return copy.run(None);
            }
            Content::Copied(copy) => return copy.run(Some(self.handle.stream_to_client(BodyHandle::new()))),
            Content::Listed(listing) => listing.run(self.handle.stream_to_client(BodyHandle::new())),
            Content::Observed(observation) => {
                return Some(observation.run(self.handle.stream_to_client(BodyHandle::new())));
            }
        }
        None
    }

    /// The same response, from which the observer, if there is one, reads what it cost; if it does not say that, it is
    /// `otherwise`.
    pub(super) fn observed(self, observer: Option<(ContentForm, Observer)>, otherwise: Spent) -> Self {
        let content = match (self.content, observer) {
            (Content::Whole(from), Some((form, observer))) => {
                Content::Observed(Box::new(Observation::new(from, form, observer, otherwise)))
            }
            (other, _) => other,
        };
        Self { content, ..self }
    }

    /// The same response with other content.
    pub(super) fn containing(self, content: Content) -> Self {
        Self { content, ..self }
    }

    /// A response of which the length is known, or whose length the platform does not need.
    pub(super) fn of_length(served: &Served, content: Content) -> Self {
        Self::framed(served.status, &served.fields, served.length, content)
    }

    fn framed(status: u16, fields: &Headers, length: Option<u64>, content: Content) -> Self {
        let fields: Headers = fields.iter().filter(|(name, _)| *name != "content-length").collect();
        let mut response = Self { content, ..Self::new(status, &fields, BodyHandle::new()) };
        if let Some(length) = length.filter(|_| ![NO_CONTENT, NOT_MODIFIED].contains(&status)) {
            let framed = abi::append(&response.handle, "content-length", length.to_string().as_bytes());
            if framed.is_ok() {
                response.handle.set_framing_headers_mode(FramingHeadersMode::ManuallyFromHeaders);
            }
        }
        response
    }

    fn new(status: u16, fields: &Headers, body: BodyHandle) -> Self {
        let mut handle = ResponseHandle::new();
        handle.set_status(StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR));
        for (name, value) in fields.iter() {
            // The platform refuses only a field that no response can have.
            let _ = abi::append(&handle, name, value);
        }
        Self { status, handle, content: Content::Whole(body) }
    }
}

/// A refusal, as the client sees it.
pub(in crate::compute) fn problem(problem: &Problem) -> Response {
    Response::new(problem.status(), &problem.headers(), BodyHandle::from(problem.body()))
}

/// A response of the edge itself; `None` if the content of its file cannot be read any more.
pub(in crate::compute) fn own(own: &OwnResponse, files: &mut StoredFiles) -> Option<Response> {
    let content = match &own.content {
        OwnContent::Bytes(bytes) => BodyHandle::from(bytes.as_slice()),
        OwnContent::File(part) => files.content(*part)?,
    };
    Some(Response::framed(own.status, &own.fields, own.length, Content::Whole(content)))
}

/// A document that the edge publishes.
pub(in crate::compute) fn published(publication: &Publication) -> Response {
    let mut response = Response::new(200, &publication.fields, BodyHandle::from(publication.body.as_str()));
    if publication.fields.all("content-length").next().is_some() {
        response.handle.set_framing_headers_mode(FramingHeadersMode::ManuallyFromHeaders);
    }
    response
}

/// The response to a CORS preflight.
pub(in crate::compute) fn preflight(fields: &Headers) -> Response {
    Response::new(204, fields, BodyHandle::new())
}

/// The origin's response, streamed, without the fields that only the edge may set.
pub(in crate::compute) fn from_origin(
    origin: OriginResponse,
    edits: &ResponseFields,
    buffer: &mut Vec<u8>,
) -> Result<Response, Refusal> {
    let unreadable = |AbiError| OriginError::Unreachable("the fields of its response cannot be read".to_owned());
    Ok(edited(origin, edits, buffer).map_err(unreadable)?)
}

fn edited(origin: OriginResponse, edits: &ResponseFields, buffer: &mut Vec<u8>) -> Result<Response, AbiError> {
    let OriginResponse { status, mut handle, names, content, is_for_head } = origin;
    let mut response = if let Some(changes) = edits.changes(&names) {
        for name in changes.remove {
            abi::remove(&handle, name)?;
        }
        for (name, value) in changes.append.iter() {
            abi::append(&handle, name, value)?;
        }
        // The version of a message is that of its sender (RFC 9110 §6.2), and that of an origin may be older.
        handle.set_version(Version::HTTP_11);
        Response { status, handle, content: Content::Whole(content) }
    } else {
        let fields = abi::fields(&handle, buffer)?;
        Response::new(status, &edits.apply_to_origin(&response_fields(&fields)), content)
    };
    // In a response to HEAD, `Content-Length` describes the resource (RFC 9110 §8.6, §9.3.2), and the platform would
    // drop it. In all others the platform frames the body.
    if is_for_head && count(&response.handle, "content-length", buffer)? == 1 {
        response.handle.set_framing_headers_mode(FramingHeadersMode::ManuallyFromHeaders);
    }
    Ok(response)
}

/// How many fields of this name there are.
fn count(response: &ResponseHandle, name: &str, buffer: &mut Vec<u8>) -> Result<usize, AbiError> {
    let mut count = 0;
    abi::values(response, name, buffer, |_| count += 1)?;
    Ok(count)
}
