//! The interface to the store of the counts; `ports/counter.rs` implements it.

use super::budget_window::{Held, Requested, Reservation};
use super::quota::Remaining;
use crate::policy::limits::Limit;
use crate::time::UnixTime;

/// Keeps counts.
pub trait Counter {
    /// Takes `cost` from what `limit` admits under `key`, if that much is left.
    ///
    /// # Errors
    /// [`CounterUnreachable`] if the count cannot be read or written.
    fn take(&mut self, limit: &Limit, key: &str, cost: u64, now: UnixTime) -> Result<Taken, CounterUnreachable>;

    /// Reserves what is `wanted` of a budget, if that much is left.
    ///
    /// # Errors
    /// [`CounterUnreachable`] if the count cannot be read or written.
    fn reserve(&mut self, wanted: &Requested<'_>, now: UnixTime) -> Result<Held, CounterUnreachable>;

    /// Replaces what `reservation` holds by what the request cost. Returns whether that changed the count: a window that is
    /// over counts no more.
    ///
    /// # Errors
    /// [`CounterUnreachable`] if the count cannot be read or written; the reservation stands then.
    fn settle(&mut self, reservation: &Reservation, actual: u64) -> Result<bool, CounterUnreachable>;
}

/// The result of a counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken {
    /// Whether the cost was taken.
    pub admitted: bool,
    /// The rest of the window; `None` if the counter only estimates.
    pub remaining: Option<Remaining>,
    /// Whether too many requests waited for this count: the request was not counted and is refused.
    pub queue_full: bool,
}

/// The counter cannot be reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CounterUnreachable(pub String);
