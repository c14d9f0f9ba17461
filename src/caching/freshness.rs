//! Which responses are stored, and how long they may be sent (RFC 9111 §3, §4.2; RFC 5861).

use super::directives::Directives;
use crate::conditional::http_date;
use crate::headers::Headers;
use crate::policy::CacheRule;
use crate::time::{Seconds, UnixTime};

/// The statuses of responses that are stored without an explicit lifetime by the origin: those that describe the resource
/// itself, and no failure or its absence.
const DESCRIBING: [u16; 6] = [200, 203, 300, 301, 308, 410];
/// The statuses of which the cache knows the requirements (RFC 9111 §3, `must-understand`).
const UNDERSTOOD: [u16; 14] = [200, 203, 204, 300, 301, 302, 303, 307, 308, 404, 405, 410, 414, 501];
/// The least status of an error (RFC 9110 §15.5).
pub(super) const FIRST_ERROR: u16 = 400;
/// The statuses of failures, for which a stale response may be sent (RFC 5861 §4).
pub(super) const FAILURES: [u16; 4] = [500, 502, 503, 504];
/// The longest content that is stored, in bytes.
pub const MAX_CONTENT_BYTES: u64 = 64 * 1024 * 1024;
/// How long a response that can be validated is kept when it is too old to be sent.
const FOR_VALIDATION: Seconds = Seconds::new(24 * 3600);

/// How long a response may be sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Lifetimes {
    /// Its age when it was received.
    pub(super) initial_age: Seconds,
    /// The age up to which it is fresh.
    pub(super) fresh: Seconds,
    /// How long after that it is sent while a new one is requested.
    pub(super) stale_while_revalidate: Seconds,
    /// How long after it was fresh it is sent if the origin fails.
    pub(super) stale_if_error: Seconds,
}

/// Why a response is not stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotStored {
    /// The caller lacks a fact of the audience, or the request has a body.
    #[error("no-audience")]
    NoAudience,
    /// The response is to HEAD, or another request is fetching it.
    #[error("not-asked")]
    NotAsked,
    /// Its status is not stored: a part, a failure, or one without an explicit lifetime.
    #[error("status")]
    Status,
    /// The origin forbids it (`no-store`, `private`).
    #[error("cache-control")]
    CacheControl,
    /// It is a stream of events, or longer than what is stored.
    #[error("endless")]
    Endless,
    /// It sets a cookie.
    #[error("set-cookie")]
    SetCookie,
    /// It differs by a request field that the route does not declare.
    #[error("vary")]
    Vary,
    /// It is stale when it arrives and cannot be validated.
    #[error("stale")]
    Stale,
    /// One of its resources was purged while it was on its way.
    #[error("purged")]
    Purged,
    /// Its surrogate keys cannot be used.
    #[error("surrogate-key")]
    Tags,
}

