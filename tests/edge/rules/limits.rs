//! Rate limits: exact, however many requests arrive at once.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use hyper::{Body, Client, Request};
use serde_json::{Value, json};

use super::gate::{Gate, get, get_as};
use crate::support::edge::RUNTIME;

const CLIENTS: u64 = 64;

#[test]
fn a_limit_admits_exactly_its_count_for_64_concurrent_clients_over_sockets() {
    let counts = [1_u64, 10, 100, 1000];
    let limits: serde_json::Map<String, Value> = counts
        .iter()
        .map(|count| (format!("of-{count}"), json!({ "count": count, "window": 3600, "by": ["route"] })))
        .collect();
    let routes: Vec<Value> = counts
        .iter()
        .map(|count| {
            let limits = [format!("of-{count}")];
            json!({ "id": format!("r{count}"), "path": format!("/r{count}"), "methods": ["GET"], "access": "public",
                    "limits": limits })
        })
        .collect();
    let gate = Gate::new(&json!({ "limits": limits, "routes": routes }));
    let address = gate.address();
    for count in counts {
        let (admitted, refused) = RUNTIME.block_on(rush(address, format!("/r{count}"), count + 3 * CLIENTS));
        assert_eq!((admitted, refused), (count, 3 * CLIENTS), "limit {count}");
        let arrived = gate.arrived().iter().filter(|seen| seen.path == format!("/r{count}")).count();
        assert_eq!(arrived as u64, count, "limit {count}");
    }
}

#[test]
#[ignore = "a measurement: run it alone, with --ignored --nocapture"]
fn counting_costs_the_same_whatever_the_limit() {
    let limits: serde_json::Map<String, Value> = [1000_u64, 1_000_000]
        .iter()
        .map(|count| (format!("of-{count}"), json!({ "count": count, "window": 3600, "by": ["route"] })))
        .collect();
    let route = |id: &str| json!({ "id": id, "path": format!("/{id}"), "methods": ["GET"], "access": "public", "limits": [id] });
    let gate = Gate::new(&json!({ "limits": limits, "routes": [route("of-1000"), route("of-1000000")] }));
    for path in ["/of-1000", "/of-1000000"].into_iter().cycle().take(600) {
        assert_eq!(gate.send(get(path)).status, 200);
    }
    let medians = gate.medians("throttle");
    println!("median microseconds of the step \"throttle\", one request after the other: {medians:?}");
}

/// Sends `total` requests through concurrent clients, each with one request at a time, and counts the responses 200 and
/// 429. On a busy machine a request may time out while it waits for the count. Its `Retry-After` is then one second,
/// and it is sent again; `Retry-After` of a used-up limit is the end of the window.
async fn rush(address: SocketAddr, path: String, total: u64) -> (u64, u64) {
    let left = Arc::new(AtomicU64::new(total));
    let clients = (0..CLIENTS).map(|_| {
        let (left, path) = (Arc::clone(&left), path.clone());
        tokio::spawn(async move {
            let client = Client::new();
            let (mut admitted, mut refused) = (0, 0);
            while left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok() {
                let request = Request::get(format!("http://{address}{path}")).header("host", "edge.test");
                let response = client.request(request.body(Body::empty()).unwrap()).await.unwrap();
                let timed_out = response.headers().get("retry-after").is_some_and(|seconds| seconds == "1");
                match response.status().as_u16() {
                    200 => admitted += 1,
                    429 if timed_out => drop(left.fetch_add(1, Ordering::SeqCst)),
                    429 => refused += 1,
                    other => panic!("{other}"),
                }
            }
            (admitted, refused)
        })
    });
    let mut sum = (0, 0);
    for client in clients.collect::<Vec<_>>() {
        let (admitted, refused) = client.await.unwrap();
        sum = (sum.0 + admitted, sum.1 + refused);
    }
    sum
}

#[test]
fn a_request_over_the_limit_gets_429_and_retry_after() {
    let gate = Gate::new(&json!({
        "limits": {
            "per-caller": { "count": 2, "window": 300, "by": ["subject"] },
            "per-network": { "count": 100, "window": 60, "by": ["network", "route"] },
            "brake": {
                "count": 600, "window": 60, "by": ["network"],
                "counter": { "erl": { "rate_counter": "rc", "penalty_box": "pb", "penalty": 60 } }
            }
        },
        "routes": [{ "id": "r", "path": "/r", "methods": ["GET"], "limits": ["per-network", "per-caller", "brake"] }]
    }));
    let token = gate.token(json!({}));
    let policy = "\"per-network\";q=100;w=60, \"per-caller\";q=2;w=300, \"brake\";q=600;w=60";
    for left in [1, 0] {
        let response = gate.send(get_as("/r", &token));
        assert_eq!(response.status, 200);
        assert_eq!(response.field("ratelimit-policy"), Some(policy));
        let state = response.field("ratelimit").unwrap();
        assert!(state.contains(&format!("\"per-caller\";r={left};t=")), "{state}");
        assert!(!state.contains("brake"), "an estimate is not reported as a count: {state}");
    }
    let before = gate.arrived().len();
    let response = gate.send(get_as("/r", &token));
    assert_eq!((response.status, gate.arrived().len()), (429, before));
    assert_eq!(response.json()["type"], "urn:fastgate:problem:too-many-requests");
    let seconds: u64 = response.field("retry-after").unwrap().parse().unwrap();
    assert!((1..=300).contains(&seconds));
    assert_eq!(response.field("ratelimit"), Some(format!("\"per-caller\";r=0;t={seconds}").as_str()));
    assert_eq!(response.field("ratelimit-policy"), Some("\"per-caller\";q=2;w=300"));
    assert_eq!(gate.line(&response)["verdict"], "limit-exceeded");
    let bob = gate.token(json!({ "sub": "bob" }));
    assert_eq!(gate.send(get_as("/r", &bob)).status, 200);
}

#[test]
fn a_flood_of_invalid_tokens_is_refused_before_they_are_read() {
    let mut parts = json!({
        "limits": { "flood": { "count": 3, "window": 600, "by": ["network"] } },
        "routes": [{ "id": "r", "path": "/r", "methods": ["GET"] }]
    });
    parts["edge"] = json!({ "issuer": "https://edge.test", "hosts": ["edge.test"], "flood_limit": "flood" });
    let gate = Gate::new(&parts);
    for address in ["2001:db8::1", "2001:db8::2", "2001:db8::ffff:1"] {
        assert_eq!(gate.refusal(address, get_as("/r", "a.b.c")).2, "token-malformed");
    }
    for request in [get_as("/r", "a.b.c"), get("/r"), get_as("/r", &gate.token(json!({})))] {
        let refusal = gate.refusal("2001:db8::3", request);
        assert_eq!(refusal, (429, "too-many-requests".into(), "limit-exceeded".into()));
    }
    assert_eq!(gate.refusal("2001:db8:0:1::3", get_as("/r", "a.b.c")).2, "token-malformed", "another network");
}
