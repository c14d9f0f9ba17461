//! The platform's ABI, where the SDK has no call of its own, or one that parses what must stay as it is, or one that
//! costs many hostcalls. The only module with `unsafe`. Handles are the SDK's, so each is closed when it is dropped.

#![expect(unsafe_code, reason = "the ABI consists of foreign functions")]

use std::time::Duration;

use fastgate::headers::Headers;
use fastly::handle::{BodyHandle, PendingRequestHandle, RequestHandle, ResponseHandle, StreamingBodyHandle};
use fastly_shared::FastlyStatus;
use fastly_sys::{
    fastly_async_io, fastly_backend, fastly_http_body, fastly_http_downstream, fastly_http_req, fastly_http_resp,
};

/// The call failed. What it was for cannot be decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct AbiError;

/// The size in bytes to which a buffer grows at most. It exceeds what the platform accepts as one field.
const MAX_BUFFER: usize = 1024 * 1024;

/// A call that fills a buffer with as many items as fit, beginning at a cursor. Each item ends with a NUL. The call
/// returns the cursor of the next item, or -1 at the end; if the buffer is too small for a single item, the required
/// size.
type ReadNames = unsafe extern "C" fn(u32, *mut u8, usize, u32, *mut i64, *mut usize) -> FastlyStatus;
type ReadValues =
    unsafe extern "C" fn(u32, *const u8, usize, *mut u8, usize, u32, *mut i64, *mut usize) -> FastlyStatus;
/// A call that adds a field: its name, then its value.
type Append = unsafe extern "C" fn(u32, *const u8, usize, *const u8, usize) -> FastlyStatus;

/// A message with header fields.
///
/// # Safety
/// The functions are those of the ABI for this kind of message, and [`number`](Self::number) is the number of an open
/// handle of that kind.
pub(super) unsafe trait Message {
    const READ_NAMES: ReadNames;
    const READ_VALUES: ReadValues;
    const APPEND: Append;

    /// The handle, which stays open as long as the message is borrowed.
    fn number(&self) -> u32;
}

// SAFETY: the functions are those for requests; the handle is closed when it is dropped.
unsafe impl Message for RequestHandle {
    const READ_NAMES: ReadNames = fastly_http_req::header_names_get;
    const READ_VALUES: ReadValues = fastly_http_req::header_values_get;
    const APPEND: Append = fastly_http_req::header_append;

    fn number(&self) -> u32 {
        self.as_u32()
    }
}

// SAFETY: the functions are those for responses; the handle is closed when it is dropped.
unsafe impl Message for ResponseHandle {
    const READ_NAMES: ReadNames = fastly_http_resp::header_names_get;
    const READ_VALUES: ReadValues = fastly_http_resp::header_values_get;
    const APPEND: Append = fastly_http_resp::header_append;

    fn number(&self) -> u32 {
        self.as_u32()
    }
}

/// The names of all fields, each once, in lower case, in the order of arrival.
pub(super) fn names<M: Message>(message: &M, buffer: &mut Vec<u8>) -> Result<Vec<String>, AbiError> {
    let mut names = Vec::new();
    let read = |start, size, cursor, next, written| {
        // SAFETY: the handle is open; `every` passes a buffer of this size and two valid places for numbers.
        unsafe { M::READ_NAMES(message.number(), start, size, cursor, next, written) }
    };
    every(buffer, read, |name| names.push(name.to_ascii_lowercase()))?;
    names.into_iter().map(|name| String::from_utf8(name).map_err(|_| AbiError)).collect()
}

/// All fields. Those of one name stand together.
pub(super) fn fields<M: Message>(message: &M, buffer: &mut Vec<u8>) -> Result<Headers, AbiError> {
    let mut fields = Headers::default();
    for name in names(message, buffer)? {
        values(message, &name, buffer, |value| fields.append(&name, value))?;
    }
    Ok(fields)
}

