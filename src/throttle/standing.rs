//! How a caller stands with a limit, and how that is announced (draft-ietf-httpapi-ratelimit-headers-09).

use std::fmt;

use crate::policy::limits::Limit;

/// How a caller stands with a limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The name of the limit.
    pub limit: String,
    /// How much is admitted in one window.
    pub count: u64,
    /// The length of a window in seconds.
    pub window: u64,
    /// How much is left and in how many seconds the window ends; nothing where the counter only estimates.
    pub left: Option<(u64, u64)>,
}

impl Standing {
    pub(super) fn new(limit: &Limit, left: Option<(u64, u64)>) -> Self {
        Self { limit: limit.name.clone(), count: limit.count, window: limit.window.as_u64(), left }
    }

    /// Seconds after which it is worth trying again, at least 1.
    #[must_use]
    pub fn retry_after(&self) -> u64 {
        self.left.map_or(self.window, |(_, seconds)| seconds).max(1)
    }
}

impl fmt::Display for Standing {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { limit, count, window, left } = self;
        write!(formatter, "limit \"{limit}\" of {count} in {window} s")?;
        match left {
            Some((remaining, seconds)) => write!(formatter, ": {remaining} left for {seconds} s"),
            None => Ok(()),
        }
    }
}

/// The fields that say how a caller stands: `RateLimit-Policy` with every limit, `RateLimit` with those that are counted
/// exactly. Names of limits are ids, so that nothing in them needs escaping.
#[must_use]
pub fn announce(standings: &[Standing]) -> Vec<(&'static str, String)> {
    let list = |items: Vec<String>| (!items.is_empty()).then(|| items.join(", "));
    let policies = standings.iter().map(|standing| {
        let Standing { limit, count, window, .. } = standing;
        format!("\"{limit}\";q={count};w={window}")
    });
    let states = standings.iter().filter_map(|standing| {
        let (remaining, seconds) = standing.left?;
        Some(format!("\"{}\";r={remaining};t={seconds}", standing.limit))
    });
    let fields = [("ratelimit-policy", list(policies.collect())), ("ratelimit", list(states.collect()))];
    fields.into_iter().filter_map(|(name, value)| value.map(|value| (name, value))).collect()
}
