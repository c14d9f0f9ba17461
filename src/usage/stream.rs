//! A response that is a stream of events: which bytes pass, and which are held or removed.

use std::borrow::Cow;
use std::ops::Range;

use super::form::Account;
use super::found::Observed;
use crate::event_stream::{Event, Framing};
use crate::policy::Api;

/// The greatest length of an event that is read, in bytes.
pub const MAX_EVENT: usize = 1024 * 1024;

/// How much of an event that is too long to be read is looked at for its type.
const HEAD: usize = 4096;

/// Observes one stream. Unless usage is hidden, every byte passes at once; otherwise comments between events do.
#[derive(Debug)]
pub(super) struct Stream {
    account: Account,
    hides_usage: bool,
    framing: Framing,
    is_first: bool,
    /// The bytes of the event that has not ended. If usage is hidden, they have not been written yet.
    current: Vec<u8>,
    /// The length so far of an event that is too long to be read. Its bytes pass.
    long: Option<u64>,
    before: Before,
}

/// What is before the next byte, unless that continues an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Before {
    /// The beginning of the stream, an event that passed, or a comment before an event.
    Passed,
    /// An event that was removed.
    Removed,
    /// A part of a comment before an event.
    Comment,
}

impl Stream {
    pub(super) fn new(api: &Api, hides_usage: bool) -> Self {
        Self {
            account: Account::new(api),
            hides_usage: hides_usage && *api == Api::OpenAiChat,
            framing: Framing::default(),
            is_first: true,
            current: Vec::new(),
            long: None,
            before: Before::Passed,
        }
    }

    pub(super) fn pass<'chunk>(&mut self, chunk: &'chunk [u8]) -> Cow<'chunk, [u8]> {
        let mut output = Output { chunk, run: 0..0, owned: None };
        let mut start = 0;
        if self.framing.continues_line_end(chunk) && self.current.is_empty() && self.long.is_none() {
            // The blank line of the last event ended in CR: this LF belongs to it.
            let _ = self.framing.end_of_event(b"\n");
            start = 1;
            if self.before != Before::Removed {
                output.push(0..1);
            }
        }
        loop {
            start = self.pass_comments(start, &mut output);
            let Some(length) = self.framing.end_of_event(chunk.get(start..).unwrap_or_default()) else { break };
            let end = start + length;
            self.finish(start..end, &mut output);
            start = end;
        }
        self.hold(start..chunk.len(), &mut output);
        output.into_bytes()
    }

    pub(super) fn end(mut self) -> (Vec<u8>, Observed) {
        let mut rest = Vec::new();
        if let Some(length) = self.long {
            self.account.end_long(length);
        } else if !self.current.is_empty() {
            let has_only_usage = self.account.read_last(&Event::read(&self.current, self.is_first));
            if self.hides_usage && !has_only_usage {
                rest = self.current;
            }
        }
        (rest, self.account.into_observed())
    }

    /// Passes comments that are before the next event, so that one that keeps the connection alive is not held. Returns where
    /// the rest of the chunk begins.
    fn pass_comments(&mut self, mut start: usize, output: &mut Output) -> usize {
        let is_between = self.hides_usage && self.current.is_empty() && self.long.is_none();
        while let Some(rest @ [first, ..]) = output.chunk.get(start..).filter(|_| is_between) {
            if self.before != Before::Comment && *first != b':' {
                break;
            }
            let end = self.framing.end_of_line(rest);
            self.before = if end.is_none() { Before::Comment } else { Before::Passed };
            self.is_first = false;
            let length = end.map_or(rest.len(), |(_, end)| end);
            output.push(start..start + length);
            start += length;
        }
        start
    }

    /// The event ends with these bytes of the chunk.
    fn finish(&mut self, bytes: Range<usize>, output: &mut Output) {
        if self.is_too_long(&bytes) {
            self.hold(bytes, output);
            self.account.end_long(self.long.take().unwrap_or_default());
            (self.is_first, self.before) = (false, Before::Passed);
            return;
        }
        let piece = output.chunk.get(bytes.clone()).unwrap_or_default();
        let has_only_usage = if self.current.is_empty() {
            self.account.read(&Event::read(piece, self.is_first))
        } else {
            self.current.extend_from_slice(piece);
            self.account.read(&Event::read(&self.current, self.is_first))
        };
        self.is_first = false;
        let removes = self.hides_usage && has_only_usage;
        self.before = if removes { Before::Removed } else { Before::Passed };
        if removes || !self.hides_usage || self.current.is_empty() {
            self.current.clear();
            if !removes {
                output.push(bytes);
            }
        } else {
            output.push_held(&mut self.current);
        }
    }

    /// The event goes on after these bytes of the chunk.
    fn hold(&mut self, bytes: Range<usize>, output: &mut Output) {
        let piece = output.chunk.get(bytes.clone()).unwrap_or_default();
        if let Some(length) = &mut self.long {
            *length = length.saturating_add(piece.len() as u64);
        } else if self.is_too_long(&bytes) {
            let head: Vec<u8> = self.current.iter().chain(piece).take(HEAD).copied().collect();
            self.account.begin_long(&Event::read(&head, self.is_first));
            self.long = Some((self.current.len() + piece.len()) as u64);
            if self.hides_usage {
                output.push_held(&mut self.current);
            }
            self.current = Vec::new();
        } else {
            self.current.extend_from_slice(piece);
            if self.hides_usage {
                return;
            }
        }
        output.push(bytes);
    }

    /// Whether the event is too long to be read, with these bytes.
    fn is_too_long(&self, bytes: &Range<usize>) -> bool {
        self.long.is_some() || self.current.len() + bytes.len() > MAX_EVENT
    }
}

/// What is to be written for one chunk: one range of it, if possible.
struct Output<'chunk> {
    chunk: &'chunk [u8],
    /// The range of the chunk that comes last.
    run: Range<usize>,
    /// What comes before it.
    owned: Option<Vec<u8>>,
}

impl<'chunk> Output<'chunk> {
    fn push(&mut self, bytes: Range<usize>) {
        if self.run.is_empty() {
            self.run = bytes;
        } else if self.run.end == bytes.start {
            self.run.end = bytes.end;
        } else if !bytes.is_empty() {
            self.copy_run();
            self.run = bytes;
        }
    }

    /// Moves bytes that were held to the end.
    fn push_held(&mut self, held: &mut Vec<u8>) {
        self.copy_run();
        match &mut self.owned {
            None => self.owned = Some(std::mem::take(held)),
            Some(owned) => owned.append(held),
        }
    }

    fn copy_run(&mut self) {
        let run = self.chunk.get(std::mem::take(&mut self.run)).unwrap_or_default();
        if !run.is_empty() {
            self.owned.get_or_insert_default().extend_from_slice(run);
        }
    }

    fn into_bytes(mut self) -> Cow<'chunk, [u8]> {
        if self.owned.is_some() {
            self.copy_run();
        }
        match self.owned {
            Some(owned) => Cow::Owned(owned),
            None => Cow::Borrowed(self.chunk.get(self.run).unwrap_or_default()),
        }
    }
}
