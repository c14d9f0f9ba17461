//! Step *inspect*: does the request have the form that the route accepts? Input: a [`Permit`] and the head of the
//! request. Output: [`Inspected`]. A body of undeclared length is measured while it is forwarded.

use crate::authorize::Permit;
use crate::policy::fields::Accepts;
use crate::request::Target;

/// A permit for a request that has the accepted form. Only [`inspect`] makes one.
#[derive(Debug)]
pub struct Inspected<'policy>(Permit<'policy>);

impl<'policy> Inspected<'policy> {
    /// The permit.
    #[must_use]
    pub fn into_permit(self) -> Permit<'policy> {
        self.0
    }
}

/// Why a request does not have the accepted form.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InspectError {
    /// The route is a WebSocket and the request is not an opening handshake.
    #[error("the route accepts only opening handshakes of WebSockets")]
    NoHandshake,
    /// The query is too long.
    #[error("the query is {bytes} bytes long, {most} are accepted")]
    QueryTooLong {
        /// Its length.
        bytes: u64,
        /// The longest that is accepted, in bytes.
        most: u64,
    },
    /// The body is too long.
    #[error("the body is longer than the {most} bytes that are accepted")]
    BodyTooLong {
        /// The longest that is accepted, in bytes.
        most: u64,
    },
    /// The media type is missing, repeated or not accepted.
    #[error("the media type of the body is not accepted")]
    ContentType,
    /// A field is missing.
    #[error("the field {name} is missing")]
    HeaderMissing {
        /// The field.
        name: String,
    },
}

impl InspectError {
    /// The code for logs, metrics and tests.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NoHandshake => "no-handshake",
            Self::QueryTooLong { .. } => "query-too-long",
            Self::BodyTooLong { .. } => "body-too-long",
            Self::ContentType => "content-type",
            Self::HeaderMissing { .. } => "header-missing",
        }
    }
}

/// Checks a request against what its route accepts. `shadowed` is called with what a rule in shadow would refuse.
///
/// # Errors
/// [`InspectError::NoHandshake`] if the route is a WebSocket and the request does not open one; otherwise an
/// [`InspectError`] that names the first rule of `accepts` that is not met.
pub fn inspect<'policy>(
    permit: Permit<'policy>,
    target: &Target,
    shadowed: &mut dyn FnMut(InspectError),
) -> Result<Inspected<'policy>, InspectError> {
    let route = permit.route();
    if route.websocket && !target.opens_websocket() {
        return Err(InspectError::NoHandshake);
    }
    match check(&route.accepts, target) {
        Err(error) if route.accepts.shadow => shadowed(error),
        checked => checked?,
    }
    Ok(Inspected(permit))
}

fn check(accepts: &Accepts, target: &Target) -> Result<(), InspectError> {
    let bytes = u64::try_from(target.query().len()).unwrap_or(u64::MAX);
    if let Some(most) = accepts.max_query.filter(|most| bytes > *most) {
        return Err(InspectError::QueryTooLong { bytes, most });
    }
    if let Some(name) = accepts.required_headers.iter().find(|name| target.headers().all(name).next().is_none()) {
        return Err(InspectError::HeaderMissing { name: name.clone() });
    }
    let declared = target.content().length;
    if let Some(most) = accepts.max_body.filter(|most| declared.is_some_and(|length| length > *most)) {
        return Err(InspectError::BodyTooLong { most });
    }
    let mut types = target.headers().all("content-type");
    let media_type = (types.next(), types.next());
    if accepts.content_types.is_empty() || (media_type == (None, None) && !has_content(target)) {
        return Ok(());
    }
    let accepted = match media_type {
        (Some(value), None) => std::str::from_utf8(value).is_ok_and(|value| is_accepted(value, &accepts.content_types)),
        _ => false,
    };
    if accepted { Ok(()) } else { Err(InspectError::ContentType) }
}

/// Whether there is a body. If no field says so (HTTP/2), the methods that usually have a body count as having one.
fn has_content(target: &Target) -> bool {
    let content = target.content();
    match content.length {
        Some(length) => length > 0,
        None => content.chunked || matches!(target.method(), "POST" | "PUT" | "PATCH"),
    }
}

/// Whether the media type, without parameters (RFC 9110 §8.3.1), is one of `accepted` or falls under one of its
/// wildcards.
fn is_accepted(value: &str, accepted: &[String]) -> bool {
    let media_type = value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let kind = media_type.split_once('/').map(|(kind, _)| kind);
    accepted.iter().any(|accepted| {
        *accepted == media_type || accepted.strip_suffix("/*").is_some_and(|wanted| Some(wanted) == kind)
    })
}
