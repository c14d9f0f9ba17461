//! Purges that a response of the origin causes, before it is sent: a client that has changed something then reads what it
//! changed.

use fastgate::caching::PURGE_FIELD;
use fastgate::headers::Headers;
use fastgate::mint::Grant;
use fastgate::trail::Trail;
use fastly::handle::ResponseHandle;

use super::receive::now;
use crate::compute::abi;
use crate::compute::platform::responses::purge;

/// Purges the responses that the origin names in [`PURGE_FIELD`], and those to the URL of an unsafe request without an error
/// (RFC 9111 §4.4). `names` are those of the response's fields.
pub(super) fn obey(
    grant: &Grant,
    status: u16,
    response: &ResponseHandle,
    names: &[String],
    buffer: &mut Vec<u8>,
    trail: &mut Trail,
) {
    let mut tags: Vec<String> = grant.invalidates().filter(|_| status < 400).map(str::to_owned).into_iter().collect();
    if names.iter().any(|name| name == PURGE_FIELD) {
        let mut fields = Headers::default();
        let read = abi::values(response, PURGE_FIELD, buffer, |value| fields.append(PURGE_FIELD, value));
        match read.ok().and_then(|()| grant.tags().named(&fields, PURGE_FIELD)) {
            Some(of_origin) => tags.extend(of_origin),
            None => trail.not_purged = Some(format!("{PURGE_FIELD} cannot be read")),
        }
    }
    if !tags.is_empty()
        && let Err(cause) = purge(&tags, now())
    {
        trail.not_purged = Some(cause);
    }
}
