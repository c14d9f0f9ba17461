//! Step *budget*: is what the request can cost within the budgets of its route, or of what it uses? Input: the [`Cleared`]
//! request, its [`JudgedBody`], and a [`Counter`]. Output: [`Reserved`], which minting requires. What is reserved is settled after the
//! response: see [`Charge`].
//!
//! For a model, the estimate is the length of the body and the most tokens that the request lets the model write. It is an upper bound
//! if `input_bytes_per_token` is 1 and all of the input is text in the body. A use of an MCP server costs what the policy says.

mod charge;
mod error;
mod settlement;

pub use charge::{Charge, Spent, Tokens};
pub use error::BudgetError;
pub use settlement::Settlement;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::digest::sha256;
use crate::mcp_request::{JudgedBody, UseCost};
use crate::policy::budgets::Budget;
use crate::policy::limits::Unreachable;
use crate::throttle::{Cleared, Counter, CounterUnreachable, Held, KeyParts, Outcome, Quota, Requested};
use crate::time::UnixTime;

/// Evidence that no budget of the route refuses the request. Only [`reserve`] makes one.
#[derive(Debug, Default)]
pub struct Reserved {
    charge: Option<Charge>,
    /// What is left of each budget.
    remaining: BTreeMap<String, u64>,
}

impl Reserved {
    /// What is to be settled after the response; `None` if the request is counted against no budget.
    #[must_use]
    pub const fn charge(&self) -> Option<&Charge> {
        self.charge.as_ref()
    }

    /// What is left of each budget that was counted, by its name, without what this request can cost; the least, if it counts
    /// several things by themselves.
    #[must_use]
    pub const fn remaining(&self) -> &BTreeMap<String, u64> {
        &self.remaining
    }

    /// Gives back what was reserved, because the request is not sent. Returns why some of it could not be given back.
    pub fn give_back(self, counter: &mut dyn Counter) -> Vec<String> {
        self.charge.map_or_else(Vec::new, |charge| charge.settle(Spent::Nothing, counter))
    }
}

/// The request, as budgets see it.
#[derive(Clone, Copy, Debug)]
pub struct Spender<'request> {
    /// The body, and what was decided about it.
    pub body: &'request JudgedBody,
    /// The parts of the key.
    pub parts: &'request KeyParts<'request>,
    /// The id of the request, which no other request has.
    pub request_id: &'request str,
}

/// Reserves what the request can cost of every budget of its route, in order. If one of them refuses, what was reserved of
/// those before is given back. A budget in shadow refuses no request. `report` is called with each budget that lets the
/// request pass and its outcome.
///
/// # Errors
/// The [`BudgetError`] of the first budget that is not in shadow and refuses the request.
pub fn reserve(
    cleared: &Cleared<'_>,
    spender: &Spender<'_>,
    counter: &mut dyn Counter,
    now: UnixTime,
    report: &mut dyn FnMut(&Budget, Result<Outcome, BudgetError>),
) -> Result<Reserved, BudgetError> {
    let (charge, wanted) = wanted(cleared, spender.body);
    if wanted.is_empty() {
        return Ok(Reserved::default());
    }
    let mut reserved = Reserved { charge: Some(charge), remaining: BTreeMap::new() };
    for wanted in wanted {
        let Some(charge) = &mut reserved.charge else { break };
        let budget = wanted.budget;
        match reserve_of(&wanted, charge, spender, counter, now) {
            Err(error) if !budget.shadow => {
                // What cannot be given back stays reserved until its window ends.
                reserved.give_back(counter);
                return Err(error);
            }
            outcome => {
                if let Ok(Outcome::Counted(Quota { remaining: Some(remaining), .. })) = &outcome {
                    let left = reserved.remaining.entry(budget.name.clone()).or_insert(u64::MAX);
                    *left = remaining.units.min(*left);
                }
                report(budget, outcome);
            }
        }
    }
    Ok(reserved)
}

/// What is to be reserved of one budget.
struct Wanted<'request> {
    budget: &'request Arc<Budget>,
    amount: u64,
    /// The kind and the name of what is used: a `model`, or a `tool`, `resource` or `prompt`.
    used: (&'static str, &'request str),
}

/// How much of which budgets the request can cost, and a charge without reservations. A route is either for models or for an
/// MCP server.
fn wanted<'request>(cleared: &'request Cleared<'_>, body: &'request JudgedBody) -> (Charge, Vec<Wanted<'request>>) {
    let spending = cleared.route().inference.as_ref().map(|inference| &inference.spending);
    if let Some((spending, admission)) = spending.zip(body.admission()) {
        let charge = Charge::of_model(admission, spending);
        let of_budget =
            |budget| Wanted { budget, amount: charge.estimated(budget.unit), used: ("model", &admission.model) };
        let wanted = spending.budgets.iter().map(of_budget).collect();
        return (charge, wanted);
    }
    let of_cost = |UseCost { budget, amount, kind, entry }: &'request UseCost| Wanted {
        budget,
        amount: *amount,
        used: (kind.name(), entry),
    };
    (Charge::of_use(), body.costs().iter().map(of_cost).collect())
}

fn reserve_of(
    &Wanted { budget, amount, used }: &Wanted<'_>,
    charge: &mut Charge,
    spender: &Spender<'_>,
    counter: &mut dyn Counter,
    now: UnixTime,
) -> Result<Outcome, BudgetError> {
    let is_for_model = spender.body.admission().is_some();
    if amount > budget.amount {
        return Err(BudgetError::TooLarge { quota: Quota::of_budget(budget, None), amount, is_for_model });
    }
    let key = spender.parts.key_of_budget(budget, used.0, used.1);
    let wanted = Requested { budget, key: &key, amount, mark: mark(spender.request_id) };
    match counter.reserve(&wanted, now) {
        Ok(Held { queue_full: true, .. }) => Err(BudgetError::QueueFull { budget: budget.name.clone() }),
        Ok(Held { reservation, remaining, .. }) => {
            let quota = Quota::of_budget(budget, Some(remaining));
            let Some(reservation) = reservation else {
                return Err(BudgetError::Exceeded { quota, amount, is_for_model });
            };
            charge.add(reservation);
            Ok(Outcome::Counted(quota))
        }
        Err(CounterUnreachable(cause)) => match budget.unreachable {
            Unreachable::Open => Ok(Outcome::Uncounted { cause }),
            Unreachable::Closed => Err(BudgetError::Unreachable { budget: budget.name.clone(), cause }),
        },
    }
}

/// The mark of a window that this request opens.
fn mark(request_id: &str) -> u64 {
    sha256(request_id).iter().take(8).fold(0, |mark, byte| (mark << 8) | u64::from(*byte))
}
