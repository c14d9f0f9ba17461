//! The body of a request. It is read ahead if the policy requires it, and what was read is then forwarded first.

use std::io::Write as _;
use std::time::Duration;

use fastgate::content::{Body, ContentError};
use fastgate::headers::Headers;
use fastgate::refusal::{OriginError, Refusal};
use fastly::handle::{BodyHandle, PendingRequestHandle, RequestHandle, ResponseHandle};
use fastly::http::FramingHeadersMode;
use fastly::http::request::SendErrorCause;
use sha2::{Digest as _, Sha256};

use super::send_error::classify;
use crate::compute::abi::{self, is_answered_within};
use crate::compute::platform::bounded::{ReadError, Reader, TimeLimit, read, request as limit_of_request};

/// How much of a bounded body is read before the request is sent to the origin, in bytes.
const HELD: usize = 64 * 1024;

/// A body as it arrived, and the bytes that were read from it.
pub(in crate::compute) struct ReceivedBody {
    held: Vec<u8>,
    rest: Option<BodyHandle>,
    /// The reader, with its time limit, if reading has begun.
    reader: Option<Reader>,
    /// `Content-Length`, if the client announced one.
    announced: Option<u64>,
}

impl ReceivedBody {
    /// The body of a request with the fields `headers`, unread.
    pub(in crate::compute) fn new(body: BodyHandle, headers: &Headers) -> Self {
        Self { held: Vec::new(), rest: Some(body), reader: None, announced: announced(headers) }
    }

    /// No body.
    pub(super) const fn none() -> Self {
        Self { held: Vec::new(), rest: None, reader: None, announced: None }
    }

    /// Whether nothing of it is left to be read from the client.
    pub(super) fn is_in_hand(&self) -> bool {
        self.rest.as_ref().is_none_or(|rest| abi::known_length(rest) == Some(0))
    }

    /// The same body, to be sent again, if it [is in hand](Self::is_in_hand).
    pub(super) fn copy(&self) -> Self {
        Self { held: self.held.clone(), rest: None, reader: None, announced: self.announced }
    }

    const fn limit(&self) -> TimeLimit {
        limit_of_request(self.announced.is_some())
    }

    /// Whether as much was read as was announced. A body that ends earlier is incomplete (RFC 9112 §8).
    fn is_whole(&self) -> bool {
        self.announced.is_none_or(|announced| u64::try_from(self.held.len()) == Ok(announced))
    }

    /// Sends `request` with this body. A body that is longer than `most` is cut off, and the origin sees that it is
    /// incomplete.
    pub(in crate::compute) fn send(
        self,
        mut request: RequestHandle,
        most: Option<u64>,
        to: Destination<'_>,
    ) -> Result<(ResponseHandle, BodyHandle), Refusal> {
        if let (Some(length), Some(_)) = (self.announced, &self.rest) {
            // The origin never takes a body that ends early for a complete one, because the platform then closes the
            // connection (RFC 9112 §6.3). Without an announced length, the platform frames the body.
            abi::append(&request, "content-length", length.to_string().as_bytes())
                .map_err(|_| OriginError::Unreachable("the length of the body cannot be expressed".to_owned()))?;
            request.set_framing_headers_mode(FramingHeadersMode::ManuallyFromHeaders);
        }
        let limit = self.limit();
        match (self.rest, most) {
            (None, _) => to.send(request, whole(&self.held)),
            (Some(rest), None) if self.held.is_empty() => to.send(request, rest),
            (Some(rest), most) => {
                let bound = self.announced.or(most).unwrap_or(u64::MAX);
                let reader = self.reader.unwrap_or_else(|| Reader::new(limit));
                stream(request, self.held, rest, (bound, self.announced.is_some()), reader, to)
            }
        }
    }
}

/// Where a request is sent, and how long its response is awaited.
#[derive(Clone, Copy)]
pub(in crate::compute) struct Destination<'grant> {
    pub(in crate::compute) backend: &'grant str,
    /// `None` if the backend alone limits the time.
    pub(in crate::compute) timeout: Option<Duration>,
}

impl Destination<'_> {
    fn send(self, request: RequestHandle, body: BodyHandle) -> Result<(ResponseHandle, BodyHandle), Refusal> {
        match self.timeout {
            None => request.send(body, self.backend).map_err(|cause| failed(&cause)),
            Some(_) => self.response(request.send_async(body, self.backend).map_err(|cause| failed(&cause))?),
        }
    }

    /// The response to a request that was sent. One that is given up is not taken back: the platform has no call for that.
    fn response(self, pending: PendingRequestHandle) -> Result<(ResponseHandle, BodyHandle), Refusal> {
        if let Some(timeout) = self.timeout {
            let unreadable = |_| OriginError::Unreachable("its response cannot be awaited".to_owned());
            if !is_answered_within(&pending, timeout).map_err(unreadable)? {
                return Err(OriginError::OverTime(timeout.as_secs()).into());
            }
        }
        pending.wait().map_err(|cause| failed(&cause))
    }
}

