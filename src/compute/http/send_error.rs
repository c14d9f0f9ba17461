//! Failed sends to an origin, as the library's errors.

use fastgate::refusal::OriginError;
use fastly::http::request::SendErrorCause;

/// The kind of a failed send. Only the cause is read, because the error as a whole prints the headers.
pub(super) fn classify(cause: &SendErrorCause) -> OriginError {
    let text = cause.to_string();
    match cause {
        SendErrorCause::DnsTimeout | SendErrorCause::ConnectionTimeout => OriginError::NoConnectionInTime(text),
        SendErrorCause::HttpResponseTimeout => OriginError::TooSlow(text),
        SendErrorCause::DnsError { .. }
        | SendErrorCause::DestinationNotFound
        | SendErrorCause::DestinationIpUnroutable
        | SendErrorCause::ConnectionRefused
        | SendErrorCause::TlsProtocolError
        | SendErrorCause::TlsCertificateError
        | SendErrorCause::TlsAlertReceived { .. }
        | SendErrorCause::TlsConfigurationError => OriginError::NoConnection(text),
        SendErrorCause::HttpResponseHeaderSectionTooLarge
        | SendErrorCause::HttpResponseBodyTooLarge
        | SendErrorCause::HttpResponseStatusInvalid
        | SendErrorCause::HttpUpgradeFailed => OriginError::Unreadable(text),
        SendErrorCause::DestinationUnavailable | SendErrorCause::ConnectionLimitReached => {
            OriginError::Unavailable(text)
        }
        _ => OriginError::Unreachable(text),
    }
}
