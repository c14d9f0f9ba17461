//! Short contents, which are read whole before their responses are stored.

use std::io::Read as _;

use fastgate::refusal::OriginError;
use fastly::handle::BodyHandle;

/// The longest content, in bytes, that is read whole.
const SHORT: u64 = 64 * 1024;

/// The content of the origin's response, of which this `length` was announced. If it is short it is in hand, so a response that
/// breaks off is a failure of the origin: it neither reaches the client nor replaces what is stored.
///
/// # Errors
/// [`OriginError::Unreadable`] if it breaks off.
pub(super) fn in_hand(mut content: BodyHandle, length: Option<u64>) -> Result<BodyHandle, OriginError> {
    let Some(length) = length.filter(|length| *length <= SHORT) else { return Ok(content) };
    let broken = || OriginError::Unreadable(format!("its content ended before the {length} bytes that it announced"));
    let mut bytes = Vec::new();
    content.read_to_end(&mut bytes).map_err(|_| broken())?;
    if u64::try_from(bytes.len()) == Ok(length) { Ok(BodyHandle::from(bytes)) } else { Err(broken()) }
}
