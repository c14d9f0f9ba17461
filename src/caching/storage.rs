//! What becomes of the origin's response to a request whose responses may be stored.

use super::entry::Entry;
use super::freshness::{FAILURES, Lifetimes, NotStored};
use super::key::CacheKey;
use super::plan::Plan;
use super::served::{Selected, Served};
use super::status::Handled;
use super::tags::TAG_FIELD;
use crate::conditional::Part;
use crate::headers::{Headers, response_fields};
use crate::time::{Seconds, UnixTime};

/// How long requests do not wait for each other after a response that must not be stored.
const NOT_STORED: Seconds = Seconds::new(10);
/// How long a failure of the origin is remembered for requests that waited.
const FAILED: Seconds = Seconds::new(1);
/// The fields that a 304 does not change: they describe the content that is stored (RFC 9111 §3.2).
const OF_CONTENT: [&str; 5] = ["content-encoding", "content-length", "content-md5", "content-range", "etag"];
/// The longest entry without its content, in bytes.
const MAX_ENTRY_BYTES: usize = 16 * 1024;

/// What is to be done with the origin's response to one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Storage {
    plan: Plan,
    /// The key under which the request must store a response; `None` if it must not.
    key: Option<CacheKey>,
    /// Why the request is forwarded (RFC 9211 §2.2).
    reason: &'static str,
    /// Why the response is not stored, if that is known.
    refused: Option<NotStored>,
    /// The stored response that is too old to be sent.
    stale: Option<Selected>,
    /// Whether another request renews that response, and this one fetches for those that wait meanwhile.
    is_second: bool,
    /// When the request was sent.
    sent: UnixTime,
}

/// Something that is put into the cache under the key that the request looked up last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Insertion {
    /// The entry without its content.
    pub entry: Vec<u8>,
    /// How long it is fresh.
    pub fresh: Seconds,
    /// How long it is kept after that.
    pub kept: Seconds,
    /// The surrogate keys. The first is its own.
    pub tags: Vec<String>,
    /// The length of the content in bytes, if it is known.
    pub length: Option<u64>,
    /// Whether it replaces the entry of the response that was found, whose content stays.
    pub is_update: bool,
}

/// What becomes of a response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FromOrigin {
    /// It is stored, and sent in this form.
    Store(Insertion, Served),
    /// The stored one is valid (304): it is sent, and its entry replaced.
    Validated(Option<Insertion>, Served),
    /// It is sent as it is, with this `Cache-Status`; the mark is stored.
    Relay {
        /// The value of the field.
        cache_status: String,
        /// The mark, if the request must store something.
        mark: Option<Insertion>,
        /// Why it is not stored.
        refused: NotStored,
    },
    /// The origin failed, and the stale response is sent.
    Stale(Stale),
}

/// A stale response that is sent because the origin failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stale {
    /// The response.
    pub served: Served,
    /// Its entry for the next seconds, in which no request tries again; `None` if another request renews it.
    pub held: Option<Insertion>,
}

impl Storage {
    /// For a request that looked up `key` last. `stores` says that it must store a response.
    pub(super) fn new(
        plan: Plan,
        key: CacheKey,
        stores: bool,
        reason: &'static str,
        stale: Option<Selected>,
        sent: UnixTime,
    ) -> Self {
        let refused = (!stores).then_some(NotStored::NotAsked);
        Self { plan, key: Some(key).filter(|_| stores), reason, refused, stale, is_second: false, sent }
    }

    /// This, for a request that fetches while another one renews the stale response.
    pub(super) fn while_renewed(self) -> Self {
        Self { is_second: true, ..self }
    }

    /// For a request whose response is not stored.
    pub(super) const fn bypassing(plan: Plan, refused: NotStored) -> Self {
        let sent = UnixTime::from_seconds(0);
        Self { plan, key: None, reason: "bypass", refused: Some(refused), stale: None, is_second: false, sent }
    }

    /// Whether the origin makes all of the response at once, so that the rest of its content is worth waiting for without a
    /// client, too. Those of models are JSON documents.
    #[must_use]
    pub const fn is_made_at_once(&self) -> bool {
        self.plan.body_in_key
    }

