//! An exact count: when its window opened and how much was taken since. [`Window::take`] decides whether a request is
//! admitted.

use super::counter::Taken;
use super::quota::Remaining;
use crate::policy::limits::Limit;
use crate::time::UnixTime;

/// A window of a limit, under one key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    opened: UnixTime,
    used: u64,
}

impl Window {
    /// Takes `cost` from `window`; returns the window to store and the result for the caller. A window that is over, or
    /// `None`, is replaced by a new one. A cost that exceeds what is left takes nothing.
    #[must_use]
    pub fn take(window: Option<Self>, limit: &Limit, cost: u64, now: UnixTime) -> (Self, Taken) {
        let open = window.filter(|window| now.since(window.opened) < limit.window.as_u64());
        let window = open.unwrap_or(Self { opened: now, used: 0 });
        let used = window.used.saturating_add(cost);
        let admitted = used <= limit.count;
        let window = Self { used: if admitted { used } else { window.used }, ..window };
        let remaining = Remaining {
            units: limit.count.saturating_sub(window.used),
            resets_in: limit.window.as_u64().saturating_sub(now.since(window.opened)),
        };
        (window, Taken { admitted, remaining: Some(remaining), queue_full: false })
    }

    /// The window as it is stored.
    #[must_use]
    pub fn to_record(self) -> String {
        format!("{} {}", self.opened.seconds(), self.used)
    }

    /// A stored window; `None` if the record is malformed.
    #[must_use]
    pub fn from_record(record: &[u8]) -> Option<Self> {
        let (opened, used) = std::str::from_utf8(record).ok()?.split_once(' ')?;
        Some(Self { opened: UnixTime::from_seconds(opened.parse().ok()?), used: used.parse().ok()? })
    }
}
