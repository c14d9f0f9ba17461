//! What a message costs of budgets: each entry of what it uses costs what the policy says.

use std::sync::Arc;

use super::error::SubjectKind;
use crate::policy::McpEntry;
use crate::policy::budgets::Budget;

/// What a use costs of one budget.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UseCost {
    /// The budget.
    pub budget: Arc<Budget>,
    /// How many of its units.
    pub amount: u64,
    /// The kind of the entry.
    pub kind: SubjectKind,
    /// The name of the entry, which counts as the model. A URI that matches a template can be written in many ways, and its
    /// template in one.
    pub entry: String,
}

/// What a message with this method costs. A budget is there once, or once for each entry if it counts each by itself.
pub(super) fn of(method: &str, entries: &[&McpEntry]) -> Vec<UseCost> {
    let mut costs: Vec<UseCost> = Vec::new();
    let Some(kind) = kind_of_use(method) else { return costs };
    for (entry, (budget, amount)) in entries.iter().flat_map(|entry| entry.costs.iter().map(move |cost| (entry, cost)))
    {
        let cost = UseCost { budget: Arc::clone(budget), amount: *amount, kind, entry: entry.name.clone() };
        let is_same = |known: &&mut UseCost| {
            known.budget.name == cost.budget.name && (!budget.by_model || known.entry == cost.entry)
        };
        match costs.iter_mut().find(is_same) {
            Some(known) => known.amount = known.amount.saturating_add(*amount),
            None => costs.push(cost),
        }
    }
    costs
}

/// The kind of what a message with this method uses: it calls a tool, reads a resource, or gets a prompt. `None` if it uses
/// nothing.
fn kind_of_use(method: &str) -> Option<SubjectKind> {
    match method {
        "tools/call" => Some(SubjectKind::Tool),
        "resources/read" => Some(SubjectKind::Resource),
        "prompts/get" => Some(SubjectKind::Prompt),
        _ => None,
    }
}
