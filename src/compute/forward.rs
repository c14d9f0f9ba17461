//! Sends a granted request on, in exactly the form that was granted: a request made anew, on which nothing stands that
//! the grant does not name.

use fastgate::mint::Grant;
use fastgate::refusal::{OriginError, Refusal};
use fastly::http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use fastly::http::request::SendErrorCause;
use fastly::http::{FramingHeadersMode, HeaderName, HeaderValue, Url};
use fastly::{Request, Response};

use super::body;

/// Forwards `grant` with the body of `received` and returns the origin's answer. Never answered from a cache: what comes
/// back is for this caller.
pub(super) fn forward(grant: &Grant, mut received: Request) -> Result<Response, Refusal> {
    let mut request = express(grant)?;
    announce_length(&mut request, &received);
    let response = match (received.try_take_body(), grant.max_body()) {
        (Some(body), Some(most)) => body::send(request, body, most, grant.backend())?,
        (body, _) => {
            if let Some(body) = body {
                request.set_body(body);
            }
            request.send(grant.backend()).map_err(|error| classify(error.root_cause()))?
        }
    };
    match response.get_status().as_u16() {
        status @ ..200 => Err(OriginError::UnexpectedStatus(status).into()),
        _ => Ok(response),
    }
}

/// Announces the body's length to the origin as the client announced it. A body that ends before is then never taken for
/// a whole one: the platform hangs up on the origin, and a longer one is cut (RFC 9112 §6.3, §8). Where the client
/// announced none, the platform frames the body.
fn announce_length(request: &mut Request, received: &Request) {
    let mut lengths = received.get_header_all(CONTENT_LENGTH);
    if let (Some(length), None, false) = (lengths.next(), lengths.next(), received.contains_header(TRANSFER_ENCODING)) {
        request.set_header(CONTENT_LENGTH, length);
        request.set_framing_headers_mode(FramingHeadersMode::ManuallyFromHeaders);
    }
}

/// Hands the connection over to the origin as a WebSocket, with `grant` as its opening handshake. The platform adds the
/// fields that belong to the connection, and whatever follows passes by this sandbox.
pub(super) fn hand_over(grant: &Grant) -> Result<(), Refusal> {
    let handed_over = express(grant)?.handoff_websocket(grant.backend());
    handed_over.map_err(|error| classify(error.root_cause()).into())
}

/// The grant as a request of the SDK's, without a body.
fn express(grant: &Grant) -> Result<Request, Refusal> {
    let unsendable = |what: &str| OriginError::Unreachable(format!("the request cannot be expressed: {what}"));
    let url = format!("{}{}", grant.authority(), grant.path_and_query());
    let url = Url::parse(&url).map_err(|_| unsendable("its URL"))?;
    // The SDK's URL type normalizes. If it would send other bytes than were judged and signed, nothing is sent.
    let kept = match url.query() {
        Some(query) => format!("{}?{query}", url.path()) == grant.path_and_query(),
        None => url.path() == grant.path_and_query(),
    };
    if !kept {
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

/// What the client is told of a failed send. Only the cause is looked at: the error as a whole prints the headers.
pub(super) fn classify(cause: &SendErrorCause) -> OriginError {
    let text = cause.to_string();
    match cause {
        SendErrorCause::DnsTimeout | SendErrorCause::ConnectionTimeout | SendErrorCause::HttpResponseTimeout => {
            OriginError::TooSlow(text)
        }
        SendErrorCause::DestinationUnavailable | SendErrorCause::ConnectionLimitReached => {
            OriginError::Unavailable(text)
        }
        _ => OriginError::Unreachable(text),
    }
}