impl Lifetimes {
    /// How long the response with these fields may be sent by `rule`; `sent` and `received` are when the request was sent
    /// and the response arrived.
    ///
    /// # Errors
    /// A [`NotStored`] if it must not be stored or would be of no use.
    pub(super) fn of(
        status: u16,
        fields: &Headers,
        rule: &CacheRule,
        (sent, received): (UnixTime, UnixTime),
    ) -> Result<Self, NotStored> {
        let directives = Directives::of(fields);
        let content_type = fields.all("content-type").next().unwrap_or_default().to_ascii_lowercase();
        if content_type.starts_with(b"text/event-stream") || !is_short(fields) {
            return Err(NotStored::Endless);
        }
        let is_forbidden = directives.private || directives.malformed || directives.no_store_for_cdn;
        if is_forbidden || directives.no_store && !(directives.must_understand && understands(status)) {
            return Err(NotStored::CacheControl);
        }
        if fields.all("set-cookie").next().is_some() {
            return Err(NotStored::SetCookie);
        }
        if !varies_as_declared(fields, rule) {
            return Err(NotStored::Vary);
        }
        let by_origin = directives.lifetime.or_else(|| expires(fields, received));
        let is_storable = match status {
            206 | 304 => false,
            _ if FAILURES.contains(&status) => false,
            _ if directives.must_understand && !understands(status) => false,
            _ => by_origin.is_some() || DESCRIBING.contains(&status),
        };
        if !is_storable {
            return Err(NotStored::Status);
        }
        let age = age(fields).plus(received.since(sent));
        // Without a lifetime by the origin, its clock does not matter.
        let apparent = date(fields).filter(|_| by_origin.is_some()).map_or(age, |date| received.since(date));
        let fresh = if directives.no_cache { Seconds::new(0) } else { rule.ttl.min(by_origin.unwrap_or(rule.ttl)) };
        let stale = |declared: Seconds, by_origin: Option<Seconds>| {
            if directives.forbids_stale() { Seconds::new(0) } else { declared.min(by_origin.unwrap_or(declared)) }
        };
        let found = Self {
            initial_age: age.max(apparent),
            fresh,
            stale_while_revalidate: stale(rule.stale_while_revalidate, directives.stale_while_revalidate),
            stale_if_error: stale(rule.stale_if_error, directives.stale_if_error),
        };
        if found.remaining().is_zero() && found.kept(fields).is_zero() { Err(NotStored::Stale) } else { Ok(found) }
    }

    /// For how long it is fresh when it arrives.
    pub(super) const fn remaining(&self) -> Seconds {
        self.fresh.minus(self.initial_age)
    }

    /// For how long it is kept after that.
    pub(super) fn kept(&self, fields: &Headers) -> Seconds {
        let overdue = self.initial_age.minus(self.fresh);
        let can_be_validated = ["etag", "last-modified"].iter().any(|name| fields.all(name).next().is_some());
        let for_validation = if can_be_validated { FOR_VALIDATION } else { Seconds::new(0) };
        self.stale_while_revalidate.max(self.stale_if_error).minus(overdue).max(for_validation)
    }
}

fn understands(status: u16) -> bool {
    UNDERSTOOD.contains(&status)
}

/// Whether the announced length, if any, is one that is stored.
fn is_short(fields: &Headers) -> bool {
    let announced = |value: &[u8]| std::str::from_utf8(value).ok().and_then(|digits| digits.trim().parse::<u64>().ok());
    fields.all("content-length").filter_map(announced).all(|length| length <= MAX_CONTENT_BYTES)
}

/// Whether the response differs only by request fields that the route declares (RFC 9110 §12.5.5).
fn varies_as_declared(fields: &Headers, rule: &CacheRule) -> bool {
    let names = fields.all("vary").flat_map(|value| value.split(|byte| *byte == b',')).map(<[u8]>::trim_ascii);
    let is_declared = |name: &[u8]| rule.vary.iter().any(|field| name.eq_ignore_ascii_case(field.as_bytes()));
    names.filter(|name| !name.is_empty()).all(is_declared)
}

/// The lifetime by `Expires`; a value that is no date is in the past (RFC 9111 §5.3).
fn expires(fields: &Headers, received: UnixTime) -> Option<Seconds> {
    let expires = fields.all("expires").next()?;
    let Some(expires) = http_date::parse(expires) else { return Some(Seconds::new(0)) };
    Some(expires.since(date(fields).unwrap_or(received)))
}

fn date(fields: &Headers) -> Option<UnixTime> {
    fields.all("date").next().and_then(http_date::parse)
}

/// `Age` (RFC 9111 §5.1). A response with one that is not a single number is too old.
fn age(fields: &Headers) -> Seconds {
    const TOO_OLD: u64 = u32::MAX as u64;
    let mut values = fields.all("age");
    let Some(value) = values.next() else { return Seconds::new(0) };
    let text = std::str::from_utf8(value).unwrap_or_default().trim();
    let is_number = values.next().is_none() && !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    Seconds::new(if is_number { text.parse::<u64>().unwrap_or(TOO_OLD).min(TOO_OLD) } else { TOO_OLD })
}
