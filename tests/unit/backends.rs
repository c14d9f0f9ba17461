//! Several backends: the region, the version and the order in which they are tried. Rows M12, M14 and M15 of `docs/attacks.md`.

mod faults;
mod hashing;
mod health;
mod retries;

use std::cell::RefCell;

use serde_json::{Value, json};

use crate::offline::{Gate, Outcome, Request, get};
use crate::provider;
use crate::rules::{gate_of, route, token};

/// Three regions, the last of which stands in for the first two, and a backend with a new version.
fn origin() -> Value {
    json!({
        "audience": "app",
        "backends": {
            "eu_1": { "region": "eu" }, "eu_2": { "region": "eu" }, "eu_next": { "region": "eu", "version": "next" },
            "eu_spare": { "region": "eu", "priority": 2 }, "eu_drained": { "region": "eu", "weight": 0 },
            "us_1": { "region": "us" }, "ch_1": { "region": "ch" }
        },
        "regions": {
            "eu": { "jurisdiction": "europe", "fallback": "ch" }, "ch": { "jurisdiction": "europe" },
            "us": { "fallback": "eu" }
        },
        "selection": {
            "region_by": [
                { "by": "tenant", "regions": { "acme": "eu", "globex": "us" } },
                { "by": { "claim": ["org", "cell"] }, "regions": { "7": "ch", "8": "ch", "9007199254740992": "ch", "9007199254740993": "ch" } },
                { "by": "country", "regions": { "CH": "ch" } },
                { "by": "continent", "regions": { "EU": "eu", "NA": "us" } }
            ],
            "default_region": "us",
            "version_by": { "header": "X-Version" }
        }
    })
}

fn policy(origin: &Value, parts: &Value) -> Value {
    let mut policy = provider::policy(&json!({ "routes": [
        route("/a", &json!({ "access": "optional" })),
        route("/eu", &json!({ "id": "eu-only", "access": "optional" })),
        route("/cached/{id}", &json!({ "id": "cached", "access": "public", "cache": { "audience": "public", "ttl": 60 } })),
    ] }));
    policy["origins"]["app"] = origin.clone();
    if origin.get("regions").is_some() {
        policy["routes"][1]["regions"] = json!(["eu"]);
    }
    policy["issuers"]["main"]["claims"] = json!({ "tenant": "tid" });
    policy.as_object_mut().unwrap().extend(parts.as_object().cloned().unwrap());
    policy
}

fn skipping(names: &[&str]) -> RefCell<Vec<String>> {
    RefCell::new(names.iter().map(|name| (*name).to_owned()).collect())
}

fn gate(origin: &Value) -> Gate {
    gate_of(&policy(origin, &json!({})))
}

/// A request from a client of this country and continent.
fn from(target: &str, country: &str, continent: &str) -> Request {
    let mut request = get(target);
    request.client.country = Some(country.to_owned());
    request.client.continent = serde_json::from_value(json!(continent)).ok();
    request
}

/// The backend, the region in the header, and the region in the log.
fn sent_to(outcome: &Outcome) -> (String, Value) {
    (outcome.grant().backend().to_owned(), outcome.minted()["rctx"]["region"].clone())
}

fn region(gate: &Gate, request: Request) -> String {
    let (backend, region) = sent_to(&gate.send(request));
    assert!(backend.starts_with(region.as_str().unwrap()), "{backend} is not in {region}");
    region.as_str().unwrap().to_owned()
}

#[test]
fn the_first_rule_that_knows_a_value_assigns_the_region() {
    let gate = gate(&origin());
    let acme = token(json!({ "tid": "acme", "org": { "cell": 7 } }));
    let other = |cell: Value| token(json!({ "tid": "other", "org": { "cell": cell } }));
    for (request, expected) in [
        (from("/a", "US", "NA").bearer(&acme), "eu"),
        (from("/a", "US", "NA").bearer(&other(json!(7))), "ch"),
        (from("/a", "US", "NA").bearer(&other(json!("7"))), "ch"),
        (from("/a", "US", "NA").bearer(&other(json!(7.0))), "ch"),
        (from("/a", "US", "NA").bearer(&other(json!(7.5))), "us"),
        // From 2^53 on, a number with a fraction may stand for several whole ones.
        (from("/a", "US", "NA").bearer(&other(json!(9_007_199_254_740_992.0_f64))), "us"),
        (from("/a", "US", "NA").bearer(&other(json!(9_007_199_254_740_993_u64))), "ch"),
        (from("/a", "US", "NA").bearer(&other(json!(["7"]))), "us"),
        (from("/a", "CH", "EU"), "ch"),
        (from("/a", "DE", "EU"), "eu"),
        (from("/a", "CA", "NA"), "us"),
        (from("/a", "JP", "AS"), "us"),
        // A client writes fields as it likes; none of them assigns a region.
        (from("/a", "CA", "NA").field("x-region", "eu").field("x-tenant", "acme"), "us"),
    ] {
        assert_eq!(region(&gate, request), expected);
    }
}

