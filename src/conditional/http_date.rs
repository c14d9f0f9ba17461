//! Dates in header fields (RFC 9110 §5.6.7), in all three forms.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::time::UnixTime;

/// The moment of a date; `None` if it is none, or lies before 1970.
pub(crate) fn parse(value: &[u8]) -> Option<UnixTime> {
    let text = std::str::from_utf8(value).ok()?;
    let moment: SystemTime = text.trim().parse::<httpdate::HttpDate>().ok()?.into();
    moment.duration_since(UNIX_EPOCH).ok().map(|since| UnixTime::from_seconds(since.as_secs()))
}
