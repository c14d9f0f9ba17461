//! Counts under load. The test takes the lease of a count in the guest's own cache, or damages the count, and checks
//! the requests meanwhile.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hyper::body::Bytes;
use hyper::{HeaderMap, StatusCode};
use serde_json::{Value, json};
use viceroy_lib::cache::{CacheEntry, CacheKey, WriteOptions};

use super::gate::{Gate, get};
use crate::support::edge::RUNTIME;

/// The cache key of the count of a route under a limit or budget that counts by route (`src/ports/counter.rs`). A length
/// has four bytes, as in the guest.
fn cache_key(kind: &str, of: &str, name: &str) -> CacheKey {
    let mut digest = hmac_sha256::Hash::new();
    for text in ["route", name] {
        digest.update(u32::try_from(text.len()).unwrap().to_be_bytes());
        digest.update(text);
    }
    let digits = URL_SAFE_NO_PAD.encode(digest.finalize());
    CacheKey::try_from(format!("fastgate/live/{kind}/{of}/{digits}").as_str()).unwrap()
}

/// Takes the lease of the count `of` the route `name`. It is released when the entry is dropped.
pub(super) fn take_lease_at(gate: &Gate, of: &str, name: &str) -> CacheEntry {
    let (viceroy, key) = (gate.viceroy(), cache_key("count-lease", of, name));
    let taken = RUNTIME.block_on(viceroy.cache().transaction_lookup(&key, &HeaderMap::new(), true));
    assert!(taken.go_get().is_some(), "the lease is free");
    taken
}

/// Writes a malformed record of a count.
pub(super) fn damage_at(gate: &Gate, of: &str, name: &str) {
    let options =
        WriteOptions { user_metadata: Bytes::from_static(b"damaged"), ..WriteOptions::new(Duration::from_hours(1)) };
    let (viceroy, key) = (gate.viceroy(), cache_key("count", of, name));
    RUNTIME.block_on(viceroy.cache().insert(&key, HeaderMap::new(), options, Vec::new().into()));
}

/// The lease of a limit of an hour.
fn take_lease(gate: &Gate, name: &str) -> CacheEntry {
    take_lease_at(gate, &format!("3600/{name}"), name)
}

fn damage(gate: &Gate, name: &str) {
    damage_at(gate, &format!("3600/{name}"), name);
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
fn a_request_that_times_out_waiting_for_a_count_is_refused() {
    let gate = gate();
    for name in ["shut", "ajar"] {
        let lease = take_lease(&gate, name);
        let response = gate.send(get(&format!("/{name}")));
        assert_eq!((response.status, response.field("retry-after")), (429, Some("1")), "{name}");
        assert_eq!(response.json()["type"], "urn:fastgate:problem:too-many-requests");
        assert_eq!(gate.line(&response)["verdict"], "limit-queue-full");
        assert_eq!(response.field("ratelimit"), None, "the remaining units are unknown");
        assert!(gate.arrival(&response).is_none());
        drop(lease);
        for left in [4, 3] {
            let response = gate.send(get(&format!("/{name}")));
            assert_eq!(response.status, 200, "a released lease can be taken again");
            let state = response.field("ratelimit").unwrap();
            assert!(state.starts_with(&format!("\"{name}\";r={left};")), "nothing was counted meanwhile: {state}");
        }
    }
}

#[test]
fn an_unreadable_count_refuses_or_admits_as_the_limit_says() {
    let gate = gate();
    for name in ["shut", "ajar"] {
        damage(&gate, name);
    }
    let response = gate.send(get("/shut"));
    assert_eq!((response.status, response.field("retry-after")), (503, Some("5")));
    assert_eq!(response.json()["type"], "urn:fastgate:problem:unavailable");
    let line = gate.line(&response);
    assert_eq!(line["verdict"], "counter-unreachable");
    assert!(line["cause"].as_str().unwrap().contains("limit \"shut\""), "{line}");
    assert!(gate.arrival(&response).is_none());

    let response = gate.send(get("/ajar"));
    assert_eq!(
        (response.status, response.field("ratelimit")),
        (200, None),
        "no field reports a request that was not counted"
    );
    let line = gate.line(&response);
    assert_eq!(line["verdict"], "forwarded");
    let [Value::String(uncounted)] = &line["uncounted"].as_array().unwrap()[..] else { panic!("{line}") };
    assert_eq!(uncounted, "ajar: a count cannot be read");
}

#[test]
fn a_flood_that_arrives_at_once_is_never_admitted_beyond_the_limit() {
    let limits = json!({ "flood": { "count": 60, "window": 3600, "by": ["network"], "unreachable": "open" } });
    let gate = Gate::new(&json!({
        "limits": limits,
        "routes": [{ "id": "r", "path": "/r", "methods": ["GET"], "access": "public", "limits": ["flood"] }]
    }));
    let statuses = gate.send_at_once((0..600).map(|_| get("/r")).collect());
    let admitted = statuses.iter().filter(|status| **status == StatusCode::OK).count();
    assert!(statuses.iter().all(|status| [StatusCode::OK, StatusCode::TOO_MANY_REQUESTS].contains(status)));
    assert!((1..=60).contains(&admitted), "{admitted} of a limit of 60");
    assert_eq!(gate.arrived().len(), admitted);
    assert!(
        gate.lines_in_order(600).iter().all(|line| line.get("uncounted").is_none()),
        "every request was counted or refused"
    );
}
