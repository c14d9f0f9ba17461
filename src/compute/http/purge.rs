//! Purges that a response of the origin causes, before it is sent: a client that has changed something then reads what it
//! changed.

use fastgate::caching::{PURGE_FIELD, REFERENCES};
use fastgate::headers::Headers;
use fastgate::mint::Grant;
use fastgate::trail::Trail;
use fastly::handle::ResponseHandle;

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
    let mut read = |name: &str| {
        let mut fields = Headers::default();
        if !names.iter().any(|known| known == name) {
            return Some(fields);
        }
        abi::values(response, name, buffer, |value| fields.append(name, value)).ok().map(|()| fields)
    };
    let mut tags = Vec::new();
    if let Some(invalidation) = grant.invalidates() {
        let references = REFERENCES.iter().filter_map(|name| read(name));
        let references: Vec<Headers> = references.collect();
        let references = references.iter().flat_map(Headers::iter).collect();
        tags.extend(invalidation.tags(status, &references));
    }
    let (of_origin, are_all) =
        read(PURGE_FIELD).map_or((Vec::new(), false), |fields| grant.tags().named(&fields, PURGE_FIELD));
    tags.extend(of_origin);
    if !are_all {
        trail.not_purged = Some(format!("{PURGE_FIELD} names keys that are too long, too many or not printable ASCII"));
    }
    if !tags.is_empty()
        && let Err(cause) = purge(&tags)
    {
        trail.not_purged = Some(cause);
    }
}
