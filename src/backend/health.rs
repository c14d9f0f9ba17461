//! What a POP knows of the health of a backend: how many requests in a row failed, and until when it is skipped. A
//! platform keeps the record; this module decides.
//!
//! Failures are *in a row* if no request has succeeded since the first of them that began after it. Successes of requests
//! that began earlier are not known: a request that finds no failures on record does not look at it again. Reading and
//! writing the record are two steps, so of several outcomes at the same moment one may be lost.

use super::retry::Outcome;
use crate::policy::{Backend, Backends};
use crate::time::{Seconds, UnixTime};

/// How long a record outlasts the time for which its backend is skipped. Failures that are further apart are not in a
/// row.
const KEPT: Seconds = Seconds::new(300);

/// What is known of the health of backends.
pub trait Health {
    /// Whether `backend` is skipped now. What cannot be read counts as healthy.
    fn is_skipped(&mut self, backends: &Backends, backend: &Backend) -> bool;

    /// Says that the request is about to be sent to `backend`. If that was skipped until now, the others skip it again until
    /// the outcome is known.
    fn tries(&mut self, backends: &Backends, backend: &Backend);

    /// Records the outcome of a request to `backend`.
    fn record(&mut self, backends: &Backends, backend: &Backend, outcome: Outcome);
}

/// The record of a backend in a POP.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HealthRecord {
    failures: u32,
    until: u64,
}

impl HealthRecord {
    /// Whether the backend is skipped at `now`.
    #[must_use]
    pub const fn skips(&self, now: UnixTime) -> bool {
        now.seconds() < self.until
    }

    /// The record to write if this request tries a backend that was skipped until now; `None` if it was not.
    #[must_use]
    pub fn tried(self, backends: &Backends, now: UnixTime) -> Option<Self> {
        (self.failures >= backends.failures && !self.skips(now)).then(|| self.paused(backends, now))
    }

    /// The record after a request failed.
    #[must_use]
    pub fn failed(self, backends: &Backends, now: UnixTime) -> Self {
        let record = Self { failures: self.failures.saturating_add(1), ..self };
        if record.failures >= backends.failures { record.paused(backends, now) } else { record }
    }

    /// Whether there are failures on record. If not, the backend is not skipped at any time.
    #[must_use]
    pub const fn has_failures(&self) -> bool {
        self.failures > 0
    }

    /// Whether a request that succeeded ends the failures in a row; it knew the record as `before` when it began. It does,
    /// also if others have failed in the meantime. It does not if the backend has been skipped in the meantime: then the
    /// pause runs to its end, and one request tries the backend.
    #[must_use]
    pub fn ends_by_success(self, before: Self, backends: &Backends) -> bool {
        self.has_failures() && before.has_failures() && (self.failures < backends.failures || self == before)
    }

    /// The record if the outcome of the request that tried the backend is not clear: the next one may try it.
    #[must_use]
    pub const fn released(self, now: UnixTime) -> Self {
        Self { until: now.seconds(), ..self }
    }

    fn paused(self, backends: &Backends, now: UnixTime) -> Self {
        Self { until: now.plus(backends.pause).seconds(), ..self }
    }

    /// For how long the record is kept.
    #[must_use]
    pub const fn lifetime(backends: &Backends) -> Seconds {
        backends.pause.plus(KEPT)
    }

    /// The record as it is stored.
    #[must_use]
    pub fn to_text(self) -> String {
        format!("{} {}", self.failures, self.until)
    }

    /// A stored record; a malformed one counts as none.
    #[must_use]
    pub fn from_text(text: &[u8]) -> Self {
        let read = || {
            let (failures, until) = std::str::from_utf8(text).ok()?.split_once(' ')?;
            Some(Self { failures: failures.parse().ok()?, until: until.parse().ok()? })
        };
        read().unwrap_or_default()
    }
}
