//! An exact count of what was spent of a budget: what requests in flight have reserved, and what those that ended cost.
//! [`BudgetWindow::reserve`] never admits a request whose estimate exceeds what is left.

use std::sync::Arc;

use super::quota::Remaining;
use crate::policy::budgets::Budget;
use crate::time::UnixTime;

/// A window of a budget, under one key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BudgetWindow {
    opened: UnixTime,
    /// Tells it from another window that opened in the same second, after the store had lost this one.
    mark: u64,
    used: u64,
}

/// What is reserved for one request. Only [`BudgetWindow::reserve`] makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reservation {
    budget: Arc<Budget>,
    key: String,
    opened: UnixTime,
    mark: u64,
    amount: u64,
}

/// A request for a reservation.
#[derive(Clone, Copy, Debug)]
pub struct Requested<'request> {
    /// The budget.
    pub budget: &'request Arc<Budget>,
    /// The key that is counted by.
    pub key: &'request str,
    /// How many units are reserved.
    pub amount: u64,
    /// A number that no other request has: it marks the window, if this request opens one.
    pub mark: u64,
}

/// The result of a request for a reservation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// The reservation; `None` if less is left.
    pub reservation: Option<Reservation>,
    /// The rest of the window.
    pub remaining: Remaining,
    /// Whether too many requests waited for this count: nothing was reserved, and the request is refused.
    pub queue_full: bool,
}

impl Reservation {
    /// The budget.
    #[must_use]
    pub fn budget(&self) -> &Budget {
        &self.budget
    }

    /// The key under which it is counted.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// How many units are reserved.
    #[must_use]
    pub const fn amount(&self) -> u64 {
        self.amount
    }
}

impl BudgetWindow {
    /// Reserves what is `wanted`, if that much is left in `window`; returns the window to store and the result. A window
    /// that is over, or `None`, is replaced by a new one.
    #[must_use]
    pub fn reserve(window: Option<Self>, wanted: &Requested<'_>, now: UnixTime) -> (Self, Held) {
        let &Requested { budget, key, amount, mark } = wanted;
        let open = window.filter(|window| now.since(window.opened) < budget.window);
        let window = open.unwrap_or(Self { opened: now, mark, used: 0 });
        let used = window.used.saturating_add(amount);
        let admitted = used <= budget.amount;
        let window = Self { used: if admitted { used } else { window.used }, ..window };
        let remaining = Remaining {
            units: budget.amount.saturating_sub(window.used),
            resets_in: budget.window.minus(now.since(window.opened)),
        };
        let reservation = admitted.then(|| Reservation {
            budget: Arc::clone(budget),
            key: key.to_owned(),
            opened: window.opened,
            mark: window.mark,
            amount,
        });
        (window, Held { reservation, remaining, queue_full: false })
    }

    /// Replaces what `reservation` holds by what the request cost; returns the window to store. `None` if the reservation
    /// belongs to an earlier window, which counts no more. Settle each reservation once.
    #[must_use]
    pub fn settle(self, reservation: &Reservation, actual: u64) -> Option<Self> {
        let is_its_own = (self.opened, self.mark) == (reservation.opened, reservation.mark);
        let used = self.used.saturating_sub(reservation.amount).saturating_add(actual);
        is_its_own.then_some(Self { used, ..self })
    }

    /// The window as it is stored.
    #[must_use]
    pub fn to_record(self) -> String {
        format!("{} {} {}", self.opened.seconds(), self.mark, self.used)
    }

    /// A stored window; `None` if the record is malformed.
    #[must_use]
    pub fn from_record(record: &[u8]) -> Option<Self> {
        let mut numbers = std::str::from_utf8(record).ok()?.split(' ').map(|text| text.parse().ok());
        let (opened, mark, used) = (numbers.next()??, numbers.next()??, numbers.next()??);
        numbers.next().is_none().then_some(Self { opened: UnixTime::from_seconds(opened), mark, used })
    }
}
