//! Short contents, which are read whole before their responses are stored.

use std::io::Read as _;
use std::time::{Duration, Instant};

use fastgate::refusal::OriginError;
use fastly::handle::BodyHandle;

use super::respond::NO_CONTENT;

/// The longest content, in bytes, that is read whole.
const SHORT: u64 = 64 * 1024;
/// How long it is waited for. After that it is stored and sent while it arrives.
const SOON: Duration = Duration::from_secs(1);

/// The content of the origin's response with this `status`, of which this `length` was announced. If it is short and arrives soon
/// it is in hand, so a response that breaks off is a failure of the origin: it neither reaches the client nor replaces what is
/// stored.
///
/// # Errors
/// [`OriginError::Unreadable`] if it breaks off.
pub(super) fn in_hand(mut content: BodyHandle, status: u16, length: Option<u64>) -> Result<BodyHandle, OriginError> {
    let is_short = |length: &u64| *length <= SHORT && status != NO_CONTENT;
    let Some(length) = length.filter(is_short) else { return Ok(content) };
    let broken = || OriginError::Unreadable(format!("its content ended before the {length} bytes that it announced"));
    let began = Instant::now();
    let (mut bytes, mut piece) = (Vec::new(), vec![0; super::PIECE]);
    loop {
        match content.read(&mut piece) {
            Ok(0) if u64::try_from(bytes.len()) == Ok(length) => return Ok(BodyHandle::from(bytes)),
            Ok(0) | Err(_) => return Err(broken()),
            Ok(count) => bytes.extend_from_slice(piece.get(..count).unwrap_or_default()),
        }
        if began.elapsed() > SOON {
            let mut all = BodyHandle::from(bytes);
            all.append(content);
            return Ok(all);
        }
    }
}
