//! Rows J3, J6, J14 of `docs/attacks.md`: what is stored, and how long it is sent (RFC 9111, RFC 5861).

use fastgate::caching::FromOrigin;
use serde_json::json;

use super::{Outcome, caching, exchange};
use crate::offline::{Gate, NOW, get, request};

fn gate() -> Gate {
    caching(
        "public",
        &json!({ "audience": "public", "ttl": 60, "stale_while_revalidate": 30, "stale_if_error": 100, "vary": ["x"] }),
    )
}

fn at(gate: &Gate, seconds: u64, status: u16, fields: &[(&str, &str)]) -> Outcome {
    gate.now.set(NOW + seconds);
    exchange(gate, get("/a"), status, fields)
}

fn relayed(reason: &str) -> Outcome {
    Outcome::Relayed(reason.to_owned())
}

#[test]
fn a_response_is_fresh_then_stale_and_renewed_then_fetched_again() {
    let gate = gate();
    assert_eq!(at(&gate, 0, 200, &[]), Outcome::Fetched);
    assert_eq!(at(&gate, 59, 500, &[]), Outcome::Stored(200));
    assert_eq!(at(&gate, 60, 200, &[]), Outcome::Renewed(200));
    assert_eq!(at(&gate, 119, 500, &[]), Outcome::Stored(200));
    assert_eq!(at(&gate, 150, 200, &[]), Outcome::Fetched, "30 seconds after it was fresh");
}

#[test]
fn the_origin_narrows_the_declaration_and_never_widens_it() {
    for (fields, fresh_for) in [
        (&[("cache-control", "max-age=10")][..], 10),
        (&[("cache-control", "max-age=100")], 60),
        (&[("cache-control", "max-age=50"), ("cdn-cache-control", "max-age=9")], 9),
        (&[("cache-control", "max-age=5"), ("surrogate-control", "max-age=9")], 5),
        (&[("cache-control", "public, ,max-age=10")], 10),
        (&[("cache-control", "max-age=50, s-maxage=5")], 5),
        (&[("cache-control", "max-age=20"), ("age", "15")], 5),
        (&[("age", "15")], 45),
        (&[("expires", "Thu, 01 Jan 1970 00:00:00 GMT"), ("cache-control", "max-age=7")], 7),
    ] {
        let gate = gate();
        assert_eq!(at(&gate, 0, 200, fields), Outcome::Fetched, "{fields:?}");
        assert_eq!(at(&gate, fresh_for - 1, 200, fields), Outcome::Stored(200), "{fields:?}");
        assert_ne!(at(&gate, fresh_for, 200, fields), Outcome::Stored(200), "{fields:?}");
    }
}

#[test]
fn what_must_not_be_stored_is_not_and_requests_for_it_do_not_wait() {
    for (status, fields, reason) in [
        (200, &[("cache-control", "no-store")][..], "cache-control"),
        (200, &[("cache-control", "private")], "cache-control"),
        (200, &[("cache-control", "private=\"x\", max-age=10")], "cache-control"),
        (200, &[("set-cookie", "a=b")], "set-cookie"),
        (200, &[("vary", "*")], "vary"),
        (200, &[("vary", "X, accept-language")], "vary"),
        (206, &[("cache-control", "max-age=10")], "status"),
        (304, &[("cache-control", "max-age=10")], "status"),
        (404, &[], "status"),
        (500, &[("cache-control", "max-age=10")], "status"),
        (302, &[], "status"),
        (599, &[("cache-control", "must-understand, max-age=10")], "status"),
        (200, &[("surrogate-key", "\u{e4}")], "surrogate-key"),
        (200, &[("cache-control", "public;no-store")], "cache-control"),
        (200, &[("cache-control", "\"no-store\"")], "cache-control"),
        (200, &[("cache-control", "no-store;, max-age=9")], "cache-control"),
        (200, &[("cache-control", "a=\"b, no-store")], "cache-control"),
        (200, &[("cdn-cache-control", "no-store")], "cache-control"),
        (200, &[("surrogate-control", "Private")], "cache-control"),
        (200, &[("content-type", "Text/Event-Stream; charset=utf-8")], "endless"),
        (200, &[("content-length", "67108865")], "endless"),
    ] {
        let gate = gate();
        assert_eq!(at(&gate, 0, status, fields), relayed(reason), "{status} {fields:?}");
        if status != 500 {
            let others = "other requests do not wait for each other";
            assert_eq!(at(&gate, 1, 200, fields), relayed("not-asked"), "{status} {fields:?}: {others}");
        }
        assert_eq!(at(&gate, 20, 200, &[]), Outcome::Fetched, "{status} {fields:?}: it is tried again");
    }
    let vary = [("vary", "x, X")];
    assert_eq!(at(&gate(), 0, 200, &vary), Outcome::Fetched, "a declared field");
    let explicit = [("cache-control", "max-age=10")];
    assert_eq!(at(&gate(), 0, 404, &explicit), Outcome::Fetched, "the origin gives it a lifetime");
    let understood = [("cache-control", "no-store, must-understand, max-age=10")];
    assert_eq!(at(&gate(), 0, 200, &understood), Outcome::Fetched);
}