#[test]
fn a_version_is_chosen_within_the_region_and_a_name_that_no_backend_has_chooses_none() {
    let gate = gate(&origin());
    let backend = |request: Request| sent_to(&gate.send(request)).0;
    assert_eq!(backend(from("/a", "DE", "EU").field("x-version", "next")), "eu_next");
    for (country, continent, version) in
        [("DE", "EU", "other"), ("DE", "EU", ""), ("DE", "EU", "NEXT"), ("US", "NA", "next")]
    {
        let request = from("/a", country, continent).field("x-version", version);
        assert!(["eu_1", "eu_2", "us_1"].contains(&backend(request).as_str()), "{version}");
    }
    // Of several values, none is chosen.
    let twice = from("/a", "DE", "EU").field("x-version", "next").field("x-version", "next");
    assert_ne!(backend(twice), "eu_next");
    // Without the backend of its version, the request stays in the region.
    gate.skipped.replace(vec!["eu_next".to_owned()]);
    assert!(backend(from("/a", "DE", "EU").field("x-version", "next")).starts_with("eu_"));

    let mut by_cookie = origin();
    by_cookie["selection"]["version_by"] = json!({ "cookie": "version" });
    let gate = gate_of(&policy(&by_cookie, &json!({})));
    let backend = |cookie: &str| sent_to(&gate.send(from("/a", "DE", "EU").field("cookie", cookie))).0;
    assert_eq!(backend("a=b; version=next"), "eu_next");
    assert_eq!(backend("\tversion=next \t;a=b"), "eu_next");
    for cookie in [
        "version=next; version=other",
        "Version=next",
        "xversion=next",
        "version",
        "a=version=next",
        "\u{a0}version=next",
        "version=next\u{2003}; a=b",
    ] {
        assert_ne!(backend(cookie), "eu_next", "{cookie}");
    }
}

#[test]
fn skipped_backends_are_replaced_by_priority_and_then_by_the_fallbacks_of_the_region_and_by_no_other() {
    let gate = gate(&origin());
    let in_eu = || gate.send(from("/a", "DE", "EU"));
    gate.skipped.replace(["eu_1", "eu_2"].map(str::to_owned).to_vec());
    let outcome = in_eu();
    assert_eq!(sent_to(&outcome), ("eu_spare".to_owned(), json!("eu")));
    assert!(!outcome.grant().candidates().all_skipped());
    let mut skipped = outcome.trail.skipped;
    skipped.sort();
    assert_eq!(skipped, ["eu_1", "eu_2"]);
    gate.skipped.replace(["eu_1", "eu_2", "eu_spare"].map(str::to_owned).to_vec());
    assert_eq!(sent_to(&in_eu()), ("ch_1".to_owned(), json!("ch")));
    // All that may serve it are skipped: one of its own is tried all the same, never one of another jurisdiction.
    gate.skipped.replace(["eu_1", "eu_2", "eu_spare", "ch_1"].map(str::to_owned).to_vec());
    let outcome = in_eu();
    assert_eq!(sent_to(&outcome).1, json!("eu"));
    assert!(outcome.grant().candidates().all_skipped());
    assert_eq!(region(&gate, from("/a", "US", "NA")), "us");
}

#[test]
fn a_route_is_served_only_in_its_regions() {
    let gate = gate(&origin());
    assert_eq!(region(&gate, from("/eu", "DE", "EU")), "eu");
    // The region of the client is another, and one of the route stands in for it.
    assert_eq!(region(&gate, from("/eu", "US", "NA")), "eu");
    let outcome = gate.send(from("/eu", "CH", "EU"));
    assert_eq!((outcome.trail.verdict, outcome.problem().status()), ("other-region", 503));
    gate.skipped.replace(["eu_1", "eu_2", "eu_spare"].map(str::to_owned).to_vec());
    assert_eq!(region(&gate, from("/eu", "DE", "EU")), "eu", "the fallback is not one of the route's regions");
}

#[test]
fn a_request_without_a_region_is_refused_unless_there_is_a_default() {
    let mut origin = origin();
    origin["selection"].as_object_mut().unwrap().remove("default_region");
    let outcome = gate(&origin).send(from("/a", "JP", "AS"));
    assert_eq!((outcome.trail.verdict, outcome.problem().status()), ("no-region", 503));
    assert_eq!(outcome.problem().headers().all("retry-after").count(), 1);
}

#[test]
fn the_rules_apply_to_an_origin_with_one_backend_and_regions() {
    let gate = gate(&json!({
        "audience": "app", "backends": { "only": { "region": "eu" } }, "regions": { "eu": {} },
        "selection": { "region_by": [{ "by": "tenant", "regions": { "acme": "eu" } }] }
    }));
    let acme = gate.send(get("/a").bearer(&token(json!({ "tid": "acme" }))));
    assert_eq!(sent_to(&acme), ("only".to_owned(), json!("eu")));
    assert_eq!((acme.trail.region.as_deref(), acme.trail.backend.as_deref()), (Some("eu"), Some("only")));
    for outcome in [gate.send(get("/a")), gate.send(get("/a").bearer(&token(json!({ "tid": "globex" }))))] {
        assert_eq!(outcome.trail.verdict, "no-region");
    }
}

#[test]
fn the_region_and_the_version_are_part_of_the_key_of_a_stored_response() {
    let gate = gate(&origin());
    let key = |request: Request| {
        let outcome = gate.send(request);
        let storage = outcome.grant().storage().unwrap();
        let debug = format!("{storage:?}");
        let start = debug.find("CacheKey(").unwrap();
        debug[start..].split(')').next().unwrap().to_owned()
    };
    let in_eu = key(from("/cached/1", "DE", "EU"));
    assert_eq!(in_eu, key(from("/cached/1", "FR", "EU")));
    assert_ne!(in_eu, key(from("/cached/1", "US", "NA")));
    assert_ne!(in_eu, key(from("/cached/1", "DE", "EU").field("x-version", "next")));
    assert_eq!(in_eu, key(from("/cached/1", "DE", "EU").field("x-version", "none")));
    // Only a fallback has this version, so the response is the ordinary one.
    assert_eq!(key(from("/cached/1", "US", "NA")), key(from("/cached/1", "US", "NA").field("x-version", "next")));
    // A route that is served only by the fallback gets its versions.
    let version = |target: &str| {
        let outcome = gate.send(from(target, "US", "NA").field("x-version", "next"));
        sent_to(&outcome).0
    };
    assert_eq!(version("/eu"), "eu_next");
}
