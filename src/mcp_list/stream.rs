//! A response that is a stream of events. Each event is held until it is complete.

use super::error::{ListError, MAX_BYTES};
use super::shown::ListFilter;
use crate::event_stream::{Event, Framing, rewritten};

/// Filters one stream.
#[derive(Debug)]
pub struct ListStream {
    filter: ListFilter,
    framing: Framing,
    is_first: bool,
    /// The event that has not ended.
    current: Vec<u8>,
}

impl ListStream {
    /// A filter for one stream.
    #[must_use]
    pub fn new(filter: ListFilter) -> Self {
        Self { filter, framing: Framing::default(), is_first: true, current: Vec::new() }
    }

    /// Adds to `output` what is to be written now that `chunk` was read: the events that it completes.
    ///
    /// # Errors
    /// A [`ListError`] if an event cannot be filtered. Nothing more may be written after `output`.
    pub fn pass(&mut self, chunk: &[u8], output: &mut Vec<u8>) -> Result<(), ListError> {
        let mut rest = chunk;
        if self.current.is_empty() && self.framing.continues_line_end(chunk) {
            // The blank line of the last event ended in CR: this LF belongs to it.
            let _ = self.framing.end_of_event(b"\n");
            output.push(b'\n');
            rest = chunk.get(1..).unwrap_or_default();
        }
        while let Some(length) = self.framing.end_of_event(rest) {
            let (event, after) = rest.split_at_checked(length).unwrap_or((rest, b""));
            self.hold(event)?;
            self.finish(output)?;
            rest = after;
        }
        self.hold(rest)
    }

    /// Adds to `output` what is still to be written at the end of the stream.
    ///
    /// # Errors
    /// A [`ListError`] if an event without its blank line cannot be filtered.
    pub fn end(mut self, output: &mut Vec<u8>) -> Result<(), ListError> {
        if self.current.is_empty() { Ok(()) } else { self.finish(output) }
    }

    fn hold(&mut self, bytes: &[u8]) -> Result<(), ListError> {
        if self.current.len().saturating_add(bytes.len()) > MAX_BYTES {
            return Err(ListError::TooLong);
        }
        self.current.extend_from_slice(bytes);
        Ok(())
    }

    fn finish(&mut self, output: &mut Vec<u8>) -> Result<(), ListError> {
        let event = Event::read(&self.current, self.is_first);
        let changed = if event.data.trim_ascii().is_empty() { None } else { self.filter.event(&event.data)? };
        match changed {
            None => output.append(&mut self.current),
            Some(data) => {
                output.extend(rewritten(&self.current, self.is_first, data.as_bytes()));
                self.current.clear();
            }
        }
        self.is_first = false;
        Ok(())
    }
}
