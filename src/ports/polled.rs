//! Values that an operator may change without a deployment. They are read again every ten seconds, with one rule for
//! outages.

use std::time::Duration;

/// How long a value is used before it is read again.
const FRESH: Duration = Duration::from_secs(10);
/// How long the last good value is used before a source that failed is read again.
const RETRY: Duration = Duration::from_secs(1);

/// A value made from a source that is read from time to time.
///
/// The rule: a value is used for ten seconds after it was read, and read again earlier if that makes no request wait. If
/// the source fails then, the last value stays in force and the source is read again a second later. Without a last value
/// the read fails, and the next request reads again.
pub struct Polled<Source, Value>(Option<Last<Source, Value>>);

struct Last<Source, Value> {
    source: Source,
    value: Value,
    /// The time of the next read, on the caller's monotonic clock.
    due: Duration,
    /// Whether the last read failed. The source is then not read ahead of time.
    failed: bool,
}

impl<Source, Value> Default for Polled<Source, Value> {
    fn default() -> Self {
        Self(None)
    }
}

impl<Source: PartialEq, Value> Polled<Source, Value> {
    /// The value at `uptime`, a time on a monotonic clock. `look` is called if the value is due, and `make` if `look`
    /// returns a source that has changed.
    ///
    /// # Errors
    /// The error of `look`, if there is no value yet.
    pub fn read<Error>(
        &mut self,
        uptime: Duration,
        look: impl FnOnce() -> Result<Source, Error>,
        make: impl FnOnce(&Source) -> Value,
    ) -> Result<&mut Value, Error> {
        let last = match self.0.take() {
            Some(last) if uptime < last.due => last,
            last => Last::look_again(last, uptime, look, make)?,
        };
        Ok(&mut self.0.insert(last).value)
    }

    /// Reads the source at `uptime` if the value is due within `ahead`, so that a request in that time need not.
    pub fn renew<Error>(
        &mut self,
        uptime: Duration,
        ahead: Duration,
        look: impl FnOnce() -> Result<Source, Error>,
        make: impl FnOnce(&Source) -> Value,
    ) {
        if let Some(last) = self.0.take() {
            let ahead = if last.failed { Duration::ZERO } else { ahead };
            let is_due = uptime.saturating_add(ahead) >= last.due;
            // With a last value, reading again does not fail.
            self.0 = if is_due { Last::look_again(Some(last), uptime, look, make).ok() } else { Some(last) };
        }
    }

    /// Whether [`read`](Self::read) reads the source at `uptime`.
    #[must_use]
    pub fn is_due(&self, uptime: Duration) -> bool {
        self.0.as_ref().is_none_or(|last| uptime >= last.due)
    }

    /// The value that was read last.
    pub fn last(&mut self) -> Option<&mut Value> {
        self.0.as_mut().map(|last| &mut last.value)
    }
}

impl<Source: PartialEq, Value> Last<Source, Value> {
    fn look_again<Error>(
        last: Option<Self>,
        uptime: Duration,
        look: impl FnOnce() -> Result<Source, Error>,
        make: impl FnOnce(&Source) -> Value,
    ) -> Result<Self, Error> {
        Ok(match (look(), last) {
            (Ok(source), Some(last)) if last.source == source => {
                Self { due: uptime.saturating_add(FRESH), failed: false, ..last }
            }
            (Ok(source), _) => {
                let value = make(&source);
                Self { source, value, due: uptime.saturating_add(FRESH), failed: false }
            }
            (Err(_), Some(last)) => Self { due: uptime.saturating_add(RETRY), failed: true, ..last },
            (Err(error), None) => return Err(error),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Polled;

    fn at(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    fn never() -> Result<u8, &'static str> {
        panic!("the source was read")
    }

    #[test]
    fn a_value_is_read_again_after_ten_seconds_and_made_again_only_if_it_changed() {
        let mut polled = Polled::default();
        assert_eq!(polled.read(at(0), || Ok::<_, &str>(1), |one| one * 10), Ok(&mut 10));
        assert_eq!(polled.read(at(9_999), never, |_| 0), Ok(&mut 10));
        assert_eq!(polled.read(at(10_000), || Ok::<_, &str>(1), |_| panic!("made again")), Ok(&mut 10));
        assert_eq!(polled.read(at(19_999), never, |_| 0), Ok(&mut 10));
        assert_eq!(polled.read(at(20_000), || Ok::<_, &str>(2), |two| two * 10), Ok(&mut 20));
    }

    #[test]
    fn a_value_that_is_due_soon_is_renewed_and_no_request_reads_it() {
        let ahead = Duration::from_secs(2);
        let mut polled = Polled::default();
        polled.renew(at(0), ahead, never, |_| 0);
        assert_eq!(polled.last(), None, "the first request reads it");
        let _ = polled.read(at(0), || Ok::<_, &str>(1), |one| one * 10);
        polled.renew(at(7_999), ahead, never, |_| 0);
        polled.renew(at(8_000), ahead, || Ok::<_, &str>(2), |two| two * 10);
        assert_eq!(polled.read(at(17_999), never, |_| 0), Ok(&mut 20));
        polled.renew(at(17_999), ahead, || Err("down"), |_| 0);
        polled.renew(at(18_000), ahead, never, |_| 0);
        assert_eq!(polled.read(at(18_998), never, |_| 0), Ok(&mut 20), "a source that failed is left for a second");
        polled.renew(at(18_999), ahead, || Ok::<_, &str>(3), |three| three * 10);
        assert_eq!(polled.read(at(28_998), never, |_| 0), Ok(&mut 30));
    }

    #[test]
    fn a_source_that_fails_leaves_the_last_value_and_is_asked_once_a_second() {
        let mut polled = Polled::default();
        let _ = polled.read(at(0), || Ok::<_, &str>(1), |one| *one);
        assert_eq!(polled.read(at(10_000), || Err("down"), |_| 0), Ok(&mut 1));
        assert_eq!(polled.read(at(10_999), never, |_| 0), Ok(&mut 1));
        assert_eq!(polled.read(at(11_000), || Err("down"), |_| 0), Ok(&mut 1));
        assert_eq!(polled.read(at(12_000), || Ok::<_, &str>(3), |three| *three), Ok(&mut 3));
    }

    #[test]
    fn a_source_that_fails_at_first_is_asked_again_by_the_next_request() {
        let mut polled: Polled<u8, u8> = Polled::default();
        assert_eq!(polled.read(at(0), || Err("down"), |_| 0), Err("down"));
        assert_eq!(polled.read(at(0), || Err("still"), |_| 0), Err("still"));
        assert_eq!(polled.read(at(0), || Ok::<_, &str>(1), |one| *one), Ok(&mut 1));
    }
}
