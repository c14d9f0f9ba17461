//! The response that a client gets: a stored one, or what the conditions of the request leave of one.

use super::entry::Entry;
use super::plan::Plan;
use super::status::Handled;
use crate::conditional::{Part, Reduced};
use crate::headers::Headers;
use crate::time::UnixTime;

/// A response that the client gets without its content: a stored one, or one by the origin that is being stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Served {
    /// Its status.
    pub status: u16,
    /// Its fields, before the edits of the route.
    pub fields: Headers,
    /// The part of the content that is sent.
    pub part: Part,
    /// The number of the selection whose content it is; `None` for the content of the origin's response.
    pub selection: Option<usize>,
    /// The length of what is sent in bytes, if it is known. In a response to HEAD it is the length of what GET would send.
    pub length: Option<u64>,
}

/// A stored response that was selected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Selected {
    pub(super) entry: Entry,
    pub(super) number: usize,
    pub(super) length: Option<u64>,
}

impl Selected {
    /// This response for the client at `now`.
    pub(super) fn served(&self, plan: &Plan, now: UnixTime) -> Served {
        self.served_as(plan, Handled::Hit { time_to_live: self.entry.time_to_live(now) }, now)
    }

    /// This response for the client, with this `Cache-Status`.
    pub(super) fn served_as(&self, plan: &Plan, handled: Handled, now: UnixTime) -> Served {
        let mut fields = self.entry.fields().clone();
        fields.append("age", self.entry.age(now).to_string());
        fields.append("cache-status", handled.member());
        let served = Served { status: self.entry.status(), fields, part: Part::Whole, selection: None, length: None };
        let served = served.for_client(plan, self.length);
        let selection = (served.part != Part::Nothing).then_some(self.number);
        Served { selection, ..served }
    }
}

impl Served {
    /// This response with what the conditions of the request leave of it. The whole content has `length` bytes.
    pub(super) fn for_client(self, plan: &Plan, length: Option<u64>) -> Self {
        let Reduced { status, fields, part, length } =
            plan.conditions.reduce(self.status, self.fields, length, plan.is_head);
        Self { status, fields, part, selection: None, length }
    }
}
