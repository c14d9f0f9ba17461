//! Sends the response of a model while what it cost is read from it.

use std::io::{Read as _, Write as _};

use fastgate::budget::Spent;
use fastgate::content_form::ContentForm;
use fastgate::usage::Observer;
use fastly::handle::{BodyHandle, StreamingBodyHandle};

/// A response that is sent while it is observed.
pub(super) struct Observation {
    from: BodyHandle,
    form: ContentForm,
    observer: Observer,
    /// What is known of the cost if the content does not say it.
    otherwise: Spent,
}

impl Observation {
    /// The content `from` the origin. If it does not say what it cost, that is `otherwise`.
    pub(super) const fn new(from: BodyHandle, form: ContentForm, observer: Observer, otherwise: Spent) -> Self {
        Self { from, form, observer, otherwise }
    }

    /// Sends the content to the client, and returns what it cost. If the client leaves, the connection to the origin is
    /// closed in the middle of a stream, and another response is read to its end, because the origin has made all of it.
    pub(super) fn run(mut self, client: StreamingBodyHandle) -> Spent {
        let mut client = Some(client);
        let mut piece = vec![0; super::PIECE];
        let is_whole = loop {
            let read = match self.from.read(&mut piece) {
                Ok(0) => break true,
                Ok(count) => count,
                Err(_) => break false,
            };
            let delivered = self.observer.pass(piece.get(..read).unwrap_or_default());
            client = client.and_then(|mut to| to.write_all(&delivered).is_ok().then_some(to));
            if client.is_none() && self.form == ContentForm::EventStream {
                break false;
            }
        };
        drop(self.from);
        let (rest, observed) = self.observer.end();
        if let Some(mut client) = client {
            // A client takes a stream that ends for a complete one, so one that broke off must not end.
            let is_sent = is_whole && (rest.is_empty() || client.write_all(&rest).is_ok());
            let _ = if is_sent { client.finish() } else { client.abandon() };
        }
        match Spent::observed(observed, self.form) {
            Spent::Unknown => self.otherwise,
            found => found,
        }
    }
}
