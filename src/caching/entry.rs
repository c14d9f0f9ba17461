//! The form in which a response is stored: everything but its content.

use super::freshness::Lifetimes;
use crate::headers::Headers;
use crate::time::{Seconds, UnixTime};

/// How long after a failure of the origin a stale response is sent without a new try.
const RETRY: Seconds = Seconds::new(2);

/// A stored response without its content, or a mark that responses are not stored at present.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    kind: Kind,
    status: u16,
    /// When the response was received, or last validated.
    received: UnixTime,
    lifetimes: Lifetimes,
    /// Until when a stale response is sent without a new try, after the origin failed.
    retry: UnixTime,
    /// The length of the content in bytes, if the origin announced it.
    length: Option<u64>,
    fields: Headers,
}

/// What an entry stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// A response.
    Response,
    /// The response must not be stored, so requests do not wait for each other.
    NotStored,
    /// The origin failed.
    Failed,
}

/// What may be done with an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// It may be sent.
    Fresh,
    /// It may be sent while a new one is requested.
    WhileRevalidating,
    /// It must not be sent unless the origin fails.
    Stale,
    /// It must not be sent; the origin failed a moment ago, and it may be sent for that reason.
    OriginFailed,
    /// Requests go to the origin, and their responses are not stored.
    NotStored,
    /// The origin failed a moment ago, and there is no response.
    Failed,
}

impl Entry {
    pub(super) const fn new(
        status: u16,
        received: UnixTime,
        lifetimes: Lifetimes,
        length: Option<u64>,
        fields: Headers,
    ) -> Self {
        let retry = UnixTime::from_seconds(0);
        Self { kind: Kind::Response, status, received, lifetimes, retry, length, fields }
    }

    /// A mark that the response must not be stored, or that the origin failed.
    pub(super) fn mark(has_failed: bool, now: UnixTime) -> Self {
        let kind = if has_failed { Kind::Failed } else { Kind::NotStored };
        Self { kind, ..Self::new(0, now, Lifetimes::default(), None, Headers::default()) }
    }

    /// This response after the origin failed at `now`.
    pub(super) fn held(&self, now: UnixTime) -> (Self, Seconds) {
        (Self { retry: now.plus(RETRY), ..self.clone() }, RETRY)
    }

    /// What may be done with it at `now`.
    pub(super) fn state(&self, now: UnixTime) -> State {
        match self.kind {
            Kind::NotStored => return State::NotStored,
            Kind::Failed => return State::Failed,
            Kind::Response => {}
        }
        let overdue = self.age(now).minus(self.lifetimes.fresh);
        if self.is_fresh(now) {
            State::Fresh
        } else if overdue < self.lifetimes.stale_while_revalidate {
            State::WhileRevalidating
        } else if now < self.retry && self.outlasts_failure(now) {
            State::OriginFailed
        } else {
            State::Stale
        }
    }

    /// Whether it may be sent at `now` if the origin fails.
    pub(super) fn outlasts_failure(&self, now: UnixTime) -> bool {
        let overdue = self.age(now).minus(self.lifetimes.fresh);
        self.kind == Kind::Response && (self.is_fresh(now) || overdue < self.lifetimes.stale_if_error)
    }

    fn is_fresh(&self, now: UnixTime) -> bool {
        self.age(now) < self.lifetimes.fresh
    }

    /// The age (RFC 9111 §4.2.3).
    pub(super) fn age(&self, now: UnixTime) -> Seconds {
        self.lifetimes.initial_age.plus(now.since(self.received))
    }

    /// For how many seconds it is still fresh; negative if it is stale.
    pub(super) fn time_to_live(&self, now: UnixTime) -> i64 {
        let signed = |length: Seconds| i64::try_from(length.as_u64()).unwrap_or(i64::MAX);
        signed(self.lifetimes.fresh).saturating_sub(signed(self.age(now)))
    }

    /// For how long it is kept after it was fresh.
    pub(super) fn kept(&self) -> Seconds {
        self.lifetimes.kept(&self.fields)
    }

    /// When it was received, in seconds since 1970.
    pub(super) const fn received(&self) -> u64 {
        self.received.seconds()
    }

    pub(super) const fn status(&self) -> u16 {
        self.status
    }

    pub(super) const fn length(&self) -> Option<u64> {
        self.length
    }

    pub(super) const fn fields(&self) -> &Headers {
        &self.fields
    }