/// Calls `each` with every value of the field `name`, in the order of arrival.
pub(super) fn values<M: Message>(
    message: &M,
    name: &str,
    buffer: &mut Vec<u8>,
    each: impl FnMut(&[u8]),
) -> Result<(), AbiError> {
    let read = |start, size, cursor, next, written| {
        // SAFETY: as in `names`; `name` outlives the call.
        unsafe { M::READ_VALUES(message.number(), name.as_ptr(), name.len(), start, size, cursor, next, written) }
    };
    every(buffer, read, each)
}

/// Calls `read` until it has returned every item, and `each` with each of them.
fn every(
    buffer: &mut Vec<u8>,
    read: impl Fn(*mut u8, usize, u32, *mut i64, *mut usize) -> FastlyStatus,
    mut each: impl FnMut(&[u8]),
) -> Result<(), AbiError> {
    let mut cursor = 0;
    loop {
        let (mut next, mut written) = (-1, 0);
        let status = read(buffer.as_mut_ptr(), buffer.len(), cursor, &raw mut next, &raw mut written);
        if status == FastlyStatus::BUFLEN && written > buffer.len() && written <= MAX_BUFFER {
            buffer.resize(written, 0);
            continue;
        }
        status.result().map_err(|_| AbiError)?;
        let mut rest = buffer.get(..written).ok_or(AbiError)?;
        while !rest.is_empty() {
            let end = rest.iter().position(|byte| *byte == 0).ok_or(AbiError)?;
            let (item, after) = rest.split_at(end);
            each(item);
            rest = after.get(1..).unwrap_or_default();
        }
        match u32::try_from(next) {
            Err(_) => return Ok(()), // -1: that was the last item
            Ok(next) if next > cursor => cursor = next,
            Ok(_) => return Err(AbiError),
        }
    }
}

/// Adds a field. The platform refuses a name or a value that would break the message.
pub(super) fn append<M: Message>(message: &M, name: &str, value: &[u8]) -> Result<(), AbiError> {
    // SAFETY: the handle is open; pointers and lengths describe `name` and `value`, which outlive the call.
    let status = unsafe { M::APPEND(message.number(), name.as_ptr(), name.len(), value.as_ptr(), value.len()) };
    status.result().map_err(|_| AbiError)
}

/// Removes every field of this name.
pub(super) fn remove(response: &ResponseHandle, name: &str) -> Result<(), AbiError> {
    // SAFETY: the handle is open; the pointer and the length describe `name`, which outlives the call.
    let status = unsafe { fastly_http_resp::header_remove(response.as_u32(), name.as_ptr(), name.len()) };
    status.result().map_err(|_| AbiError)
}

/// The length of a body in bytes, if the platform knows it before it is read.
pub(super) fn known_length(body: &BodyHandle) -> Option<u64> {
    let mut length = 0;
    // SAFETY: the handle is not closed: it stays with `body`, which is borrowed; `length` is a valid place for a number.
    let status = unsafe { fastly_http_body::known_length(body.as_u32(), &raw mut length) };
    status.result().ok().map(|()| length)
}

/// Appends a body, which the platform may still be receiving, to one that it is sending. The platform copies it.
pub(super) fn append_body(to: &mut StreamingBodyHandle, from: BodyHandle) -> Result<(), AbiError> {
    // SAFETY: both handles are open: the first stays with `to`, which is borrowed, and the call takes the second over.
    let status = unsafe { fastly_http_body::append(to.as_u32(), from.into_u32()) };
    status.result().map_err(|_| AbiError)
}

/// Waits for the next request of this sandbox, at most `timeout`. `None` if there is none, and the sandbox has to end. The
/// response to the request before must have been sent.
pub(super) fn next_request(timeout: Duration) -> Option<(RequestHandle, BodyHandle)> {
    let timeout_ms = u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX);
    let options = fastly_http_downstream::NextRequestOptions { timeout_ms };
    let mask = fastly_http_downstream::NextRequestOptionsMask::TIMEOUT;
    let (mut promise, mut request, mut body) = (0, 0, 0);
    // SAFETY: `options` outlives the call, and `promise` is a valid place for a handle.
    unsafe { fastly_http_downstream::next_request(mask, &raw const options, &raw mut promise) }.result().ok()?;
    // SAFETY: the promise was made by the call before, which succeeded; `request` and `body` are valid places for
    // handles. The call uses the promise up.
    unsafe { fastly_http_downstream::next_request_wait(promise, &raw mut request, &raw mut body) }.result().ok()?;
    // SAFETY: the call succeeded, so the handles are open, and only these values hold them.
    Some(unsafe { (RequestHandle::from_u32(request), BodyHandle::from_u32(body)) })
}

