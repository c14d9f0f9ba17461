//! What a POP knows of the health of a backend: how many requests in a row failed, and until when it is skipped. A
//! platform keeps the record; this module decides.
//!
//! What a caller may be able to bring about, such as a response that takes too long, cannot make a backend look broken by
//! itself: it does so only if the failures in a row last for [`LEAST_SPAN`], in which every success of another request ends
//! the row. After a pause the same holds: one request at a time tries the backend, until one succeeds or the next pause
//! begins.
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

/// How long failures in a row last, from the first to the latest, before a doubtful one makes a backend skipped. A
/// success ends the row if its request began in the meantime, so responses that take less prevent it.
const LEAST_SPAN: Seconds = Seconds::new(5);

/// What is known of the health of backends.
pub trait Health {
    /// Until when `backend` is skipped; `None` if it is not skipped now. What cannot be read counts as healthy.
    fn skipped_until(&mut self, backends: &Backends, backend: &Backend) -> Option<UnixTime>;

    /// Says that the request is about to be sent to `backend`. If that was skipped until now, the others skip it again until
    /// the outcome is known. If it is still skipped, because all are, a failure makes its pause longer.
    fn tries(&mut self, backends: &Backends, backend: &Backend);

    /// Records the outcome of a request to `backend`.
    fn record(&mut self, backends: &Backends, backend: &Backend, outcome: Outcome);
}

/// The record of a backend in a POP.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HealthRecord {
    /// In a row; after a pause, those since then and one more.
    failures: u32,
    /// The end of the pause; 0 if there was none since the failures began.
    until: u64,
    /// The time of the first failure; after a pause, its end.
    since: u64,
}

impl HealthRecord {
    /// Whether the backend is skipped at `now`.
    #[must_use]
    pub const fn skips(&self, now: UnixTime) -> bool {
        now.seconds() < self.until
    }

    /// Until when the backend is skipped; `None` if it is not at `now`.
    #[must_use]
    pub fn skipped_until(&self, now: UnixTime) -> Option<UnixTime> {
        self.skips(now).then(|| UnixTime::from_seconds(self.until))
    }

    /// The record to write if this request tries a backend that was skipped until now; `None` if it was not.
    #[must_use]
    pub fn tried(self, backends: &Backends, now: UnixTime) -> Option<Self> {
        let until = now.plus(backends.pause).seconds();
        (self.was_paused() && !self.skips(now)).then_some(Self { until, ..self })
    }

    /// The record after a request failed, or doubtfully so.
    #[must_use]
    pub fn failed(self, is_doubtful: bool, backends: &Backends, now: UnixTime) -> Self {
        let since = if self.has_failures() { self.since } else { now.seconds() };
        let record = Self { failures: self.failures.saturating_add(1), since, ..self };
        let is_paused = if is_doubtful {
            let lasted = now.seconds().saturating_sub(since) >= LEAST_SPAN.as_u64();
            record.failures >= backends.failures && lasted
        } else {
            record.failures >= backends.failures || self.was_paused()
        };
        if is_paused { record.paused(backends, now) } else { record }
    }

    const fn was_paused(self) -> bool {
        self.until > 0
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
    pub fn ends_by_success(self, before: Self) -> bool {
        self.has_failures() && before.has_failures() && (!self.was_paused() || self == before)
    }

    /// The record if the outcome of the request that tried the backend is not clear: the next one may try it.
    #[must_use]
    pub const fn released(self, now: UnixTime) -> Self {
        Self { until: now.seconds(), ..self }
    }

    /// The record at the beginning of a pause.
    #[must_use]
    pub fn paused(self, backends: &Backends, now: UnixTime) -> Self {
        let until = now.plus(backends.pause).seconds();
        Self { failures: 1, until, since: until }
    }

    /// For how long the record is kept.
    #[must_use]
    pub const fn lifetime(backends: &Backends) -> Seconds {
        backends.pause.plus(KEPT)
    }

    /// The record as it is stored.
    #[must_use]
    pub fn to_text(self) -> String {
        format!("{} {} {}", self.failures, self.until, self.since)
    }

    /// A stored record; a malformed one counts as none.
    #[must_use]
    pub fn from_text(text: &[u8]) -> Self {
        let read = || {
            let mut numbers = std::str::from_utf8(text).ok()?.split(' ');
            let failures = numbers.next()?.parse().ok()?;
            let mut time = || numbers.next()?.parse().ok();
            let record = Self { failures, until: time()?, since: time()? };
            numbers.next().is_none().then_some(record)
        };
        read().unwrap_or_default()
    }
}