#[test]
fn a_stale_response_is_not_sent_where_the_origin_forbids_it() {
    for directive in ["must-revalidate", "proxy-revalidate", "s-maxage=60"] {
        let gate = gate();
        let fields = [("cache-control", directive), ("etag", "\"1\"")];
        assert_eq!(at(&gate, 0, 200, &fields), Outcome::Fetched);
        assert_eq!(at(&gate, 60, 304, &fields), Outcome::Validated, "{directive}");
        assert_eq!(at(&gate, 119, 304, &fields), Outcome::Stored(200), "{directive}");
        assert_eq!(at(&gate, 120, 500, &fields), relayed("status"), "{directive}");
    }
    let gate = gate();
    let fields = [("cache-control", "no-cache"), ("etag", "\"1\"")];
    assert_eq!(at(&gate, 0, 200, &fields), Outcome::Fetched);
    assert_eq!(at(&gate, 0, 304, &fields), Outcome::Validated, "it is validated each time");
    assert_eq!(at(&gate, 0, 304, &fields), Outcome::Validated);
    assert_eq!(at(&gate, 1, 304, &[("cache-control", "no-store")]), Outcome::Validated);
}

#[test]
fn a_response_that_is_of_no_use_is_not_stored() {
    let fields = [("cache-control", "max-age=0, must-revalidate")];
    assert_eq!(at(&gate(), 0, 200, &fields), relayed("stale"));
    let validator =
        [("cache-control", "max-age=0, must-revalidate"), ("last-modified", "Sun, 06 Nov 1994 08:49:37 GMT")];
    assert_eq!(at(&gate(), 0, 200, &validator), Outcome::Fetched);
}

#[test]
fn the_origin_is_asked_whether_what_is_stored_is_valid() {
    let gate = gate();
    let fields = [("etag", "\"1\""), ("last-modified", "Sun, 06 Nov 1994 08:49:37 GMT"), ("x-a", "1")];
    assert_eq!(at(&gate, 0, 200, &fields), Outcome::Fetched);
    gate.now.set(NOW + 100);
    let outcome = gate.send(get("/a").field("if-none-match", "\"client\"").field("if-modified-since", "x"));
    assert_eq!(outcome.sent("if-none-match"), ["\"1\""], "the client's condition does not reach the origin");
    assert_eq!(outcome.sent("if-modified-since"), ["Sun, 06 Nov 1994 08:49:37 GMT"]);
    gate.fakes().responses.owed.clear();
    assert_eq!(
        at(&gate, 100, 304, &[("x-a", "2"), ("content-encoding", "gzip"), ("etag", "\"2\"")]),
        Outcome::Validated
    );
    let served = super::stored(&gate, get("/a"));
    let value = |name: &str| served.fields.all(name).map(crate::offline::text).collect::<Vec<_>>();
    assert_eq!(
        (value("x-a"), value("etag"), value("content-encoding")),
        (vec!["2".into()], vec!["\"1\"".into()], vec![])
    );
    assert_eq!((value("age"), value("cache-status")), (vec!["0".into()], vec!["fastgate; hit; ttl=60".into()]));
}

