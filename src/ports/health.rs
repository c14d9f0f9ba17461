//! The health of backends in the cache of this POP. An entry of its own for each backend of an origin has the failures in a
//! row, so a request reads only what it needs: the entry of the backend that it is about to get.

use super::cache_space::Space;
use super::role_platform::{Role, RolePlatform};
use super::storage::Stored;
use crate::backend::{Health, HealthRecord, Outcome};
use crate::policy::{Backend, Backends};
use crate::time::UnixTime;

/// What one request knows of the backends that it considered.
pub(super) type HealthMemory = Vec<Known>;

/// The record of a backend, as the request read or wrote it last.
pub(super) struct Known {
    key: String,
    record: HealthRecord,
    tries: Try,
}

/// How a request tries a backend that has failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Try {
    /// It is not the one that tries it.
    No,
    /// As the only one, after a pause.
    AfterPause,
    /// In a pause, because all backends are skipped.
    InPause,
}

/// The health of backends, for one request.
pub(super) struct PopHealth<'request> {
    known: &'request mut HealthMemory,
    platform: RolePlatform<'request>,
    /// The time, once it was needed: the clock is read at most once for all backends.
    now: Option<UnixTime>,
}

impl Health for PopHealth<'_> {
    fn skipped_until(&mut self, backends: &Backends, backend: &Backend) -> Option<UnixTime> {
        // No request is sent for a shadow policy, so it needs to know nothing.
        if self.platform.role() == Role::Shadow {
            return None;
        }
        if self.platform.is_unhealthy(&backend.name) {
            // The platform does not say when it checks again.
            return Some(UnixTime::from_seconds(u64::MAX));
        }
        let key = key(backends, backend);
        let record = self.look_up(&key);
        self.known.push(Known { key, record, tries: Try::No });
        if record.has_failures() { record.skipped_until(self.now()) } else { None }
    }

    fn tries(&mut self, backends: &Backends, backend: &Backend) {
        let key = key(backends, backend);
        let Some(position) = self.known.iter().rposition(|known| known.key == key) else { return };
        if !self.known.get(position).is_some_and(|known| known.record.has_failures()) {
            return;
        }
        let now = self.now();
        let Some(known) = self.known.get_mut(position) else { return };
        if let Some(tried) = known.record.tried(backends, now) {
            (known.record, known.tries) = (tried, Try::AfterPause);
            self.put(backends, &key, tried);
        } else if known.record.skips(now) {
            known.tries = Try::InPause;
        }
    }

    fn record(&mut self, backends: &Backends, backend: &Backend, outcome: Outcome) {
        // The work after a request begins with its outcome.
        let (key, now) = (key(backends, backend), self.platform.began());
        let known = self.known.iter().rev().find(|known| known.key == key);
        let attempt = known.map_or(Try::No, |known| known.tries);
        match outcome {
            Outcome::Responded => {
                // Without failures on record, a request does not look at it again.
                let Some(before) = known.map(|known| known.record).filter(HealthRecord::has_failures) else { return };
                if self.look_up(&key).ends_by_success(before) {
                    self.put(backends, &key, HealthRecord::default());
                }
            }
            // All are skipped: the next request tries another one.
            _ if attempt == Try::InPause => self.put(backends, &key, self.look_up(&key).paused(backends, now)),
            Outcome::Failed | Outcome::Doubtful => {
                // Others may have failed since this request read the record.
                let (latest, is_doubtful) = (self.look_up(&key), outcome == Outcome::Doubtful);
                let record = match attempt {
                    // The next request tries it, unless this failure begins another pause.
                    Try::AfterPause => latest.released(now).failed(is_doubtful, backends, now),
                    // One that began before the pause does not make it longer.
                    _ if latest.skips(now) => return,
                    _ => latest.failed(is_doubtful, backends, now),
                };
                self.put(backends, &key, record);
            }
            Outcome::Unclear => {
                // Another request may try it instead.
                let tried = known.filter(|_| attempt == Try::AfterPause).map(|known| known.record);
                if let Some(tried) = tried.filter(|tried| self.look_up(&key) == *tried) {
                    self.put(backends, &key, tried.released(now));
                }
            }
        }
    }
}

impl<'request> PopHealth<'request> {
    /// The health of backends for a request that selects one.
    pub(super) const fn selecting(known: &'request mut HealthMemory, platform: RolePlatform<'request>) -> Self {
        Self { known, platform, now: None }
    }

    /// The health of backends for a request that was sent, and ended when the work of `platform` began.
    pub(super) const fn delivered(known: &'request mut HealthMemory, platform: RolePlatform<'request>) -> Self {
        Self { known, platform, now: Some(platform.began()) }
    }

    fn now(&mut self) -> UnixTime {
        *self.now.get_or_insert_with(|| self.platform.now())
    }

    /// The record; a cache that fails has none.
    fn look_up(&self, key: &str) -> HealthRecord {
        let note = self.platform.cached_note(Space::Health, key.as_bytes());
        note.ok().flatten().map(|note| HealthRecord::from_text(&note)).unwrap_or_default()
    }

    fn put(&self, backends: &Backends, key: &str, record: HealthRecord) {
        let (stored, lifetime) = (Stored::note(record.to_text()), HealthRecord::lifetime(backends));
        // Without the record, the backend counts as healthy.
        let _ = self.platform.cache(Space::Health, key.as_bytes(), &stored, lifetime);
    }
}

/// The name of an origin has no slash.
fn key(backends: &Backends, backend: &Backend) -> String {
    format!("{}/{}", backends.origin, backend.name)
}
