//! The stored responses of the POP, in the Core Cache: lookups with request collapsing, insertions, purges.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use fastgate::caching::{CacheKey, Insertion, ResponseCache, Selection};
use fastgate::conditional::Part;
use fastgate::time::Seconds;
use fastly::cache::core::{self, CacheError, Found, PendingTransaction, Transaction, TransactionInsertBuilder};
use fastly::handle::BodyHandle;
use fastly::http::body::StreamingBody;
use fastly::http::purge::purge_surrogate_key;

/// How long a request waits for another one that fetches the same response.
pub(in crate::compute) const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// How long a purge is remembered: longer than an origin may take to respond.
const PURGE_MEMORY: Duration = Duration::from_mins(5);
/// By how many milliseconds the clocks within a POP may differ.
const CLOCKS_DIFFER: u64 = 20;

/// What one request found among the stored responses.
#[derive(Default)]
pub(in crate::compute) struct StoredResponses {
    /// What it found, by the number of the lookup.
    found: Vec<Option<Found>>,
    /// The obligation to store a response. It passes to another request when this one drops it.
    owed: Option<Transaction>,
    /// When it looked a response up, in milliseconds since 1970: before the origin knows of the request.
    began: u64,
}

impl ResponseCache for StoredResponses {
    fn look_up(&mut self, key: &CacheKey, collapses: bool) -> Selection {
        if self.found.is_empty() {
            self.began = milliseconds();
        }
        let found = if collapses { self.collapsed(key) } else { core::lookup(key.bytes().into()).execute() };
        let found = found.unwrap_or_default();
        let selection = Selection {
            entry: found.as_ref().map(|found| found.user_metadata().to_vec()),
            length: found.as_ref().and_then(Found::known_length),
            must_fetch: self.owed.is_some(),
        };
        self.found.push(found);
        selection
    }
}

impl StoredResponses {
    fn collapsed(&mut self, key: &CacheKey) -> Result<Option<Found>, CacheError> {
        let lookup = Transaction::lookup(key.bytes().into()).execute_async()?;
        let transaction = waited(lookup)?;
        let found = transaction.found();
        self.owed = transaction.must_insert_or_update().then_some(transaction);
        Ok(found)
    }

    /// The content of the response that the lookup with this number found, or a part of it; `None` if it cannot be read.
    pub(in crate::compute) fn content(&self, number: usize, part: Part) -> Option<BodyHandle> {
        let found = self.found.get(number)?.as_ref()?;
        let body = match part {
            Part::Nothing => return Some(BodyHandle::new()),
            Part::Whole => found.to_stream(),
            Part::Range { first, last } => found.to_stream_from_range(Some(first), Some(last)),
        };
        body.ok().map(fastly::Body::into_handle)
    }

    /// Whether a surrogate key was purged since the response was looked up. If that is not known, it was.
    pub(in crate::compute) fn was_purged(&self, insertion: &Insertion) -> bool {
        insertion.tags.iter().any(|tag| match core::lookup(purge_key(tag).into()).execute() {
            Ok(Some(found)) => {
                let at = std::str::from_utf8(&found.user_metadata()).ok().and_then(|text| text.parse::<u64>().ok());
                at.is_none_or(|at| at.saturating_add(CLOCKS_DIFFER) >= self.began)
            }
            Ok(None) => false,
            Err(_) => true,
        })
    }

    /// Begins to store a response. `None` if this request does not owe one, or if one of its resources was purged while it
    /// was on its way; the obligation then passes to another request.
    pub(in crate::compute) fn insert(&mut self, insertion: &Insertion) -> Option<StreamingBody> {
        self.insert_builder(insertion)?.execute().ok()
    }

    /// The same, and the content of the entry for a client, which can be read while it is written; `None` if it cannot be read.
    pub(in crate::compute) fn insert_and_read(
        &mut self,
        insertion: &Insertion,
    ) -> Option<(StreamingBody, Option<BodyHandle>)> {
        let (entry, found) = self.insert_builder(insertion)?.execute_and_stream_back().ok()?;
        Some((entry, found.to_stream().ok().map(fastly::Body::into_handle)))
    }

    fn insert_builder(&mut self, insertion: &Insertion) -> Option<TransactionInsertBuilder> {
        let transaction = self.owed.take().filter(|_| !self.was_purged(insertion))?;
        let insert = transaction
            .insert(duration(insertion.fresh))
            .stale_while_revalidate(duration(insertion.kept))
            .surrogate_keys(insertion.tags.iter().map(String::as_str))
            .user_metadata(insertion.entry.clone().into());
        Some(match insertion.length {
            Some(length) => insert.known_length(length),
            None => insert,
        })
    }

    /// Stores an entry without content, or replaces the entry of the response that was found, whose content stays.
    pub(in crate::compute) fn put(&mut self, insertion: &Insertion) {
        if insertion.is_update {
            self.update(insertion);
        } else if let Some(body) = self.insert(insertion) {
            let _ = body.finish();
        }
    }

    fn update(&mut self, insertion: &Insertion) -> bool {
        let Some(transaction) = self.owed.take().filter(|_| !self.was_purged(insertion)) else { return false };
        let update = transaction
            .update(duration(insertion.fresh))
            .stale_while_revalidate(duration(insertion.kept))
            .surrogate_keys(insertion.tags.iter().map(String::as_str))
            .user_metadata(insertion.entry.clone().into());
        update.execute().is_ok()
    }
}

/// Purges the responses with these surrogate keys, in all POPs. A response that is on its way in this POP is not stored
/// either.
///
/// # Errors
/// The platform refused.
pub(in crate::compute) fn purge(tags: &[String]) -> Result<(), String> {
    for tag in tags {
        // First the mark: a response that arrives between the two is purged.
        let now = milliseconds().to_string();
        let mark = core::insert(purge_key(tag).into(), PURGE_MEMORY).user_metadata(now.into());
        let marked = mark.execute().map_err(|error| error.to_string());
        marked.and_then(|body| body.finish().map_err(|error| error.to_string()))?;
        purge_surrogate_key(tag).map_err(|error| error.to_string())?;
    }
    Ok(())
}

/// Removes an entry that could not be completed: it would be sent as if it were whole.
pub(in crate::compute) fn discard(insertion: &Insertion) {
    if let Some(own) = insertion.tags.first() {
        let _ = purge_surrogate_key(own);
    }
}

fn purge_key(tag: &str) -> Vec<u8> {
    format!("fastgate/live/purged/{tag}").into_bytes()
}

fn waited(lookup: PendingTransaction) -> Result<Transaction, CacheError> {
    if lookup.pending()? { lookup.wait_for(LONGEST_WAIT) } else { lookup.wait() }
}

/// The platform's clock, in milliseconds since 1970.
fn milliseconds() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

const fn duration(length: Seconds) -> Duration {
    Duration::from_secs(length.as_u64())
}
