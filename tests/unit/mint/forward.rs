//! What the origin learns of a caller's token: `forward` of edge, issuer, group and route.

use fastgate::headers::IDENTITY;
use fastgate::policy::{Fault, Policy};
use serde_json::{Value, json};

use crate::offline::fakes::FakeKeys;
use crate::offline::{Outcome, get, policy_of};
use crate::samples::policy_document;
use crate::samples::sign::{Signing, claims, compact, header, payload_of, token, with};

/// The policy of all tests with these lists at the edge, the issuer, the group of the route `/me`, and the route itself.
fn document(edge: &Value, issuer: &Value, group: &Value, route: &Value) -> Value {
    let mut document = policy_document();
    document["edge"]["forward"] = edge.clone();
    document["issuers"]["alpha"]["forward"] = issuer.clone();
    document["groups"] = json!({ "people": { "forward": group } });
    document["routes"][2]["group"] = json!("people");
    document["routes"][2]["forward"] = route.clone();
    document
}

fn route(forward: &Value) -> Value {
    document(&json!([]), &json!([]), &json!([]), forward)
}

fn send(document: &Value, token: &str) -> Outcome {
    get("/me").bearer(token).decide_with(policy_of(document), FakeKeys::of_both())
}

/// `rctx` of the header for a token with these further claims.
fn rctx(document: &Value, further: &Value) -> Value {
    let mut claims = claims();
    claims.as_object_mut().unwrap().extend(further.as_object().unwrap().clone());
    payload_of(&send(document, &token(&header(), &claims)).sent(IDENTITY).concat())["rctx"].clone()
}

#[test]
fn roles_and_tenant_are_always_forwarded_and_groups_on_request() {
    let caller = json!({ "roles": ["b", "a", "a"], "groups": ["g"], "org": "acme" });
    let mut plain = route(&json!([]));
    plain["issuers"]["alpha"]["claims"] = json!({ "tenant": "org" });
    let found = rctx(&plain, &caller);
    assert_eq!((&found["roles"], &found["tenant"]), (&json!(["a", "b"]), &json!("acme")));
    assert_eq!((found.get("groups"), found.get("claims")), (None, None));
    let found = rctx(&route(&json!(["groups", "roles", "tenant"])), &caller);
    assert_eq!((&found["groups"], found.get("tenant")), (&json!(["g"]), None));
    let found = rctx(&route(&json!(["groups"])), &json!({}));
    assert_eq!((&found["groups"], found.get("roles")), (&json!([]), None), "no groups are an empty list");
}

#[test]
fn claims_keep_their_types_and_an_absent_one_is_null() {
    let values = json!({
        "text": "a\u{0}\"\u{1f98a}", "number": 9_007_199_254_740_993_u64, "least": i64::MIN, "most": u64::MAX, "part": -1.5,
        "truth": false, "list": [1, "a", [null]], "object": { "b": { "c": [] }, "a": 1 }, "null": null
    });
    let names: Vec<_> = values.as_object().unwrap().keys().map(|name| json!({ "claim": name })).collect();
    let all =
        json!([names, [{ "claim": ["object", "b"], "as": "b" }, { "claim": "none" }, { "claim": "sub", "as": "me" }]]);
    let all: Vec<_> = all.as_array().unwrap().iter().flat_map(|list| list.as_array().unwrap().clone()).collect();
    let mut expected = values.clone();
    expected["b"] = json!({ "c": [] });
    expected["none"] = Value::Null;
    expected["me"] = json!("ada");
    assert_eq!(rctx(&route(&json!(all)), &values)["claims"], expected);
}

#[test]
fn claims_of_names_that_the_contract_uses_stay_apart() {
    let hostile = json!({
        "tctx": { "route": "admin" }, "rctx": { "iss": "x" }, "cnf": "x", "roles": "r", "aud": "https://api.test", "ver": 9
    });
    let names = ["tctx", "rctx", "cnf", "roles", "aud", "ver", "iss"].map(|name| json!({ "claim": name }));
    let mut claims_of_token = claims();
    claims_of_token.as_object_mut().unwrap().extend(hostile.as_object().unwrap().clone());
    claims_of_token.as_object_mut().unwrap().remove("cnf"); // a binding without a proof is refused before
    let sent = send(&route(&json!(names)), &token(&header(), &claims_of_token)).sent(IDENTITY).concat();
    let payload = payload_of(&sent);
    assert_eq!((&payload["aud"], &payload["tctx"]["route"]), (&json!("app-audience"), &json!("me")));
    assert_eq!((&payload["rctx"]["iss"], &payload["rctx"]["roles"]), (&json!("https://alpha.test"), &json!(["r"])));
    let forwarded = &payload["rctx"]["claims"];
    assert_eq!((&forwarded["tctx"], &forwarded["aud"]), (&json!({ "route": "admin" }), &json!("https://api.test")));
    assert!(payload["rctx"].get("cnf").is_none() && payload.get("ver").is_none());
}

