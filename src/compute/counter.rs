//! Counts: exact ones of this POP, on transactions of the Core Cache, and estimates of Edge Rate Limiting.

use std::time::Duration;

use fastgate::policy::limits::{CounterDocument, ErlDocument, Limit};
use fastgate::throttle::{Counter, CounterUnreachable, Taken, Window};
use fastgate::time::UnixTime;
use fastly::cache::core::{self, CacheError, CacheKey, Transaction};
use fastly::erl::{ERL, Penaltybox, RateCounter, RateWindow};

/// How long a request waits for its turn at a count. A turn is some tens of microseconds; one that was lost with its
/// sandbox comes free when the platform notices.
const PATIENCE: Duration = Duration::from_secs(5);

/// The counters of this POP.
pub(super) struct Counters {
    /// Keeps the counts of different policies apart.
    pub(super) space: &'static str,
}

impl Counter for Counters {
    fn take(&mut self, limit: &Limit, key: &str, cost: u64, now: UnixTime) -> Result<Taken, CounterUnreachable> {
        let key = format!("{}/{key}", self.space);
        match &limit.counter {
            CounterDocument::Exact => take_exactly(limit, &key, cost, now)
                .map_err(|error| CounterUnreachable(format!("the Core Cache: {error}"))),
            CounterDocument::Erl(erl) => estimate(limit, erl, &key, cost),
        }
    }
}

/// Request collapsing as a mutex: the object under the lock's key is never inserted, so that the obligation to insert it
/// is handed from one request to the next. Who has it reads the count, writes it anew and gives the obligation up. A count
/// never falls within its window, so that who comes too late need not wait for a turn to hear it.
fn take_exactly(limit: &Limit, key: &str, cost: u64, now: UnixTime) -> Result<Taken, CacheError> {
    let (_, taken) = Window::take(stored(key)?, limit, cost, now);
    if !taken.admitted {
        return Ok(taken);
    }
    let asked = Transaction::lookup(cache_key("turn", key)).execute_async()?;
    let turn = if asked.pending()? { asked.wait_for(PATIENCE)? } else { asked.wait()? };
    let taken = count(limit, key, cost, now);
    let given_up = turn.cancel_insert_or_update();
    let taken = taken?;
    given_up.map(|()| taken)
}

fn count(limit: &Limit, key: &str, cost: u64, now: UnixTime) -> Result<Taken, CacheError> {
    let (window, taken) = Window::take(stored(key)?, limit, cost, now);
    if taken.admitted {
        let lifetime = Duration::from_secs(limit.window.saturating_add(1));
        let body =
            core::insert(cache_key("count", key), lifetime).user_metadata(window.to_record().into()).execute()?;
        body.finish().map_err(|_| CacheError::InvalidOperation)?;
    }
    Ok(taken)
}

fn stored(key: &str) -> Result<Option<Window>, CacheError> {
    let found = core::lookup(cache_key("count", key)).execute()?;
    Ok(found.and_then(|found| Window::from_record(&found.user_metadata())))
}

fn cache_key(kind: &str, key: &str) -> CacheKey {
    CacheKey::from(format!("fastgate/{kind}/{key}").into_bytes())
}

/// Edge Rate Limiting speaks of the average rate a second within a window.
fn estimate(limit: &Limit, erl: &ErlDocument, key: &str, cost: u64) -> Result<Taken, CounterUnreachable> {
    let window = match limit.window {
        1 => RateWindow::OneSec,
        10 => RateWindow::TenSecs,
        _ => RateWindow::SixtySecs,
    };
    let number = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
    let rate = number(limit.count.checked_div(limit.window).unwrap_or(limit.count));
    let erl_of = ERL::open(RateCounter::open(&erl.rate_counter), Penaltybox::open(&erl.penalty_box));
    match erl_of.check_rate(key, number(cost), window, rate, Duration::from_secs(erl.penalty)) {
        Ok(exceeded) => Ok(Taken { admitted: !exceeded, left: None }),
        Err(error) => Err(CounterUnreachable(format!("Edge Rate Limiting: {error:?}"))),
    }
}
