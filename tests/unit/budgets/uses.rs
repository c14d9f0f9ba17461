//! What the use of tools, resources and prompts of MCP servers costs of budgets.

use fastgate::budget::{Settlement, Spent};
use fastgate::policy::Policy;
use serde_json::{Value, json};

use super::told;
use crate::mcp_request::{caller, document};
use crate::offline::fakes::{FakeBody, FakeKeys};
use crate::offline::{Gate, Outcome, policy_of, request};

fn policy(entry: &Value) -> Value {
    let mut policy = document(&json!({
        "tools": { "export": entry, "ping": {}, "search": { "budgets": { "money": 100 } } },
        "resources": { "orders://{id}": { "budgets": { "money": 40 } }, "orders://{id}.pdf": { "budgets": { "money": 60 } } }
    }));
    policy["budgets"] = json!({
        "money": { "micros": 1000, "window": 3600, "by": ["subject"] },
        "each": { "tokens": 10, "window": 3600, "by": ["model"] },
    });
    policy
}

fn gate() -> Gate {
    Gate::new(policy_of(&policy(&json!({ "budgets": { "money": 400, "each": 4 } }))), FakeKeys::of_both())
}

fn sent(gate: &Gate, method: &str, params: &Value) -> Outcome {
    let body = json!({ "jsonrpc": "2.0", "id": 7, "method": method, "params": params }).to_string();
    gate.fakes().body = FakeBody::of(body.as_bytes());
    let request = request("POST", "/mcp").bearer(&caller("mcp", "user"));
    gate.send(request.field("content-type", "application/json"))
}

fn called(gate: &Gate, tool: &str) -> Outcome {
    sent(gate, "tools/call", &json!({ "name": tool }))
}

fn left(outcome: &Outcome) -> String {
    told(outcome).into_iter().filter(|field| field.starts_with("ratelimit: ")).collect()
}

#[test]
fn each_use_costs_what_the_policy_says() {
    let gate = gate();
    let first = called(&gate, "export");
    assert_eq!(first.trail.verdict, "forwarded", "{:?}", first.trail.cause);
    assert!(left(&first).contains("\"money\";r=600") && left(&first).contains("\"each\";r=6"), "{}", left(&first));
    assert!(left(&called(&gate, "search")).contains("\"money\";r=500"));
    // What is free, and what fits, is admitted as before.
    assert_eq!((called(&gate, "ping").trail.verdict, left(&called(&gate, "ping"))), ("forwarded", String::new()));
    assert!(left(&called(&gate, "export")).contains("\"money\";r=100"));
    let refused = called(&gate, "export");
    assert_eq!((refused.trail.verdict, refused.problem().status()), ("budget-exceeded", 429));
    let error: Value = serde_json::from_str(&refused.problem().body()).unwrap();
    assert_eq!(error["id"], 7);
    assert!(refused.trail.cause.unwrap().contains("can cost 4"));
    let message = error["error"]["message"].to_string();
    assert!(message.contains("try again in") && !message.contains("fewer tokens"), "{message}");
    assert_eq!(called(&gate, "search").trail.verdict, "forwarded");
}

#[test]
fn a_message_that_uses_several_resources_pays_for_each() {
    let gate = gate();
    // Both templates match.
    let read = sent(&gate, "resources/read", &json!({ "uri": "orders://7.pdf" }));
    assert!(left(&read).contains("\"money\";r=900"), "{:?} {}", read.trail.cause, left(&read));
}

#[test]
fn each_tool_has_a_budget_of_its_own_if_the_policy_counts_by_model() {
    let gate = gate();
    assert!(left(&called(&gate, "export")).contains("\"each\";r=6"));
    assert!(left(&called(&gate, "export")).contains("\"each\";r=2"));
    let refused = called(&gate, "export");
    assert_eq!(refused.trail.verdict, "budget-exceeded");
    assert!(refused.trail.cause.unwrap().contains("\"each\"") || left(&called(&gate, "search")).contains("r=100"));
}

#[test]
fn what_was_not_used_is_given_back() {
    for (spent, expected) in [(Spent::Nothing, "r=900"), (Spent::Unknown, "r=500")] {
        let gate = gate();
        let outcome = called(&gate, "export");
        let charge = outcome.grant().charge().unwrap().clone();
        let unsettled = charge.settle(spent, &mut gate.fakes().counter);
        let line = Settlement::of(&outcome.trail, &charge, spent, unsettled).to_line();
        let line: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(line["settled"], if spent == Spent::Nothing { "nothing" } else { "use" });
        assert!(line.get("input_tokens").is_none(), "{line}");
        let next = called(&gate, "search");
        assert!(left(&next).contains(expected), "{spent:?}: {}", left(&next));
    }
}

#[test]
fn what_a_policy_may_not_say() {
    let faults = |entry: &Value| {
        let text = policy(entry).to_string();
        Policy::parse(text.as_bytes()).map_or_else(|faults| faults.to_string(), |_| String::new())
    };
    assert_eq!(faults(&json!({ "budgets": { "money": 1000 } })), "");
    for (entry, what) in [
        (json!({ "budgets": { "other": 1 } }), "mcp.tools.export.budgets.other: "),
        (json!({ "budgets": { "money": 0 } }), "mcp.tools.export.budgets.money: "),
        (json!({ "budgets": { "money": 1001 } }), "mcp.tools.export.budgets.money: "),
        (json!({ "budgets": { "money": 1.5 } }), "invalid type"),
        (json!({ "budgets": ["money"] }), "invalid type"),
    ] {
        let text = faults(&entry);
        assert!(text.contains(what), "{entry}: {text}");
    }
}
