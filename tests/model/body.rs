//! A body that arrives as planned. It is read and forwarded as by the platform: see `src/compute/http/body.rs`.

use fastgate::content::{Body, ContentError};

use crate::shared::policy::bytes;
use crate::shared::steps::{Arrival, Sent};

/// The number of bytes of a bounded body that are read ahead.
const HELD: usize = 32;

pub(crate) struct ArrivingBody {
    held: Vec<u8>,
    /// The unread part; `None` after the body was read to the end, or reading failed.
    rest: Option<Vec<u8>>,
    announced: Option<usize>,
    is_slow: bool,
}

impl ArrivingBody {
    pub(crate) fn new(sent: Option<Sent>) -> Self {
        let Some(sent) = sent else {
            return Self { held: Vec::new(), rest: None, announced: None, is_slow: false };
        };
        let mut rest = bytes(&sent);
        let announced = (sent.arrival != Arrival::Unannounced).then_some(rest.len());
        if matches!(sent.arrival, Arrival::Truncated | Arrival::Slow) {
            rest.truncate(sent.bytes / 2);
        }
        Self { held: Vec::new(), rest: Some(rest), announced, is_slow: sent.arrival == Arrival::Slow }
    }

    fn is_whole(&self) -> bool {
        self.announced.is_none_or(|announced| announced == self.held.len())
    }

    fn ended(&self) -> Result<(), ContentError> {
        if self.is_slow {
            return Err(ContentError::TooSlow);
        }
        if self.is_whole() { Ok(()) } else { Err(ContentError::Unreadable) }
    }

    /// The body at the origin; `None` if the origin sees that it is incomplete.
    pub(crate) fn delivered(mut self, most: Option<u64>) -> Option<Vec<u8>> {
        let Some(rest) = self.rest.take() else { return Some(self.held) };
        self.held.extend(rest);
        let is_too_long = most.is_some_and(|most| self.held.len() as u64 > most);
        (!is_too_long && self.ended().is_ok()).then_some(self.held)
    }
}

impl Body for ArrivingBody {
    fn sha256(&mut self, most: u64) -> Result<[u8; 32], ContentError> {
        if let Some(rest) = self.rest.take() {
            if rest.len() as u64 > most {
                return Err(ContentError::TooLong { most });
            }
            self.held = rest;
            self.ended()?;
        }
        Ok(hmac_sha256::Hash::hash(&self.held))
    }

    fn hold(&mut self, most: u64) -> Result<(), ContentError> {
        let Some(mut rest) = self.rest.take() else { return Ok(()) };
        let later = rest.split_off(rest.len().min(HELD));
        self.held = rest;
        if self.held.len() as u64 > most {
            return Err(ContentError::TooLong { most });
        }
        if later.is_empty() {
            return self.ended();
        }
        self.rest = Some(later);
        Ok(())
    }

    fn held(&self) -> Option<&[u8]> {
        Some(&self.held)
    }

    fn replace(&mut self, content: Vec<u8>) {
        self.held = content;
    }
}
