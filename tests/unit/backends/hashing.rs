//! Rendezvous hashing: which requests get the same backend.

use std::collections::BTreeMap;

use fastgate::backend::cost;
use serde_json::{Value, json};

use super::gate;
use crate::offline::{Request, get};
use crate::rules::token;

/// The backends by which requests with the same value of `by` are served.
fn spread(by: &Value, requests: impl Iterator<Item = Request>) -> Vec<String> {
    let mut origin = json!({ "audience": "app", "backends": { "a": {}, "b": {}, "c": {}, "d": {} } });
    if !by.is_null() {
        origin["selection"] = json!({ "hash_by": by });
    }
    let gate = gate(&origin);
    requests.map(|request| gate.send(request).grant().backend().to_owned()).collect()
}

#[test]
fn requests_with_the_same_value_get_the_same_backend() {
    let of_subject = |subject: usize| token(json!({ "sub": format!("user-{subject}"), "tid": "x" }));
    let subjects: Vec<String> = (0..40).map(of_subject).collect();
    let requests = || subjects.iter().map(|token| get("/a").bearer(token));
    let by_caller = spread(&json!("caller"), requests());
    assert_eq!(by_caller, spread(&json!("caller"), requests()));
    assert!(["a", "b", "c", "d"].iter().all(|name| by_caller.iter().any(|backend| backend == name)));
    let by_tenant = spread(&json!("tenant"), requests());
    assert!(by_tenant.windows(2).all(|pair| pair[0] == pair[1]));
    let by_path = spread(&json!("path"), (0..40).map(|number| get(&format!("/cached/{number}"))));
    assert!(by_path.windows(2).any(|pair| pair[0] != pair[1]));
    // Anonymous callers are told apart by their addresses.
    let addresses = || (0..40).map(|number| get("/a").from(&format!("192.0.2.{number}")));
    let anonymous = spread(&json!("caller"), addresses());
    assert!(anonymous.windows(2).any(|pair| pair[0] != pair[1]));
    assert_eq!(anonymous, spread(&json!("caller"), addresses()));
}

/// The first choice of each of `keys` keys.
fn first_choices(shares: &[(&'static str, u32)], keys: u32) -> Vec<&'static str> {
    let first = |number: u32| {
        let key = hmac_sha256::Hash::hash(&number.to_be_bytes());
        shares.iter().min_by_key(|(name, weight)| cost(&key, name, *weight)).unwrap().0
    };
    (0..keys).map(first).collect()
}

#[test]
fn backends_get_keys_by_weight_and_only_the_keys_of_one_that_leaves_move() {
    let shares = [("a", 1), ("b", 1), ("c", 2), ("d", 4)];
    let keys = 20_000;
    let before = first_choices(&shares, keys);
    let mut counts = BTreeMap::new();
    for name in &before {
        *counts.entry(*name).or_insert(0_u32) += 1;
    }
    for (name, weight) in shares {
        let expected = keys * weight / 8;
        assert!(counts[name].abs_diff(expected) < expected / 10, "{name}: {}", counts[name]);
    }
    let after = first_choices(&shares[..3], keys);
    for (was, is) in before.iter().zip(&after) {
        assert!(was == is || *was == "d", "a key moved from {was} to {is}");
    }
}
