//! What a request cost: the line that is logged after the response, for a request that is counted against budgets.

use serde::Serialize;

use super::charge::{Charge, Spent};
use crate::policy::{IssuerId, RouteId};
use crate::trail::Trail;

/// The log line of the cost of one request. It follows the line of the request, which has the same `request_id`. These
/// comments are the text of `docs/reference/log-line.md`.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(not(target_os = "wasi"), derive(schemars::JsonSchema))]
pub struct Settlement<'trail> {
    /// The id of the request.
    request_id: &'trail str,
    /// The id of the route.
    #[serde(skip_serializing_if = "Option::is_none")]
    route: Option<&'trail RouteId>,
    /// The caller.
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<&'trail str>,
    /// The policy's id of the issuer.
    #[serde(skip_serializing_if = "Option::is_none")]
    issuer: Option<&'trail IssuerId>,
    /// The model that the caller named.
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<&'trail str>,
    /// The method of the message, and the tool, resource or prompt that it uses, on a route with `mcp`.
    #[serde(skip_serializing_if = "Option::is_none")]
    mcp: Option<&'trail str>,
    /// What counts: `usage` (what the response says), `delivered` (the client left, or the response broke off), `nothing`,
    /// `estimate` (what was reserved), or `use` (what the policy says that the message to an MCP server costs).
    settled: &'static str,
    /// The tokens of the input that count, if it is for a model.
    #[serde(skip_serializing_if = "Option::is_none")]
    input_tokens: Option<u64>,
    /// The tokens of the output that count, if it is for a model.
    #[serde(skip_serializing_if = "Option::is_none")]
    output_tokens: Option<u64>,
    /// The cost in millionths of the currency, if the model has a price.
    #[serde(skip_serializing_if = "Option::is_none")]
    micros: Option<u64>,
    /// What the message to an MCP server costs of each budget, if it costs something.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    budgets: Vec<BudgetCost>,
    /// The budgets whose reservations stand because their counts could not be changed, and why.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    unsettled: Vec<String>,
}

/// What a message to an MCP server costs of a budget.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(not(target_os = "wasi"), derive(schemars::JsonSchema))]
struct BudgetCost {
    /// The name of the budget.
    name: String,
    /// The units.
    units: u64,
}

impl<'trail> Settlement<'trail> {
    /// The line for the request of `trail`.
    #[must_use]
    pub fn of(trail: &'trail Trail, charge: &Charge, spent: Spent, unsettled: Vec<String>) -> Self {
        let counted = charge.tokens(spent);
        let estimate = charge.estimate();
        let tokens = estimate.map(|estimate| counted.unwrap_or(estimate));
        Self {
            request_id: &trail.request_id,
            route: trail.route.as_ref(),
            subject: trail.subject.as_deref(),
            issuer: trail.issuer.as_ref(),
            model: trail.model.as_deref(),
            mcp: trail.mcp.as_deref(),
            settled: match (estimate, counted) {
                (_, Some(_)) => spent.as_str(),
                (Some(_), None) => Spent::Unknown.as_str(),
                (None, None) => "use",
            },
            input_tokens: tokens.map(|tokens| tokens.input),
            output_tokens: tokens.map(|tokens| tokens.output),
            micros: charge.price().zip(tokens).map(|(price, tokens)| price.of(tokens.input, tokens.output)),
            budgets: if estimate.is_none() && counted.is_none() { of_use(charge) } else { Vec::new() },
            unsettled,
        }
    }

    /// One JSON object without line breaks.
    #[must_use]
    pub fn to_line(&self) -> String {
        serde_json::to_string(self).unwrap_or_else(|_| r#"{"settled":"log-line-failed"}"#.to_owned())
    }
}

/// What a use costs of each budget, each once.
fn of_use(charge: &Charge) -> Vec<BudgetCost> {
    let mut costs: Vec<BudgetCost> = Vec::new();
    for reservation in charge.reservations() {
        let (name, units) = (&reservation.budget().name, reservation.amount());
        match costs.iter_mut().find(|known| known.name == *name) {
            Some(known) => known.units = known.units.saturating_add(units),
            None => costs.push(BudgetCost { name: name.clone(), units }),
        }
    }
    costs
}
