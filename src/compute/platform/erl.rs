//! Edge Rate Limiting, which estimates the average rate per second within a window.

use std::time::Duration;

use fastgate::policy::limits::{ErlDocument, Limit};
use fastgate::ports::storage::Rates;
use fastgate::throttle::{CounterUnreachable, Taken};
use fastly::erl::{ERL, Penaltybox, RateCounter, RateWindow};

/// The rate counters and penalty boxes that the policy names.
pub(super) struct EdgeRateLimiting;

impl Rates for EdgeRateLimiting {
    fn estimate(&self, limit: &Limit, erl: &ErlDocument, key: &str, cost: u64) -> Result<Taken, CounterUnreachable> {
        let window = match limit.window.as_u64() {
            1 => RateWindow::OneSec,
            10 => RateWindow::TenSecs,
            _ => RateWindow::SixtySecs,
        };
        let number = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
        let rate = number(limit.count.checked_div(limit.window.as_u64()).unwrap_or(limit.count));
        let erl_of = ERL::open(RateCounter::open(&erl.rate_counter), Penaltybox::open(&erl.penalty_box));
        match erl_of.check_rate(key, number(cost), window, rate, Duration::from_secs(erl.penalty.as_u64())) {
            Ok(exceeded) => Ok(Taken { admitted: !exceeded, remaining: None, queue_full: false }),
            Err(error) => Err(CounterUnreachable(format!("Edge Rate Limiting: {error:?}"))),
        }
    }
}
