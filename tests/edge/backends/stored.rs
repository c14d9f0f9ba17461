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
