//! What to do with a stored response, or without one. Input: a [`Plan`] and the [`ResponseCache`]. Output: a [`Choice`].

use std::fmt;

use super::entry::{Entry, State};
use super::freshness::NotStored;
use super::key::CacheKey;
use super::plan::Plan;
use super::served::{Selected, Served};
use super::storage::Storage;
use crate::time::UnixTime;

/// The responses that a POP keeps. Platforms implement it for one request; it keeps what the request found.
pub trait ResponseCache {
    /// Looks up the response under `key`. If `collapses`, requests for one key wait for the first of them, and only one
    /// must fetch. Selections are numbered from 0. A cache that fails selects nothing.
    fn look_up(&mut self, key: &CacheKey, collapses: bool) -> Selection;
}

/// A cache without responses.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoResponses;

impl ResponseCache for NoResponses {
    fn look_up(&mut self, _: &CacheKey, _: bool) -> Selection {
        Selection::default()
    }
}

/// What a cache has under a key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// The entry; `None` if there is none.
    pub entry: Option<Vec<u8>>,
    /// The length of its content in bytes, if that is known.
    pub length: Option<u64>,
    /// Whether this request is the one that stores a new response.
    pub must_fetch: bool,
}

/// What to do with a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Choice {
    /// Send this response.
    Send(Served),
    /// Send this response, and request a new one afterwards.
    SendAndRenew(Served, Box<Storage>),
    /// Forward the request.
    Fetch(Box<Storage>),
}

impl Choice {
    /// The outcome, for the log: `hit`, `stale`, or the reason to forward the request.
    #[must_use]
    pub const fn outcome(&self) -> &'static str {
        match self {
            Self::Send(_) => "hit",
            Self::SendAndRenew(..) => "stale",
            Self::Fetch(storage) => storage.reason(),
        }
    }
}

impl fmt::Display for Choice {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Send(served) => write!(formatter, "a stored response with status {}", served.status),
            Self::SendAndRenew(served, _) => {
                write!(formatter, "a stale response with status {}, which is renewed afterwards", served.status)
            }
            Self::Fetch(storage) => write!(formatter, "no stored response: {}", storage.reason()),
        }
    }
}

/// Decides what to do at `now`.
pub fn choose(plan: Plan, cache: &mut dyn ResponseCache, now: UnixTime) -> Choice {
    let Some(key) = plan.key else {
        return Choice::Fetch(Box::new(Storage::bypassing(plan, NotStored::NoAudience)));
    };
    let (first, must_fetch) = select(cache, &key, 0, &plan);
    let Some(first) = first else { return fetch(plan, key, must_fetch, "uri-miss", None, now) };
    match first.entry.state(now) {
        State::WhileRevalidating if must_fetch && !plan.is_head => {
            let served = first.served(&plan, now);
            Choice::SendAndRenew(served, Box::new(Storage::new(plan, key, true, "stale", Some(first), now)))
        }
        State::Fresh | State::WhileRevalidating | State::OriginFailed => Choice::Send(first.served(&plan, now)),
        // Another request renews the mark, or it is due.
        State::NotStored | State::Failed => fetch(plan, key, must_fetch, "uri-miss", None, now),
        State::Stale if must_fetch || plan.is_head => fetch(plan, key, must_fetch, "stale", Some(first), now),
        State::Stale => while_renewed(plan, &key, first, cache, now),
    }
}

/// Another request renews the response, which must not be sent meanwhile. The requests that arrive in the meantime wait for
/// one of them.
fn while_renewed(plan: Plan, key: &CacheKey, stale: Selected, cache: &mut dyn ResponseCache, now: UnixTime) -> Choice {
    let key = key.while_renewed(stale.entry.received());
    let (second, must_fetch) = select(cache, &key, 1, &plan);
    match second.as_ref().map(|second| (second.entry.state(now), second)) {
        Some((State::Fresh, second)) => Choice::Send(second.served(&plan, now)),
        Some((State::Failed, _)) if stale.entry.outlasts_failure(now) => Choice::Send(stale.served(&plan, now)),
        _ => {
            let storage = Storage::new(plan, key, must_fetch, "stale", Some(stale), now);
            Choice::Fetch(Box::new(storage.while_renewed()))
        }
    }
}

fn select(cache: &mut dyn ResponseCache, key: &CacheKey, number: usize, plan: &Plan) -> (Option<Selected>, bool) {
    let Selection { entry, length, must_fetch } = cache.look_up(key, !plan.is_head);
    let entry = entry.as_deref().and_then(Entry::from_bytes);
    let selected = entry.map(|entry| Selected { length: entry.length().or(length), entry, number });
    (selected, must_fetch)
}

fn fetch(
    plan: Plan,
    key: CacheKey,
    inserts: bool,
    reason: &'static str,
    stale: Option<Selected>,
    now: UnixTime,
) -> Choice {
    Choice::Fetch(Box::new(Storage::new(plan, key, inserts, reason, stale, now)))
}
