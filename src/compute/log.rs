//! The log line. A missing or full log endpoint has no effect on the request.

use std::io::Write as _;

use fastgate::trail::Trail;
use fastly::log::Endpoint;

/// The name of the log endpoint.
const ENDPOINT: &str = "fastgate";

/// Writes the trail of one request as one line.
pub(super) fn write(trail: &Trail) {
    if let Ok(mut endpoint) = Endpoint::try_from_name(ENDPOINT) {
        let _ = endpoint.write_all(trail.to_line().as_bytes());
    }
}
