//! Budgets that count nothing, or not what they seem to count.

use std::collections::BTreeSet;

use fastgate::policy::limits::KeyPart;
use fastgate::policy::{Access, Policy};

use super::hint::{IN_SHADOW, Lint, SHADOW_REMEDY};

/// The budgets that no route uses, those in shadow, and those that count callers whom the route does not identify.
pub(super) fn odd_budgets(policy: &Policy) -> Vec<Lint> {
    let mut found = Vec::new();
    let mut used = BTreeSet::new();
    for (number, route) in policy.routes().iter().enumerate() {
        let of_models = route.inference.iter().flat_map(|inference| &inference.spending.budgets);
        let of_models = of_models.map(|budget| (budget, "inference.budgets"));
        let entries = route.mcp.iter().flat_map(|mcp| mcp.entries());
        let of_entries = entries.flat_map(|entry| &entry.costs).map(|(budget, _)| (budget, "mcp"));
        for (budget, member) in of_models.chain(of_entries) {
            let is_new = used.insert((number, member, budget.name.as_str()));
            let counts_callers = budget.by.iter().any(|part| !matches!(part, KeyPart::Network | KeyPart::Route));
            if is_new && counts_callers && route.access == Access::Public {
                found.push(Lint {
                    at: format!("$.routes[{number}].{member}"),
                    what: format!(
                        "budget \"{}\" counts callers, but a public route does not identify them",
                        budget.name
                    ),
                    remedy: "count by \"network\", or write \"access\": \"optional\"",
                });
            }
        }
    }
    for budget in policy.budgets() {
        let at = || format!("$.budgets.{}", budget.name);
        if !used.iter().any(|(_, _, name)| *name == budget.name) {
            let what = "counts nothing: no route names it".to_owned();
            found.push(Lint {
                at: at(),
                what,
                remedy: "name it in \"budgets\" of \"inference\" or of a tool, or remove it",
            });
        } else if budget.shadow {
            found.push(Lint { at: at(), what: IN_SHADOW.to_owned(), remedy: SHADOW_REMEDY });
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use fastgate::policy::Policy;
    use serde_json::json;

    use super::odd_budgets;

    #[test]
    fn what_a_budget_does_not_count_is_reported() {
        let budget = |by: &str, shadow: bool| json!({ "tokens": 900, "window": 60, "by": [by], "shadow": shadow });
        let policy = json!({
            "edge": { "issuer": "https://edge.test", "hosts": ["edge.test"] },
            "origins": { "o": { "backend": "b", "audience": "a" } },
            "budgets": {
                "callers": budget("subject", false), "models": budget("model", false), "shadow": budget("network", true),
                "unused": budget("subject", true)
            },
            "routes": [{
                "id": "chat", "path": "/chat", "methods": ["POST"], "access": "public",
                "inference": {
                    "api": "openai-chat", "max_tokens": 9, "models": { "m": {} }, "budgets": ["callers", "models", "shadow"]
                }
            }]
        });
        let policy = Policy::parse(policy.to_string().as_bytes());
        let Ok(policy) = policy else { panic!("{policy:?}") };
        let found: Vec<_> = odd_budgets(&policy).into_iter().map(|lint| (lint.at, lint.what)).collect();
        let expected = [
            (
                "$.routes[0].inference.budgets",
                "budget \"callers\" counts callers, but a public route does not identify them",
            ),
            ("$.budgets.shadow", super::IN_SHADOW),
            ("$.budgets.unused", "counts nothing: no route names it"),
        ];
        assert_eq!(found, expected.map(|(at, what)| (at.to_owned(), what.to_owned())));
    }
}
