//! What requests to models may cost: the budgets of a route, and the prices of its models.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;

use crate::json_form::{objects, strings};
use crate::policy::budgets::Budget;

objects!(Price);
strings!(Settle);

/// What a budget counts in the end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(not(target_os = "wasi"), derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case", remote = "Self")]
pub enum Settle {
    /// What the response says that it cost; the edge reads the response as it passes.
    #[default]
    Usage,
    /// The estimate. The edge does not read the response.
    Estimate,
}

/// The price of a model, in millionths of a currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(not(target_os = "wasi"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, remote = "Self")]
pub struct Price {
    /// The price of a million tokens of input, 0 to 1000000000000. Tokens that the provider's cache had or stored count as
    /// input at this price. If storing costs more (at Anthropic 1.25 or 2 times as much), write that price.
    pub input: u64,
    /// The price of a million tokens of output, 0 to 1000000000000.
    pub output: u64,
}

impl Price {
    /// The price of these tokens, rounded up.
    #[must_use]
    pub fn of(self, input: u64, output: u64) -> u64 {
        let price = |tokens: u64, price: u64| u128::from(tokens).saturating_mul(u128::from(price));
        let millionths = price(input, self.input).saturating_add(price(output, self.output));
        u64::try_from(millionths.div_ceil(1_000_000)).unwrap_or(u64::MAX)
    }
}

/// The budgets of a route, and how requests are counted against them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spending {
    /// The budgets that a request must not exceed.
    pub budgets: Vec<Arc<Budget>>,
    /// What is counted in the end.
    pub settle: Settle,
    /// How many bytes of the body are estimated to be one token; 1 is an upper bound of the tokens of a text.
    pub input_bytes_per_token: u64,
    /// The prices of models, by their names in the policy; each model has one if a budget counts money.
    pub prices: BTreeMap<String, Price>,
}

impl Spending {
    /// Whether the edge reads what a response cost.
    #[must_use]
    pub fn reads_usage(&self) -> bool {
        !self.budgets.is_empty() && self.settle == Settle::Usage
    }
}