    /// Why the request is forwarded (RFC 9211 §2.2).
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        self.reason
    }

    /// The fields by which the origin can say that the stored response is valid (RFC 9111 §4.3.1).
    #[must_use]
    pub fn validators(&self) -> Headers {
        let has_condition = self.key.is_some() && !self.is_second && !self.plan.body_in_key;
        let can_be_validated = |stale: &&Selected| has_condition && stale.entry.status() == 200;
        let Some(stale) = self.stale.as_ref().filter(can_be_validated) else { return Headers::default() };
        let fields = stale.entry.fields();
        let pairs = [("if-none-match", "etag"), ("if-modified-since", "last-modified")];
        let present = pairs.into_iter().filter_map(|(name, of)| fields.all(of).next().map(|value| (name, value)));
        present.collect()
    }

    /// What becomes of the origin's response with this status and these fields, which arrived at `now`.
    #[must_use]
    pub fn received(&self, status: u16, fields: &Headers, now: UnixTime) -> FromOrigin {
        if status == 304
            && let Some(stale) = self.stale.as_ref().filter(|_| self.validators().count() > 0)
        {
            return self.validated(stale, fields, now);
        }
        if FAILURES.contains(&status)
            && let Some(stale) = self.failed(now)
        {
            return FromOrigin::Stale(stale);
        }
        match self.insertion(status, fields, now) {
            Ok(insertion) => {
                let handled = Handled::Forwarded { reason: self.reason, status: Some(status), stored: true };
                let mut sent = response_fields(fields);
                sent.append("cache-status", handled.member());
                let served = Served { status, fields: sent, part: Part::Whole, selection: None, length: None };
                let served = served.for_client(&self.without_range(), insertion.length);
                FromOrigin::Store(insertion, served)
            }
            Err(refused) => self.relayed(status, refused, now),
        }
    }

    /// What becomes of a response that is not stored, because it must not be or because it was purged.
    #[must_use]
    pub fn relayed(&self, status: u16, refused: NotStored, now: UnixTime) -> FromOrigin {
        let handled = Handled::Forwarded { reason: self.reason, status: Some(status), stored: false };
        let mark = match refused {
            NotStored::Purged => None, // the next response may be stored
            _ => self.mark(FAILURES.contains(&status), now),
        };
        FromOrigin::Relay { cache_status: handled.member(), mark, refused }
    }

    /// The stale response that is sent because the origin failed; `None` if there is none that may be.
    #[must_use]
    pub fn failed(&self, now: UnixTime) -> Option<Stale> {
        let stale = self.stale.as_ref().filter(|stale| stale.entry.outlasts_failure(now))?;
        let (held, fresh) = stale.entry.held(now);
        let held = match &self.key {
            Some(_) if self.is_second => self.mark(true, now),
            Some(key) => Some(Insertion { is_update: true, ..self.inserted(key, &held, fresh, held.kept()) }),
            None => None,
        };
        Some(Stale { served: stale.served(&self.plan, now), held })
    }

    /// A mark for the requests that wait for this one, which has no response to store.
    #[must_use]
    pub fn mark(&self, has_failed: bool, now: UnixTime) -> Option<Insertion> {
        // A stale response stays if the origin failed, and is replaced by a mark if a response must not be stored.
        let key = self.key.as_ref().filter(|_| !has_failed || self.is_second || self.stale.is_none())?;
        let fresh = if has_failed { FAILED } else { NOT_STORED.min(self.plan.rule.ttl) };
        Some(self.inserted(key, &Entry::mark(has_failed, now), fresh, Seconds::new(0)))
    }

    fn validated(&self, stale: &Selected, fields: &Headers, now: UnixTime) -> FromOrigin {
        let newer = response_fields(fields);
        let is_newer = |name: &str| !OF_CONTENT.contains(&name) && newer.all(name).next().is_some();
        let kept = stale.entry.fields().iter().filter(|(name, _)| !is_newer(name));
        let added = newer.iter().filter(|(name, _)| !OF_CONTENT.contains(name));
        let merged: Headers = kept.chain(added).collect();
        let tags = fields.iter().filter(|(name, _)| *name == TAG_FIELD);
        let lifetimes = Lifetimes::of(200, &merged, &self.plan.rule, (self.sent, now));
        let entry = Entry::new(200, now, lifetimes.unwrap_or_default(), stale.length, stored(&merged));
        let all: Headers = merged.iter().chain(tags).collect();
        let insertion = lifetimes.and_then(|lifetimes| self.stored_as(&entry, lifetimes, &all)).ok();
        let insertion = insertion.map(|insertion| Insertion { is_update: true, ..insertion });
        let handled = Handled::Forwarded { reason: self.reason, status: Some(304), stored: insertion.is_some() };
        let selected = Selected { entry, number: stale.number, length: stale.length };
        FromOrigin::Validated(insertion, selected.served_as(&self.plan, handled, now))
    }

    fn insertion(&self, status: u16, fields: &Headers, now: UnixTime) -> Result<Insertion, NotStored> {
        if let Some(refused) = self.refused {
            return Err(refused);
        }
        if self.plan.body_in_key && status != 200 {
            return Err(NotStored::Status);
        }
        let lifetimes = Lifetimes::of(status, fields, &self.plan.rule, (self.sent, now))?;
        let entry = Entry::new(status, now, lifetimes, announced(fields), stored(&response_fields(fields)));
        self.stored_as(&entry, lifetimes, fields)
    }

    fn stored_as(&self, entry: &Entry, lifetimes: Lifetimes, fields: &Headers) -> Result<Insertion, NotStored> {
        let key = self.key.as_ref().ok_or(NotStored::NotAsked)?;
        let (named, are_all) = self.plan.tags.named(fields, TAG_FIELD);
        if !are_all {
            return Err(NotStored::Tags);
        }
        let mut insertion = self.inserted(key, entry, lifetimes.remaining(), lifetimes.kept(fields));
        insertion.tags.extend(named);
        if insertion.entry.len() > MAX_ENTRY_BYTES { Err(NotStored::Tags) } else { Ok(insertion) }
    }

    fn inserted(&self, key: &CacheKey, entry: &Entry, fresh: Seconds, kept: Seconds) -> Insertion {
        let tags = std::iter::once(self.plan.tags.entry(key)).chain(self.plan.url.iter().cloned()).collect();
        Insertion { entry: entry.to_bytes(), fresh, kept, tags, length: entry.length(), is_update: false }
    }

    /// The plan for a response that comes whole from the origin.
    fn without_range(&self) -> Plan {
        Plan { conditions: self.plan.conditions.without_range(), ..self.plan.clone() }
    }
}

/// The fields that are stored. `Age` and `Content-Length` are computed anew for each response.
fn stored(fields: &Headers) -> Headers {
    fields.iter().filter(|(name, _)| !matches!(*name, "age" | "content-length")).collect()
}

/// `Content-Length`, if it is one number and frames the content (RFC 9112 §6.3).
fn announced(fields: &Headers) -> Option<u64> {
    if fields.all("transfer-encoding").next().is_some() {
        return None;
    }
    let mut lengths = fields.all("content-length");
    let length = lengths.next().filter(|_| lengths.next().is_none())?;
    std::str::from_utf8(length).ok()?.trim().parse().ok()
}
