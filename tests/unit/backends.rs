//! Several backends: the region, the version and the order in which they are tried. Rows M11, M12 and M14 to M16 of `docs/attacks.md`.

use std::cell::RefCell;
use std::collections::BTreeMap;

use fastgate::backend::{Candidates, HealthRecord, Outcome as Sent, cost, may_resend};
use fastgate::time::UnixTime;
use serde_json::{Value, json};

use crate::offline::fakes::SkippedBackends;
use crate::offline::{Gate, NOW, Outcome, Request, get, policy_of};
use crate::provider;
use crate::rules::{faults, gate_of, route, token};

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
                { "by": { "claim": ["org", "cell"] }, "regions": { "7": "ch" } },
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
    for cookie in ["version=next; version=other", "Version=next", "xversion=next", "version", "a=version=next"] {
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
fn a_request_that_is_sent_again_is_signed_for_the_time_and_the_region_of_that_try() {
    let gate = gate(&origin());
    let first = gate.send(from("/a", "US", "NA").bearer(&token(json!({ "tid": "globex", "n": 1.5 }))));
    let later = UnixTime::from_seconds(NOW + 20);
    let deliver = |outcome, may_resend| {
        let skipped = skipping(&["eu_1", "eu_2"]);
        let mut health = SkippedBackends(&skipped);
        gate.gateway.delivered(first.grant(), outcome, (may_resend, later), &mut health, &mut |_, _| true)
    };
    let (before, again) = (first.minted(), deliver(Sent::Failed, true).expect("it may be sent again"));
    assert_eq!((before["rctx"]["region"].clone(), again.region()), (json!("us"), Some("eu")));
    let token = again.headers().all("fastgate-identity").map(|value| String::from_utf8_lossy(value).into_owned());
    let mut after = crate::samples::sign::payload_of(&token.collect::<Vec<_>>().concat());
    assert_eq!((&after["iat"], &after["exp"]), (&json!(NOW + 20), &json!(NOW + 50)));
    assert_eq!(after["rctx"]["region"], "eu");
    for member in ["iat", "exp", "rctx"] {
        after[member] = before[member].clone();
    }
    assert_eq!(after, before, "nothing else changes");
    // What the route's time limit ended may be sent again, too, and says nothing about the backend.
    assert!(deliver(Sent::Unclear, true).is_some());
    assert!(deliver(Sent::Responded, true).is_none() && deliver(Sent::Failed, false).is_none());
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
}

/// The backends by which requests with the same value of `by` are served.
fn spread(by: &Value, requests: impl Iterator<Item = Request>) -> Vec<String> {
    let mut origin = json!({ "audience": "app", "backends": { "a": {}, "b": {}, "c": {}, "d": {} } });
    if !by.is_null() {
        origin["selection"] = json!({ "hash_by": by });
    }
    let gate = gate(&origin);
    requests.map(|request| gate.send(request).grant().backend().to_owned()).collect()
}

#[test]
fn requests_with_the_same_value_get_the_same_backend() {
    let of_subject = |subject: usize| token(json!({ "sub": format!("user-{subject}"), "tid": "x" }));
    let subjects: Vec<String> = (0..40).map(of_subject).collect();
    let requests = || subjects.iter().map(|token| get("/a").bearer(token));
    let by_caller = spread(&json!("caller"), requests());
    assert_eq!(by_caller, spread(&json!("caller"), requests()));
    assert!(["a", "b", "c", "d"].iter().all(|name| by_caller.iter().any(|backend| backend == name)));
    let by_tenant = spread(&json!("tenant"), requests());
    assert!(by_tenant.windows(2).all(|pair| pair[0] == pair[1]));
    let by_path = spread(&json!("path"), (0..40).map(|number| get(&format!("/cached/{number}"))));
    assert!(by_path.windows(2).any(|pair| pair[0] != pair[1]));
    // Anonymous callers are told apart by their addresses.
    let addresses = || (0..40).map(|number| get("/a").from(&format!("192.0.2.{number}")));
    let anonymous = spread(&json!("caller"), addresses());
    assert!(anonymous.windows(2).any(|pair| pair[0] != pair[1]));
    assert_eq!(anonymous, spread(&json!("caller"), addresses()));
}

/// The first choice of each of `keys` keys.
fn first_choices(shares: &[(&'static str, u32)], keys: u32) -> Vec<&'static str> {
    let first = |number: u32| {
        let key = hmac_sha256::Hash::hash(&number.to_be_bytes());
        shares.iter().min_by_key(|(name, weight)| cost(&key, name, *weight)).unwrap().0
    };
    (0..keys).map(first).collect()
}

#[test]
fn backends_get_keys_by_weight_and_only_the_keys_of_one_that_leaves_move() {
    let shares = [("a", 1), ("b", 1), ("c", 2), ("d", 4)];
    let keys = 20_000;
    let before = first_choices(&shares, keys);
    let mut counts = BTreeMap::new();
    for name in &before {
        *counts.entry(*name).or_insert(0_u32) += 1;
    }
    for (name, weight) in shares {
        let expected = keys * weight / 8;
        assert!(counts[name].abs_diff(expected) < expected / 10, "{name}: {}", counts[name]);
    }
    let after = first_choices(&shares[..3], keys);
    for (was, is) in before.iter().zip(&after) {
        assert!(was == is || *was == "d", "a key moved from {was} to {is}");
    }
}

#[test]
fn a_backend_is_skipped_after_failures_in_a_row_and_tried_by_one_request_after_the_pause() {
    let policy = policy_of(&policy(
        &json!({ "audience": "app", "backends": { "a": {}, "b": {} }, "health": { "failures": 3, "pause": 10 } }),
        &json!({}),
    ));
    let backends = &policy.routes()[0].origin().unwrap().backends;
    let at = |second: u64| UnixTime::from_seconds(1000 + second);
    let twice = HealthRecord::default().failed(backends, at(0)).failed(backends, at(1));
    assert!(!twice.skips(at(1)) && twice.tried(backends, at(1)).is_none());
    assert!(twice.has_failures() && !HealthRecord::default().has_failures());
    let record = twice.failed(backends, at(2));
    assert!(record.skips(at(11)) && !record.skips(at(12)));
    assert_eq!(record.tried(backends, at(11)), None);
    let tried = record.tried(backends, at(12)).expect("one request tries it");
    assert!(tried.skips(at(12)) && tried.skips(at(21)), "it is skipped for the others");
    assert!(tried.failed(backends, at(13)).skips(at(22)), "a failure begins the next pause");
    let released = tried.released(at(13));
    assert!(!released.skips(at(13)) && released.tried(backends, at(13)).is_some(), "another request tries it");
    assert_eq!(HealthRecord::from_text(tried.to_text().as_bytes()), tried);
    for malformed in ["", "1", "x 1", "1 x", "1 2 3", "-1 5", "\u{ff}"] {
        assert_eq!(HealthRecord::from_text(malformed.as_bytes()), HealthRecord::default(), "{malformed}");
    }
}

#[test]
fn a_request_is_sent_again_to_the_next_backend_within_its_limit_and_the_budget() {
    let mut origin = origin();
    origin["retries"] = json!({ "limit": 2 });
    let gate = gate(&origin);
    let outcome = gate.send(from("/a", "DE", "EU"));
    let backends = &gate.gateway.policy().routes()[0].origin().unwrap().backends;
    let first = outcome.grant().candidates();
    let again = |candidates: &Candidates, skipped: &[&str], may: bool| {
        candidates.after_failure(backends, &mut SkippedBackends(&skipping(skipped)), &mut |_, _| may)
    };
    let second = again(first, &[], true).unwrap();
    let third = again(&second, &[], true).unwrap();
    assert!(second.current().unwrap().name.starts_with("eu_"));
    assert_ne!(first.current(), second.current());
    assert_eq!(third.current().unwrap().name, "eu_spare");
    assert_eq!(again(&third, &[], true), None, "the limit");
    assert_eq!(again(first, &[], false), None, "the budget");
    let next = again(first, &["eu_1", "eu_2", "eu_spare"], true).unwrap();
    assert_eq!(next.current().unwrap().name, "ch_1");
    assert_eq!(again(first, &["eu_1", "eu_2", "eu_spare", "ch_1"], true), None);
    for (method, may) in [
        ("GET", true),
        ("HEAD", true),
        ("PUT", true),
        ("DELETE", true),
        ("OPTIONS", true),
        ("POST", false),
        ("PATCH", false),
        ("get", false),
    ] {
        assert_eq!(may_resend(method), may, "{method}");
    }
    for (status, outcome) in [
        (500, Sent::Responded),
        (502, Sent::Failed),
        (503, Sent::Failed),
        (504, Sent::Failed),
        (505, Sent::Responded),
        (404, Sent::Responded),
    ] {
        assert_eq!(Sent::of_status(status), outcome, "{status}");
    }
}

#[test]
fn faults_of_several_backends_are_named_with_their_place() {
    let found = |change: &dyn Fn(&mut Value)| {
        let mut origin = origin();
        change(&mut origin);
        let all = policy(&origin, &json!({}));
        faults(&json!({ "routes": all["routes"], "origins": all["origins"], "issuers": all["issuers"] }))
    };
    let at = |place: &str, fault: &str| vec![format!("$.origins.app{place}: {fault}")];
    assert_eq!(
        found(&|origin| origin["backend"] = json!("one"))[0],
        "$.origins.app: has not exactly one of \"backend\" and \"backends\""
    );
    assert_eq!(
        found(&|origin| origin["regions"]["ch"]["fallback"] = json!("eu")),
        [at(".regions.ch.fallback", "leads back to \"ch\""), at(".regions.eu.fallback", "leads back to \"eu\"")]
            .concat()
    );
    assert_eq!(
        found(&|origin| origin["regions"]["ch"]["fallback"] = json!("us")),
        [
            at(".regions.ch.fallback", "leaves the jurisdiction \"europe\" of \"ch\""),
            at(".regions.eu.fallback", "leaves the jurisdiction \"europe\" of \"eu\""),
        ]
        .concat()[..1]
            .to_vec()
            .into_iter()
            .chain(at(".regions.eu.fallback", "leaves the jurisdiction \"europe\" of \"eu\""))
            .chain(at(".regions.us.fallback", "leads back to \"us\""))
            .collect::<Vec<_>>()
    );
    assert_eq!(
        found(&|origin| {
            for name in ["eu_1", "eu_2", "eu_spare"] {
                origin["backends"][name]["weight"] = json!(0);
            }
        }),
        at(".regions.eu", "has no backend without \"version\" whose \"weight\" is more than 0")
    );
    assert_eq!(
        found(&|origin| origin["backends"]["us_1"]["region"] = json!("usa"))[0],
        at(".backends.us_1.region", "names no region")[0]
    );
    assert_eq!(
        found(&|origin| origin["backends"]["x"] = json!({})),
        at(".backends.x.region", "is missing, and the origin has \"regions\"")
    );
    assert_eq!(
        found(&|origin| origin["selection"]["default_region"] = json!("x")),
        at(".selection.default_region", "names no region")
    );
    assert_eq!(
        found(&|origin| origin["selection"]["region_by"][2]["regions"]["CH"] = json!("x")),
        at(".selection.region_by[2].regions.CH", "names no region")
    );
    assert_eq!(
        found(&|origin| origin["selection"]["region_by"][2]["regions"]["ch"] = json!("ch")),
        at(".selection.region_by[2].regions", "\"ch\" is not a code of a country or a subdivision")
    );
    assert_eq!(
        found(&|origin| origin["selection"] = json!({ "version_by": { "cookie": "v" } })),
        at(".selection", "has neither \"region_by\" nor \"default_region\", and the origin has \"regions\"")
    );
    assert_eq!(
        found(&|origin| origin["selection"]["version_by"] = Value::Null),
        at(".selection", "has \"version_by\" without a backend with \"version\", or the other way round")
    );
    assert_eq!(
        found(&|origin| origin["selection"]["version_by"] = json!({ "header": "authorization" })),
        at(".selection.version_by.header", "names \"authorization\", which the edge keeps to itself")
    );
    assert_eq!(
        found(&|origin| origin["selection"]["version_by"] = json!({ "cookie": "a b" })),
        at(".selection.version_by.cookie", "is not the name of a cookie")
    );
    assert_eq!(
        found(&|origin| origin["health"] = json!({ "failures": 0 })),
        at(".health.failures", "is 0, outside 1 to 100")
    );
    assert_eq!(
        found(&|origin| origin["retries"] = json!({ "limit": 9 })),
        at(".retries.limit", "is 9, outside 0 to 3")
    );
    assert_eq!(
        found(&|origin| origin["regions"][""] = json!({}))[0],
        at(".regions.", "is not made of a-z, 0-9, - and _")[0]
    );
    assert_eq!(
        found(&|origin| origin["regions"]["us"]["jurisdiction"] = json!(""))[0],
        at(".regions.us.jurisdiction", "is empty")[0]
    );
    for name in ["a\nb", &"x".repeat(256)] {
        let fault = "is not the name of a backend: it is longer than 255 bytes or has control characters";
        assert_eq!(
            found(&|origin| origin["backends"][name] = json!({ "region": "us" })),
            at(&format!(".backends.{name}"), fault)
        );
    }
    let many = |origin: &mut Value| {
        (0..65).for_each(|number| origin["backends"][format!("b{number}")] = json!({ "region": "us" }));
    };
    assert_eq!(found(&many), at(".backends", "has more than 64 entries"));
    let mut single = json!({ "backend": "one", "audience": "app", "retries": {}, "regions": { "eu": {} } });
    let of_single =
        faults(&json!({ "routes": [route("/a", &json!({ "access": "public" }))], "origins": { "app": single } }));
    assert!(
        of_single.contains(&"$.origins.app.retries: is at an origin with a single \"backend\"".to_owned()),
        "{of_single:?}"
    );
    single = json!({ "audience": "app", "backends": { "a": { "weight": 0 }, "b": { "weight": 0 } } });
    let all_zero =
        faults(&json!({ "routes": [route("/a", &json!({ "access": "public" }))], "origins": { "app": single } }));
    assert_eq!(all_zero, at(".backends", "has no backend without \"version\" whose \"weight\" is more than 0"));
    let of_route = faults(&json!({ "routes": [
        route("/a", &json!({ "access": "public", "regions": ["eu"], "timeout": 0 })),
        route("/b", &json!({ "id": "b", "access": "public", "websocket": true, "timeout": 5 })),
    ] }));
    assert_eq!(
        of_route,
        [
            "$.routes[0].regions[0]: names no region",
            "$.routes[0].timeout: is 0, outside 1 to 110",
            "$.routes[1].timeout: is on a WebSocket, whose handshake the edge passes on without waiting",
        ]
    );
}