#[test]
fn the_lists_of_edge_issuer_group_and_route_add_up() {
    let [edge, issuer, group, route] = ["a", "b", "c", "d"].map(|name| json!([{ "claim": name }]));
    let values = json!({ "a": 1, "b": 2, "c": 3, "d": 4, "e": 5 });
    let found = rctx(&document(&edge, &issuer, &group, &route), &values);
    assert_eq!(found["claims"], json!({ "a": 1, "b": 2, "c": 3, "d": 4 }));
    for at in 0..4 {
        let mut lists = [json!([]), json!([]), json!([]), json!([])];
        lists[at] = json!(["groups", { "claim": "e" }]);
        let [edge, issuer, group, route] = &lists;
        let found = rctx(&document(edge, issuer, group, route), &values);
        assert_eq!((&found["claims"], &found["groups"]), (&json!({ "e": 5 }), &json!([])), "list {at}");
    }
    let of_beta = document(&json!([]), &json!([]), &json!([]), &json!([]));
    let of_beta = with(
        &of_beta,
        "issuers",
        with(&of_beta["issuers"], "beta", with(&of_beta["issuers"]["beta"], "forward", issuer)),
    );
    assert!(rctx(&of_beta, &values).get("claims").is_none(), "the list of another issuer does not count");
}

#[test]
fn an_anonymous_caller_has_no_claims() {
    let mut document = document(&json!(["groups", { "claim": "a" }]), &json!([]), &json!([]), &json!([]));
    document["routes"][2]["access"] = json!("optional");
    let outcome = get("/me").decide_with(policy_of(&document), FakeKeys::of_both());
    assert_eq!(payload_of(&outcome.sent(IDENTITY).concat())["rctx"].get("claims"), None);
}

#[test]
fn facts_about_the_sign_in_are_forwarded_if_they_are_well_formed() {
    let found = rctx(&route(&json!([])), &json!({ "auth_time": 1_700_000_000.5, "acr": "urn:mfa", "sid": "s-1" }));
    assert_eq!(found["auth_time"], 1_700_000_000);
    assert_eq!((&found["acr"], &found["sid"]), (&json!("urn:mfa"), &json!("s-1")));
    for (auth_time, text) in
        [(json!("1"), json!(1)), (json!(-1), json!("")), (Value::Null, json!("a\nb")), (json!([]), json!([]))]
    {
        let found = rctx(&route(&json!([])), &json!({ "auth_time": auth_time, "acr": text, "sid": text }));
        let present: Vec<_> =
            ["auth_time", "acr", "sid"].into_iter().filter(|name| found.get(name).is_some()).collect();
        assert_eq!(present, [""; 0], "{auth_time} {text}");
    }
}

#[test]
fn a_claim_that_could_not_arrive_unchanged_is_refused() {
    let forward = route(&json!([{ "claim": "c", "as": "name" }]));
    let nested = |depth: usize| format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
    let verdict = |value: &str| {
        let payload = with(&claims(), "c", "VALUE").to_string().replace("\"VALUE\"", value);
        let outcome = send(&forward, &compact(header().to_string(), payload, Signing::Es256("alpha-ec")));
        (outcome.trail.verdict, outcome.trail.cause.clone().unwrap_or_default())
    };
    for value in ["18446744073709551615", "-9223372036854775808", "9007199254740991.0", "1e15", "0.1", &nested(32)] {
        assert_eq!(verdict(value).0, "forwarded", "{value}");
    }
    for value in
        ["18446744073709551616", "-9223372036854775809", "9007199254740992.0", "1e300", "[{\"a\":1e16}]", &nested(33)]
    {
        let (code, cause) = verdict(value);
        assert_eq!(code, "claim-not-forwardable", "{value}");
        assert!(cause.contains("\"name\"") && !cause.contains(value), "{cause}");
    }
    let unused = route(&json!([]));
    let payload = with(&claims(), "c", "VALUE").to_string().replace("\"VALUE\"", "1e300");
    let outcome = send(&unused, &compact(header().to_string(), payload, Signing::Es256("alpha-ec")));
    assert_eq!(outcome.trail.verdict, "forwarded", "only what is forwarded has to be exact");
}

