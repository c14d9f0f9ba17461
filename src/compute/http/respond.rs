//! Responses: the edge's own and the origin's.

use fastgate::gateway::Publication;
use fastgate::headers::{Headers, response_fields};
use fastgate::problem::Problem;
use fastgate::response::ResponseFields;
use fastly::Response;
use fastly::http::{FramingHeadersMode, HeaderName, HeaderValue, Method};

/// A refusal, as the client sees it.
pub(in crate::compute) fn problem(problem: &Problem) -> Response {
    with_fields(Response::from_status(problem.status()).with_body(problem.body()), &problem.headers())
}

/// A document that the edge publishes.
pub(in crate::compute) fn published(publication: Publication) -> Response {
    with_fields(Response::from_body(publication.body), &publication.fields)
}

/// The response to a CORS preflight.
pub(in crate::compute) fn preflight(fields: &Headers) -> Response {
    with_fields(Response::from_status(204), fields)
}

/// The origin's response, streamed, without the fields that only the edge may set.
pub(in crate::compute) fn from_origin(mut origin: Response, edits: &ResponseFields) -> Response {
    let fields: Headers = origin.get_headers().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
    let mut response = Response::from_status(origin.get_status()).with_body(origin.take_body());
    // In a response to HEAD, `Content-Length` describes the resource (RFC 9110 §8.6, §9.3.2), and the platform would
    // drop it. In all others the platform frames the body.
    let asked_for_head = origin.get_backend_request().is_some_and(|request| request.get_method() == Method::HEAD);
    if asked_for_head && fields.all("content-length").count() == 1 {
        response.set_framing_headers_mode(FramingHeadersMode::ManuallyFromHeaders);
    }
    with_fields(response, &edits.apply_to_origin(&response_fields(&fields)))
}

fn with_fields(mut response: Response, fields: &Headers) -> Response {
    for (name, value) in fields.iter() {
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_bytes(value)) {
            response.append_header(name, value);
        }
    }
    response
}
