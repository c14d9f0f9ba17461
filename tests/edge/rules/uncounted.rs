//! A count that cannot be had. The test takes the turn at it in the guest's own cache and does not give it back, so that
//! the guest waits for its turn in vain.

use std::thread::scope;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hyper::HeaderMap;
use serde_json::{Value, json};
use viceroy_lib::cache::{CacheEntry, CacheKey};

use super::gate::{Gate, get};
use crate::support::edge::RUNTIME;

/// The lock of the count of a route under a limit that counts by route (`src/compute/counter.rs`). Lengths are those of the
/// guest, where a number of bytes has four.
fn turn(limit: &str, route: &str) -> CacheKey {
    let mut digest = hmac_sha256::Hash::new();
    for text in ["route", route] {
        digest.update(u32::try_from(text.len()).unwrap().to_be_bytes());
        digest.update(text);
    }
    let digits = URL_SAFE_NO_PAD.encode(digest.finalize());
    CacheKey::try_from(format!("fastgate/turn/limit/{limit}/{digits}").as_str()).unwrap()
}

/// Takes the turn; it is given back when the entry is dropped.
fn take_turn(gate: &Gate, limit: &str, route: &str) -> CacheEntry {
    let (viceroy, key) = (gate.viceroy(), turn(limit, route));
    let taken = RUNTIME.block_on(viceroy.cache().transaction_lookup(&key, &HeaderMap::new(), true));
    assert!(taken.go_get().is_some(), "it is free");
    taken
}

fn gate() -> Gate {
    let limit = |unreachable: &str| json!({ "count": 5, "window": 3600, "by": ["route"], "unreachable": unreachable });
    let route = |id: &str| json!({ "id": id, "path": format!("/{id}"), "methods": ["GET"], "access": "public", "limits": [id] });
    Gate::new(&json!({
        "limits": { "shut": limit("closed"), "ajar": limit("open") },
        "routes": [route("shut"), route("ajar")]
    }))
}

#[test]
fn a_count_that_cannot_be_had_closes_or_opens_as_the_limit_says() {
    let gate = gate();
    let turns = ["shut", "ajar"].map(|name| take_turn(&gate, name, name));
    scope(|scope| {
        scope.spawn(|| {
            let answer = gate.ask(get("/shut"));
            assert_eq!((answer.status, answer.field("retry-after")), (503, Some("5")));
            assert_eq!(answer.json()["type"], "urn:fastgate:problem:unavailable");
            let line = gate.line(&answer);
            assert_eq!(line["verdict"], "counter-unreachable");
            assert!(line["cause"].as_str().unwrap().contains("limit \"shut\""), "{line}");
        });
        scope.spawn(|| {
            let answer = gate.ask(get("/ajar"));
            assert_eq!(
                (answer.status, answer.field("ratelimit")),
                (200, None),
                "what was not counted is not announced"
            );
            let line = gate.line(&answer);
            assert_eq!(line["verdict"], "forwarded");
            let [Value::String(uncounted)] = &line["uncounted"].as_array().unwrap()[..] else { panic!("{line}") };
            assert!(uncounted.starts_with("ajar: the Core Cache: "), "{uncounted}");
        });
    });
    let paths: Vec<_> = gate.arrived().into_iter().map(|arrived| arrived.path).collect();
    assert_eq!(paths, ["/ajar"]);

    drop(turns);
    for left in [4, 3] {
        for name in ["shut", "ajar"] {
            let answer = gate.ask(get(&format!("/{name}")));
            assert_eq!(answer.status, 200, "whose turn is given back serves again");
            let state = answer.field("ratelimit").unwrap();
            assert!(state.starts_with(&format!("\"{name}\";r={left};")), "nothing was counted meanwhile: {state}");
        }
    }
}
