//! Responses with lists of an MCP server, of which the client gets what the caller may use.

use std::io::Read as _;

use fastgate::mcp_list::{ListError, ListFilter, ListStream, MAX_BYTES};
use fastgate::mint::Grant;
use fastgate::refusal::{OriginError, Refusal};
use fastgate::usage::Form;
use fastly::handle::BodyHandle;

use super::listing::Listing;
use super::respond::{Content, OriginResponse, Response, from_origin};
use crate::compute::abi;

/// The response for the client. A response that is no success has an error and no list; nor has one without content.
pub(in crate::compute) fn response(
    origin: OriginResponse,
    grant: &Grant,
    filter: &ListFilter,
    buffer: &mut Vec<u8>,
) -> Result<Response, Refusal> {
    if !matches!(origin.status, 200..=299) || matches!(origin.status, 202 | 204) {
        return from_origin(origin, grant.response(), buffer);
    }
    let form = form(&origin, buffer).ok_or(OriginError::List(ListError::MediaType))?;
    let edits = ListFilter::fields(grant.response().clone());
    let (origin, content) = origin.without_content();
    let content = match form {
        Form::Json => {
            let document = read(content).and_then(|body| filter.document(body)).map_err(OriginError::List)?;
            Content::Whole(BodyHandle::from(document))
        }
        Form::EventStream => Content::Listed(Box::new(Listing::new(content, ListStream::new(filter.clone())))),
    };
    Ok(from_origin(origin, &edits, buffer)?.containing(content))
}

/// The form of a response; `None` if it is not one that can be filtered.
fn form(origin: &OriginResponse, buffer: &mut Vec<u8>) -> Option<Form> {
    let mut is_encoded = false;
    abi::values(&origin.handle, "content-encoding", buffer, |_| is_encoded = true).ok()?;
    let mut forms = Vec::new();
    abi::values(&origin.handle, "content-type", buffer, |value| forms.push(Form::of_media_type(value))).ok()?;
    match forms.as_slice() {
        [Some(form)] if !is_encoded => Some(*form),
        _ => None,
    }
}

/// The whole content.
fn read(content: BodyHandle) -> Result<Vec<u8>, ListError> {
    let mut body = Vec::new();
    let most = u64::try_from(MAX_BYTES).unwrap_or(u64::MAX).saturating_add(1);
    content.take(most).read_to_end(&mut body).map_err(|_| ListError::Incomplete)?;
    if body.len() > MAX_BYTES { Err(ListError::TooLong) } else { Ok(body) }
}
