//! The faults of a policy, each with its place in the document.

mod kinds;
mod remedies;

use std::fmt;

pub use kinds::Fault;

use super::budgets::fault::BudgetFault;
use super::inference::fault::InferenceFault;

/// One fault and its place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{at}: {fault}")]
pub struct PolicyFault {
    /// The JSON path of the place, such as `$.routes[3].path`.
    pub at: String,
    /// The kind of the fault.
    pub fault: Fault,
}

impl From<BudgetFault> for Fault {
    fn from(fault: BudgetFault) -> Self {
        Self::Inference(InferenceFault::Budget(fault))
    }
}

/// Every fault of one policy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct PolicyFaults(pub Vec<PolicyFault>);

impl fmt::Display for PolicyFaults {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let faults: Vec<_> = self.0.iter().map(ToString::to_string).collect();
        formatter.write_str(&faults.join("; "))
    }
}

/// The faults found so far.
#[derive(Debug, Default)]
pub(super) struct Faults(Vec<PolicyFault>);

impl Faults {
    /// `value` if there are no faults; otherwise all faults.
    pub(super) fn none_or<T>(self, value: T) -> Result<T, PolicyFaults> {
        if self.0.is_empty() { Ok(value) } else { Err(PolicyFaults(self.0)) }
    }

    pub(super) fn add(&mut self, at: impl Into<String>, fault: Fault) {
        self.0.push(PolicyFault { at: at.into(), fault });
    }

    /// Adds a fault if `wrong`. The place is only formatted in that case.
    pub(super) fn add_if(&mut self, wrong: bool, at: impl fmt::Display, fault: Fault) {
        if wrong {
            self.add(at.to_string(), fault);
        }
    }

    pub(super) fn range(&mut self, value: impl Into<u64>, least: u64, most: u64, at: impl fmt::Display) {
        let value = value.into();
        self.add_if(!(least..=most).contains(&value), at, Fault::OutOfRange { value, least, most });
    }
}
