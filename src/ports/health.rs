//! The health of backends in the cache of this POP. An entry of its own for each backend of an origin has the failures in a
//! row, so a request reads only what it needs: the entry of the backend that it is about to get.

use super::cache_space::Space;
use super::role_platform::{Role, RolePlatform};
use super::storage::Stored;
use crate::backend::{Health, HealthRecord, Outcome};
use crate::policy::{Backend, Backends};

/// What one request knows of the backends that it considered.
pub(super) type HealthMemory = Vec<Known>;

/// The record of a backend, as the request read or wrote it last.
pub(super) struct Known {
    key: String,
    record: HealthRecord,
    /// Whether the request tries the backend after a pause.
    tries: bool,
}

/// The health of backends, for one request.
pub(super) struct PopHealth<'request> {
    pub(super) known: &'request mut HealthMemory,
    pub(super) platform: RolePlatform<'request>,
}

impl Health for PopHealth<'_> {
    fn is_skipped(&mut self, backends: &Backends, backend: &Backend) -> bool {
        // No request is sent for a shadow policy, so it needs to know nothing.
        if self.platform.role() == Role::Shadow {
            return false;
        }
        if self.platform.is_unhealthy(&backend.name) {
            return true;
        }
        let key = key(backends, backend);
        let record = self.look_up(&key);
        self.known.push(Known { key, record, tries: false });
        record.skips(self.platform.now())
    }

    fn tries(&mut self, backends: &Backends, backend: &Backend) {
        let now = self.platform.now();
        let key = key(backends, backend);
        let Some(known) = self.known.iter_mut().rev().find(|known| known.key == key) else { return };
        if let Some(tried) = known.record.tried(backends, now) {
            (known.record, known.tries) = (tried, true);
            self.put(backends, &key, tried);
        }
    }

    fn record(&mut self, backends: &Backends, backend: &Backend, outcome: Outcome) {
        // The work after a request begins with its outcome.
        let (key, now) = (key(backends, backend), self.platform.began());
        let known = self.known.iter().rev().find(|known| known.key == key);
        match outcome {
            Outcome::Failed => {
                // Others may have failed since this request read the record.
                let (latest, tries) = (self.look_up(&key), known.is_some_and(|known| known.tries));
                // One that began before the pause does not make it longer.
                if tries || !latest.skips(now) {
                    self.put(backends, &key, latest.failed(backends, now));
                }
            }
            Outcome::Responded => {
                let Some(before) = known.map(|known| known.record).filter(HealthRecord::has_failures) else { return };
                // A request that began before the last failures says nothing about the time after them.
                if self.look_up(&key) == before {
                    self.put(backends, &key, HealthRecord::default());
                }
            }
            Outcome::Unclear => {
                // Another request may try it instead.
                let tried = known.filter(|known| known.tries).map(|known| known.record);
                if let Some(tried) = tried.filter(|tried| self.look_up(&key) == *tried) {
                    self.put(backends, &key, tried.released(now));
                }
            }
        }
    }
}

impl PopHealth<'_> {
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