/// The bytes of the request target with scheme and host, without any parsing. `Err` has the size of a target that does
/// not fit into `buffer`, or 0 if the target cannot be read.
pub(super) fn target<'buffer>(request: &RequestHandle, buffer: &'buffer mut [u8]) -> Result<&'buffer [u8], usize> {
    let mut written = 0;
    // SAFETY: the handle is open; the pointer and the length describe `buffer`, which the host fills with at most that
    // many bytes; `written` is a valid place for their number.
    let status =
        unsafe { fastly_http_req::uri_get(request.as_u32(), buffer.as_mut_ptr(), buffer.len(), &raw mut written) };
    let size = buffer.len();
    match status.result() {
        Ok(()) => buffer.get(..written).ok_or(0),
        Err(_) if written > size => Err(written),
        Err(_) => Err(0),
    }
}

/// Whether the platform's own checks say that a backend is unhealthy. Without such checks that is not known.
pub(super) fn is_unhealthy(backend: &str) -> bool {
    let mut health = fastly_backend::BackendHealth::Unknown;
    // SAFETY: the pointer and the length describe `backend`, which outlives the call; `health` is a valid place for the
    // result.
    let status = unsafe { fastly_backend::is_healthy(backend.as_ptr(), backend.len(), &raw mut health) };
    status.result().is_ok() && matches!(health, fastly_backend::BackendHealth::Unhealthy)
}

/// Sets the URL to exactly these bytes.
pub(super) fn set_url(request: &RequestHandle, url: &str) -> Result<(), AbiError> {
    // SAFETY: the handle is open; the pointer and the length describe `url`, which outlives the call.
    let status = unsafe { fastly_http_req::uri_set(request.as_u32(), url.as_ptr(), url.len()) };
    status.result().map_err(|_| AbiError)
}

/// Sets the method.
pub(super) fn set_method(request: &RequestHandle, method: &str) -> Result<(), AbiError> {
    // SAFETY: the handle is open; the pointer and the length describe `method`, which outlives the call.
    let status = unsafe { fastly_http_req::method_set(request.as_u32(), method.as_ptr(), method.len()) };
    status.result().map_err(|_| AbiError)
}

/// Whether `body` has something to read, or its end, within `timeout`. The SDK waits only without a limit.
pub(super) fn is_ready_within(body: &BodyHandle, timeout: Duration) -> Result<bool, AbiError> {
    // SAFETY: the handle is not closed: it stays with `body`, which is borrowed.
    is_ready(unsafe { body.as_u32() }, timeout)
}

/// Whether the response to a request that was sent begins within `timeout`, or fails.
pub(super) fn is_answered_within(pending: &PendingRequestHandle, timeout: Duration) -> Result<bool, AbiError> {
    is_ready(pending.as_u32(), timeout)
}

/// `handle` is that of a value that is borrowed as long as the call takes.
fn is_ready(handle: u32, timeout: Duration) -> Result<bool, AbiError> {
    /// The index that the host returns after a timeout.
    const NONE: u32 = u32::MAX;
    let handles = [handle];
    let milliseconds = u32::try_from(timeout.as_millis()).unwrap_or(u32::MAX).max(1);
    let mut ready = NONE;
    // SAFETY: the pointer and the length describe `handles`, which outlives the call; the handle in it is open, because the
    // caller borrows what holds it; `ready` is a valid place for an index.
    let status = unsafe { fastly_async_io::select(handles.as_ptr(), handles.len(), milliseconds, &raw mut ready) };
    status.result().map_err(|_| AbiError)?;
    Ok(ready != NONE)
}
