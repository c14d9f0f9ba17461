//! The rest of a limit for a caller, and its response fields (draft-ietf-httpapi-ratelimit-headers-09).

use std::fmt;

use crate::policy::limits::Limit;
use crate::time::Seconds;

/// The rest of a limit for a caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quota {
    /// The name of the limit.
    pub limit: String,
    /// How much is admitted in one window.
    pub count: u64,
    /// The length of a window.
    pub window: Seconds,
    /// The rest of the window; `None` if the counter only estimates.
    pub remaining: Option<Remaining>,
}

/// The rest of a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Remaining {
    /// The remaining units.
    pub units: u64,
    /// The time until the window ends.
    pub resets_in: Seconds,
}

impl Quota {
    pub(super) fn new(limit: &Limit, remaining: Option<Remaining>) -> Self {
        Self { limit: limit.name.clone(), count: limit.count, window: limit.window, remaining }
    }

    /// The time after which the caller may try again, at least one second.
    #[must_use]
    pub fn retry_after(&self) -> Seconds {
        self.remaining.map_or(self.window, |remaining| remaining.resets_in).max(Seconds::new(1))
    }
}

impl fmt::Display for Quota {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { limit, count, window, remaining } = self;
        write!(formatter, "limit \"{limit}\" of {count} in {window} s")?;
        match remaining {
            Some(Remaining { units, resets_in }) => write!(formatter, ": {units} left for {resets_in} s"),
            None => Ok(()),
        }
    }
}

/// The fields that tell the caller its quotas: `RateLimit-Policy` with every limit, `RateLimit` with those that are
/// counted exactly. Names of limits are ids, so that nothing in them needs escaping.
#[must_use]
pub fn ratelimit_fields(quotas: &[Quota]) -> Vec<(&'static str, String)> {
    let list = |items: Vec<String>| (!items.is_empty()).then(|| items.join(", "));
    let policies = quotas.iter().map(|quota| {
        let Quota { limit, count, window, .. } = quota;
        format!("\"{limit}\";q={count};w={window}")
    });
    let states = quotas.iter().filter_map(|quota| {
        let Remaining { units, resets_in } = quota.remaining?;
        Some(format!("\"{}\";r={units};t={resets_in}", quota.limit))
    });
    let fields = [("ratelimit-policy", list(policies.collect())), ("ratelimit", list(states.collect()))];
    fields.into_iter().filter_map(|(name, value)| value.map(|value| (name, value))).collect()
}
