//! Rows J6, J13 of `docs/attacks.md`: the response that a client gets for its conditions and its range.

use fastgate::caching::{PURGE_FIELD, Tags};
use fastgate::conditional::Part;
use serde_json::json;

use super::{Outcome, caching, exchange, fields, stored};
use crate::offline::{Gate, get, text};

fn gate() -> Gate {
    let gate = caching("public", &json!({ "audience": "public", "ttl": 60 }));
    let response = [
        ("etag", "\"1\""),
        ("content-length", "10"),
        ("content-type", "text/plain"),
        ("connection", "x-hop"),
        ("x-hop", "1"),
        ("surrogate-key", "a b"),
        ("fastgate-purge", "c"),
        ("cache-status", "inner; hit"),
    ];
    assert_eq!(exchange(&gate, get("/a"), 200, &response), Outcome::Fetched);
    gate
}

#[test]
fn a_stored_response_has_the_fields_of_the_origin_that_clients_get() {
    let served = stored(&gate(), get("/a"));
    let found: Vec<_> = served.fields.iter().map(|(name, value)| format!("{name}: {}", text(value))).collect();
    let expected = [
        "etag: \"1\"",
        "content-type: text/plain",
        "cache-status: inner; hit",
        "age: 0",
        "cache-status: fastgate; hit; ttl=60",
    ];
    assert_eq!(found, expected);
    assert_eq!((served.status, served.part, served.length), (200, Part::Whole, Some(10)));
}

#[test]
fn a_client_that_has_the_response_gets_304() {
    let served = stored(&gate(), get("/a").field("if-none-match", "W/\"1\""));
    assert_eq!((served.status, served.part, served.length), (304, Part::Nothing, None));
    assert!(served.fields.all("content-type").next().is_none());
    assert!(served.fields.all("etag").next().is_some());
    assert_eq!(served.selection, None);
}

#[test]
fn a_range_is_cut_from_the_stored_response() {
    let served = stored(&gate(), get("/a").field("range", "bytes=2-4"));
    assert_eq!((served.status, served.part, served.length), (206, Part::Range { first: 2, last: 4 }, Some(3)));
    assert_eq!(served.fields.all("content-range").map(text).collect::<Vec<_>>(), ["bytes 2-4/10"]);
    let none = stored(&gate(), get("/a").field("range", "bytes=10-"));
    assert_eq!((none.status, none.part), (416, Part::Nothing));
    assert_eq!(none.fields.all("content-range").map(text).collect::<Vec<_>>(), ["bytes */10"]);
    assert!(none.fields.all("content-type").next().is_none());
}

#[test]
fn surrogate_keys_belong_to_their_origin_and_are_bounded() {
    let named = |audience: &str, names: &str| {
        let mut policy = crate::provider::policy(&json!({ "routes": [crate::rules::route("/a", &json!({}))] }));
        policy["origins"]["app"]["audience"] = audience.into();
        let policy = crate::offline::policy_of(&policy);
        let tags = Tags::of(policy.routes()[0].origin().unwrap());
        let (names, are_all) = tags.named(&fields(&[(PURGE_FIELD, names)]), PURGE_FIELD);
        are_all.then_some(names)
    };
    let policy = crate::provider::policy(&json!({ "routes": [crate::rules::route("/a", &json!({}))] }));
    let tags = Tags::of(crate::offline::policy_of(&policy).routes()[0].origin().unwrap());
    let (usable, all_are) = tags.named(&fields(&[(PURGE_FIELD, &format!("a é {} b", "x".repeat(257)))]), PURGE_FIELD);
    assert_eq!((usable.len(), all_are), (2, false), "the others are purged");
    assert_eq!(named("a", "x  y").map(|names| names.len()), Some(2));
    assert_ne!(named("a", "x"), named("b", "x"));
    assert_eq!(named("a", "x y"), named("a", "x\ty"));
    assert_eq!(named("a", ""), Some(vec![]));
    assert_eq!(named("a", &"x ".repeat(64)).map(|names| names.len()), Some(64));
    assert_eq!(named("a", &"x ".repeat(65)), None);
    assert_eq!(named("a", &"x".repeat(257)), None);
    assert_eq!(named("a", "\u{e4}"), None);
    for name in named("a", &format!("{} {}", "x".repeat(256), "!~")).unwrap() {
        assert!(name.len() <= 64 && name.bytes().all(|byte| byte.is_ascii_graphic()), "{name}");
    }
}
