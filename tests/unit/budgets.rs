//! Budgets of tokens and money: what the policy may say, which requests are refused, what is reserved, and how that is
//! settled.

mod counts;
mod meaning;
mod uses;
mod windows;

use fastgate::budget::{Spent, Tokens};
use fastgate::content_form::ContentForm;
use fastgate::policy::{Policy, Price, Settle};
use fastgate::usage::{Observed, Usage};
use serde_json::{Value, json};

use crate::offline::fakes::{FakeBody, FakeKeys};
use crate::offline::{Gate, NOW, Outcome, policy_of, request};
use crate::samples::policy_document;
use crate::samples::sign::{claims, good, header, token, with};

/// A policy with these budgets and one route for this `inference`.
fn document(budgets: &Value, inference: &Value) -> Value {
    let mut document = policy_document();
    document["budgets"] = budgets.clone();
    let route =
        json!({ "id": "chat", "path": "/v1/chat", "methods": ["POST"], "origin": "app", "inference": inference });
    document["routes"].as_array_mut().unwrap().push(route);
    document
}

fn faults(budgets: &Value, inference: &Value) -> String {
    let text = document(budgets, inference).to_string();
    Policy::parse(text.as_bytes()).map_or_else(|faults| faults.to_string(), |_| String::new())
}

/// A gate whose route has two models and these budgets; all of them are counted.
fn gate(budgets: &Value, more: &Value) -> Gate {
    let names: Vec<_> = budgets.as_object().unwrap().keys().collect();
    let mut inference = json!({
        "api": "openai-chat", "max_tokens": 1000, "max_choices": 4, "models": { "small": {}, "large": {} },
        "budgets": names
    });
    inference.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    Gate::new(policy_of(&document(budgets, &inference)), FakeKeys::of_both())
}

fn daily(tokens: u64) -> Value {
    json!({ "daily": { "tokens": tokens, "window": 86_400, "by": ["subject"] } })
}

fn send(gate: &Gate, body: &str) -> Outcome {
    let token = token(&header(), &with(&claims(), "exp", json!(gate.now.get() + 600)));
    send_as(gate, &token, body)
}

fn send_as(gate: &Gate, token: &str, body: &str) -> Outcome {
    gate.fakes().body = FakeBody::of(body.as_bytes());
    gate.send(request("POST", "/v1/chat").bearer(token).field("content-type", "application/json"))
}

