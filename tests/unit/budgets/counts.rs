//! The counts of a POP: a cache in memory, and leases that another request may hold.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use fastgate::policy::budgets::Budget;
use fastgate::policy::limits::{ErlDocument, Limit};
use fastgate::ports::storage::{
    Clock, Incoming, KvStore, Lease, Leased, Outgoing, Platform, PlatformBackends, PopCache, Rates, Secrets,
    StoreError, Stored,
};
use fastgate::ports::{Ports, Role};
use fastgate::secret::Secret;
use fastgate::throttle::{Counter, CounterUnreachable, Held, Requested, Taken};
use fastgate::time::{Seconds, UnixTime};
use serde_json::json;

use super::document;
use crate::offline::policy_of;

/// A POP. It has nothing but a cache and a clock.
#[derive(Default)]
struct Pop {
    cache: RefCell<BTreeMap<Vec<u8>, Stored>>,
    now: Cell<u64>,
    /// How many requests for a lease find that another request holds it.
    taken: Cell<usize>,
    leases: Cell<usize>,
}

struct Mine;

impl Lease for Mine {
    fn put(self: Box<Self>, _: &Stored, _: Seconds) -> Result<(), StoreError> {
        nothing()
    }

    fn release(self: Box<Self>) -> Result<(), StoreError> {
        Ok(())
    }
}

fn nothing<T>() -> Result<T, StoreError> {
    Err(StoreError("there is none".to_owned()))
}

impl PopCache for Pop {
    fn note(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.cache.borrow().get(key).map(|stored| stored.note.clone()))
    }

    fn lookup(&self, _: &[u8], _: usize) -> Result<Option<Stored>, StoreError> {
        nothing()
    }

    fn put(&self, key: &[u8], stored: &Stored, lifetime: Seconds) -> Result<(), StoreError> {
        assert_eq!(lifetime, Seconds::new(61));
        self.cache.borrow_mut().insert(key.to_vec(), stored.clone());
        Ok(())
    }

    fn lease(&self, _: &[u8], _: Duration, _: usize) -> Result<Leased<'_>, StoreError> {
        self.leases.set(self.leases.get() + 1);
        match self.taken.get() {
            0 => Ok(Leased::Mine(Box::new(Mine))),
            taken => {
                self.taken.set(taken - 1);
                Ok(Leased::TimedOut)
            }
        }
    }
}

impl KvStore for Pop {
    fn lookup(&self, _: &str, _: usize) -> Result<Option<Stored>, StoreError> {
        nothing()
    }

    fn lookup_all(&self, _: &[String], _: usize) -> Result<Vec<Option<Stored>>, StoreError> {
        nothing()
    }

    fn put(&self, _: &str, _: &Stored) -> Result<(), StoreError> {
        nothing()
    }
}

impl PlatformBackends for Pop {
    fn send(&self, _: &Outgoing<'_>) -> Result<Incoming, String> {
        Err("there is none".to_owned())
    }

    fn is_unhealthy(&self, _: &str) -> bool {
        false
    }
}

impl Secrets for Pop {
    fn secret(&self, _: &str) -> Result<Option<Secret<Vec<u8>>>, StoreError> {
        nothing()
    }
}

impl Rates for Pop {
    fn estimate(&self, _: &Limit, _: &ErlDocument, _: &str, _: u64) -> Result<Taken, CounterUnreachable> {
        Err(CounterUnreachable("there is none".to_owned()))
    }
}

impl Clock for Pop {
    fn now(&self) -> UnixTime {
        UnixTime::from_seconds(self.now.get())
    }
}

fn budget() -> Arc<Budget> {
    let budgets = json!({ "b": { "tokens": 100, "window": 60, "by": ["subject"] } });
    let inference = json!({ "api": "openai-chat", "max_tokens": 1, "models": { "small": {} }, "budgets": ["b"] });
    Arc::new(policy_of(&document(&budgets, &inference)).budgets().next().unwrap().clone())
}

fn with_counter<T>(pop: &Pop, act: impl FnOnce(&mut dyn Counter) -> T) -> T {
    let platform = Platform { kv: pop, cache: pop, backends: pop, secrets: pop, rates: pop, clock: pop };
    let ports = Ports::new(Role::Live);
    act(&mut ports.counter(&platform, platform.clock.now()))
}

fn reserve(pop: &Pop, budget: &Arc<Budget>, amount: u64) -> Held {
    let wanted = Requested { budget, key: "k", amount, mark: 7 };
    with_counter(pop, |counter| counter.reserve(&wanted, pop.now())).unwrap()
}

#[test]
fn a_reservation_is_stored_and_settled_under_the_lease() {
    let (pop, budget) = (Pop::default(), budget());
    let held = reserve(&pop, &budget, 60);
    assert_eq!((held.remaining.units, pop.leases.get()), (40, 1));
    assert_eq!(reserve(&pop, &budget, 41).reservation, None);
    assert_eq!(pop.leases.get(), 1, "what is refused takes no lease");
    let reservation = held.reservation.unwrap();
    assert_eq!(with_counter(&pop, |counter| counter.settle(&reservation, 10)), Ok(true));
    assert_eq!((reserve(&pop, &budget, 90).remaining.units, pop.leases.get()), (0, 3));
    pop.now.set(60);
    let later = reserve(&pop, &budget, 100);
    assert_eq!(later.remaining.units, 0);
    assert_eq!(with_counter(&pop, |counter| counter.settle(&reservation, 0)), Ok(false), "its window is over");
}

#[test]
fn a_request_that_cannot_count_in_time_is_refused() {
    let (pop, budget) = (Pop::default(), budget());
    pop.taken.set(1);
    let held = reserve(&pop, &budget, 60);
    assert_eq!((held.queue_full, held.reservation), (true, None));
    assert!(pop.cache.borrow().is_empty());
}

#[test]
fn settling_tries_again_some_times_and_then_the_reservation_stands() {
    let (pop, budget) = (Pop::default(), budget());
    let reservation = reserve(&pop, &budget, 60).reservation.unwrap();
    pop.taken.set(3);
    assert_eq!(with_counter(&pop, |counter| counter.settle(&reservation, 50)), Ok(true));
    let reservation = reserve(&pop, &budget, 50).reservation.unwrap();
    pop.taken.set(4);
    assert!(with_counter(&pop, |counter| counter.settle(&reservation, 0)).is_err());
    assert_eq!(reserve(&pop, &budget, 1).reservation, None, "the budget is used up");
}

#[test]
fn a_count_that_cannot_be_read_admits_nothing() {
    let (pop, budget) = (Pop::default(), budget());
    reserve(&pop, &budget, 60);
    for stored in pop.cache.borrow_mut().values_mut() {
        *stored = Stored::note("x".to_owned());
    }
    let wanted = Requested { budget: &budget, key: "k", amount: 1, mark: 7 };
    assert!(with_counter(&pop, |counter| counter.reserve(&wanted, pop.now())).is_err());
}
