//! What a POP knows of the health of a backend: how many requests in a row failed, and until when it is skipped. A
//! platform keeps the record; this module decides.

use super::retry::Outcome;
use crate::policy::{Backend, Backends};
use crate::time::{Seconds, UnixTime};

/// How long a record outlasts the time for which its backend is skipped. Failures that are further apart are not in a
/// row.
const KEPT: Seconds = Seconds::new(300);

/// What is known of the health of backends.
pub trait Health {
    /// Whether `backend` is skipped now. Of the requests that find that the time is over, one tries the backend; for the
    /// others it is skipped again. What cannot be read counts as healthy.
    fn is_skipped(&mut self, backends: &Backends, backend: &Backend) -> bool;

    /// Records the outcome of a request to `backend`.
    fn record(&mut self, backends: &Backends, backend: &Backend, outcome: Outcome);
}

/// Nothing is known: no backend is skipped.
#[derive(Clone, Copy, Debug, Default)]
pub struct AllHealthy;

impl Health for AllHealthy {
    fn is_skipped(&mut self, _: &Backends, _: &Backend) -> bool {
        false
    }

    fn record(&mut self, _: &Backends, _: &Backend, _: Outcome) {}
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

    /// The record to write after a request succeeded; `None` if there is nothing to forget.
    #[must_use]
    pub fn succeeded(self) -> Option<Self> {
        (self.failures > 0).then(Self::default)
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
