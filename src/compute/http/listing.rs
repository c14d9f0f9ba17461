//! Sends a stream of an MCP server while lists in it are filtered.

use std::io::{Read as _, Write as _};

use fastgate::mcp_list::ListStream;
use fastly::handle::{BodyHandle, StreamingBodyHandle};

/// A stream that is sent while lists in it are filtered.
pub(super) struct Listing {
    from: BodyHandle,
    stream: ListStream,
}

impl Listing {
    /// The stream `from` the origin.
    pub(super) const fn new(from: BodyHandle, stream: ListStream) -> Self {
        Self { from, stream }
    }

    /// Sends the stream to the client. If the client leaves, the connection to the origin is closed. What follows an event
    /// that cannot be filtered is not sent, and the stream breaks off.
    pub(super) fn run(mut self, mut client: StreamingBodyHandle) {
        let mut piece = vec![0; super::PIECE];
        let mut output = Vec::new();
        let is_whole = loop {
            let read = match self.from.read(&mut piece) {
                Ok(0) => break self.stream.end(&mut output).is_ok(),
                Ok(count) => count,
                Err(_) => break false,
            };
            let passed = self.stream.pass(piece.get(..read).unwrap_or_default(), &mut output);
            if client.write_all(&output).is_err() || passed.is_err() {
                break false;
            }
            output.clear();
        };
        drop(self.from);
        let is_sent = is_whole && (output.is_empty() || client.write_all(&output).is_ok());
        let _ = if is_sent { client.finish() } else { client.abandon() };
    }
}
