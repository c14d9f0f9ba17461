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
        match self.platform.lease(Space::CountLease, key.as_bytes(), LEASE_TIMEOUT, 0)? {
            Leased::Mine(lease) => {
                let taken = self.count(limit, key, cost);
                let released = lease.release();
                let taken = taken?;
                released.map(|()| taken)
            }
            Leased::TimedOut => self.queue_is_full(limit, key, cost),
            Leased::Found(_) => Err(filled_lease()),
        }
    }

    /// Refuses a request that did not get the lease in time: too many requests wait for it. If the limit is used up by
    /// now, that is the reason given.
    fn queue_is_full(&self, limit: &Limit, key: &str, cost: u64) -> Result<Taken, StoreError> {
        let (_, taken) = self.read(limit, key, cost)?;
        Ok(Taken { admitted: false, queue_full: taken.admitted, ..taken })
    }

    fn count(&self, limit: &Limit, key: &str, cost: u64) -> Result<Taken, StoreError> {
        let (window, taken) = self.read(limit, key, cost)?;
        if taken.admitted {
            let lifetime = limit.window.plus(Seconds::new(1));
            self.platform.cache(Space::Count, key.as_bytes(), &Stored::note(window.to_record()), lifetime)?;
        }
        Ok(taken)
    }

    fn read(&self, limit: &Limit, key: &str, cost: u64) -> Result<(Window, Taken), StoreError> {
        let window = match self.platform.cached_note(Space::Count, key.as_bytes())? {
            None => None,
            Some(note) => {
                Some(Window::from_record(&note).ok_or_else(|| StoreError("a count cannot be read".to_owned()))?)
            }
        };
        Ok(Window::take(window, limit, cost, self.platform.now()))
    }

    fn reserve_exactly(&self, wanted: &Requested<'_>) -> Result<Held, StoreError> {
        let key = key_of(wanted.budget, wanted.key);
        let (_, held) = self.read_budget(wanted, &key)?;
        if held.reservation.is_none() {
            return Ok(held);
        }
        match self.platform.lease(Space::CountLease, key.as_bytes(), LEASE_TIMEOUT, 0)? {
            Leased::Mine(lease) => {
                let held = self.count_budget(wanted, &key);
                let released = lease.release();
                let held = held?;
                released.map(|()| held)
            }
            Leased::TimedOut => {
                let (_, held) = self.read_budget(wanted, &key)?;
                Ok(Held { queue_full: held.reservation.is_some(), reservation: None, ..held })
            }
            Leased::Found(_) => Err(filled_lease()),
        }
    }

    fn count_budget(&self, wanted: &Requested<'_>, key: &str) -> Result<Held, StoreError> {
        let (window, held) = self.read_budget(wanted, key)?;
        if held.reservation.is_some() {
            self.write_budget(wanted.budget, key, window)?;
        }
        Ok(held)
    }

    fn settle_exactly(&self, reservation: &Reservation, actual: u64) -> Result<bool, StoreError> {
        if actual == reservation.amount() {
            return Ok(true);
        }
        let budget = reservation.budget();
        let key = key_of(budget, reservation.key());
        for _ in 0..SETTLE_TRIES {
            match self.platform.lease(Space::CountLease, key.as_bytes(), LEASE_TIMEOUT, 0)? {
                Leased::Mine(lease) => {
                    let settled = self.replace(reservation, actual, &key);
                    let released = lease.release();
                    let settled = settled?;
                    return released.map(|()| settled);
                }
                Leased::TimedOut => {}
                Leased::Found(_) => return Err(filled_lease()),
            }
        }
        Err(StoreError("too many requests wait for it".to_owned()))
    }

    fn replace(&self, reservation: &Reservation, actual: u64, key: &str) -> Result<bool, StoreError> {
        let window = self.budget_window(key)?.and_then(|window| window.settle(reservation, actual));
        let Some(window) = window else { return Ok(false) };
        self.write_budget(reservation.budget(), key, window).map(|()| true)
    }

    fn read_budget(&self, wanted: &Requested<'_>, key: &str) -> Result<(BudgetWindow, Held), StoreError> {
        Ok(BudgetWindow::reserve(self.budget_window(key)?, wanted, self.platform.now()))
    }

    fn budget_window(&self, key: &str) -> Result<Option<BudgetWindow>, StoreError> {
        let Some(note) = self.platform.cached_note(Space::Count, key.as_bytes())? else { return Ok(None) };
        let unreadable = || StoreError("a count cannot be read".to_owned());
        BudgetWindow::from_record(&note).ok_or_else(unreadable).map(Some)
    }

    fn write_budget(&self, budget: &Budget, key: &str, window: BudgetWindow) -> Result<(), StoreError> {
        let lifetime = budget.window.plus(Seconds::new(1));
        self.platform.cache(Space::Count, key.as_bytes(), &Stored::note(window.to_record()), lifetime)
    }
}

fn filled_lease() -> StoreError {
    StoreError("a lease that is never filled was filled".to_owned())
}