#[test]
fn a_header_that_is_too_long_names_its_longest_part() {
    let roles: Vec<_> = (0..900).map(|number| format!("role-{number}")).collect();
    for (further, part) in [
        (json!({ "roles": roles }), "\"roles\""),
        (json!({ "c": "x".repeat(9000) }), "\"c\""),
        (json!({ "groups": roles }), "\"groups\""),
        (json!({ "scope": roles.join(" ") }), "\"scope\""),
    ] {
        let mut document = route(&json!(["groups", { "claim": "c" }]));
        document["edge"]["max_token"] = json!(32_768);
        let mut claims = claims();
        claims.as_object_mut().unwrap().extend(further.as_object().unwrap().clone());
        let outcome = send(&document, &token(&header(), &claims));
        let cause = outcome.trail.cause.clone().unwrap();
        assert!(outcome.trail.verdict == "identity-too-long" && cause.contains(part), "{part}: {cause}");
        assert_eq!(outcome.problem().status(), 431);
    }
}

#[test]
fn the_names_of_claims_are_escaped_in_causes() {
    for (claim, expected) in [
        (json!(1e300), "the claim \"a\\\"\\u{202e}b\" cannot"),
        (json!("x".repeat(9000)), "part is \"a\\\"\\u{202e}b\" with"),
    ] {
        let document = route(&json!([{ "claim": "c", "as": "a\"\u{202e}b" }]));
        let outcome = send(&document, &token(&header(), &with(&claims(), "c", claim)));
        let cause = outcome.trail.cause.clone().unwrap();
        assert!(cause.contains(expected), "{cause}");
    }
}

#[test]
fn mistakes_in_the_lists_are_faults() {
    let faults = |document: &Value| -> Vec<String> {
        let read = Policy::parse(document.to_string().as_bytes());
        read.err()
            .map(|faults| faults.0.iter().map(|fault| format!("{} {:?}", fault.at, fault.fault)).collect())
            .unwrap_or_default()
    };
    let long = "x".repeat(65);
    let taken = |name: &str| format!("{:?}", Fault::TakenClaimName { name: name.to_owned() });
    for (entry, at, fault) in [
        (json!({ "claim": ["org", "id"] }), "[1].as", "UnnamedClaim".to_owned()),
        (json!({ "claim": "" }), "[1].claim", "Empty".to_owned()),
        (json!({ "claim": "a", "as": "" }), "[1].as", "NotAClaimName".to_owned()),
        (json!({ "claim": "a", "as": long }), "[1].as", "NotAClaimName".to_owned()),
        (json!({ "claim": "a", "as": "a\nb" }), "[1].as", "NotAClaimName".to_owned()),
        (json!({ "claim": "a", "as": "known" }), "[1]", taken("known")),
    ] {
        let list = json!([{ "claim": "known" }, entry]);
        let found = faults(&route(&list));
        assert_eq!(found[0], format!("$.routes[2].forward{at} {fault}"), "{entry}");
        let none = json!([]);
        assert!(faults(&document(&list, &none, &none, &none))[0].starts_with("$.edge.forward[1]"), "{entry}");
        assert!(faults(&document(&none, &list, &none, &none))[0].starts_with("$.issuers.alpha.forward[1]"), "{entry}");
        assert!(faults(&document(&none, &none, &list, &none))[0].starts_with("$.groups.people.forward[1]"), "{entry}");
    }
    for entry in [json!("email"), json!(["groups"]), json!({ "claim": "a", "name": "b" }), json!({}), json!(null)] {
        assert_eq!(faults(&route(&json!([entry]))).len(), 1, "{entry}");
    }
    let [one, other, none] = [json!([{ "claim": "a" }]), json!([{ "claim": "b", "as": "a" }]), json!([])];
    let across = [
        (&one, &other, &none, &none),
        (&none, &one, &none, &other),
        (&none, &none, &one, &other),
        (&one, &none, &other, &none),
    ];
    for (edge, issuer, group, route) in across {
        let mut contradicting = document(edge, issuer, group, route);
        assert!(faults(&contradicting).contains(&format!("$.routes[2].forward {}", taken("a"))), "{contradicting}");
        contradicting["routes"][2]["access"] = json!("public");
        assert!(
            !faults(&contradicting).iter().any(|fault| fault.starts_with("$.routes[2]")),
            "a public route has no caller"
        );
    }
    assert_eq!(faults(&document(&one, &one, &one, &one)), [""; 0], "the same claim may be named again");
    let mut apart = document(&none, &one, &none, &other);
    apart["routes"][2]["issuers"] = json!({ "beta": {} });
    assert_eq!(faults(&apart), [""; 0], "lists of issuers that the route does not accept do not count");
}
