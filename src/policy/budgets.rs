//! `budgets`: how many tokens, or how much money, callers may spend on models. Input: a [`BudgetDocument`]. Output: a
//! [`Budget`], which step [`budget`](crate::budget) applies. What a request costs is up to its route
//! (`policy/inference/budgets.rs`).

pub mod fault;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::Deserialize;

use super::claim_path::{ClaimName, ClaimPath};
use super::fault::{Fault, Faults};
use super::limits::{KeyPart, Unreachable};
use super::names::read_section;
use crate::json_form::{objects, strict};
use crate::time::Seconds;
use fault::BudgetFault;

objects!(BudgetDocument);
strict!(BudgetPartDocument, true, true, Self::Subject | Self::ClientId | Self::Network | Self::Route | Self::Model);

/// The greatest amount of a budget, and the greatest price of a million tokens.
pub(super) const MAX_AMOUNT: u64 = 1_000_000_000_000;
/// The longest window: 31 days, in seconds.
const MAX_WINDOW: u64 = 31 * 86_400;

/// A budget of requests to models, and of uses of MCP servers: each key may spend so many tokens, or so much money, in each window. What a request can
/// cost at most is reserved before it is sent, and settled after the response. A request whose estimate exceeds what is
/// left gets 429.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(not(target_os = "wasi"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, remote = "Self")]
pub struct BudgetDocument {
    /// The tokens of input and output that may be spent in one window, 1 to 1000000000000. A budget has either `tokens` or
    /// `micros`.
    #[serde(default)]
    pub tokens: Option<u64>,
    /// The money that may be spent in one window, in millionths of the currency of the prices, 1 to 1000000000000. Each
    /// model of its routes needs a `price`.
    #[serde(default)]
    pub micros: Option<u64>,
    /// The length of a window, in seconds, 1 to 2678400 (31 days). It opens with the first request.
    pub window: Seconds,
    /// The parts of the key, at least one: requests with different keys have budgets of their own. For an anonymous caller,
    /// the network of the client replaces the parts that it does not have.
    pub by: Vec<BudgetPartDocument>,
    /// The outcome if the count cannot be reached.
    #[serde(default)]
    pub unreachable: Unreachable,
    /// Whether the budget is in shadow mode: a request that it would refuse is logged and passes. Default: false.
    #[serde(default)]
    pub shadow: bool,
}

/// A part of the key of a budget.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(not(target_os = "wasi"), derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case", remote = "Self")]
pub enum BudgetPartDocument {
    /// The caller.
    Subject,
    /// The OAuth client.
    ClientId,
    /// A claim of the caller's token: a string, a number, true or false.
    Claim(ClaimName),
    /// The client's IPv4 address, or the /64 of its IPv6 address.
    Network,
    /// The route.
    Route,
    /// The model, by the name that callers use; or the name of the tool or prompt, or the URI.
    Model,
}

/// A budget.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Its name in the policy.
    pub name: String,
    /// What it counts.
    pub unit: Unit,
    /// How many units may be spent in one window.
    pub amount: u64,
    /// The length of a window in seconds.
    pub window: Seconds,
    /// The parts of the key besides the model.
    pub by: Vec<KeyPart>,
    /// Whether each model is counted separately.
    pub by_model: bool,
    /// The outcome if the count cannot be reached.
    pub unreachable: Unreachable,
    /// Whether the budget is in shadow mode.
    pub shadow: bool,
}

/// What a budget counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Tokens of input and output.
    Tokens,
    /// Millionths of the currency of the prices.
    Micros,
}

impl Unit {
    /// The unit as the policy and the `RateLimit` fields name it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tokens => "tokens",
            Self::Micros => "micros",
        }
    }
}

impl fmt::Display for Unit {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// Reads the section.
pub(super) fn read(documents: BTreeMap<String, BudgetDocument>, faults: &mut Faults) -> BTreeMap<String, Arc<Budget>> {
    read_section("budgets", documents, faults, Budget::read)
}

impl Budget {
    fn read(name: &str, document: BudgetDocument, at: &str, faults: &mut Faults) -> Self {
        let BudgetDocument { tokens, micros, window, by, unreachable, shadow } = document;
        faults.add_if(tokens.is_some() == micros.is_some(), at, BudgetFault::NotOneUnit.into());
        let unit = if micros.is_some() { Unit::Micros } else { Unit::Tokens };
        let amount = micros.or(tokens).unwrap_or(1);
        faults.range(amount, 1, MAX_AMOUNT, format_args!("{at}.{unit}"));
        faults.range(window, 1, MAX_WINDOW, format_args!("{at}.window"));
        faults.add_if(by.is_empty(), format_args!("{at}.by"), Fault::Empty);
        let mut part = |part| match part {
            BudgetPartDocument::Subject => Some(KeyPart::Subject),
            BudgetPartDocument::ClientId => Some(KeyPart::ClientId),
            BudgetPartDocument::Claim(name) => Some(KeyPart::Claim(ClaimPath::read(name, &format!("{at}.by"), faults))),
            BudgetPartDocument::Network => Some(KeyPart::Network),
            BudgetPartDocument::Route => Some(KeyPart::Route),
            BudgetPartDocument::Model => None,
        };
        // `None` is the model.
        let parts: Vec<Option<KeyPart>> = by.into_iter().map(&mut part).collect();
        for (index, part) in parts.iter().enumerate() {
            let is_there = parts.iter().take(index).any(|earlier| earlier == part);
            faults.add_if(is_there, format_args!("{at}.by[{index}]"), BudgetFault::PartTwice.into());
        }
        let by_model = parts.contains(&None);
        let by = parts.into_iter().flatten().collect();
        Self { name: name.to_owned(), unit, amount, window, by, by_model, unreachable, shadow }
    }
}
