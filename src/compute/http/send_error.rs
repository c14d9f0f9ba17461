//! Failed sends to an origin, as the library's errors.

use fastgate::refusal::OriginError;
use fastly::http::request::SendErrorCause;

/// The kind of a failed send. Only the cause is read, because the error as a whole prints the headers.
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