    /// As bytes.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![match self.kind {
            Kind::Response => b'r',
            Kind::NotStored => b'n',
            Kind::Failed => b'f',
        }];
        let Lifetimes { initial_age, fresh, stale_while_revalidate, stale_if_error } = self.lifetimes;
        let lengths = [initial_age, fresh, stale_while_revalidate, stale_if_error].map(Seconds::as_u64);
        let numbers = [u64::from(self.status), self.received.seconds(), self.retry.seconds()];
        // Lengths are one too great, and zero stands for an unknown one.
        let length = self.length.map_or(0, |length| length.saturating_add(1));
        for number in numbers.into_iter().chain(lengths).chain([length]) {
            bytes.extend(number.to_be_bytes());
        }
        for (name, value) in self.fields.iter() {
            for part in [name.as_bytes(), value] {
                bytes.extend(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
                bytes.extend(part);
            }
        }
        bytes
    }

    /// The entry in these bytes; `None` if they are none.
    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (kind, rest) = bytes.split_first()?;
        let kind = match kind {
            b'r' => Kind::Response,
            b'n' => Kind::NotStored,
            b'f' => Kind::Failed,
            _ => return None,
        };
        let mut rest = Rest(rest);
        let status = u16::try_from(rest.number()?).ok()?;
        let received = UnixTime::from_seconds(rest.number()?);
        let retry = UnixTime::from_seconds(rest.number()?);
        let mut seconds = || rest.number().map(Seconds::new);
        let (initial_age, fresh) = (seconds()?, seconds()?);
        let (stale_while_revalidate, stale_if_error) = (seconds()?, seconds()?);
        let length = rest.number()?.checked_sub(1);
        let mut fields = Headers::default();
        while !rest.0.is_empty() {
            let name = std::str::from_utf8(rest.part()?).ok()?;
            fields.append(name, rest.part()?);
        }
        let lifetimes = Lifetimes { initial_age, fresh, stale_while_revalidate, stale_if_error };
        Some(Self { kind, status, received, lifetimes, retry, length, fields })
    }
}

/// The bytes that have not been read yet.
struct Rest<'bytes>(&'bytes [u8]);

impl<'bytes> Rest<'bytes> {
    fn number(&mut self) -> Option<u64> {
        let (number, rest) = self.0.split_first_chunk::<8>()?;
        self.0 = rest;
        Some(u64::from_be_bytes(*number))
    }

    fn part(&mut self) -> Option<&'bytes [u8]> {
        let length = usize::try_from(self.number()?).ok()?;
        let (part, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(part)
    }
}

#[cfg(test)]
mod tests {
    use super::{Entry, State};
    use crate::caching::freshness::Lifetimes;
    use crate::headers::Headers;
    use crate::time::{Seconds, UnixTime};

    fn entry() -> Entry {
        let [initial_age, fresh, stale_while_revalidate, stale_if_error] = [5, 60, 30, 100].map(Seconds::new);
        let lifetimes = Lifetimes { initial_age, fresh, stale_while_revalidate, stale_if_error };
        let fields: Headers = [("etag", "\"1\""), ("x", ""), ("x", "\u{e4}")].into_iter().collect();
        Entry::new(200, UnixTime::from_seconds(1000), lifetimes, Some(0), fields)
    }

    #[test]
    fn bytes_are_read_as_they_were_written_and_no_others_cause_a_panic() {
        let mut whole = entry();
        for each in [whole.clone(), whole.held(UnixTime::from_seconds(9)).0, Entry::mark(true, whole.received)] {
            assert_eq!(Entry::from_bytes(&each.to_bytes()), Some(each));
        }
        whole.length = None;
        let bytes = whole.to_bytes();
        assert_eq!(Entry::from_bytes(&bytes), Some(whole.clone()));
        for end in 0..bytes.len() {
            assert_ne!(Entry::from_bytes(&bytes[..end]), Some(whole.clone()), "{end}");
        }
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 0xff;
            assert_ne!(Entry::from_bytes(&changed), Some(whole.clone()), "{at}");
        }
    }

    #[test]
    fn the_state_follows_the_age() {
        let at = |seconds: u64| UnixTime::from_seconds(1000 + seconds);
        let entry = entry();
        for (seconds, state) in [
            (0, State::Fresh),
            (54, State::Fresh),
            (55, State::WhileRevalidating),
            (84, State::WhileRevalidating),
            (85, State::Stale),
        ] {
            assert_eq!(entry.state(at(seconds)), state, "{seconds}");
        }
        assert_eq!(entry.held(at(90)).0.state(at(91)), State::OriginFailed);
        assert_eq!(entry.held(at(90)).0.state(at(92)), State::Stale);
        assert!(entry.outlasts_failure(at(154)));
        assert!(!entry.outlasts_failure(at(155)));
        assert_eq!(entry.held(at(154)).0.state(at(155)), State::Stale, "it is too old");
    }
}
