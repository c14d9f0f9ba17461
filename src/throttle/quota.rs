//! The rest of a limit or a budget for a caller, and its response fields (draft-ietf-httpapi-ratelimit-headers-11).

use std::fmt;

use crate::policy::budgets::{Budget, Unit};
use crate::policy::limits::Limit;
use crate::time::Seconds;

/// The rest of a limit or a budget for a caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quota {
    /// The name of the limit or budget.
    pub limit: String,
    /// What a budget counts; `None` for a limit.
    pub unit: Option<Unit>,
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
        Self { limit: limit.name.clone(), unit: None, count: limit.count, window: limit.window, remaining }
    }

    /// The quota of a budget.
    #[must_use]
    pub fn of_budget(budget: &Budget, remaining: Option<Remaining>) -> Self {
        let &Budget { ref name, unit, amount, window, .. } = budget;
        Self { limit: name.clone(), unit: Some(unit), count: amount, window, remaining }
    }

    /// The time after which the caller may try again, at least one second.
    #[must_use]
    pub fn retry_after(&self) -> Seconds {
        self.remaining.map_or(self.window, |remaining| remaining.resets_in).max(Seconds::new(1))
    }
}

impl fmt::Display for Quota {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { limit, unit, count, window, remaining } = self;
        match unit {
            None => write!(formatter, "limit \"{limit}\" of {count} in {window} s")?,
            Some(unit) => write!(formatter, "budget \"{limit}\" of {count} {unit} in {window} s")?,
        }
        match remaining {
            Some(Remaining { units, resets_in }) => write!(formatter, ": {units} left for {resets_in} s"),
            None => Ok(()),
        }
    }
}

/// The fields that tell the caller its quotas: `RateLimit-Policy` with every limit and budget, `RateLimit` with those that are
/// counted exactly. Names are ids, so that nothing in them needs escaping. `qu` is the unit of a budget (§3.1.2 of the draft).
#[must_use]
pub fn ratelimit_fields(quotas: &[Quota]) -> Vec<(&'static str, String)> {
    let list = |items: Vec<String>| (!items.is_empty()).then(|| items.join(", "));
    let policies = quotas.iter().map(|quota| {
        let Quota { limit, unit, count, window, .. } = quota;
        let unit = unit.map_or_else(String::new, |unit| format!(";qu=\"{unit}\""));
        format!("\"{limit}\";q={count}{unit};w={window}")
    });
    let states = quotas.iter().filter_map(|quota| {
        let Remaining { units, resets_in } = quota.remaining?;
        Some(format!("\"{}\";r={units};t={resets_in}", quota.limit))
    });
    let fields = [("ratelimit-policy", list(policies.collect())), ("ratelimit", list(states.collect()))];
    fields.into_iter().filter_map(|(name, value)| value.map(|value| (name, value))).collect()
}
