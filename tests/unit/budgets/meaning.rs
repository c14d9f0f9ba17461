//! Budgets and prices that would mean nothing.

use serde_json::{Value, json};

use super::faults;

fn budget(unit: &str, amount: u64) -> Value {
    json!({ "b": { unit: amount, "window": 60, "by": ["subject"] } })
}

fn chat(price: Option<(u64, u64)>) -> Value {
    let small = price.map_or(json!({}), |(input, output)| json!({ "price": { "input": input, "output": output } }));
    json!({ "api": "openai-chat", "max_tokens": 10, "models": { "small": small }, "budgets": ["b"] })
}

#[test]
fn money_is_counted_of_a_model_that_costs_some() {
    let mut two = chat(Some((0, 0)));
    let found = faults(&budget("micros", 10), &two);
    assert!(found.contains("inference.budgets[0]: counts money, and no model of this route costs any"), "{found}");
    two["models"]["large"] = json!({ "price": { "input": 0, "output": 1 } });
    assert_eq!(faults(&budget("micros", 10), &two), "", "another model may be free");
}

#[test]
fn a_budget_admits_at_least_the_smallest_request() {
    // {"model":"small","max_tokens":1}
    for (amount, is_admitted) in [(32, false), (33, true), (1, false)] {
        let found = faults(&budget("tokens", amount), &chat(None));
        assert_eq!(found.is_empty(), is_admitted, "{amount}: {found}");
        assert!(
            is_admitted || found.contains("inference.budgets[0]: is less than any request to \"small\" can cost"),
            "{found}"
        );
    }
    for (amount, is_admitted) in [(32, false), (33, true)] {
        let found = faults(&budget("micros", amount), &chat(Some((1_000_000, 1_000_000))));
        assert_eq!(found.is_empty(), is_admitted, "{amount}: {found}");
    }
    let mut cheap = chat(None);
    cheap["input_bytes_per_token"] = 16.into();
    for (amount, is_admitted) in [(2, false), (3, true)] {
        assert_eq!(faults(&budget("tokens", amount), &cheap).is_empty(), is_admitted, "{amount}");
    }
    // {"model":"small"}
    let embeddings = json!({ "api": "openai-embeddings", "models": { "small": {} }, "budgets": ["b"] });
    for (amount, is_admitted) in [(16, false), (17, true)] {
        assert_eq!(faults(&budget("tokens", amount), &embeddings).is_empty(), is_admitted, "{amount}");
    }
}

#[test]
fn a_key_has_each_part_once() {
    for (by, place) in [
        (json!(["subject", "model", "subject"]), Some(2)),
        (json!(["model", "model"]), Some(1)),
        (json!([{ "claim": "team" }, { "claim": "team" }]), Some(1)),
        (json!([{ "claim": "team" }, { "claim": "org" }, "client_id", "network", "route", "model"]), None),
    ] {
        let found = faults(&json!({ "b": { "tokens": 100, "window": 60, "by": by } }), &chat(None));
        let expected = place.map(|place| format!("$.budgets.b.by[{place}]: is there twice"));
        assert_eq!(found, expected.unwrap_or_default(), "{by}");
    }
}

#[test]
fn embeddings_have_no_price_of_output() {
    let embeddings = |output: u64| {
        let price = json!({ "price": { "input": 1_000_000, "output": output } });
        json!({ "api": "openai-embeddings", "models": { "small": price }, "budgets": ["b"] })
    };
    assert_eq!(faults(&budget("micros", 100), &embeddings(0)), "");
    let found = faults(&budget("micros", 100), &embeddings(1));
    assert!(
        found.contains("models.small.price.output: is the price of output, which embeddings do not have"),
        "{found}"
    );
}