#[test]
fn a_stale_response_outlasts_a_failure_and_one_request_tries_at_a_time() {
    let gate = gate();
    assert_eq!(at(&gate, 0, 200, &[]), Outcome::Fetched);
    assert_eq!(at(&gate, 90, 503, &[]), Outcome::Outlasted);
    assert_eq!(at(&gate, 91, 503, &[]), Outcome::Stored(200), "no request tries for two seconds");
    assert_eq!(at(&gate, 92, 502, &[]), Outcome::Outlasted);
    assert_eq!(at(&gate, 94, 200, &[]), Outcome::Fetched, "the origin is back");
    assert_eq!(at(&gate, 94 + 159, 404, &[]), relayed("status"), "404 is no failure");
    let gate = self::gate();
    assert_eq!(at(&gate, 0, 200, &[]), Outcome::Fetched);
    assert_eq!(at(&gate, 160, 503, &[]), relayed("status"), "it is too old");
}

#[test]
fn while_one_request_fetches_the_others_wait_for_a_second_one() {
    let gate = gate();
    assert_eq!(at(&gate, 0, 200, &[]), Outcome::Fetched);
    gate.now.set(NOW + 95);
    let first = gate.send(get("/a"));
    assert_eq!(first.trail.cache, Some("stale"));
    let keys = |gate: &Gate| gate.fakes().responses.looked_up.len();
    let before = keys(&gate);
    assert_eq!(gate.send(get("/a")).trail.cache, Some("stale"));
    assert_eq!(keys(&gate) - before, 2, "it looks for a response that another waiting request has stored");
    let third = gate.send(get("/a"));
    assert_eq!(third.trail.cache, Some("stale"));
}

/// While one request renews a stale response, a second one fetches for those that wait.
#[test]
fn the_second_request_leaves_something_for_those_that_wait_whatever_the_origin_responds() {
    for (status, fields, waiting) in [
        (200, &[][..], Outcome::Stored(200)),
        (404, &[], relayed("not-asked")),
        (200, &[("cache-control", "no-store")], relayed("not-asked")),
        (503, &[], Outcome::Stored(200)),
    ] {
        let gate = gate();
        assert_eq!(at(&gate, 0, 200, &[("etag", "\"1\"")]), Outcome::Fetched);
        gate.now.set(NOW + 95);
        let first = gate.send(get("/a"));
        assert_eq!(first.sent("if-none-match"), ["\"1\""]);
        let held = gate.fakes().responses.owed.clone();
        let second = gate.send(get("/a"));
        assert_eq!(second.sent("if-none-match"), [""; 0], "the second one has nothing to validate");
        let now = fastgate::time::UnixTime::from_seconds(NOW + 95);
        let received = second.grant().storage().unwrap().received(status, &super::fields(fields), now);
        let insertion = match received {
            FromOrigin::Store(insertion, _) => insertion,
            FromOrigin::Relay { mark, .. } => mark.unwrap(),
            FromOrigin::Stale(stale) => stale.held.unwrap(),
            FromOrigin::Validated(..) => panic!("nothing was validated"),
        };
        assert!(!insertion.is_update, "there is nothing to update");
        gate.fakes().responses.store(&insertion);
        gate.fakes().responses.owed = held;
        assert_eq!(at(&gate, 95, 404, &[]), waiting, "{status} {fields:?}");
    }
}

#[test]
fn a_response_that_must_not_be_stored_replaces_a_stale_one() {
    let gate = gate();
    assert_eq!(at(&gate, 0, 200, &[("etag", "\"1\"")]), Outcome::Fetched);
    assert_eq!(at(&gate, 200, 404, &[]), relayed("status"));
    assert_eq!(at(&gate, 201, 404, &[]), relayed("not-asked"), "requests do not wait for each other");
}

