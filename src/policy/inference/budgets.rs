//! The members of `inference` that belong to budgets: what a request to a model is estimated to cost, and which budgets it is
//! counted against. Input: [`BudgetMembers`]. Output: [`Spending`], which step [`budget`](crate::budget) applies.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::document::{InferenceDocument, ModelDocument};
use super::spending::{Price, Settle, Spending};
use super::{Api, Inference};
use crate::policy::budgets::fault::BudgetFault;
use crate::policy::budgets::{Budget, MAX_AMOUNT, Unit};
use crate::policy::fault::{Fault, Faults};

/// The most bytes of input that may be counted as one token.
const MAX_BYTES_PER_TOKEN: u64 = 16;

/// The members that belong to budgets, as they are in the document.
pub(in crate::policy) struct BudgetMembers {
    budgets: Vec<String>,
    settle: Option<Settle>,
    input_bytes_per_token: Option<u64>,
    prices: BTreeMap<String, Price>,
}

impl BudgetMembers {
    /// Takes the members from the section.
    pub(in crate::policy) fn take(section: &mut InferenceDocument) -> Self {
        let price = |(name, model): (&String, &ModelDocument)| Some((name.clone(), model.price?));
        Self {
            budgets: std::mem::take(&mut section.budgets),
            settle: section.settle.take(),
            input_bytes_per_token: section.input_bytes_per_token.take(),
            prices: section.models.iter().filter_map(price).collect(),
        }
    }
}

impl Spending {
    /// Reads the members of the section at `at`, which became `inference`.
    pub(in crate::policy) fn read(
        members: BudgetMembers,
        inference: &Inference,
        known: &BTreeMap<String, Arc<Budget>>,
        at: &str,
        faults: &mut Faults,
    ) -> Self {
        let BudgetMembers { budgets: names, settle, input_bytes_per_token, prices } = members;
        let mut seen = BTreeSet::new();
        let mut budgets = Vec::new();
        for (index, name) in names.iter().enumerate() {
            let at = format_args!("{at}.budgets[{index}]");
            faults.add_if(!known.contains_key(name), at, BudgetFault::Unknown.into());
            faults.add_if(!seen.insert(name), at, BudgetFault::Twice.into());
            budgets.extend(known.get(name).cloned());
        }
        if names.is_empty() {
            let is_idle = [(settle.is_some(), "settle"), (input_bytes_per_token.is_some(), "input_bytes_per_token")];
            for (is_present, member) in is_idle {
                faults.add_if(is_present, format_args!("{at}.{member}"), BudgetFault::Idle.into());
            }
        } else {
            check_bounded(inference, at, faults);
            let waits = matches!(inference.api, Api::Json { .. }) && settle.unwrap_or_default() == Settle::Usage;
            faults.add_if(waits, format_args!("{at}.settle"), BudgetFault::UsageUnknown.into());
        }
        let counts_money = budgets.iter().any(|budget| budget.unit == Unit::Micros);
        for name in inference.models.keys().filter(|name| counts_money && !prices.contains_key(*name)) {
            faults.add(format!("{at}.models.{name}.price"), BudgetFault::NoPrice.into());
        }
        // With a name that is not known, it is not known either what is counted.
        let all_known = budgets.len() == names.len();
        for (name, price) in &prices {
            let at = format!("{at}.models.{name}.price");
            let idle = if names.is_empty() { BudgetFault::Idle } else { BudgetFault::IdlePrice };
            faults.add_if(all_known && !counts_money, &at, idle.into());
            faults.range(price.input, 0, MAX_AMOUNT, format_args!("{at}.input"));
            faults.range(price.output, 0, MAX_AMOUNT, format_args!("{at}.output"));
            let is_idle = inference.api == Api::OpenAiEmbeddings && price.output > 0;
            faults.add_if(is_idle, format_args!("{at}.output"), BudgetFault::NoOutput.into());
        }
        let input_bytes_per_token = input_bytes_per_token.unwrap_or(1);
        faults.range(input_bytes_per_token, 1, MAX_BYTES_PER_TOKEN, format_args!("{at}.input_bytes_per_token"));
        let spending = Self { budgets, settle: settle.unwrap_or_default(), input_bytes_per_token, prices };
        let is_readable = |price: &Price| price.input <= MAX_AMOUNT && price.output <= MAX_AMOUNT;
        if all_known && spending.prices.values().all(is_readable) {
            spending.check_amounts(inference, at, faults);
        }
        spending
    }

    /// Adds a fault for each budget that counts nothing, or that admits no request to a model.
    fn check_amounts(&self, inference: &Inference, at: &str, faults: &mut Faults) {
        for (index, budget) in self.budgets.iter().enumerate() {
            let at = format_args!("{at}.budgets[{index}]");
            let is_free =
                |name: &String| self.prices.get(name).is_some_and(|price| price.input == 0 && price.output == 0);
            if budget.unit == Unit::Micros && !inference.models.is_empty() && inference.models.keys().all(is_free) {
                faults.add(at.to_string(), Fault::from(BudgetFault::NoCost));
                continue;
            }
            let least = |name: &String| {
                let (input, output) = self.least(inference, name);
                match budget.unit {
                    Unit::Tokens => input.saturating_add(output),
                    Unit::Micros => self.prices.get(name).map_or(0, |price| price.of(input, output)),
                }
            };
            let too_small =
                inference.models.keys().map(|name| (name, least(name))).find(|(_, least)| *least > budget.amount);
            if let Some((name, least)) = too_small {
                let fault = BudgetFault::TooSmall { model: name.clone(), least, unit: budget.unit.as_str() };
                faults.add(at.to_string(), Fault::from(fault));
            }
        }
    }

    /// The least input and output that a request to a model is estimated to have: its body has the name and the token limit.
    fn least(&self, inference: &Inference, model: &str) -> (u64, u64) {
        let member = |name: &str, value: usize| "\"\":,".len() + name.len() + value;
        let mut length = "{}".len() - ",".len() + member(inference.api.model_member(), "\"\"".len() + model.len());
        let shortest = inference.api.token_members().into_iter().min_by_key(|name| name.len());
        if let Some(name) = shortest {
            length += member(name, "1".len());
        }
        ((length as u64).div_ceil(self.input_bytes_per_token.max(1)), u64::from(shortest.is_some()))
    }
}

/// Adds a fault for each model whose responses have no greatest length. Embeddings have no output.
fn check_bounded(inference: &Inference, at: &str, faults: &mut Faults) {
    if inference.api == Api::OpenAiEmbeddings {
        return;
    }
    for (name, _) in inference.models.iter().filter(|(_, model)| model.max_tokens.is_none()) {
        faults.add(format!("{at}.models.{name}.max_tokens"), Fault::from(BudgetFault::NoTokenLimit));
    }
}
