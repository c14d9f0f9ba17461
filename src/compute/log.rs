//! The log line. A missing or full log endpoint has no effect on the request.

use std::io::Write as _;

use fastly::log::Endpoint;

/// The name of the log endpoint.
const ENDPOINT: &str = "fastgate";

/// The log endpoint, which is opened once in a sandbox.
#[derive(Default)]
pub(super) struct Log(Option<Endpoint>);

impl Log {
    /// Writes one line.
    pub(super) fn write_line(&mut self, line: &str) {
        if self.0.is_none() {
            self.0 = Endpoint::try_from_name(ENDPOINT).ok();
        }
        if let Some(endpoint) = &mut self.0 {
            let _ = endpoint.write_all(line.as_bytes());
        }
    }
}