/// A body of 100 bytes that asks `small` for this many tokens.
fn body(tokens: u64) -> String {
    let start = format!(r#"{{"model":"small","messages":[],"max_tokens":{tokens},"user":""#);
    let filling = "x".repeat(98 - start.len());
    format!("{start}{filling}\"}}")
}

/// What a refusal or a forwarded request tells of the quotas.
fn told(outcome: &Outcome) -> Vec<String> {
    let fields = match &outcome.decision {
        fastgate::gateway::Decision::Refuse(problem) => problem.headers(),
        _ => outcome.grant().response().apply(&fastgate::headers::Headers::default()),
    };
    let wanted = ["ratelimit-policy", "ratelimit", "retry-after", "x-should-retry"];
    let values = |name| fields.all(name).map(crate::offline::text).map(move |value| format!("{name}: {value}"));
    wanted.into_iter().flat_map(values).collect()
}

#[test]
fn what_a_policy_may_not_say() {
    let chat = |more: Value| {
        let mut inference = json!({ "api": "openai-chat", "max_tokens": 10, "models": { "small": {} } });
        inference.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        inference
    };
    let good = json!({
        "t": { "tokens": 100, "window": 60, "by": ["model"] }, "m": { "micros": 10, "window": 60, "by": ["subject"] }
    });
    let price = json!({ "small": { "price": { "input": 1, "output": 1 } } });
    assert_eq!(faults(&good, &chat(json!({ "budgets": ["t"] }))), "");
    assert_eq!(faults(&good, &chat(json!({ "budgets": ["t", "m"], "models": price }))), "");
    let embeddings = json!({ "api": "openai-embeddings", "models": { "small": {} }, "budgets": ["t"] });
    assert_eq!(faults(&good, &embeddings), "", "embeddings have no output");
    let json_api = |more: Value| {
        let mut inference = chat(more);
        inference["api"] = "json".into();
        inference["members"] = json!({ "model": "model", "max_tokens": "length" });
        inference
    };
    assert_eq!(faults(&good, &json_api(json!({ "budgets": ["t"], "settle": "estimate" }))), "");
    for (inference, fault) in [
        (chat(json!({ "budgets": ["none"] })), "inference.budgets[0]: names no budget"),
        (chat(json!({ "budgets": ["t", "t"] })), "inference.budgets[1]: names a budget twice"),
        (chat(json!({ "budgets": ["m"] })), "models.small.price: is missing, and a budget"),
        (chat(json!({ "budgets": ["t"], "models": price })), "models.small.price: has no effect, since no budget"),
        (chat(json!({ "models": price })), "models.small.price: has no effect without"),
        (chat(json!({ "settle": "usage" })), "inference.settle: has no effect without"),
        (chat(json!({ "input_bytes_per_token": 4 })), "inference.input_bytes_per_token: has no effect without"),
        (chat(json!({ "budgets": ["t"], "input_bytes_per_token": 17 })), "input_bytes_per_token: is 17, outside 1"),
        (chat(json!({ "budgets": ["t"], "input_bytes_per_token": 0 })), "input_bytes_per_token: is 0"),
        (chat(json!({ "budgets": ["t"], "max_tokens": null })), "models.small.max_tokens: is missing, and this route"),
        (json_api(json!({ "budgets": ["t"] })), "inference.settle: waits for the usage"),
        (json_api(json!({ "budgets": ["t"], "settle": "usage" })), "inference.settle: waits for the usage"),
        (chat(json!({ "budgets": ["t"], "settle": "guess" })), "unknown variant"),
        (
            chat(json!({ "budgets": ["m"], "models": { "small": { "price": { "input": 1 } } } })),
            "missing field `output`",
        ),
        (
            chat(json!({ "budgets": ["m"], "models": {
                "small": { "price": { "input": 1, "output": 1_000_000_000_001_u64 } }
            } })),
            "models.small.price.output: is 1000000000001",
        ),
    ] {
        let found = faults(&good, &inference);
        assert!(found.contains(fault), "{inference}: {found}");
        assert!(!found.contains("; "), "one fault alone: {found}");
    }
    for (budget, fault) in [
        (json!({ "window": 60, "by": ["model"] }), "$.budgets.b: has not exactly one"),
        (json!({ "tokens": 1, "micros": 1, "window": 60, "by": ["model"] }), "$.budgets.b: has not exactly one"),
        (json!({ "tokens": 0, "window": 60, "by": ["model"] }), "$.budgets.b.tokens: is 0"),
        (
            json!({ "micros": 1_000_000_000_001_u64, "window": 60, "by": ["model"] }),
            "$.budgets.b.micros: is 1000000000001",
        ),
        (json!({ "tokens": 1, "window": 0, "by": ["model"] }), "$.budgets.b.window: is 0"),
        (json!({ "tokens": 1, "window": 2_678_401, "by": ["model"] }), "$.budgets.b.window: is 2678401"),
        (json!({ "tokens": 1, "window": 60, "by": [] }), "$.budgets.b.by: is empty"),
        (json!({ "tokens": 1, "window": 60, "by": ["tenant"] }), "unknown variant"),
    ] {
        let found = faults(&json!({ "b": budget }), &chat(json!({})));
        assert!(found.contains(fault), "{budget}: {found}");
    }
}

#[test]
fn the_estimate_is_reserved_and_the_caller_is_told_what_is_left() {
    let gate = gate(&daily(1000), &json!({}));
    let outcome = send(&gate, &body(300));
    assert_eq!(
        told(&outcome),
        ["ratelimit-policy: \"daily\";q=1000;qu=\"tokens\";w=86400", "ratelimit: \"daily\";r=600;t=86400"]
    );
    let charge = outcome.grant().charge().unwrap();
    assert_eq!(charge.estimate(), Some(Tokens { input: 100, output: 300 }));
    assert_eq!((charge.reservations().len(), charge.reservations()[0].amount()), (1, 400));
    assert_eq!((charge.price(), charge.settle_by()), (None, Settle::Usage));
    assert!(outcome.line()["steps"].to_string().contains("budget"));
    let judged = outcome.minted()["tctx"]["inference"].clone();
    assert_eq!(judged, json!({ "model": "small", "remaining": { "daily": 600 } }), "the app knows what is left");
    // Each of several responses can be as long as the limit says.
    let several = body(100).replace(r#""user":"xx"#, r#""n":4,"user":""#);
    assert_eq!(send(&gate, &several).grant().charge().unwrap().estimate().unwrap().output, 400);
}

#[test]
fn a_refusal_says_which_budget_how_much_is_left_and_when_it_resets() {
    let gate = gate(&daily(1000), &json!({}));
    assert_eq!(send(&gate, &body(300)).trail.verdict, "forwarded");
    gate.now.set(NOW + 60);
    let outcome = send(&gate, &body(501));
    assert_eq!((outcome.trail.verdict, outcome.problem().status()), ("budget-exceeded", 429));
    assert_eq!(
        told(&outcome),
        [
            "ratelimit-policy: \"daily\";q=1000;qu=\"tokens\";w=86400",
            "ratelimit: \"daily\";r=600;t=86340",
            "retry-after: 86340",
            "x-should-retry: false",
        ],
        "the clients of the API do not wait for so long"
    );
    let error: Value = serde_json::from_str(&outcome.problem().body()).unwrap();
    let message = "budget \"daily\" has 600 of 1000 tokens left, and this request can cost 601: ask for fewer tokens or \
                   send less input, or try again in 86340 seconds";
    let expected =
        json!({ "message": message, "type": "insufficient_quota", "param": null, "code": "insufficient_quota" });
    assert_eq!(error["error"], expected);
    assert_eq!(send(&gate, &body(500)).trail.verdict, "forwarded", "exactly what is left");
    gate.now.set(NOW + 86_399);
    assert_eq!(send(&gate, &body(1)).trail.verdict, "budget-exceeded");
    assert_eq!(told(&send(&gate, &body(1)))[2..], ["retry-after: 1"], "the clients of the API wait for that");
    gate.now.set(NOW + 86_400);
    assert_eq!(send(&gate, &body(900)).trail.verdict, "forwarded", "a new window");
}

#[test]
fn a_request_that_is_never_admitted_is_not_to_be_tried_again() {
    let json_api = json!({
        "api": "json", "members": { "model": "model", "max_tokens": "max_tokens" }, "max_choices": 1,
        "settle": "estimate"
    });
    for more in [json!({}), json_api] {
        let gate = gate(&daily(1000), &more);
        let outcome = send(&gate, &body(901));
        assert_eq!((outcome.trail.verdict, outcome.problem().status()), ("budget-too-small", 429));
        let expected = ["ratelimit-policy: \"daily\";q=1000;qu=\"tokens\";w=86400", "x-should-retry: false"];
        assert_eq!(told(&outcome), expected);
        let body = outcome.problem().body();
        let message = "this request can cost 1001 tokens, and the whole budget \\\"daily\\\" is 1000 in 86400 seconds";
        assert!(body.contains(message), "{body}");
        assert!(gate.fakes().counter.budgets.is_empty(), "nothing is counted");
    }
}

#[test]
fn money_counts_by_the_price_of_the_model_and_is_rounded_up() {
    let budgets = json!({ "team": { "micros": 1000, "window": 60, "by": [{ "claim": "team" }] } });
    let prices = json!({ "models": {
        "small": { "price": { "input": 150_000, "output": 600_000 } },
        "large": { "price": { "input": 10_000_000, "output": 0 } }
    } });
    let gate = gate(&budgets, &prices);
    let of_team = |team: &str| token(&header(), &with(&claims(), "team", json!(team)));
    let outcome = send_as(&gate, &of_team("a"), &body(301));
    let charge = outcome.grant().charge().unwrap();
    assert_eq!(charge.reservations()[0].amount(), 196, "15 for the input, 180.6 for the output");
    assert_eq!(charge.price(), Some(Price { input: 150_000, output: 600_000 }));
    assert_eq!(told(&outcome)[0], "ratelimit-policy: \"team\";q=1000;qu=\"micros\";w=60");
    let large = body(1).replace("small", "large");
    assert_eq!(send_as(&gate, &of_team("a"), &large).trail.verdict, "budget-exceeded", "a dear model");
    assert_eq!(send_as(&gate, &of_team("b"), &large).trail.verdict, "forwarded", "another team");
    assert_eq!(Price { input: 1, output: 0 }.of(1, u64::MAX), 1);
    assert_eq!(Price { input: 0, output: 0 }.of(1, 1), 0);
    assert_eq!(Price { input: u64::MAX, output: u64::MAX }.of(u64::MAX, u64::MAX), u64::MAX);
}

#[test]
fn each_model_has_a_budget_of_its_own_if_the_policy_says_so() {
    let by_model = json!({ "daily": { "tokens": 150, "window": 60, "by": ["subject", "model"] } });
    for (budgets, other) in [(by_model, "forwarded"), (daily(150), "budget-exceeded")] {
        let gate = gate(&budgets, &json!({}));
        assert_eq!(send(&gate, &body(50)).trail.verdict, "forwarded");
        assert_eq!(send(&gate, &body(1)).trail.verdict, "budget-exceeded");
        assert_eq!(send(&gate, &body(1).replace("small", "large")).trail.verdict, other);
        let bob = token(&header(), &with(&claims(), "sub", json!("bob")));
        assert_eq!(send_as(&gate, &bob, &body(1)).trail.verdict, "forwarded");
    }
}

#[test]
fn what_is_reserved_of_one_budget_is_given_back_if_another_one_refuses() {
    let budgets = json!({
        "a": { "tokens": 1000, "window": 60, "by": ["subject"] }, "b": { "tokens": 500, "window": 60, "by": ["model"] }
    });
    let gate = gate(&budgets, &json!({}));
    assert_eq!(send(&gate, &body(300)).trail.verdict, "forwarded");
    let outcome = send(&gate, &body(100));
    assert_eq!(outcome.trail.verdict, "budget-exceeded");
    assert_eq!(told(&outcome)[1], "ratelimit: \"b\";r=100;t=60", "only the one that refuses");
    let outcome = send(&gate, &body(1).replace("small", "large"));
    assert_eq!(told(&outcome)[1], "ratelimit: \"a\";r=499;t=60, \"b\";r=399;t=60", "400 and 101 of \"a\" are reserved");
}

#[test]
fn what_is_reserved_is_given_back_if_the_request_cannot_be_signed() {
    let gate = gate(&daily(1000), &json!({}));
    gate.fakes().body = FakeBody::of(body(300).as_bytes());
    let long = "x".repeat(8000);
    let request = request("POST", "/v1/chat").bearer(&good()).field("content-type", "application/json");
    let outcome = gate.send(request.field("x-a", &long).field("x-b", &long));
    assert_eq!(outcome.trail.verdict, "head-too-long");
    assert_eq!(told(&send(&gate, &body(300)))[1], "ratelimit: \"daily\";r=600;t=86400");
}

#[test]
fn the_count_in_the_end_is_what_the_request_cost() {
    let used = |settle: &str, spent: Spent| {
        let gate = gate(&daily(1000), &json!({ "settle": settle }));
        let outcome = send(&gate, &body(300));
        let failed = outcome.grant().charge().unwrap().settle(spent, &mut gate.fakes().counter);
        assert_eq!(failed, [""; 0]);
        let left = told(&send(&gate, &body(1))).swap_remove(1);
        match left.split(['=', ';']).nth(2).unwrap().parse::<u64>() {
            Ok(left) => 1000 - 101 - left,
            Err(error) => panic!("{error}: {left}"),
        }
    };
    let usage = Spent::Usage(Tokens { input: 40, output: 20 });
    assert_eq!(used("usage", usage), 60);
    assert_eq!(used("usage", Spent::Usage(Tokens { input: 500, output: 20 })), 520, "more than the estimate");
    assert_eq!(used("usage", Spent::Delivered(20)), 120, "the input counts as estimated");
    assert_eq!(used("usage", Spent::Unknown), 400);
    // A usage that the response said before it was cut off.
    let cut = |input: u64, output: u64, delivered: u64| {
        let observed = Observed { usage: Some(Usage { input, output }), delivered, complete: false };
        used("usage", Spent::observed(observed, ContentForm::EventStream))
    };
    assert_eq!(cut(0, 0, 20), 120, "the input counts as estimated, and the output as delivered");
    assert_eq!(cut(150, 30, 20), 180, "what was said, if it is more");
    assert_eq!(cut(0, 0, 5000), 400, "no more output was asked for");
    let whole = Observed { usage: Some(Usage { input: 3, output: 4 }), delivered: 20, complete: true };
    assert_eq!(used("usage", Spent::observed(whole, ContentForm::EventStream)), 7);
    let whole = Observed { complete: false, ..whole };
    assert_eq!(used("usage", Spent::observed(whole, ContentForm::Json)), 7, "a document says it only at its end");
    assert_eq!(used("usage", Spent::Nothing), 0);
    assert_eq!(used("estimate", usage), 400);
    assert_eq!(used("estimate", Spent::Delivered(0)), 400);
    assert_eq!(used("estimate", Spent::Nothing), 0, "what was never sent costs nothing");
}

#[test]
fn a_count_that_cannot_be_changed_is_named_and_its_reservation_stands() {
    let gate = gate(&daily(1000), &json!({}));
    let outcome = send(&gate, &body(300));
    gate.fakes().counter.broken = true;
    let failed = outcome.grant().charge().unwrap().settle(Spent::Nothing, &mut gate.fakes().counter);
    assert_eq!(failed, ["daily: broken"]);
}

#[test]
fn an_unreachable_count_refuses_or_admits_as_the_budget_says() {
    for (unreachable, verdict) in [("closed", "budget-unreachable"), ("open", "forwarded")] {
        let mut budgets = daily(1000);
        budgets["daily"]["unreachable"] = unreachable.into();
        let gate = gate(&budgets, &json!({}));
        gate.fakes().counter.broken = true;
        let outcome = send(&gate, &body(300));
        assert_eq!(outcome.trail.verdict, verdict);
        if unreachable == "open" {
            assert_eq!(outcome.line()["uncounted"], json!(["daily: broken"]));
            assert_eq!(outcome.line()["budgets"], json!([{ "name": "daily" }]));
            assert!(outcome.grant().charge().unwrap().reservations().is_empty());
        } else {
            assert_eq!(outcome.problem().status(), 503);
        }
    }
}

#[test]
fn a_budget_in_shadow_counts_and_refuses_no_request() {
    let mut budgets = daily(500);
    budgets["daily"]["shadow"] = true.into();
    let gate = gate(&budgets, &json!({}));
    let outcome = send(&gate, &body(300));
    assert_eq!((told(&outcome).len(), outcome.grant().charge().unwrap().reservations().len()), (0, 1));
    let outcome = send(&gate, &body(300));
    assert_eq!(outcome.line()["shadow"], json!(["would-refuse budget-exceeded"]));
    assert_eq!(outcome.line()["budgets"][0]["would_refuse"], "budget-exceeded");
    assert!(outcome.grant().charge().unwrap().reservations().is_empty());
    let outcome = send(&gate, &body(900));
    assert_eq!(outcome.line()["shadow"], json!(["would-refuse budget-too-small"]));
    assert_eq!(outcome.line()["budgets"], json!([{ "name": "daily", "would_refuse": "budget-too-small" }]));
}

#[test]
fn limits_and_budgets_are_told_together() {
    let mut document = document(
        &daily(1000),
        &json!({ "api": "openai-chat", "max_tokens": 1000, "models": { "small": {} }, "budgets": ["daily"] }),
    );
    document["limits"] = json!({ "l": { "count": 9, "window": 60, "by": ["subject"] } });
    document["routes"].as_array_mut().unwrap().last_mut().unwrap()["limits"] = json!(["l"]);
    let gate = Gate::new(policy_of(&document), FakeKeys::of_both());
    let both = |outcome: &Outcome, left: u64, of_budget: u64| {
        let expected = [
            "ratelimit-policy: \"l\";q=9;w=60, \"daily\";q=1000;qu=\"tokens\";w=86400".to_owned(),
            format!("ratelimit: \"l\";r={left};t=60, \"daily\";r={of_budget};t=86400"),
        ];
        assert_eq!(told(outcome)[..2], expected);
    };
    both(&send(&gate, &body(300)), 8, 600);
    both(&send(&gate, &body(600)), 7, 600);
}
