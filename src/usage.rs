//! What a response of a language or embedding model cost. Input: the bytes of the response, as they pass to the client.
//! Output: the bytes to write now, and at the end what the provider says that the response cost: [`Observed`].
//!
//! An [`Observer`] needs constant memory for any response, and works with any bytes in any pieces. It parses only what can
//! hold a `usage`. What it cannot read, it does not report: then the reservation stands.

mod counts;
mod delta;
mod form;
mod found;
mod json;
mod stream;

use std::borrow::Cow;

use crate::content_form::ContentForm;
use crate::policy::Api;

use json::Document;
use stream::Stream;

pub use found::{MAX_TOKENS, Observed, Usage};
pub use stream::MAX_EVENT;

/// Observes one response.
#[derive(Debug)]
pub struct Observer {
    api: Api,
    body: Body,
}

#[derive(Debug)]
enum Body {
    Json { document: Document, length: u64 },
    Events(Box<Stream>),
}

impl Observer {
    /// An observer of a response of this API. With `hides_usage`, the edge asked for a last event with the usage that the
    /// client did not ask for (`stream_options.include_usage` of chat completions): that event is removed.
    #[must_use]
    pub fn new(api: &Api, form: ContentForm, hides_usage: bool) -> Self {
        let body = match form {
            ContentForm::Json => Body::Json { document: Document::default(), length: 0 },
            ContentForm::EventStream => Body::Events(Box::new(Stream::new(api, hides_usage))),
        };
        Self { api: api.clone(), body }
    }

    /// The bytes to write now that `chunk` was read: `chunk` itself, unless it has a part of an event that may have to be
    /// removed, or completes one.
    #[must_use]
    pub fn pass<'chunk>(&mut self, chunk: &'chunk [u8]) -> Cow<'chunk, [u8]> {
        match &mut self.body {
            Body::Json { document, length } => {
                document.pass(chunk);
                *length = length.saturating_add(chunk.len() as u64);
                Cow::Borrowed(chunk)
            }
            Body::Events(stream) => stream.pass(chunk),
        }
    }

    /// The bytes that are still to be written, and what was found. No bytes follow.
    #[must_use]
    pub fn end(self) -> (Vec<u8>, Observed) {
        match self.body {
            Body::Json { document, length } => {
                let (complete, usage) = document.end();
                let usage = usage.and_then(|usage| form::of_document(&self.api, &usage));
                let delivered = if form::has_output(&self.api) { length } else { 0 };
                (Vec::new(), Observed { usage, delivered, complete })
            }
            Body::Events(stream) => stream.end(),
        }
    }
}
