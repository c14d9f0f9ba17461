//! What earlier answers say about the API: what time it is there, and whether it is worth to wait for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, UNIX_EPOCH};

use super::agent::Answer;

/// The time after which a client that is not patient asks for no further part of a list.
const LIST: Duration = Duration::from_secs(40);
/// How long a patient client waits for one answer, from the first failure.
const PATIENCE: Duration = Duration::from_mins(10);
/// The first pause of a patient client; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_mins(1);

/// What is known about the API. All clones have the same.
#[derive(Clone, Default)]
pub(super) struct Reached(Arc<Known>);

#[derive(Default)]
struct Known {
    patient: AtomicBool,
    answered: AtomicBool,
    /// The field `Date` of the last answer in Unix seconds; 0 if it has none.
    date: AtomicU64,
}

impl Reached {
    /// From now on, wait when the API fails that has answered before.
    pub(super) fn be_patient(&self) {
        self.0.patient.store(true, Relaxed);
    }

    /// Remembers an answer.
    pub(super) fn answered(&self, answer: &Answer) {
        self.0.answered.store(true, Relaxed);
        let date = httpdate::parse_http_date(&answer.field("date")).ok();
        let seconds = date.and_then(|date| date.duration_since(UNIX_EPOCH).ok()).map_or(0, |date| date.as_secs());
        self.0.date.store(seconds, Relaxed);
    }

    /// The time at the last answer, by the clock of the API, in Unix seconds.
    pub(super) fn date(&self) -> Option<u64> {
        Some(self.0.date.load(Relaxed)).filter(|date| *date > 0)
    }

    /// How long to sleep before a request is repeated that has failed `failures` times in `elapsed`; `None` to give up.
    pub(super) fn pause(&self, failures: u32, elapsed: Duration) -> Option<Duration> {
        let waits = self.0.patient.load(Relaxed) && self.0.answered.load(Relaxed) && elapsed < PATIENCE;
        waits.then(|| FIRST_PAUSE.saturating_mul(2_u32.saturating_pow(failures - 1)).min(LONGEST_PAUSE))
    }

    /// The time after which no further part of a list is asked for. That of a patient client is longer than its waits for two
    /// parts.
    pub(super) fn time_of_lists(&self) -> Duration {
        if self.0.patient.load(Relaxed) { PATIENCE * 3 } else { LIST }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use ureq::http::HeaderMap;

    use super::{Answer, Reached};

    #[test]
    fn pauses_grow_and_end_after_ten_minutes_without_an_answer() {
        let reached = Reached::default();
        let answer = Answer { status: 200, fields: HeaderMap::new(), body: Vec::new() };
        reached.be_patient();
        assert_eq!(reached.pause(1, Duration::ZERO), None, "an API that has never answered is not waited for");
        reached.answered(&answer);
        let (mut elapsed, mut failures) = (Duration::ZERO, 0);
        while let Some(pause) = reached.pause(failures + 1, elapsed) {
            failures += 1;
            elapsed += pause;
        }
        assert_eq!(reached.pause(3, Duration::ZERO), Some(Duration::from_secs(4)));
        assert_eq!((failures, elapsed.as_secs()), (15, 603));
        assert!(reached.time_of_lists() > 2 * elapsed, "a list outlasts what its pages outlast");
        let other = Reached::default();
        other.answered(&answer);
        assert_eq!(other.pause(1, Duration::ZERO), None, "only a command that waits is patient");
        assert_eq!(other.time_of_lists().as_secs(), 40);
    }

    #[test]
    fn the_time_is_that_of_the_last_answer() {
        let reached = Reached::default();
        for (date, seconds) in [("Sun, 06 Nov 1994 08:49:37 GMT", Some(784_111_777)), ("yesterday", None)] {
            let fields = HeaderMap::from_iter([(ureq::http::header::DATE, date.parse().unwrap())]);
            reached.answered(&Answer { status: 200, fields, body: Vec::new() });
            assert_eq!(reached.date(), seconds);
        }
    }
}
