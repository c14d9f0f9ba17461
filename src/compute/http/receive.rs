//! The request as it arrived, taken from the platform without letting the SDK interpret it: the SDK's URL accessors
//! resolve dot segments and panic on some hosts.

use std::time::{SystemTime, UNIX_EPOCH};

use fastgate::headers::Headers;
use fastgate::refusal::ClosedError;
use fastgate::request::{MAX_TARGET_BYTES, RequestHead, certificate_thumbprint};
use fastgate::time::UnixTime;
use fastly::Request;

/// The size of the buffer for a target, in bytes: it holds a target that is just too long, with scheme and host, so
/// that it is recognized as too long.
const TARGET_BUFFER: usize = 2 * MAX_TARGET_BYTES;

/// The platform's clock, in whole seconds. A clock before 1970 reads as 1970, when every token lies in the future.
pub(in crate::compute) fn now() -> UnixTime {
    UnixTime::from_seconds(SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()))
}

/// 128 random bits in hexadecimal.
pub(in crate::compute) fn request_id() -> Result<String, ClosedError> {
    let mut bits = [0; 16];
    getrandom::fill(&mut bits).map_err(|_| ClosedError::Randomness)?;
    Ok(format!("{:032x}", u128::from_be_bytes(bits)))
}

/// The request as it arrived.
pub(in crate::compute) fn head(request: &Request) -> RequestHead {
    RequestHead {
        method: request.get_method_str().to_owned(),
        target: raw_target(request),
        headers: request.get_headers().map(|(name, value)| (name.as_str(), value.as_bytes())).collect::<Headers>(),
        tls: request.get_tls_protocol_bytes().is_some(),
        certificate: certificate(request),
    }
}

/// The thumbprint of the client's certificate, if mutual TLS is set up and the platform verified it. Without mutual TLS
/// the platform reports success as well, and there is no certificate.
fn certificate(request: &Request) -> Option<[u8; 32]> {
    /// `ClientCertVerifyResult::Ok`, a type that the SDK returns and does not export.
    const GOOD: u32 = 0;
    let result = request.get_tls_client_cert_verify_result()? as u32;
    certificate_thumbprint(request.get_tls_raw_client_certificate_bytes().filter(|_| result == GOOD)?)
}

/// The bytes of the request target. A target that does not fit the buffer is returned as more slashes than `normalize`
/// accepts, and one that cannot be read as an empty target: `normalize` refuses both.
#[expect(unsafe_code, reason = "the SDK offers no access to the target that does not parse it first")]
fn raw_target(request: &Request) -> Vec<u8> {
    let mut buffer = vec![b'/'; TARGET_BUFFER];
    let mut written = 0;
    // SAFETY: the handle is that of `request`, which outlives the call; the pointer and the length describe `buffer`,
    // which the host fills with at most that many bytes; `written` is a valid place for their number.
    let status = unsafe {
        fastly_sys::fastly_http_req::uri_get(
            request.as_handles().0.as_u32(),
            buffer.as_mut_ptr(),
            buffer.len(),
            &raw mut written,
        )
    };
    match status.result() {
        Ok(()) => buffer.truncate(written),
        Err(_) if written > buffer.len() => {} // stays longer than any target may be
        Err(_) => buffer.clear(),
    }
    buffer
}
