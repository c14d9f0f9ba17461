//! A POP with a cache in memory, and requests that read and write the health of backends there.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::time::Duration;

use fastgate::availability::KillSwitch;
use fastgate::backend::{Health, Outcome};
use fastgate::gateway::Gateway;
use fastgate::mint::{SigningKeys, new_signing_keys};
use fastgate::policy::limits::{ErlDocument, Limit};
use fastgate::policy::{Backend, Backends, Policy};
use fastgate::ports::storage::{
    Clock, Incoming, KvStore, Leased, Outgoing, Platform, PlatformBackends, PopCache, Rates, Secrets, StoreError,
    Stored,
};
use fastgate::ports::{Ports, Role};
use fastgate::secret::Secret;
use fastgate::throttle::{CounterUnreachable, Taken};
use fastgate::time::{Seconds, UnixTime};

use super::two_backends;

/// A POP, and what was asked of it. It has nothing but a cache and a clock.
#[derive(Default)]
pub(super) struct Pop {
    cache: RefCell<BTreeMap<Vec<u8>, Stored>>,
    pub(super) lookups: Cell<u32>,
    pub(super) now: Cell<u64>,
    pub(super) clock_reads: Cell<u32>,
    /// Whether the cache fails.
    pub(super) broken: Cell<bool>,
    /// Whether the platform's own checks say that every backend is unhealthy.
    pub(super) unhealthy: Cell<bool>,
}

fn nothing<T>() -> Result<T, StoreError> {
    Err(StoreError("there is none".to_owned()))
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

impl PopCache for Pop {
    fn note(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.lookups.set(self.lookups.get() + 1);
        if self.broken.get() {
            return nothing();
        }
        Ok(self.cache.borrow().get(key).map(|stored| stored.note.clone()))
    }

    fn lookup(&self, _: &[u8], _: usize) -> Result<Option<Stored>, StoreError> {
        nothing()
    }

    fn put(&self, key: &[u8], stored: &Stored, lifetime: Seconds) -> Result<(), StoreError> {
        assert_eq!(lifetime, Seconds::new(310), "the pause and five minutes");
        self.cache.borrow_mut().insert(key.to_vec(), stored.clone());
        Ok(())
    }

    fn lease(&self, _: &[u8], _: Duration, _: usize) -> Result<Leased<'_>, StoreError> {
        nothing()
    }
}

impl PlatformBackends for Pop {
    fn send(&self, _: &Outgoing<'_>) -> Result<Incoming, String> {
        Err("there is none".to_owned())
    }

    fn is_unhealthy(&self, _: &str) -> bool {
        self.unhealthy.get()
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
        self.clock_reads.set(self.clock_reads.get() + 1);
        UnixTime::from_seconds(self.now.get())
    }
}

/// A sandbox that serves one request.
pub(super) struct Requests<'pop> {
    pop: &'pop Pop,
    backends: &'pop Backends,
    ports: Ports,
    /// The backend that receives it.
    backend: &'static str,
}

impl<'pop> Requests<'pop> {
    pub(super) fn of(policy: &'pop Policy, pop: &'pop Pop) -> Self {
        let backends = &policy.routes()[0].origin().unwrap().backends;
        Self { pop, backends, ports: Ports::new(Role::Live), backend: "a" }
    }

    pub(super) fn in_shadow(policy: &'pop Policy, pop: &'pop Pop) -> Self {
        Self { ports: Ports::new(Role::Shadow), ..Self::of(policy, pop) }
    }

    fn platform(pop: &Pop) -> Platform<'_> {
        Platform { kv: pop, cache: pop, backends: pop, secrets: pop, rates: pop, clock: pop }
    }

    fn named(&self, name: &str) -> &'pop Backend {
        self.backends.all.iter().find(|backend| backend.name == name).unwrap()
    }

    /// Lets `select` read the health of the backends `a` and `b` at the beginning of the request.
    pub(super) fn open<T>(
        &mut self,
        select: impl FnOnce(&mut dyn Health, &'pop Backends, [&'pop Backend; 2]) -> T,
    ) -> T {
        let (a, b, backends) = (self.named("a"), self.named("b"), self.backends);
        let gateway = Gateway::new(two_backends(), SigningKeys::parse(new_signing_keys().0.as_bytes()).unwrap());
        let (platform, kill_switch) = (Self::platform(self.pop), KillSwitch::default());
        let mut open = self.ports.open(&platform, &kill_switch, UnixTime::from_seconds(self.pop.now.get()));
        let (_, _, health) = open.parts(gateway.nonces());
        select(health, backends, [a, b])
    }

    /// Whether a request that begins now skips the backend `a`.
    pub(super) fn is_skipped(&mut self) -> bool {
        self.open(|health, backends, [a, _]| health.skipped_until(backends, a).is_some())
    }

    /// The request, which is sent to the backend `a`.
    pub(super) fn begin(self) -> Self {
        self.begin_at("a")
    }

    /// The request, which is sent to this backend.
    pub(super) fn begin_at(mut self, name: &'static str) -> Self {
        let backend = self.named(name);
        self.open(|health, backends, _| {
            health.skipped_until(backends, backend);
            health.tries(backends, backend);
        });
        Self { backend: name, ..self }
    }

    /// The end of the request.
    pub(super) fn end(&mut self, outcome: Outcome) {
        let backend = self.named(self.backend);
        let (platform, now) = (Self::platform(self.pop), UnixTime::from_seconds(self.pop.now.get()));
        let (mut health, _) = self.ports.delivery(&platform, now);
        health.record(self.backends, backend, outcome);
    }
}
