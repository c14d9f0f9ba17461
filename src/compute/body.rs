//! Sends a body on that must not be longer than it may be.

use std::io::{Read as _, Write as _};

use fastgate::inspect::InspectError;
use fastgate::refusal::{OriginError, Refusal};
use fastly::http::request::SendError;
use fastly::{Body, Request, Response};

use super::forward::classify;

/// How much is read before the origin hears of the request at all, in bytes.
const HELD: usize = 64 * 1024;

/// Sends `request` with `body` to `backend`. A body that shows itself too long among its first bytes never gets there;
/// one that does so later is cut, and the origin sees that it did not end.
pub(super) fn send(mut request: Request, mut body: Body, most: u64, backend: &str) -> Result<Response, Refusal> {
    let too_long = || Refusal::from(InspectError::BodyTooLong { most });
    let broken_off = |_| Refusal::from(OriginError::Unreachable("the client broke its body off".to_owned()));
    let failed = |error: &SendError| Refusal::from(classify(error.root_cause()));
    let mut piece = vec![0; HELD];
    let mut held = Vec::new();
    while held.len() < HELD {
        let read = body.read(&mut piece).map_err(broken_off)?;
        held.extend(piece.iter().take(read));
        if exceeds(held.len(), most) {
            return Err(too_long());
        }
        if read == 0 {
            request.set_body(held);
            return request.send(backend).map_err(|error| failed(&error));
        }
    }
    let (mut sink, answer) = request.send_async_streaming(backend).map_err(|error| failed(&error))?;
    let mut sent = held.len();
    let mut going = sink.write_all(&held).is_ok();
    while going {
        let read = match body.read(&mut piece).map_err(broken_off) {
            Ok(0) => break,
            Ok(read) if exceeds(sent.saturating_add(read), most) => Err(too_long()),
            read => read,
        };
        let read = match read {
            Ok(read) => read,
            Err(refusal) => {
                let _ = sink.abandon();
                return Err(refusal);
            }
        };
        sent = sent.saturating_add(read);
        // An origin that answers early may stop reading; its answer counts.
        going = piece.get(..read).is_some_and(|bytes| sink.write_all(bytes).is_ok());
    }
    let _ = sink.finish();
    answer.wait().map_err(|error| failed(&error))
}

/// Whether a body of `length` bytes is longer than `most`.
pub(super) fn exceeds(length: usize, most: u64) -> bool {
    u64::try_from(length).map_or(true, |length| length > most)
}
