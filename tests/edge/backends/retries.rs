//! Requests that are sent again, and those that are over the time of their route. Rows M2 and M11 of `docs/attacks.md`.

use serde_json::json;

use super::{Does, Gate, region};
use crate::support::origin::Received;

#[test]
fn a_request_that_failed_is_sent_to_the_next_backend_with_a_header_for_its_region() {
    let gate = Gate::in_regions(&json!({ "retries": { "limit": 2 } }));
    gate.tell("eu_1", Does::Close);
    let reply = gate.get("/a", "acme");
    assert_eq!((reply.status, reply.text().as_str()), (200, "eu_2"));
    assert_eq!(gate.log_of(&reply)["retried"], json!(["eu_1: origin-unreachable"]));
    gate.tell("eu_2", Does::Status("503 Service Unavailable"));
    let reply = gate.get("/a", "acme");
    assert_eq!((reply.status, reply.text().as_str()), (200, "ch_1"));
    let log = gate.log_of(&reply);
    assert_eq!(log["retried"], json!(["eu_1: origin-unreachable", "eu_2: 503"]));
    assert_eq!((&log["backend"], &log["region"]), (&json!("ch_1"), &json!("ch")));
    let (first, last) = (gate.seen("eu_2"), gate.seen("ch_1"));
    assert_eq!((region(&first[1]), region(&last[0])), (json!("eu"), json!("ch")));
    let without = |request: &Received| {
        let fields = request.fields().filter(|(name, _)| !name.eq_ignore_ascii_case("fastgate-identity"));
        fields.map(|(name, value)| format!("{name}: {value}")).collect::<Vec<_>>()
    };
    assert_eq!(without(&first[1]), without(&last[0]), "nothing else changes");
    assert_eq!(gate.count("us_1"), 0);
}

#[test]
fn only_idempotent_requests_whose_body_is_in_hand_are_sent_again() {
    let gate = Gate::start(&json!({
        "backends": { "first": {}, "second": { "priority": 2 } }, "health": { "failures": 100 }
    }));
    gate.tell("first", Does::Close);
    let (longest, long) = ("x".repeat(65_536), "x".repeat(65_537));
    for (line, body, status) in [
        ("PUT /a", long.as_str(), 502),
        ("PUT /a", longest.as_str(), 200),
        ("GET /a", "", 200),
        ("HEAD /a", "", 200),
        ("DELETE /a", "", 200),
        ("PUT /signed", "hello", 200),
        ("POST /a", "", 502),
        ("POST /a", "hello", 502),
        ("PUT /a", "hello", 200),
    ] {
        let (first, second) = (gate.count("first"), gate.count("second"));
        assert_eq!(gate.send(line, "", body).status, status, "{line} {body}");
        let expected = (first + 1, second + usize::from(status == 200));
        assert_eq!((gate.count("first"), gate.count("second")), expected, "{line} {body}");
        if status == 200 {
            assert_eq!(gate.seen("second").last().unwrap().body, body.as_bytes(), "{line}");
        }
    }
}

#[test]
fn retries_end_with_the_budget_of_the_backend_that_receives_them() {
    let gate = Gate::start(&json!({
        "backends": { "first": {}, "second": { "priority": 2 } },
        "health": { "failures": 100 }, "retries": { "budget": 2, "window": 60 }
    }));
    gate.tell("first", Does::Close);
    let statuses: Vec<u16> = (0..4).map(|_| gate.send("GET /a", "", "").status).collect();
    assert_eq!(statuses, [200, 200, 502, 502]);
    assert_eq!((gate.count("first"), gate.count("second")), (4, 2));
}

#[test]
fn a_route_waits_no_longer_than_its_timeout() {
    let gate = Gate::start(&json!({ "backends": { "first": {}, "second": { "priority": 2 } } }));
    gate.tell("first", Does::Wait(3000));
    let reply = gate.send("POST /quick", "", "hello");
    assert_eq!((reply.status, &gate.log_of(&reply)["verdict"]), (504, &json!("origin-over-time")));
    assert!(gate.log_of(&reply)["cause"].as_str().unwrap().contains("\"timeout\" of the route, 1 seconds"));
    let reply = gate.send("GET /quick", "", "");
    assert_eq!((reply.status, reply.text().as_str()), (200, "second"));
    assert_eq!(gate.log_of(&reply)["retried"], json!(["first: origin-over-time"]));
    gate.tell("first", Does::Wait(300));
    assert_eq!(gate.send("GET /quick", "", "").text(), "first");
}