#[test]
fn a_purge_by_name_removes_what_has_the_name() {
    let gate = gate();
    assert_eq!(at(&gate, 0, 200, &[("surrogate-key", "a b")]), Outcome::Fetched);
    let names = |name: &str| {
        let outcome = gate.send(get("/a?other"));
        outcome.grant().tags().named(&super::fields(&[("fastgate-purge", name)]), "fastgate-purge").0
    };
    let (other, this) = (names("c"), names("b"));
    gate.fakes().responses.purge(&other[0]);
    assert_eq!(at(&gate, 1, 200, &[]), Outcome::Stored(200));
    gate.fakes().responses.purge(&this[0]);
    assert_eq!(at(&gate, 1, 200, &[]), Outcome::Fetched);
}

#[test]
fn an_unsafe_request_purges_its_url_whatever_the_origin_calls_it() {
    let cache = json!({ "audience": "public", "ttl": 60 });
    let of = |id: &str, method: &str, parts: serde_json::Value| {
        let mut route = crate::rules::route("/a", &json!({ "id": id, "access": "public", "methods": [method] }));
        route.as_object_mut().unwrap().extend(parts.as_object().cloned().unwrap());
        route
    };
    let mut policy = crate::provider::policy(&json!({ "routes": [
        of("read", "GET", json!({ "rewrite": { "template": "/v2/a" }, "cache": cache, "origin": "app" })),
        of("write", "POST", json!({ "rewrite": { "template": "/write" }, "origin": "other" })),
    ] }));
    policy["origins"]["other"] = json!({ "backend": "b", "audience": "other" });
    let gate = crate::rules::gate_of(&policy);
    assert_eq!(exchange(&gate, get("/a"), 200, &[]), Outcome::Fetched);
    let post = gate.send(request("POST", "/a"));
    let purged = post.grant().invalidates().unwrap().tags(200, &super::fields(&[("location", "/v2/a")]));
    assert_eq!(purged.len(), 2);
    gate.fakes().responses.purge(&purged[1]);
    assert_eq!(exchange(&gate, get("/a"), 200, &[]), Outcome::Stored(200), "a reference of another origin");
    gate.fakes().responses.purge(&purged[0]);
    assert_eq!(exchange(&gate, get("/a"), 200, &[]), Outcome::Fetched);
}

#[test]
fn only_get_is_stored_and_head_is_served_from_it() {
    let gate = crate::rules::gate_with(&json!({ "routes": [crate::rules::route(
        "/a",
        &json!({ "access": "public", "methods": ["GET", "HEAD", "POST"], "cache": { "audience": "public", "ttl": 60 } })
    )] }));
    assert_eq!(exchange(&gate, request("HEAD", "/a"), 200, &[]), relayed("not-asked"));
    assert_eq!(exchange(&gate, get("/a").field("content-length", "1"), 200, &[]), relayed("no-audience"));
    assert_eq!(exchange(&gate, get("/a"), 200, &[("content-length", "5")]), Outcome::Fetched);
    let served = super::stored(&gate, request("HEAD", "/a"));
    assert_eq!((served.part, served.length), (fastgate::conditional::Part::Nothing, Some(5)));
    let post = gate.send(request("POST", "/a"));
    assert!(post.grant().storage().is_none());
    let purged = |status, references: &[(&str, &str)]| {
        post.grant().invalidates().unwrap().tags(status, &super::fields(references))
    };
    assert_eq!((purged(400, &[("location", "/b")]), purged(200, &[]).len()), (vec![], 1));
    let stored_as = |reference: &str| {
        let tags = purged(200, &[("content-location", reference)]);
        tags.get(1).cloned()
    };
    let this = stored_as("/a");
    gate.fakes().responses.purge(&purged(303, &[])[0]);
    assert_eq!(exchange(&gate, get("/a"), 200, &[]), Outcome::Fetched);
    assert!(gate.send(get("/a?x")).grant().invalidates().is_none());
    for (reference, is_this) in [
        ("/a", true),
        ("a", true),
        ("https://edge.test/a", true),
        ("HTTPS://EDGE.test/a#x", true),
        ("//edge.test/a", true),
        ("/%61", true),
        ("http://edge.test/a", false),
        ("https://other.test/a", false),
        ("https://edge.test.other.test/a", false),
        ("/a?x", false),
        ("/../a", true),
        ("https://edge.test:443/a", true),
        ("", false),
        ("https://", false),
    ] {
        assert_eq!(stored_as(reference) == this, is_this, "{reference}");
    }
}
