//! Rate limits.

use fastgate::gateway::Decision;
use fastgate::throttle::{Quota, Remaining};
use fastgate::time::Seconds;
use serde_json::{Value, json};

use super::{PARTNER, faults, gate_with, route, token};
use crate::offline::{Gate, NOW, Request, get, request};

fn limited(limit: &Value) -> Gate {
    let limited = json!({ "limits": ["l"], "access": "optional" });
    let mut other = route("/b", &limited);
    other["id"] = "other".into();
    gate_with(&json!({ "limits": { "l": limit }, "routes": [route("/a", &limited), other] }))
}

fn from(address: &str, path: &str) -> Request {
    get(path).from(address)
}

fn passes(gate: &Gate, request: Request) -> bool {
    match gate.verdict(request) {
        "forwarded" => true,
        "limit-exceeded" => false,
        other => panic!("{other}"),
    }
}

#[test]
fn the_first_request_of_a_window_opens_it_and_the_last_second_of_it_still_counts() {
    let gate = limited(&json!({ "count": 3, "window": 60, "by": ["network"] }));
    let at = |seconds: u64| {
        gate.now.set(NOW + seconds);
        passes(&gate, get("/a"))
    };
    assert_eq!([at(0), at(30), at(59), at(59)], [true, true, true, false]);
    assert_eq!([at(60), at(60), at(119), at(119), at(120)], [true, true, true, false, true]);
    assert!(!at(0) || at(0), "a clock that goes back has no effect");
}

#[test]
fn a_subject_is_counted_across_networks_and_a_network_across_subjects() {
    let by_subject = limited(&json!({ "count": 1, "window": 60, "by": ["subject"] }));
    let alice = token(json!({}));
    let bob = token(json!({ "sub": "bob" }));
    let namesake = PARTNER.token(NOW, json!({}));
    assert!(passes(&by_subject, from("192.0.2.1", "/a").bearer(&alice)));
    assert!(!passes(&by_subject, from("192.0.2.2", "/b").bearer(&alice)), "another address, another route");
    assert!(passes(&by_subject, from("192.0.2.1", "/a").bearer(&bob)));
    assert!(passes(&by_subject, from("192.0.2.1", "/a").bearer(&namesake)), "the same name at another issuer");

    let by_network = limited(&json!({ "count": 1, "window": 60, "by": ["network"] }));
    assert!(passes(&by_network, from("192.0.2.1", "/a").bearer(&token(json!({})))));
    assert!(!passes(&by_network, from("192.0.2.1", "/a").bearer(&token(json!({ "sub": "bob" })))));
    assert!(!passes(&by_network, from("::ffff:192.0.2.1", "/a")));
}

#[test]
fn addresses_of_one_ipv6_64_share_a_count() {
    let gate = limited(&json!({ "count": 2, "window": 60, "by": ["network"] }));
    assert!(passes(&gate, from("2001:db8:1:2::1", "/a")));
    assert!(passes(&gate, from("2001:db8:1:2:ffff:ffff:ffff:ffff", "/a")));
    assert!(!passes(&gate, from("2001:db8:1:2:3::4", "/a")));
    assert!(passes(&gate, from("2001:db8:1:3::1", "/a")));
}

#[test]
fn headers_do_not_change_the_key_of_a_count() {
    let gate = limited(&json!({ "count": 1, "window": 60, "by": ["network"] }));
    assert!(passes(&gate, get("/a")));
    for name in ["x-forwarded-for", "x-real-ip", "fastly-client-ip", "forwarded", "true-client-ip"] {
        assert!(!passes(&gate, get("/a").field(name, "203.0.113.9")), "{name}");
    }
}

#[test]
fn keys_combine_and_never_collide() {
    let gate = limited(&json!({ "count": 1, "window": 60, "by": [{ "claim": "a" }, { "claim": "b" }, "route"] }));
    let passes = |path: &str, claims: Value| passes(&gate, get(path).bearer(&token(claims)));
    assert!(passes("/a", json!({ "a": "x", "b": "yz" })));
    assert!(!passes("/a", json!({ "a": "x", "b": "yz" })));
    assert!(passes("/a", json!({ "a": "xy", "b": "z" })));
    assert!(passes("/b", json!({ "a": "x", "b": "yz" })));
    assert!(passes("/a", json!({ "a": 1, "b": "1" })));
    assert!(passes("/a", json!({ "a": "1", "b": "1" })), "a number differs from its text");
}

#[test]
fn a_list_or_an_object_is_not_a_key_and_the_network_counts_instead() {
    let gate = limited(&json!({ "count": 1, "window": 60, "by": [{ "claim": "a" }] }));
    let passes = |claims: Value| passes(&gate, get("/a").bearer(&token(claims)));
    assert!(passes(json!({ "a": ["x"] })));
    assert!(!passes(json!({ "a": ["y"] })), "another list, the same network");
    assert!(!passes(json!({ "a": { "x": 1 } })), "an object, the same network");
    assert!(passes(json!({ "a": "x" })));
}

