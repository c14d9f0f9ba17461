//! Rows J8 of `docs/attacks.md`: stale responses, and origins that fail.

use std::thread::sleep;
use std::time::Duration;

use serde_json::json;

use super::{Gate, Told, begin_second, status};

#[test]
fn a_stale_response_is_sent_at_once_and_renewed_afterwards() {
    let gate = Gate::public(1);
    gate.responds("/shared/a", "one", &[]);
    begin_second();
    gate.get("/shared/a");
    gate.responds("/shared/a", "two", &[]);
    sleep(Duration::from_millis(1100));
    let stale = gate.get("/shared/a");
    assert_eq!((stale.text().as_str(), status(&stale)), ("one", "fastgate; hit; ttl=0"));
    assert_eq!(gate.log_of(&stale)["cache"], "stale");
    sleep(Duration::from_millis(200));
    assert_eq!(gate.get("/shared/a").text(), "two");
    assert_eq!(gate.seen("/shared/a").len(), 2);
}

#[test]
fn the_origin_validates_what_is_stored() {
    let gate = Gate::public(1);
    let fields = [("etag", "\"1\""), ("cache-control", "must-revalidate")];
    gate.responds("/shared/a", "one", &fields);
    gate.get("/shared/a");
    sleep(Duration::from_millis(2100));
    let validated = gate.get("/shared/a");
    assert_eq!(
        (validated.status, validated.text().as_str(), validated.header("x-validated")),
        (200, "one", Some("yes"))
    );
    assert_eq!(status(&validated), "fastgate; fwd=stale; fwd-status=304; stored");
    let hit = gate.get("/shared/a");
    assert_eq!((hit.text().as_str(), hit.header("x-validated")), ("one", Some("yes")));
    let seen = gate.seen("/shared/a");
    assert_eq!((seen.len(), seen[1].all("if-none-match")), (2, vec!["\"1\""]));
}

#[test]
fn stale_responses_outlast_an_outage_for_authorized_callers_alone() {
    let cache = json!({ "audience": "tenant", "ttl": 1, "stale_while_revalidate": 1, "stale_if_error": 60 });
    let gate = Gate::with(&json!({ "require": { "role": "admin" }, "cache": cache }));
    gate.responds("/shared/a", "one", &[]);
    let get = |roles: &[&str], tenant: &str| {
        let token = gate.token("ada", &json!({ "tid": tenant, "roles": roles }));
        gate.send("GET /shared/a", &format!("authorization: Bearer {token}\r\n"))
    };
    assert_eq!(get(&["admin"], "one").text(), "one");
    gate.tell("/shared/a", Told { is_down: true, ..Told::default() });
    for after in [1100, 2000] {
        sleep(Duration::from_millis(after));
        assert_eq!(get(&["admin"], "one").text(), "one", "{after}");
        assert_eq!(get(&["reader"], "one").status, 403, "{after}");
        assert_eq!(get(&["admin"], "two").status, 502, "{after}: nothing is stored for this tenant");
    }
}

#[test]
fn stale_responses_outlast_an_outage_and_recovery_needs_one_request() {
    let gate = Gate::public(1);
    gate.responds("/shared/a", "one", &[]);
    gate.get("/shared/a");
    gate.tell("/shared/a", Told { is_down: true, ..Told::default() });
    sleep(Duration::from_millis(3100));
    begin_second();
    for _ in 0..5 {
        let stale = gate.get("/shared/a");
        assert_eq!((stale.status, stale.text().as_str()), (200, "one"));
        assert!(status(&stale).contains("hit; ttl=-"), "{}", status(&stale));
    }
    assert_eq!(gate.seen("/shared/a").len(), 2, "one request tries in two seconds");
    gate.responds("/shared/a", "two", &[]);
    sleep(Duration::from_millis(2100));
    assert_eq!(gate.get("/shared/a").text(), "two");
    assert_eq!(gate.get("/shared/a").text(), "two");
    assert_eq!(gate.seen("/shared/a").len(), 3);
    gate.tell("/shared/b", Told { is_down: true, ..Told::default() });
    assert_eq!(gate.get("/shared/b").status, 502, "nothing is stored");
}

#[test]
fn a_response_that_breaks_off_does_not_replace_a_stale_one() {
    let gate = Gate::public(1);
    gate.responds("/shared/a", "one", &[]);
    gate.get("/shared/a");
    gate.tell("/shared/a", Told { body: "x".repeat(1000), sends: Some(500), ..Told::default() });
    for (after, requests) in [(1100, 2), (3100, 3)] {
        sleep(Duration::from_millis(after)); // the first is renewed after it was sent, the second before
        assert_eq!(gate.get("/shared/a").text(), "one", "{after}");
        sleep(Duration::from_millis(200));
        assert_eq!(gate.seen("/shared/a").len(), requests, "{after}");
    }
    gate.tell("/shared/a", Told { status: "503 Service Unavailable", ..Told::default() });
    sleep(Duration::from_millis(2100));
    assert_eq!(gate.get("/shared/a").text(), "one");
    gate.responds("/shared/a", "two", &[]);
    sleep(Duration::from_millis(2100));
    assert_eq!(gate.get("/shared/a").text(), "two");
}
