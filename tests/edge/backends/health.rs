//! Backends that fail are skipped, and clients cannot make one look broken. Rows M3, M12 and M13 of `docs/attacks.md`.

use std::io::Write as _;
use std::net::TcpStream;
use std::thread::sleep;
use std::time::Duration;

use serde_json::json;

use super::{Does, Gate};
use crate::support::http::Reply;

#[test]
fn a_backend_that_fails_repeatedly_is_skipped_and_then_tried_again() {
    let gate = Gate::start(&json!({
        "backends": { "first": {}, "second": { "priority": 2 } }, "health": { "failures": 3, "pause": 2 }
    }));
    gate.tell("first", Does::Close);
    for _ in 0..8 {
        assert_eq!(gate.send("GET /a", "", "").text(), "second");
    }
    assert_eq!(gate.count("first"), 3);
    let log = gate.log_of(&gate.send("GET /a", "", ""));
    assert_eq!(log["skipped"], json!(["first"]));
    gate.tell("first", Does::Respond);
    sleep(Duration::from_millis(2100));
    assert_eq!(gate.send("GET /a", "", "").text(), "first");
    assert_eq!(gate.send("GET /a", "", "").text(), "first");
    // Failures that are not in a row do not add up.
    for does in [Does::Close, Does::Close, Does::Respond].repeat(3) {
        gate.tell("first", does);
        assert_eq!(gate.send("GET /a", "", "").status, 200);
    }
    assert!(gate.log_of(&gate.send("GET /a", "", "")).get("skipped").is_none());
}

#[test]
fn without_a_backend_in_the_jurisdiction_the_client_gets_503_and_no_other_region_a_request() {
    let gate = Gate::in_regions(&json!({ "health": { "failures": 2, "pause": 60 } }));
    for name in ["eu_1", "eu_2", "ch_1"] {
        gate.tell(name, Does::Close);
    }
    let replies: Vec<Reply> = (0..12).map(|_| gate.get("/a", "acme")).collect();
    assert!(replies.iter().all(|reply| [502, 503].contains(&reply.status)));
    let last = replies.last().unwrap();
    assert_eq!((last.status, last.header("retry-after").is_some()), (503, true));
    assert_eq!(gate.log_of(last)["verdict"], "origin-backends-failed");
    assert_eq!(gate.get("/a", "globex").status, 200);
    assert_eq!(gate.count("us_1"), 1);
    // One that is back is found although all are skipped.
    gate.tell("eu_1", Does::Respond);
    assert_eq!(gate.get("/a", "acme").text(), "eu_1");
}

#[test]
fn a_client_that_breaks_off_its_body_does_not_make_the_backend_look_broken() {
    let gate = Gate::start(&json!({
        "backends": { "first": {}, "second": { "priority": 2 } }, "health": { "failures": 2, "pause": 60 }
    }));
    for _ in 0..5 {
        let mut stream = TcpStream::connect(gate.edge.address).unwrap();
        stream.write_all(b"PUT /a HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 1000\r\n\r\nnot all").unwrap();
        sleep(Duration::from_millis(50));
        drop(stream);
    }
    sleep(Duration::from_millis(200));
    assert_eq!(gate.send("GET /a", "", "").text(), "first");
}

#[test]
fn a_backend_that_the_platforms_checks_call_unhealthy_is_skipped() {
    let gate = Gate::with_unhealthy(&json!({ "backends": { "first": {}, "second": { "priority": 2 } } }), "first");
    for _ in 0..3 {
        let reply = gate.send("GET /a", "", "");
        assert_eq!((reply.text().as_str(), &gate.log_of(&reply)["skipped"]), ("second", &json!(["first"])));
    }
    assert_eq!(gate.count("first"), 0);
}

#[test]
fn requests_with_short_bodies_tell_that_a_backend_is_broken() {
    let gate = Gate::start(&json!({
        "backends": { "first": {}, "second": { "priority": 2 } }, "health": { "failures": 2, "pause": 60 }
    }));
    gate.tell("first", Does::Close);
    let statuses: Vec<u16> = (0..4).map(|_| gate.send("POST /a", "", "{}").status).collect();
    assert_eq!(statuses, [502, 502, 200, 200]);
    assert_eq!(gate.seen("second").last().unwrap().body, b"{}");
}