#[test]
fn the_network_replaces_parts_that_a_caller_does_not_have() {
    let gate = limited(&json!({ "count": 1, "window": 60, "by": ["client_id"] }));
    assert!(passes(&gate, from("192.0.2.1", "/a")));
    assert!(!passes(&gate, from("192.0.2.1", "/a").bearer(&token(json!({})))), "a token without a client");
    assert!(passes(&gate, from("192.0.2.2", "/a")));
    assert!(passes(&gate, from("192.0.2.1", "/a").bearer(&token(json!({ "client_id": "192.0.2.1" })))));
}

#[test]
fn a_request_can_cost_more_and_a_malformed_cost_is_the_maximum() {
    let by_header = |said: &[&str]| {
        let gate = limited(&json!({
            "count": 100, "window": 60, "by": ["network"],
            "cost": 2, "cost_from": { "header": "X-Batch" }, "max_cost": 50
        }));
        let request = said.iter().fold(get("/a"), |request, value| request.field("x-batch", value));
        let fields = gate.send(request).grant().response().apply(&fastgate::headers::Headers::default());
        let left = String::from_utf8(fields.all("ratelimit").next().unwrap().to_vec()).unwrap();
        100 - left.split(['=', ';']).nth(2).unwrap().parse::<u64>().unwrap()
    };
    assert_eq!([by_header(&[]), by_header(&["7"]), by_header(&["50"])], [2, 7, 50]);
    for most in [&["51"][..], &["-1"], &["+7"], &["1e1"], &[""], &["7", "7"], &["99999999999999999999999"], &["x"]] {
        assert_eq!(by_header(most), 50, "{most:?}");
    }
    assert_eq!(by_header(&["0"]), 1);
}

#[test]
fn a_claim_can_say_the_cost() {
    let gate = limited(&json!({
        "count": 10, "window": 60, "by": ["subject"], "cost_from": { "claim": "weight" }, "max_cost": 5
    }));
    let passes = |claims: Value| passes(&gate, get("/a").bearer(&token(claims)));
    assert!(passes(json!({ "weight": 4 })));
    assert!(passes(json!({ "weight": 99 })));
    assert!(!passes(json!({ "weight": 2 })), "a refused request takes no units");
    for odd in [json!("1"), json!(1.5), json!(-1), json!(null), json!([1])] {
        assert!(!passes(json!({ "weight": odd })), "a claim that is not a number costs the maximum: {odd}");
    }
    assert!(passes(json!({})));
    assert!(!passes(json!({})));
}

#[test]
fn a_refusal_says_when_the_window_ends() {
    let gate = limited(&json!({ "count": 1, "window": 60, "by": ["network"] }));
    assert!(passes(&gate, get("/a")));
    gate.now.set(NOW + 18);
    let outcome = gate.send(get("/a"));
    let problem = outcome.problem();
    let headers = problem.headers();
    let field = |name: &str| headers.all(name).map(|value| String::from_utf8_lossy(value).into_owned()).next();
    assert_eq!(field("retry-after").as_deref(), Some("42"));
    assert_eq!(field("ratelimit").as_deref(), Some("\"l\";r=0;t=42"));
    assert_eq!(field("ratelimit-policy").as_deref(), Some("\"l\";q=1;w=60"));
}

#[test]
fn a_quota_has_a_description() {
    let exact = Quota {
        limit: "l".to_owned(),
        unit: None,
        count: 9,
        window: Seconds::new(60),
        remaining: Some(Remaining { units: 4, resets_in: Seconds::new(18) }),
    };
    assert_eq!(exact.to_string(), "limit \"l\" of 9 in 60 s: 4 left for 18 s");
    assert_eq!(exact.retry_after(), Seconds::new(18));
    let estimated = Quota { remaining: None, ..exact };
    assert_eq!(estimated.to_string(), "limit \"l\" of 9 in 60 s");
    assert_eq!(estimated.retry_after(), Seconds::new(60), "a whole window, because the counter only estimates");
    assert_eq!(
        Quota { remaining: Some(Remaining { units: 0, resets_in: Seconds::new(0) }), ..estimated }.retry_after(),
        Seconds::new(1)
    );
}

#[test]
fn an_unreachable_counter_refuses_or_admits_as_the_limit_says() {
    for (unreachable, verdict, uncounted) in
        [("closed", "counter-unreachable", json!(null)), ("open", "forwarded", json!(["l: broken"]))]
    {
        let gate = limited(&json!({ "count": 1, "window": 60, "by": ["network"], "unreachable": unreachable }));
        gate.fakes().counter.broken = true;
        let outcome = gate.send(get("/a"));
        let line = outcome.line();
        assert_eq!((&line["verdict"], &line["uncounted"]), (&json!(verdict), &uncounted));
        if let Decision::Refuse(problem) = outcome.decision {
            assert_eq!(problem.status(), 503);
        }
    }
}

#[test]
fn a_limit_in_shadow_counts_and_refuses_no_request() {
    let gate = limited(&json!({ "count": 1, "window": 60, "by": ["network"], "shadow": true }));
    let shadow = || gate.send(get("/a")).line()["shadow"].clone();
    assert_eq!([shadow(), shadow()], [json!(null), json!(["would-refuse limit-exceeded"])]);
}

