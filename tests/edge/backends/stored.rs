//! Stored responses of an origin with several backends. Row M12 of `docs/attacks.md`.

use std::thread::sleep;
use std::time::Duration;

use serde_json::json;

use super::{Does, Gate};

#[test]
fn a_stored_response_outlasts_all_backends() {
    let gate = Gate::start(&json!({
        "backends": { "first": {}, "second": {} }, "health": { "failures": 1, "pause": 60 }
    }));
    let stored = gate.send("GET /stored/x", "", "").text();
    gate.tell("first", Does::Close);
    gate.tell("second", Does::Close);
    sleep(Duration::from_millis(1200));
    for _ in 0..4 {
        let reply = gate.send("GET /stored/x", "", "");
        assert_eq!((reply.status, reply.text()), (200, stored.clone()));
    }
    assert_eq!(gate.send("GET /stored/y", "", "").status, 503);
}

#[test]
fn a_stored_response_is_filled_and_renewed_by_a_fallback() {
    let gate = Gate::start(&json!({
        "backends": { "first": {}, "second": { "priority": 2 } }, "health": { "failures": 3, "pause": 60 }
    }));
    gate.tell("first", Does::Close);
    let filled = gate.send("GET /stored/x", "", "");
    assert_eq!(
        (filled.text().as_str(), &gate.log_of(&filled)["retried"]),
        ("second", &json!(["first: origin-unreachable"]))
    );
    assert_eq!(gate.send("GET /stored/x", "", "").text(), "second");
    assert_eq!(gate.count("second"), 1, "it is stored");
}

#[test]
fn a_renewal_after_the_response_is_sent_again_as_well() {
    let gate = Gate::start(&json!({ "backends": { "first": {}, "second": { "priority": 2 } } }));
    assert_eq!(gate.send("GET /renewed/x", "", "").text(), "first");
    sleep(Duration::from_millis(1200));
    gate.tell("first", Does::Close);
    assert_eq!(gate.send("GET /renewed/x", "", "").text(), "first", "the stored response, which is stale");
    let is_renewed = (0..40).any(|_| {
        sleep(Duration::from_millis(20));
        gate.count("second") > 0
    });
    assert!(is_renewed);
    sleep(Duration::from_millis(100));
    assert_eq!(gate.send("GET /renewed/x", "", "").text(), "second");
    assert_eq!(gate.count("second"), 1, "it is stored");
}
