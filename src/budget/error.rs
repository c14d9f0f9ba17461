//! Why a budget refuses a request.

use crate::throttle::Quota;

/// Why a budget refuses a request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BudgetError {
    /// Less is left than the request can cost.
    #[error("{quota}, and the request can cost {amount}")]
    Exceeded {
        /// The caller's quota.
        quota: Quota,
        /// What the request can cost.
        amount: u64,
        /// Whether it is for a model, so that a shorter one costs less.
        is_for_model: bool,
    },
    /// The request can cost more than the whole budget, so it is never admitted.
    #[error("{quota}, and the request alone can cost {amount}")]
    TooLarge {
        /// The quota.
        quota: Quota,
        /// What the request can cost.
        amount: u64,
        /// Whether it is for a model, so that a shorter one costs less.
        is_for_model: bool,
    },
    /// Too many requests wait for this count at once.
    #[error("too many requests wait for the count of budget \"{budget}\"")]
    QueueFull {
        /// The name of the budget.
        budget: String,
    },
    /// The count cannot be reached, and the budget refuses requests then.
    #[error("the count of budget \"{budget}\" cannot be read: {cause}")]
    Unreachable {
        /// The name of the budget.
        budget: String,
        /// The cause, for the log.
        cause: String,
    },
}

impl BudgetError {
    /// The code for logs, metrics and tests.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Exceeded { .. } => "budget-exceeded",
            Self::TooLarge { .. } => "budget-too-small",
            Self::QueueFull { .. } => "budget-queue-full",
            Self::Unreachable { .. } => "budget-unreachable",
        }
    }

    /// The name of the budget.
    #[must_use]
    pub fn budget(&self) -> &str {
        match self {
            Self::Exceeded { quota, .. } | Self::TooLarge { quota, .. } => &quota.limit,
            Self::QueueFull { budget } | Self::Unreachable { budget, .. } => budget,
        }
    }

    /// The quota that the caller is told.
    #[must_use]
    pub const fn quota(&self) -> Option<&Quota> {
        match self {
            Self::Exceeded { quota, .. } | Self::TooLarge { quota, .. } => Some(quota),
            Self::QueueFull { .. } | Self::Unreachable { .. } => None,
        }
    }

    /// What the caller is told: which budget, how much is left, and what to do.
    #[must_use]
    pub fn detail(&self) -> Option<String> {
        let quota = self.quota()?;
        let (name, count, window) = (&quota.limit, quota.count, quota.window);
        let unit = quota.unit.map_or("units", crate::policy::budgets::Unit::as_str);
        match self {
            Self::Exceeded { amount, is_for_model, .. } => {
                let advice =
                    if *is_for_model { "ask for fewer tokens or send less input, or try again" } else { "try again" };
                let left = quota.remaining.map_or(0, |remaining| remaining.units);
                let wait = quota.retry_after();
                Some(format!(
                    "budget \"{name}\" has {left} of {count} {unit} left, and this request can cost {amount}: {advice} in \
                     {wait} seconds"
                ))
            }
            Self::TooLarge { amount, is_for_model, .. } => {
                let advice = if *is_for_model { ": ask for fewer tokens or send less input" } else { "" };
                Some(format!(
                    "this request can cost {amount} {unit}, and the whole budget \"{name}\" is {count} in {window} seconds, so it \
                     is never admitted{advice}"
                ))
            }
            Self::QueueFull { .. } | Self::Unreachable { .. } => None,
        }
    }
}