#[test]
fn the_flood_limit_counts_before_a_token_is_read() {
    let mut parts = json!({
        "limits": { "flood": { "count": 2, "window": 10, "by": ["network"] } },
        "routes": [route("/a", &json!({}))]
    });
    parts["edge"] = json!({ "issuer": "https://edge.test", "hosts": ["edge.test"], "flood_limit": "flood" });
    let gate = gate_with(&parts);
    let verdict = || gate.verdict(get("/a").bearer("bad.token.x"));
    assert_eq!([verdict(), verdict(), verdict()], ["token-malformed", "token-malformed", "limit-exceeded"]);
    let good = token(json!({}));
    assert_eq!(gate.verdict(get("/a").bearer(&good)), "limit-exceeded");
    assert_eq!(gate.verdict(from("192.0.2.9", "/a").bearer(&good)), "forwarded");
}

#[test]
fn the_flood_limit_counts_requests_without_a_route_too() {
    let preflight =
        || request("OPTIONS", "/a").field("origin", "https://evil.test").field("access-control-request-method", "GET");
    let kinds: [(&str, &dyn Fn() -> Request); 5] = [
        ("published", &|| get("/.well-known/fastgate/jwks.json")),
        ("published", &|| get("/.well-known/oauth-protected-resource")),
        ("no-route", &|| get("/nowhere")),
        ("method-not-allowed", &|| request("DELETE", "/a")),
        ("cors-refused", &preflight),
    ];
    for (verdict, request) in kinds {
        for by in [json!(["network"]), json!(["network", "route"])] {
            let mut parts = json!({
                "limits": { "flood": { "count": 2, "window": 10, "by": by } },
                "groups": { "web": { "cors": { "origins": ["https://app.test"] } } },
                "routes": [route("/a", &json!({ "access": "public", "group": "web" }))]
            });
            parts["edge"] = json!({ "issuer": "https://edge.test", "hosts": ["edge.test"], "flood_limit": "flood" });
            let gate = gate_with(&parts);
            let verdicts = [gate.verdict(request()), gate.verdict(request()), gate.verdict(request())];
            assert_eq!(verdicts, [verdict, verdict, "limit-exceeded"], "{by}");
            let served = if by == json!(["network"]) { "limit-exceeded" } else { "forwarded" };
            assert_eq!(gate.verdict(get("/a")), served, "{by}: routes are counted separately if the limit says so");
        }
    }
}

#[test]
fn limits_that_cannot_be_kept_are_faults() {
    let of = |limit: &Value| {
        let routes = json!([route("/", &json!({ "access": "public", "limits": ["l"] }))]);
        faults(&json!({ "limits": { "l": limit }, "routes": routes }))
    };
    let erl = |count: u64, window: u64, penalty: u64| {
        let erl = json!({ "rate_counter": "rc", "penalty_box": "pb", "penalty": penalty });
        json!({ "count": count, "window": window, "by": ["network"], "counter": { "erl": erl } })
    };
    for (limit, fault) in [
        (json!({ "count": 0, "window": 60, "by": ["network"] }), "$.limits.l.count: is 0"),
        (json!({ "count": 1, "window": 0, "by": ["network"] }), "$.limits.l.window: is 0"),
        (json!({ "count": 1, "window": 60, "by": [] }), "$.limits.l.by: is empty"),
        (json!({ "count": 1, "window": 60, "by": ["network"], "cost": 2 }), "$.limits.l.cost: is 2"),
        (
            json!({ "count": 9, "window": 60, "by": ["network"], "cost_from": { "header": "x" } }),
            "$.limits.l.max_cost: belongs to",
        ),
        (erl(60, 30, 60), "$.limits.l.window: is not a window of Edge"),
        (erl(5, 10, 60), "$.limits.l.count: is less than one a second"),
        (erl(60, 60, 5), "$.limits.l.counter.erl.penalty: is 5"),
    ] {
        let found = of(&limit);
        assert!(found.iter().any(|found| found.starts_with(fault)), "{limit}: {found:?}");
    }
    for unseen in [
        "Content-Length",
        "host",
        "Transfer-Encoding",
        "Connection",
        "Authorization",
        "DPoP",
        "X-Forwarded-For",
        "x-request-id",
        "Fastly-Client-IP",
        "Fastgate-Identity",
        "x_batch",
    ] {
        let found = of(&json!({
            "count": 9, "window": 60, "by": ["network"], "cost_from": { "header": unseen }, "max_cost": 5
        }));
        let expected = format!("$.limits.l.cost_from.header: names \"{unseen}\", which the edge keeps to itself");
        assert_eq!(found, [expected]);
    }
    let mut parts = json!({
        "limits": { "l": { "count": 1, "window": 1, "by": ["subject"] } },
        "routes": [route("/", &json!({ "access": "public", "limits": ["none"] }))]
    });
    parts["edge"] = json!({ "issuer": "https://edge.test", "hosts": ["edge.test"], "flood_limit": "l" });
    assert_eq!(
        faults(&parts),
        ["$.edge.flood_limit: counts by facts that are not known yet", "$.routes[0].limits[0]: names no limit"]
    );
}
