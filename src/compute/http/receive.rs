//! The request as it arrived, taken from the platform without letting the SDK interpret it: the SDK's URL accessors
//! resolve dot segments and panic on some hosts.

use std::time::{SystemTime, UNIX_EPOCH};

use fastgate::headers::Headers;
use fastgate::refusal::ClosedError;
use fastgate::request::{MAX_TARGET_BYTES, RequestHead, certificate_thumbprint};
use fastgate::time::UnixTime;
use fastly::handle::RequestHandle;

use crate::compute::abi;

/// The size of the buffer for a target, in bytes: it holds a target that is just too long, with scheme and host, so
/// that it is recognized as too long.
const TARGET_BUFFER: usize = 2 * MAX_TARGET_BYTES;

/// The longest method that is read, in bytes. No route accepts one that is longer than `OPTIONS`; it then has a name
/// that no route accepts either.
const MAX_METHOD_BYTES: usize = 64;

/// The platform's clock, in whole seconds. A clock before 1970 reads as 1970, when every token lies in the future.
pub(in crate::compute) fn now() -> UnixTime {
    UnixTime::from_seconds(SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()))
}

/// The ids of requests: 128 random bits each, drawn for several requests at a time.
#[derive(Default)]
pub(in crate::compute) struct RequestIds {
    drawn: Vec<u128>,
}

impl RequestIds {
    /// The next id, in hexadecimal.
    pub(in crate::compute) fn next(&mut self) -> Result<String, ClosedError> {
        if self.drawn.is_empty() {
            let mut bytes = [0; 8 * 16];
            getrandom::fill(&mut bytes).map_err(|_| ClosedError::Randomness)?;
            let (numbers, _) = bytes.as_chunks();
            self.drawn.extend(numbers.iter().copied().map(u128::from_be_bytes));
        }
        self.drawn.pop().map(|bits| format!("{bits:032x}")).ok_or(ClosedError::Randomness)
    }
}

/// The request as it arrived. If its fields or its target cannot be read, or the target is too long, the head has a target
/// that `normalize` refuses.
pub(in crate::compute) fn head(request: &RequestHandle, buffer: &mut Vec<u8>) -> RequestHead {
    let tls = request.client_tls_protocol_bytes().is_some();
    let method = match request.get_method(MAX_METHOD_BYTES) {
        Ok(method) => method.as_str().to_owned(),
        Err(_) => "TOO-LONG".to_owned(),
    };
    let (headers, target) = match abi::fields(request, buffer) {
        Ok(headers) => (headers, target(request, buffer)),
        Err(abi::AbiError) => (Headers::default(), Vec::new()),
    };
    RequestHead { method, target, headers, tls, certificate: if tls { certificate(request) } else { None } }
}

/// The thumbprint of the client's certificate, if mutual TLS is set up and the platform verified it. Without mutual TLS
/// the platform reports success as well, and there is no certificate.
fn certificate(request: &RequestHandle) -> Option<[u8; 32]> {
    /// `ClientCertVerifyResult::Ok`, a type that the SDK returns and does not export.
    const GOOD: u32 = 0;
    let result = request.client_tls_client_cert_verify_result()? as u32;
    certificate_thumbprint(&request.client_tls_client_raw_certificate_bytes().filter(|_| result == GOOD)?)
}

/// The bytes of the request target. A target that is too long is returned as more slashes than `normalize` accepts, and
/// one that cannot be read as an empty target: `normalize` refuses both.
fn target(request: &RequestHandle, buffer: &mut Vec<u8>) -> Vec<u8> {
    buffer.resize(buffer.len().max(TARGET_BUFFER), 0);
    match abi::target(request, buffer) {
        Ok(target) => target.to_vec(),
        Err(0) => Vec::new(),
        Err(_) => vec![b'/'; TARGET_BUFFER],
    }
}
