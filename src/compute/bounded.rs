//! Bodies of others, read only so far and only so long.

use std::io::Read as _;
use std::time::{Duration, Instant};

use fastly::Body;

/// How long reading one body may take; how long it may take to begin is the backend's `first_byte_timeout`.
const BUDGET: Duration = Duration::from_secs(3);

/// A body, if it ends in time and within `most` bytes.
pub(super) fn read(mut body: Body, most: usize) -> Result<Vec<u8>, ()> {
    let started = Instant::now();
    let mut bytes = Vec::new();
    let mut buffer = [0; 8192];
    loop {
        let count = body.read(&mut buffer).map_err(drop)?;
        bytes.extend_from_slice(buffer.get(..count).unwrap_or_default());
        match count {
            0 => return Ok(bytes),
            _ if bytes.len() > most || started.elapsed() > BUDGET => return Err(()),
            _ => {}
        }
    }
}
