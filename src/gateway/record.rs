//! Writes outcomes of rules into the trail.

use crate::budget::BudgetError;
use crate::policy::budgets::Budget;
use crate::policy::limits::Limit;
use crate::refusal::Refusal;
use crate::throttle::{Outcome, Quota, Remaining, ThrottleError};
use crate::trail::{BudgetLeft, Step, Trail};

/// Records the outcome of a limit; returns the quota for the response, if any.
pub(super) fn record_count(trail: &mut Trail, limit: &Limit, outcome: Result<Outcome, ThrottleError>) -> Option<Quota> {
    match outcome {
        Ok(Outcome::Counted(quota)) => {
            trail.note(Step::Throttle, || quota.to_string());
            return Some(quota).filter(|_| !limit.shadow);
        }
        Ok(Outcome::Uncounted { cause }) => trail.uncounted.push(format!("{}: {cause}", limit.name)),
        Err(error) => would_refuse(trail, error),
    }
    None
}

/// Records the outcome of a budget; returns the quota for the response, if any.
pub(super) fn record_budget(
    trail: &mut Trail,
    budget: &Budget,
    outcome: Result<Outcome, BudgetError>,
) -> Option<Quota> {
    match outcome {
        Ok(Outcome::Counted(quota)) => {
            trail.note(Step::Budget, || quota.to_string());
            trail.budgets.extend(budget_left(&quota));
            return Some(quota).filter(|_| !budget.shadow);
        }
        Ok(Outcome::Uncounted { cause }) => trail.uncounted.push(format!("{}: {cause}", budget.name)),
        Err(error) => would_refuse(trail, error),
    }
    None
}

/// Records what a rule in shadow would have refused.
pub(super) fn would_refuse(trail: &mut Trail, error: impl Into<Refusal>) {
    trail.shadow.push(format!("would-refuse {}", error.into().code()));
}

/// What a quota says of a budget; `None` if the rest of its window is not known.
pub(super) fn budget_left(quota: &Quota) -> Option<BudgetLeft> {
    let Remaining { units, resets_in } = quota.remaining?;
    Some(BudgetLeft { name: quota.limit.clone(), left: units, resets_in })
}
