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
            note_budget(trail, budget_left(&budget.name, Some(&quota)));
            return Some(quota).filter(|_| !budget.shadow);
        }
        Ok(Outcome::Uncounted { cause }) => {
            note_budget(trail, budget_left(&budget.name, None));
            trail.uncounted.push(format!("{}: {cause}", budget.name));
        }
        Err(error) => {
            let left = budget_left(&budget.name, error.quota());
            note_budget(trail, BudgetLeft { would_refuse: Some(error.code()), ..left });
            would_refuse(trail, error);
        }
    }
    None
}

/// Records what a rule in shadow would have refused.
pub(super) fn would_refuse(trail: &mut Trail, error: impl Into<Refusal>) {
    trail.shadow.push(format!("would-refuse {}", error.into().code()));
}

/// What a quota says of a budget.
pub(super) fn budget_left(name: &str, quota: Option<&Quota>) -> BudgetLeft {
    let (left, resets_in) = match quota.and_then(|quota| quota.remaining) {
        Some(Remaining { units, resets_in }) => (Some(units), Some(resets_in)),
        None => (None, None),
    };
    BudgetLeft { name: name.to_owned(), left, resets_in, would_refuse: None }
}

/// Records what was left of a budget. One that counts several things of the request is recorded once: a refusal, or the
/// least.
fn note_budget(trail: &mut Trail, of: BudgetLeft) {
    let order = |of: &BudgetLeft| (of.would_refuse.is_none(), of.left);
    match trail.budgets.iter_mut().find(|known| known.name == of.name) {
        Some(known) if order(&of) < order(known) => *known = of,
        Some(_) => {}
        None => trail.budgets.push(of),
    }
}

/// Adds a quota of a budget. One that counts several things of the request is told once: the least.
pub(super) fn add_least(quotas: &mut Vec<Quota>, quota: Quota) {
    let left = |quota: &Quota| quota.remaining.map(|remaining| remaining.units);
    match quotas.iter_mut().find(|known| known.limit == quota.limit) {
        Some(known) if left(&quota) < left(known) => *known = quota,
        Some(_) => {}
        None => quotas.push(quota),
    }
}