#[test]
fn responses_that_a_caller_can_bring_about_make_a_backend_skipped_only_if_others_get_none_for_a_while() {
    let gate = Gate::start(&json!({
        "backends": { "first": {}, "second": { "priority": 2 } },
        "health": { "failures": 2, "pause": 60 }, "retries": { "limit": 0 }
    }));
    let unavailable = || {
        gate.tell("first", Does::Status("503 Service Unavailable"));
        assert_eq!(gate.send("GET /a", "", "").status, 503);
    };
    (0..6).for_each(|_| unavailable());
    gate.tell("first", Does::Respond);
    assert_eq!(gate.send("GET /a", "", "").text(), "first", "they came in less than a second");
    for _ in 0..6 {
        unavailable();
        sleep(Duration::from_millis(500));
        unavailable();
        sleep(Duration::from_millis(500));
        gate.tell("first", Does::Respond);
        assert_eq!(gate.send("GET /a", "", "").text(), "first", "another request succeeded in the meantime");
    }
    unavailable();
    sleep(Duration::from_millis(5100));
    unavailable();
    assert_eq!(gate.send("GET /a", "", "").text(), "second");
}

#[test]
fn a_backend_that_does_not_respond_in_the_time_of_a_route_is_skipped_and_another_is_not_blamed_for_the_retry() {
    let gate = Gate::start(&json!({
        "backends": { "first": {}, "second": { "priority": 2 } }, "health": { "failures": 2, "pause": 60 }
    }));
    gate.tell("first", Does::Wait(1500));
    gate.tell("second", Does::Wait(1500));
    for _ in 0..4 {
        let reply = gate.send("GET /quick", "", "");
        assert_eq!((reply.status, &gate.log_of(&reply)["verdict"]), (504, &json!("origin-over-time")));
    }
    gate.tell("second", Does::Respond);
    let reply = gate.send("GET /quick", "", "");
    assert_eq!((reply.text().as_str(), &gate.log_of(&reply)["skipped"]), ("second", &json!(["first"])));
}

#[test]
fn while_all_backends_are_skipped_each_is_tried_in_turn_and_one_that_is_back_is_found() {
    let gate = Gate::start(&json!({
        "backends": { "first": {}, "second": { "priority": 2 } },
        "health": { "failures": 1, "pause": 60 }, "retries": { "limit": 0 }
    }));
    gate.tell("first", Does::Close);
    gate.tell("second", Does::Close);
    let statuses: Vec<u16> = (0..2).map(|_| gate.send("GET /a", "", "").status).collect();
    assert_eq!(statuses, [502, 502]);
    gate.tell("second", Does::Respond);
    sleep(Duration::from_millis(1100));
    // The pause of the first ends first. It fails, which makes its pause longer; the next request goes to the other.
    let replies = [(); 3].map(|()| gate.send("GET /a", "", ""));
    assert_eq!(replies.each_ref().map(|reply| reply.status), [503, 200, 200]);
    assert_eq!(gate.log_of(&replies[0])["skipped"], json!(["first", "second"]));
    // A retry reaches the other at once, and its own time is that of the route.
    let gate = Gate::start(&json!({
        "backends": { "first": {}, "second": { "priority": 2 } }, "health": { "failures": 1, "pause": 60 }
    }));
    gate.tell("first", Does::Close);
    gate.tell("second", Does::Close);
    assert_eq!(gate.send("GET /a", "", "").status, 502);
    gate.tell("second", Does::Wait(1500));
    let reply = gate.send("GET /quick", "", "");
    assert_eq!((reply.status, &gate.log_of(&reply)["verdict"]), (504, &json!("origin-over-time")));
    gate.tell("second", Does::Respond);
    assert_eq!(gate.send("GET /quick", "", "").text(), "second");
}

#[test]
fn a_response_that_breaks_off_after_its_head_is_not_sent_again_and_says_nothing_about_the_backend() {
    let gate = Gate::start(&json!({
        "backends": { "first": {}, "second": { "priority": 2 } }, "health": { "failures": 1, "pause": 60 }
    }));
    gate.tell("first", Does::BreakOff);
    for _ in 0..3 {
        let reply = gate.send("GET /a", "", "");
        assert_eq!(reply.status, 200);
        assert!(reply.body.len() < 100_000, "the client sees that it is incomplete");
    }
    assert_eq!((gate.count("first"), gate.count("second")), (3, 0));
}

#[test]
fn a_client_that_opens_sockets_does_not_keep_a_backend_skipped() {
    let gate = Gate::start(&json!({
        "backends": { "first": {}, "second": { "priority": 2 } }, "health": { "failures": 1, "pause": 1 }
    }));
    gate.tell("first", Does::Close);
    assert_eq!(gate.send("GET /a", "", "").text(), "second");
    gate.tell("first", Does::Respond);
    sleep(Duration::from_millis(1200));
    // A handshake is handed over; what becomes of it is not known.
    let handshake =
        "upgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    let request = format!("GET /socket HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: upgrade\r\n{handshake}\r\n");
    let mut stream = TcpStream::connect(gate.edge.address).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    sleep(Duration::from_millis(200));
    assert_eq!(gate.count("first"), 2, "the handshake arrives");
    assert_eq!(gate.send("GET /a", "", "").text(), "first");
}
