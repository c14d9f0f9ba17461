//! The health of backends in the cache of this POP. An entry of its own for each backend has the failures in a row, so a
//! request reads only what it needs: the entry of the backend that it is about to get.

use super::cache_space::Space;
use super::role_platform::{Role, RolePlatform};
use super::storage::Stored;
use crate::backend::{Health, HealthRecord, Outcome};
use crate::policy::{Backend, Backends};

/// The records that one request has read, by the name of the backend.
pub(super) type HealthMemory = Vec<(String, HealthRecord)>;

/// The health of backends, for one request.
pub(super) struct PopHealth<'request> {
    pub(super) read: &'request mut HealthMemory,
    pub(super) platform: RolePlatform<'request>,
}

impl Health for PopHealth<'_> {
    fn is_skipped(&mut self, backends: &Backends, backend: &Backend) -> bool {
        // No request is sent for a shadow policy, so it knows nothing, and it must not try a backend for others.
        if self.platform.role() == Role::Shadow {
            return false;
        }
        if self.platform.is_unhealthy(&backend.name) {
            return true;
        }
        let (record, now) = (self.look_up(backend), self.platform.now());
        self.read.push((backend.name.clone(), record));
        match record.tried(backends, now) {
            Some(tried) => {
                self.put(backends, backend, tried);
                false
            }
            None => record.skips(now),
        }
    }

    fn record(&mut self, backends: &Backends, backend: &Backend, outcome: Outcome) {
        match outcome {
            Outcome::Unclear => {}
            Outcome::Failed => {
                // Others may have failed since this request read the record.
                let record = self.look_up(backend).failed(backends, self.platform.now());
                self.put(backends, backend, record);
            }
            Outcome::Responded => {
                let read = self.read.iter().rev().find(|(name, _)| *name == backend.name);
                if let Some(record) = read.and_then(|(_, record)| record.succeeded()) {
                    self.put(backends, backend, record);
                }
            }
        }
    }
}

impl PopHealth<'_> {
    /// The record; a cache that fails has none.
    fn look_up(&self, backend: &Backend) -> HealthRecord {
        let note = self.platform.cached_note(Space::Health, backend.name.as_bytes());
        note.ok().flatten().map(|note| HealthRecord::from_text(&note)).unwrap_or_default()
    }

    fn put(&self, backends: &Backends, backend: &Backend, record: HealthRecord) {
        let (stored, lifetime) = (Stored::note(record.to_text()), HealthRecord::lifetime(backends));
        // Without the record, the backend counts as healthy.
        let _ = self.platform.cache(Space::Health, backend.name.as_bytes(), &stored, lifetime);
    }
}
