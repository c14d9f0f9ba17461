//! The faults of budgets, each with a remedy.

/// A fault of `budgets`, or of the members of `inference` that belong to budgets.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BudgetFault {
    /// Neither `tokens` nor `micros`, or both.
    #[error("has not exactly one of \"tokens\" and \"micros\"")]
    NotOneUnit,
    /// No budget has this name.
    #[error("names no budget")]
    Unknown,
    /// A route names a budget twice.
    #[error("names a budget twice")]
    Twice,
    /// A budget of money at a model without a price.
    #[error("is missing, and a budget of this route counts money")]
    NoPrice,
    /// What a response costs has no upper bound, so nothing could be reserved.
    #[error("is missing, and this route has a budget")]
    NoTokenLimit,
    /// The usage of a response is not known.
    #[error("waits for the usage of responses, which is not known with \"api\": \"json\"")]
    UsageUnknown,
    /// A member that belongs to budgets, at a route without any.
    #[error("has no effect without \"budgets\"")]
    Idle,
    /// A price at a route whose budgets count tokens.
    #[error("has no effect, since no budget of this route counts money")]
    IdlePrice,
    /// A part of the key that is there already.
    #[error("is there twice")]
    PartTwice,
    /// A budget of money where nothing costs any.
    #[error("counts money, and no model of this route costs any")]
    NoCost,
    /// A budget that admits no request to a model.
    #[error("is less than any request to \"{model}\" can cost, which is at least {least} {unit}")]
    TooSmall {
        /// The model.
        model: String,
        /// The least that a request to it can cost.
        least: u64,
        /// What the budget counts.
        unit: &'static str,
    },
    /// A price of output for embeddings.
    #[error("is the price of output, which embeddings do not have")]
    NoOutput,
}

impl BudgetFault {
    /// The next step.
    #[must_use]
    pub const fn remedy(&self) -> &'static str {
        match self {
            Self::NotOneUnit => "write \"tokens\", or \"micros\" for money; for both, write two budgets",
            Self::Unknown => "write a name from \"budgets\"",
            Self::Twice => "name it once: each request would be counted twice",
            Self::NoPrice => "write \"price\": { \"input\": …, \"output\": … }, in micro-units per million tokens",
            Self::NoTokenLimit => {
                "write \"max_tokens\" at the route or at the model; with \"api\": \"json\", also name the member that says it"
            }
            Self::UsageUnknown => "write \"settle\": \"estimate\"",
            Self::Idle => "name a budget in \"budgets\", or leave it out",
            Self::PartTwice => "write it once",
            Self::NoCost => {
                "write what a million tokens cost in \"price\" of a model, or name a budget with \"tokens\""
            }
            Self::TooSmall { .. } => {
                "name a greater budget: an estimate counts each byte of the body and each token that is asked for"
            }
            Self::NoOutput => "write \"output\": 0",
            Self::IdlePrice => "name a budget with \"micros\", or leave it out",
        }
    }
}
