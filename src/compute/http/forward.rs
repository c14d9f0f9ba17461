//! Forwards a granted request in exactly the form that was granted: a new request that has only what the grant names.

use fastgate::mint::Grant;
use fastgate::refusal::{OriginError, Refusal};
use fastgate::trail::Trail;
use fastly::handle::{CacheOverride, RequestHandle};

use super::body::ReceivedBody;
use super::purge;
use super::respond::OriginResponse;
use super::send_error::classify;
use crate::compute::abi::{self, AbiError};

/// Forwards `grant` with the body that was received, and returns the origin's response after the purges that it causes. It
/// does not come from a cache of the platform.
pub(in crate::compute) fn forward(
    grant: &Grant,
    body: ReceivedBody,
    buffer: &mut Vec<u8>,
    trail: &mut Trail,
) -> Result<OriginResponse, Refusal> {
    let (handle, content) = body.send(to_request(grant)?, grant.max_body(), grant.backend())?;
    let status = handle.get_status().as_u16();
    if status < 200 {
        return Err(OriginError::UnexpectedStatus(status).into());
    }
    let unreadable = |AbiError| OriginError::Unreachable("the fields of its response cannot be read".to_owned());
    let names = abi::names(&handle, buffer).map_err(unreadable)?;
    purge::obey(grant, status, &handle, &names, buffer, trail);
    Ok(OriginResponse { status, handle, names, content, is_for_head: grant.method() == "HEAD" })
}

/// Passes the connection to the origin as a WebSocket, with `grant` as its opening handshake. The platform adds the
/// fields that belong to the connection; the frames that follow do not pass through this sandbox.
pub(in crate::compute) fn hand_off(grant: &Grant) -> Result<(), Refusal> {
    let handed_off = to_request(grant)?.handoff_websocket(grant.backend());
    handed_off.map_err(|cause| classify(&cause).into())
}

/// The grant as a request of the platform, without a body.
fn to_request(grant: &Grant) -> Result<RequestHandle, Refusal> {
    let unsendable = |what: &str| OriginError::Unreachable(format!("the request cannot be expressed: {what}"));
    // A URL may hold no other bytes (RFC 3986 §2). The platform would drop a fragment, and not send what was signed.
    if !grant.path_and_query().bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#') {
        return Err(unsendable("its target").into());
    }
    let mut request = RequestHandle::new();
    let url = format!("{}{}", grant.authority(), grant.path_and_query());
    // `GET` is the method of a new request.
    if grant.method() != "GET" {
        abi::set_method(&request, grant.method()).map_err(|_| unsendable("its method"))?;
    }
    abi::set_url(&request, &url).map_err(|_| unsendable("its URL"))?;
    request.set_cache_override(&CacheOverride::Pass);
    for (name, value) in grant.headers().iter() {
        abi::append(&request, name, value).map_err(|_| unsendable("a field"))?;
    }
    Ok(request)
}
