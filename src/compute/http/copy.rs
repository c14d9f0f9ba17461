//! Copies the content of a response into the cache while it is sent.

use std::io::{Read as _, Write as _};
use std::time::Instant;

use fastgate::budget::Spent;
use fastgate::caching::{Insertion, MAX_CONTENT_BYTES};
use fastgate::content_form::ContentForm;
use fastgate::usage::Observer;
use fastly::handle::{BodyHandle, StreamingBodyHandle};
use fastly::http::body::StreamingBody;

use crate::compute::abi;
use crate::compute::platform::responses::{LONGEST_WAIT, StoredResponses, discard};

/// A response of the origin that is sent and stored at the same time.
pub(super) struct Copy {
    from: BodyHandle,
    insertion: Insertion,
    owed: StoredResponses,
    observer: Option<(ContentForm, Observer)>,
    is_made_at_once: bool,
}

impl Copy {
    /// The content `from` the origin. This request owes the response to `owed`.
    pub(super) const fn new(from: BodyHandle, insertion: Insertion, owed: StoredResponses) -> Self {
        Self { from, insertion, owed, observer: None, is_made_at_once: false }
    }

    /// The same, and what it cost is read by the observer.
    pub(super) fn observed(self, observer: Option<(ContentForm, Observer)>) -> Self {
        Self { observer, ..self }
    }

    /// The same, and its end is worth waiting for without a client.
    pub(super) fn made_at_once(self, is_made_at_once: bool) -> Self {
        Self { is_made_at_once, ..self }
    }

    /// Copies the content into the cache, and to the client if there is one. The response must have been sent to the
    /// client: a client that has gone ends the sandbox, and an entry that is begun must be completed. Returns what was observed
    /// of its cost.
    pub(super) fn run(mut self, client: Option<StreamingBodyHandle>) -> Option<Spent> {
        let had_client = client.is_some();
        let (mut entry, mut client) = self.begin(client);
        let is_kept = entry.is_some();
        let mut piece = vec![0; super::PIECE];
        let mut left: Option<Instant> = None;
        let mut length: u64 = 0;
        let is_whole = loop {
            let read = match self.from.read(&mut piece) {
                Ok(0) => break self.insertion.length.is_none_or(|announced| announced == length),
                Ok(count) => count,
                Err(_) => break false,
            };
            length = length.saturating_add(u64::try_from(read).unwrap_or(u64::MAX));
            // Without a client, a content whose end is not known is worth waiting for only as long as others wait for it.
            let may_be_endless = self.insertion.length.is_none() && !self.is_made_at_once;
            let has_left = client.is_none() && had_client && may_be_endless;
            if length > MAX_CONTENT_BYTES
                || (has_left && left.get_or_insert_with(Instant::now).elapsed() > LONGEST_WAIT)
            {
                drop(entry.take().map(StreamingBody::abandon));
            }
            let bytes = piece.get(..read).unwrap_or_default();
            if let Some((_, observer)) = &mut self.observer {
                // Usage is hidden in streams only, which are not stored: every byte passes.
                let _ = observer.pass(bytes);
            }
            // One that cannot be written to any more does not end the other.
            client = client.and_then(|mut to| to.write_all(bytes).is_ok().then_some(to));
            entry = entry.and_then(|mut to| (to.write_all(bytes).is_ok() && to.flush().is_ok()).then_some(to));
            if client.is_none() && entry.is_none() {
                break false;
            }
        };
        let completed = match (is_whole, entry) {
            (true, Some(entry)) => entry.finish().is_ok(),
            (_, entry) => {
                drop(entry.map(StreamingBody::abandon));
                false
            }
        };
        if is_kept && !completed {
            discard(&self.insertion);
        }
        if let Some(client) = client {
            let _ = if is_whole { client.finish() } else { client.abandon() };
        }
        let (form, observer) = self.observer?;
        let (_, cost) = observer.end();
        Some(Spent::observed(cost, form)).filter(|spent| *spent != Spent::Unknown)
    }

    /// Begins the entry. Returns it, and the client if that has to be written to: if the length is known, the platform sends
    /// the content of the entry to the client, so that a client that reads slowly delays nobody who waits for the entry. An
    /// entry of unknown length may become too long to be stored, while the client still gets all of it.
    fn begin(&mut self, client: Option<StreamingBodyHandle>) -> (Option<StreamingBody>, Option<StreamingBodyHandle>) {
        let Some(mut to) = client else { return (self.owed.insert(&self.insertion), None) };
        if self.insertion.length.is_none() {
            return (self.owed.insert(&self.insertion), Some(to));
        }
        let Some((entry, content)) = self.owed.insert_and_read(&self.insertion) else { return (None, Some(to)) };
        let Some(content) = content else { return (Some(entry), Some(to)) };
        // A client that has gone gets nothing; the entry is completed.
        if abi::append_body(&mut to, content).is_ok() {
            let _ = to.finish();
        }
        (Some(entry), None)
    }
}
