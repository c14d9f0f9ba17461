//! Forwards a granted request in exactly the form that was granted: a new request that has only what the grant names.

use fastgate::mint::Grant;
use fastgate::refusal::{OriginError, Refusal};
use fastly::http::{HeaderName, HeaderValue, Url};
use fastly::{Request, Response};

use super::body::ReceivedBody;
use super::send_error::classify;

/// Forwards `grant` with the body that was received and returns the origin's response. The response never comes from a
/// cache, because it is for this caller.
pub(in crate::compute) fn forward(grant: &Grant, body: ReceivedBody) -> Result<Response, Refusal> {
    let response = body.send(to_request(grant)?, grant.max_body(), grant.backend())?;
    match response.get_status().as_u16() {
        status @ ..200 => Err(OriginError::UnexpectedStatus(status).into()),
        _ => Ok(response),
    }
}

/// Passes the connection to the origin as a WebSocket, with `grant` as its opening handshake. The platform adds the
/// fields that belong to the connection; the frames that follow do not pass through this sandbox.
pub(in crate::compute) fn hand_off(grant: &Grant) -> Result<(), Refusal> {
    let handed_off = to_request(grant)?.handoff_websocket(grant.backend());
    handed_off.map_err(|error| classify(error.root_cause()).into())
}

/// The grant as a request of the SDK, without a body.
fn to_request(grant: &Grant) -> Result<Request, Refusal> {
    let unsendable = |what: &str| OriginError::Unreachable(format!("the request cannot be expressed: {what}"));
    let url = format!("{}{}", grant.authority(), grant.path_and_query());
    let url = Url::parse(&url).map_err(|_| unsendable("its URL"))?;
    // The SDK's URL type normalizes. If it would send other bytes than were authorized and signed, the request is
    // refused.
    let is_unchanged = match url.query() {
        Some(query) => format!("{}?{query}", url.path()) == grant.path_and_query(),
        None => url.path() == grant.path_and_query(),
    };
    if !is_unchanged {
        return Err(unsendable("the platform would change its path").into());
    }
    let mut request = Request::new(grant.method(), url).with_pass(true);
    for (name, value) in grant.headers().iter() {
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| unsendable("a field name"))?;
        let value = HeaderValue::from_bytes(value).map_err(|_| unsendable("a field value"))?;
        request.append_header(name, value);
    }
    Ok(request)
}
