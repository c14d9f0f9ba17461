//! Counters: exact ones in the cache of this POP, and the platform's estimates. An exact count has a mutex made of
//! request collapsing: the lease is never filled, so the right to fill it passes from request to request. The holder
//! reads the count, writes the new one under a key of its own and releases the lease. A count never falls within its
//! window, so a request over the limit is refused without waiting for the lease.

use std::time::Duration;

use super::cache_space::Space;
use super::role_platform::RolePlatform;
use super::storage::{Leased, StoreError, Stored};
use crate::policy::limits::{CounterDocument, Limit};
use crate::throttle::{Counter, CounterUnreachable, Taken, Window};
use crate::time::UnixTime;

/// How long a request waits for the lease of a count. A holder needs some tens of microseconds, so a request that waits
/// longer is one of a flood and is refused.
const LEASE_TIMEOUT: Duration = Duration::from_millis(300);

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
            Leased::Found(_) => Err(StoreError("a lease that is never filled was filled".to_owned())),
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
            let lifetime = limit.window.as_u64().saturating_add(1);
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
}
