//! Responses with lists of an MCP server, of which the client gets what the caller may use.

use std::io::Read as _;

use fastgate::content_form::ContentForm;
use fastgate::mcp_list::{ListError, ListFilter, ListStream, MAX_BYTES};
use fastgate::mint::Grant;
use fastgate::refusal::{OriginError, Refusal};
use fastly::handle::BodyHandle;

use super::listing::Listing;
use super::respond::{Content, OriginResponse, Response, from_origin};

/// The response for the client, which no cache keeps for others. With any status, a client may read a list in JSON or in a
/// stream; what has another form passes if it is no success.
pub(in crate::compute) fn response(
    origin: OriginResponse,
    grant: &Grant,
    filter: &ListFilter,
    buffer: &mut Vec<u8>,
) -> Result<Response, Refusal> {
    let edits = ListFilter::fields(grant.response().clone());
    if matches!(origin.status, 204 | 304) {
        return from_origin(origin, &edits, buffer);
    }
    let is_result = matches!(origin.status, 200..=299) && origin.status != 202;
    let form = match origin.form(buffer).map_err(|_| OriginError::List(ListError::MediaType))? {
        Some(form) => form,
        None if is_result => return Err(OriginError::List(ListError::MediaType).into()),
        None => return from_origin(origin, &edits, buffer),
    };
    let (origin, content) = origin.without_content();
    let content = match form {
        ContentForm::Json => {
            let filtered = |body| if is_result { filter.document(body) } else { filter.other_document(body) };
            let document = read(content).and_then(filtered).map_err(OriginError::List)?;
            Content::Whole(BodyHandle::from(document))
        }
        ContentForm::EventStream => Content::Listed(Box::new(Listing::new(content, ListStream::new(filter.clone())))),
    };
    Ok(from_origin(origin, &edits, buffer)?.containing(content))
}

/// The whole content.
fn read(content: BodyHandle) -> Result<Vec<u8>, ListError> {
    let mut body = Vec::new();
    let most = u64::try_from(MAX_BYTES).unwrap_or(u64::MAX).saturating_add(1);
    content.take(most).read_to_end(&mut body).map_err(|_| ListError::Incomplete)?;
    if body.len() > MAX_BYTES { Err(ListError::TooLong) } else { Ok(body) }
}
