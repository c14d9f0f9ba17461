//! Counters: exact ones in the cache of this POP, and the platform's estimates. An exact count has a mutex made of
//! request collapsing: the lease is never filled, so the right to fill it passes from request to request. The holder
//! reads the count, writes the new one under a key of its own and releases the lease. A request over the limit is refused
//! without waiting for the lease: the count of a limit never falls within its window, and that of a budget only by what is
//! settled at this moment.

use std::time::Duration;

use super::cache_space::Space;
use super::role_platform::RolePlatform;
use super::storage::{Leased, StoreError, Stored};
use crate::policy::budgets::Budget;
use crate::policy::limits::{CounterDocument, Limit};
use crate::throttle::{BudgetWindow, Counter, CounterUnreachable, Held, Requested, Reservation, Taken, Window};
use crate::time::{Seconds, UnixTime};

/// How long a request waits for the lease of a count. A holder needs some tens of microseconds, so a request that waits
/// longer is one of a flood and is refused.
const LEASE_TIMEOUT: Duration = Duration::from_millis(300);

/// How often a request that has ended asks for the lease before its reservation stands. Its client has the response, so it
/// may wait longer than one that begins.
const SETTLE_TRIES: usize = 4;

/// The counters of this POP.
pub(super) struct Counters<'request> {
    pub(super) platform: RolePlatform<'request>,
}

impl Counter for Counters<'_> {
    fn take(&mut self, limit: &Limit, key: &str, cost: u64, _: UnixTime) -> Result<Taken, CounterUnreachable> {
        match &limit.counter {
            CounterDocument::Exact => {
                // A window of another length is another count.
                let key = format!("{}/{key}", limit.window);
                self.take_exactly(limit, &key, cost).map_err(|error| CounterUnreachable(error.to_string()))
            }
            CounterDocument::Erl(erl) => self.platform.estimate(limit, erl, key, cost),
        }
    }

    fn reserve(&mut self, wanted: &Requested<'_>, _: UnixTime) -> Result<Held, CounterUnreachable> {
        self.reserve_exactly(wanted).map_err(|error| CounterUnreachable(error.to_string()))
    }

    fn settle(&mut self, reservation: &Reservation, actual: u64) -> Result<bool, CounterUnreachable> {
        self.settle_exactly(reservation, actual).map_err(|error| CounterUnreachable(error.to_string()))
    }
}

/// The key of a budget. A window of another length, or another unit, is another count.
fn key_of(budget: &Budget, key: &str) -> String {
    format!("budget/{}/{}/{key}", budget.unit, budget.window)
}

impl Counters<'_> {
    fn take_exactly(&self, limit: &Limit, key: &str, cost: u64) -> Result<Taken, StoreError> {
        let (_, taken) = self.read(limit, key, cost)?;
        if !taken.admitted {
            return Ok(taken);
        }
        if let Some(taken) = self.leased(key, || self.count(limit, key, cost))? {
            return Ok(taken);
        }
        // Too many requests wait for the count. If the limit is used up by now, that is the reason given.
        let (_, taken) = self.read(limit, key, cost)?;
        Ok(Taken { admitted: false, queue_full: taken.admitted, ..taken })
    }

    fn count(&self, limit: &Limit, key: &str, cost: u64) -> Result<Taken, StoreError> {
        let (window, taken) = self.read(limit, key, cost)?;
        if taken.admitted {
            self.write(key, window.to_record(), limit.window)?;
        }
        Ok(taken)
    }

    fn read(&self, limit: &Limit, key: &str, cost: u64) -> Result<(Window, Taken), StoreError> {
        Ok(Window::take(self.window(key, Window::from_record)?, limit, cost, self.platform.now()))
    }

    fn reserve_exactly(&self, wanted: &Requested<'_>) -> Result<Held, StoreError> {
        let key = key_of(wanted.budget, wanted.key);
        let (_, held) = self.read_budget(wanted, &key)?;
        if held.reservation.is_none() {
            return Ok(held);
        }
        if let Some(held) = self.leased(&key, || self.count_budget(wanted, &key))? {
            return Ok(held);
        }
        let (_, held) = self.read_budget(wanted, &key)?;
        Ok(Held { queue_full: held.reservation.is_some(), reservation: None, ..held })
    }

    fn count_budget(&self, wanted: &Requested<'_>, key: &str) -> Result<Held, StoreError> {
        let (window, held) = self.read_budget(wanted, key)?;
        if held.reservation.is_some() {
            self.write(key, window.to_record(), wanted.budget.window)?;
        }
        Ok(held)
    }

    fn read_budget(&self, wanted: &Requested<'_>, key: &str) -> Result<(BudgetWindow, Held), StoreError> {
        Ok(BudgetWindow::reserve(self.window(key, BudgetWindow::from_record)?, wanted, self.platform.now()))
    }

    fn settle_exactly(&self, reservation: &Reservation, actual: u64) -> Result<bool, StoreError> {
        if actual == reservation.amount() {
            return Ok(true);
        }
        let key = key_of(reservation.budget(), reservation.key());
        for _ in 0..SETTLE_TRIES {
            if let Some(settled) = self.leased(&key, || self.replace(reservation, actual, &key))? {
                return Ok(settled);
            }
        }
        Err(StoreError("too many requests wait for it".to_owned()))
    }

    fn replace(&self, reservation: &Reservation, actual: u64, key: &str) -> Result<bool, StoreError> {
        let window = self.window(key, BudgetWindow::from_record)?;
        let Some(window) = window.and_then(|window| window.settle(reservation, actual)) else { return Ok(false) };
        self.write(key, window.to_record(), reservation.budget().window).map(|()| true)
    }

    /// Does `work` under the lease of a count, which is released in any case; `None` if the lease is not free in time.
    fn leased<T>(&self, key: &str, work: impl FnOnce() -> Result<T, StoreError>) -> Result<Option<T>, StoreError> {
        match self.platform.lease(Space::CountLease, key.as_bytes(), LEASE_TIMEOUT, 0)? {
            Leased::Mine(lease) => {
                let done = work();
                let released = lease.release();
                let done = done?;
                released.map(|()| Some(done))
            }
            Leased::TimedOut => Ok(None),
            Leased::Found(_) => Err(StoreError("a lease that is never filled was filled".to_owned())),
        }
    }

    /// The stored window of a count, read by `parse`; `None` if there is none.
    fn window<W>(&self, key: &str, parse: impl FnOnce(&[u8]) -> Option<W>) -> Result<Option<W>, StoreError> {
        let Some(note) = self.platform.cached_note(Space::Count, key.as_bytes())? else { return Ok(None) };
        parse(&note).ok_or_else(|| StoreError("a count cannot be read".to_owned())).map(Some)
    }

    /// Stores the record of a window of this length.
    fn write(&self, key: &str, record: String, window: Seconds) -> Result<(), StoreError> {
        self.platform.cache(Space::Count, key.as_bytes(), &Stored::note(record), window.plus(Seconds::new(1)))
    }
}
