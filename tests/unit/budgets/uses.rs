//! What the use of tools, resources and prompts of MCP servers costs of budgets.

use fastgate::budget::{Settlement, Spent};
use fastgate::policy::Policy;
use fastgate::throttle::Reservation;
use serde_json::{Value, json};

use super::told;
use crate::mcp_request::{caller, document};
use crate::offline::fakes::{FakeBody, FakeKeys};
use crate::offline::{Gate, Outcome, policy_of, request};

fn policy(entry: &Value) -> Value {
    let mut policy = document(&json!({
        "tools": { "export": entry, "ping": {}, "search": { "budgets": { "money": 100 } }, "other": { "budgets": { "each": 4 } } },
        "resources": {
            "orders://{id}": { "budgets": { "money": 40 } }, "orders://{id}.pdf": { "budgets": { "money": 60 } },
            "reports://{id}": { "budgets": { "each": 4 } }, "reports://{id}.pdf": { "budgets": { "each": 3 } }
        },
        "prompts": { "summary": { "budgets": { "money": 200 } }, "other": { "budgets": { "each": 4 } } }
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

/// The log line of what the request cost.
fn settled(gate: &Gate, outcome: &Outcome, spent: Spent) -> Value {
    let charge = outcome.grant().charge().unwrap().clone();
    let unsettled = charge.settle(spent, &mut gate.fakes().counter);
    serde_json::from_str(&Settlement::of(&outcome.trail, &charge, spent, unsettled).to_line()).unwrap()
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
fn a_resource_that_several_templates_match_costs_what_each_says() {
    let gate = gate();
    let read = sent(&gate, "resources/read", &json!({ "uri": "orders://7.pdf" }));
    assert!(left(&read).contains("\"money\";r=900"), "{:?} {}", read.trail.cause, left(&read));
}

#[test]
fn only_what_is_used_costs_something() {
    let gate = gate();
    let cost = |method: &str, params: Value| {
        let outcome = sent(&gate, method, &params);
        assert_eq!(outcome.trail.verdict, "forwarded", "{method}: {:?}", outcome.trail.cause);
        outcome.grant().charge().map_or(0, |charge| charge.reservations().iter().map(Reservation::amount).sum())
    };
    assert_eq!(cost("tools/call", json!({ "name": "search" })), 100);
    assert_eq!(cost("resources/read", json!({ "uri": "orders://7" })), 40);
    assert_eq!(cost("prompts/get", json!({ "name": "summary" })), 200);
    for (method, params) in [
        ("resources/subscribe", json!({ "uri": "orders://7" })),
        ("resources/unsubscribe", json!({ "uri": "orders://7" })),
        ("completion/complete", json!({ "ref": { "type": "ref/resource", "uri": "orders://{id}" } })),
        ("completion/complete", json!({ "ref": { "type": "ref/prompt", "name": "summary" } })),
        ("subscriptions/listen", json!({ "notifications": { "resourceSubscriptions": ["orders://7", "orders://8"] } })),
    ] {
        assert_eq!(cost(method, params), 0, "{method}");
    }
}

#[test]
fn a_resource_has_one_count_however_its_uri_is_written() {
    let gate = gate();
    let read = |uri: &str| sent(&gate, "resources/read", &json!({ "uri": uri }));
    assert!(left(&read("reports://7")).contains("\"each\";r=6"));
    assert!(left(&read("reports://%37?")).contains("\"each\";r=2"));
    let refused = read("reports://8");
    assert_eq!(refused.trail.verdict, "budget-exceeded", "the template has one budget for all that match it");
    assert_eq!(refused.line()["budgets"], json!([{ "name": "each", "left": 2, "resets_in": 3600 }]));
}

#[test]
fn the_entries_of_a_resource_have_counts_of_their_own() {
    let gate = gate();
    let first = sent(&gate, "resources/read", &json!({ "uri": "reports://7.pdf" }));
    // The budget is told once, with the least that is left.
    assert_eq!(left(&first), "ratelimit: \"each\";r=6;t=3600");
    assert_eq!(told(&first).into_iter().filter(|field| field.contains(";q=")).count(), 1);
    assert_eq!(first.line()["budgets"], json!([{ "name": "each", "left": 6, "resets_in": 3600 }]));
    assert_eq!(first.minted()["tctx"]["mcp"]["name"], "reports://7.pdf");
    assert_eq!(settled(&gate, &first, Spent::Unknown)["budgets"], json!([{ "name": "each", "units": 7 }]));
    assert!(left(&sent(&gate, "resources/read", &json!({ "uri": "reports://7.pdf" }))).contains("r=2"));
    let third = sent(&gate, "resources/read", &json!({ "uri": "reports://7.pdf" }));
    assert_eq!(third.trail.verdict, "budget-exceeded");
    assert_eq!(called(&gate, "export").trail.verdict, "forwarded");
}

#[test]
fn each_tool_has_a_budget_of_its_own_if_the_policy_counts_by_model() {
    let gate = gate();
    assert!(left(&called(&gate, "export")).contains("\"each\";r=6"));
    assert!(left(&called(&gate, "export")).contains("\"each\";r=2"));
    let refused = called(&gate, "export");
    assert_eq!(refused.trail.verdict, "budget-exceeded");
    assert!(refused.trail.cause.unwrap().contains("\"each\""));
    assert!(left(&called(&gate, "other")).contains("\"each\";r=6"));
    let prompt = sent(&gate, "prompts/get", &json!({ "name": "other" }));
    assert!(left(&prompt).contains("\"each\";r=6"), "a prompt counts by itself, whatever tools are called");
}

#[test]
fn what_was_not_used_is_given_back() {
    for (spent, expected) in [(Spent::Nothing, "r=900"), (Spent::Unknown, "r=500")] {
        let gate = gate();
        let outcome = called(&gate, "export");
        let line = settled(&gate, &outcome, spent);
        assert_eq!(line["mcp"], "tools/call export");
        let costs = json!([{ "name": "each", "units": 4 }, { "name": "money", "units": 400 }]);
        let (word, budgets) = if spent == Spent::Nothing { ("nothing", None) } else { ("use", Some(&costs)) };
        assert_eq!((line["settled"].as_str().unwrap(), line.get("budgets")), (word, budgets));
        assert!(line.get("input_tokens").is_none(), "{line}");
        let next = called(&gate, "search");
        assert!(left(&next).contains(expected), "{spent:?}: {}", left(&next));
    }
}

#[test]
fn a_tool_that_may_have_run_costs_what_it_costs() {
    let gate = gate();
    let outcome = called(&gate, "export");
    let charge = outcome.grant().charge().unwrap();
    // A server makes 400 or 404 of an error that a tool raises.
    for status in [200, 202, 302, 400, 401, 403, 404, 408, 422, 499, 500, 502, 504, 529] {
        assert_eq!(charge.by_status(status), Spent::Unknown, "{status}");
    }
    for status in [429, 503] {
        assert_eq!(charge.by_status(status), Spent::Nothing, "{status}");
    }
}

#[test]
fn a_budget_in_shadow_is_named_and_what_no_budget_counts_costs_nothing() {
    let mut document = policy(&json!({ "budgets": { "each": 6 } }));
    document["budgets"]["each"]["shadow"] = true.into();
    let gate = Gate::new(policy_of(&document), FakeKeys::of_both());
    let first = called(&gate, "export");
    assert_eq!(first.line()["budgets"], json!([{ "name": "each", "left": 4, "resets_in": 3600 }]));
    assert!(first.grant().charge().unwrap().is_counted());
    let second = called(&gate, "export");
    assert_eq!(second.trail.verdict, "forwarded");
    let would = json!([{ "name": "each", "left": 4, "resets_in": 3600, "would_refuse": "budget-exceeded" }]);
    assert_eq!(second.line()["budgets"], would);
    assert!(!second.grant().charge().unwrap().is_counted());
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
