//! Reads bodies with bounds on length and time. The platform's read returns when something has arrived, however long
//! that takes. Each read therefore first waits for the body to be ready, at most as long as there is time left. Waiting
//! has a cost: on Viceroy, a body that breaks off meanwhile looks like one that ends. It is used only if the end can be
//! recognized otherwise, because the body is JSON or its length was announced.

use std::fmt;
use std::io::Read as _;
use std::time::{Duration, Instant};

use fastly::Body;
use fastly::handle::BodyHandle;

use crate::compute::abi::is_ready_within;

/// How much time a body may take.
#[derive(Clone, Copy, Debug)]
pub(in crate::compute) struct TimeLimit {
    /// The time that any body may take.
    grace: Duration,
    /// The additional time for each kibibyte; zero if a long body gets no more time.
    per_kibibyte: Duration,
    /// Whether the limit also applies while nothing arrives.
    waits: bool,
}

/// A response, or a stored value: three seconds in all. The backend's `first_byte_timeout` bounds how long it may take
/// to begin.
pub(in crate::compute) const RESPONSE: TimeLimit =
    TimeLimit { grace: Duration::from_secs(3), per_kibibyte: Duration::ZERO, waits: true };
/// The body of a client: ten seconds, and then at least 8 KiB a second. If its length was not announced, only the
/// platform bounds a client that sends nothing at all.
pub(in crate::compute) const fn request(is_announced: bool) -> TimeLimit {
    TimeLimit { grace: Duration::from_secs(10), per_kibibyte: Duration::from_millis(125), waits: is_announced }
}

/// Why a body was not read to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::compute) enum ReadError {
    /// It is longer than it may be.
    TooLong,
    /// It took longer than it may.
    TooSlow,
    /// It broke off.
    Broken,
}

impl fmt::Display for ReadError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::TooLong => "is too long",
            Self::TooSlow => "takes too long",
            Self::Broken => "breaks off",
        })
    }
}

/// A whole body, if it ends in time and within `max_bytes`.
pub(in crate::compute) fn read(
    body: impl Into<Body>,
    max_bytes: usize,
    limit: TimeLimit,
) -> Result<Vec<u8>, ReadError> {
    let mut body = body.into().into_handle();
    let mut reader = Reader::new(limit);
    let mut bytes = Vec::new();
    while reader.read(&mut body, &mut bytes)? {
        if bytes.len() > max_bytes {
            return Err(ReadError::TooLong);
        }
    }
    Ok(bytes)
}

/// Reads a body piece by piece within its time.
pub(in crate::compute) struct Reader {
    limit: TimeLimit,
    started: Instant,
    read: usize,
    piece: Vec<u8>,
}

impl Reader {
    pub(in crate::compute) fn new(limit: TimeLimit) -> Self {
        Self::in_pieces(limit, 16 * 1024)
    }

    /// The same with pieces of at most so many bytes: long bodies take fewer hostcalls.
    pub(in crate::compute) fn in_pieces(limit: TimeLimit, length: usize) -> Self {
        Self { limit, started: Instant::now(), read: 0, piece: vec![0; length] }
    }

    /// Appends what has arrived to `bytes`; `false` at the end of the body.
    pub(in crate::compute) fn read(&mut self, body: &mut BodyHandle, bytes: &mut Vec<u8>) -> Result<bool, ReadError> {
        let kibibytes = u32::try_from(self.read / 1024).unwrap_or(u32::MAX);
        let budget = self.limit.grace.saturating_add(self.limit.per_kibibyte.saturating_mul(kibibytes));
        let left = budget.checked_sub(self.started.elapsed()).ok_or(ReadError::TooSlow)?;
        if self.limit.waits && !is_ready_within(body, left).map_err(|_| ReadError::Broken)? {
            return Err(ReadError::TooSlow);
        }
        let count = body.read(&mut self.piece).map_err(|_| ReadError::Broken)?;
        bytes.extend(self.piece.iter().take(count));
        self.read = self.read.saturating_add(count);
        Ok(count > 0)
    }
}