/// A body that consists of `content`.
fn whole(content: &[u8]) -> BodyHandle {
    if content.is_empty() { BodyHandle::new() } else { BodyHandle::from(content) }
}

impl Body for ReceivedBody {
    fn sha256(&mut self, most: u64) -> Result<[u8; 32], ContentError> {
        self.read(most)?;
        Ok(Sha256::digest(&self.held).into())
    }

    fn read(&mut self, most: u64) -> Result<(), ContentError> {
        if let Some(rest) = self.rest.take() {
            // The reader reads one byte more, to tell a body that is too long from one that just fits.
            let bound = usize::try_from(most).unwrap_or(usize::MAX);
            self.held = read(rest, bound, self.limit()).map_err(|error| content_error(error, most))?;
            if !self.is_whole() {
                return Err(ContentError::Unreadable);
            }
        }
        Ok(())
    }

    fn hold(&mut self, most: u64) -> Result<(), ContentError> {
        let Some(mut rest) = self.rest.take() else { return Ok(()) };
        let mut reader = Reader::new(self.limit());
        while self.held.len() < HELD {
            let more = reader.read(&mut rest, &mut self.held).map_err(|error| content_error(error, most))?;
            if exceeds(self.held.len(), most) {
                return Err(ContentError::TooLong { most });
            }
            if !more || self.announced.is_some_and(|announced| u64::try_from(self.held.len()) == Ok(announced)) {
                return if self.is_whole() { Ok(()) } else { Err(ContentError::Unreadable) };
            }
        }
        (self.rest, self.reader) = (Some(rest), Some(reader));
        Ok(())
    }

    fn held(&self) -> Option<&[u8]> {
        Some(&self.held)
    }

    fn replace(&mut self, content: Vec<u8>) {
        (self.held, self.rest, self.announced) = (content, None, None);
    }
}

/// `Content-Length`, if it frames the body (RFC 9112 §6.3).
fn announced(headers: &Headers) -> Option<u64> {
    let mut lengths = headers.all("content-length");
    match (lengths.next(), lengths.next(), headers.all("transfer-encoding").next()) {
        (Some(length), None, None) => std::str::from_utf8(length).ok()?.parse().ok(),
        _ => None,
    }
}

/// Sends `held`, and then the rest as it arrives. The body must be exactly `bound` bytes long if `is_exact`, otherwise
/// at most as long.
fn stream(
    request: RequestHandle,
    held: Vec<u8>,
    mut rest: BodyHandle,
    (bound, is_exact): (u64, bool),
    mut reader: Reader,
    to: Destination<'_>,
) -> Result<(ResponseHandle, BodyHandle), Refusal> {
    let (mut sink, response) =
        request.send_async_streaming(BodyHandle::new(), to.backend).map_err(|cause| failed(&cause))?;
    let mut sent = held.len();
    let mut piece = held;
    // An origin that responds early may stop reading; its response is used.
    while sink.write_all(&piece).is_ok() {
        piece.clear();
        let cause = match reader.read(&mut rest, &mut piece) {
            Ok(false) if is_exact && u64::try_from(sent) != Ok(bound) => ContentError::Unreadable,
            Ok(false) => break,
            Ok(true) if exceeds(sent.saturating_add(piece.len()), bound) => ContentError::TooLong { most: bound },
            Ok(true) => {
                sent = sent.saturating_add(piece.len());
                continue;
            }
            Err(error) => content_error(error, bound),
        };
        let _ = sink.abandon();
        return Err(cause.into());
    }
    let _ = sink.finish();
    to.response(response)
}

const fn content_error(error: ReadError, most: u64) -> ContentError {
    match error {
        ReadError::TooLong => ContentError::TooLong { most },
        ReadError::TooSlow => ContentError::TooSlow,
        ReadError::Broken => ContentError::Unreadable,
    }
}

fn failed(cause: &SendErrorCause) -> Refusal {
    classify(cause).into()
}

/// Whether a body of `length` bytes is longer than `most`.
fn exceeds(length: usize, most: u64) -> bool {
    u64::try_from(length).map_or(true, |length| length > most)
}
