//! Hints and faults about several backends, with their regions and versions.

use fastgate::policy::Policy;
use serde_json::{Value, json};

use super::check;
use super::hints::hints;
use crate::provider;
use crate::rules::route;

/// An origin with regions in which these rules assign one, and a route.
fn ruled(rules: &Value, default: Option<&str>, of_route: &Value) -> Value {
    let mut origin = json!({
        "audience": "app", "backends": { "one": { "region": "eu" }, "two": { "region": "us" } },
        "regions": { "eu": {}, "us": {} }, "selection": { "region_by": rules }
    });
    if let Some(default) = default {
        origin["selection"]["default_region"] = json!(default);
    }
    let tenants =
        json!({ "issuer": "https://a.test", "backend": "idp", "audiences": ["a"], "claims": { "tenant": "tid" } });
    json!({ "origins": { "app": origin }, "issuers": { "a": tenants }, "routes": [route("/a", of_route)] })
}

fn rule(by: &Value, values: &Value) -> Value {
    json!({ "by": by, "regions": values })
}

fn both() -> Value {
    json!({ "a": "eu", "b": "us" })
}

/// The lines about the only fault of a policy: its location, what it is, and the remedy.
fn fault(parts: &Value) -> [String; 3] {
    let (valid, text) = check("fault", parts);
    let lines: Vec<_> = text.lines().map(|line| line.trim().to_owned()).collect();
    let [at, what, remedy, count] = lines.as_slice() else { panic!("{text}") };
    assert!(!valid && count.ends_with(": 1 fault"), "{text}");
    [at.clone(), what.clone(), remedy.clone()]
}

#[test]
fn a_route_for_clients_without_a_token_gets_a_hint_if_regions_depend_on_tokens() {
    let of_tokens = json!([rule(&json!({ "claim": "cell" }), &both()), rule(&json!("tenant"), &both())]);
    let public = json!({ "access": "public" });
    let said = |whose: &str| {
        format!(
            "$.routes[0].access admits clients without a token, but \"region_by\" of the origin \"app\" reads only tokens: \
             {whose} to route \"route\" gets 503 (no-region)"
        )
    };
    assert_eq!(hints(&ruled(&of_tokens, None, &public)), [said("each request")]);
    assert_eq!(
        hints(&ruled(&of_tokens, None, &json!({ "access": "optional" }))),
        [said("each request without a token")]
    );
    assert!(check("remedy", &ruled(&of_tokens, None, &public)).1.contains("→ add \"default_region\", or a rule by"));
    assert_eq!(hints(&ruled(&of_tokens, Some("eu"), &public)), [""; 0]);
    assert_eq!(hints(&ruled(&of_tokens, None, &json!({}))), [""; 0], "each caller has a token");
    let of_places = json!([rule(&json!("tenant"), &both()), rule(&json!("country"), &json!({ "DE": "eu" }))]);
    assert_eq!(hints(&ruled(&of_places, None, &public)), [""; 0]);
}

#[test]
fn a_rule_that_never_decides_gets_a_hint() {
    let mut tenants = ruled(&json!([rule(&json!("tenant"), &both())]), Some("eu"), &json!({}));
    assert_eq!(hints(&tenants), [""; 0]);
    tenants["issuers"]["a"].as_object_mut().unwrap().remove("claims");
    let unnamed = "$.origins.app.selection.region_by[0].by reads the tenant, but no issuer names a claim for it: the rule \
                   never decides";
    assert_eq!(hints(&tenants), [unnamed]);
    tenants["issuers"]["a"]["preset"] = json!("auth0");
    tenants["issuers"]["a"]["issuer"] = json!("https://a.auth0.com/");
    assert_eq!(hints(&tenants), [""; 0], "the preset names a claim");

    let countries =
        |code: &str| ruled(&json!([rule(&json!("country"), &json!({ code: "us" }))]), Some("eu"), &json!({}));
    assert_eq!(
        hints(&countries("UK")),
        ["$.origins.app.selection.region_by[0].regions.UK applies to no client: ISO 3166-1 assigns no country \"UK\"",]
    );
    assert!(check("remedy", &countries("UK")).1.contains("→ write \"GB\""));
    assert_eq!(hints(&countries("GB")), [""; 0]);
}

#[test]
fn a_rule_about_the_token_after_the_place_gets_a_hint() {
    let place = rule(&json!("continent"), &json!({ "EU": "eu", "NA": "us" }));
    let (tenant, claim) = (rule(&json!("tenant"), &both()), rule(&json!({ "claim": "cell" }), &both()));
    let hints = |rules: Value| hints(&ruled(&rules, Some("eu"), &json!({})));
    let after = |index: usize| {
        format!(
            "$.origins.app.selection.region_by[{index}] reads the token, but the place of the client decides before: a \
             caller gets another region on a journey"
        )
    };
    assert_eq!(hints(json!([tenant, claim, place])), [""; 0]);
    assert_eq!(hints(json!([tenant, place, claim])), [after(2)]);
    assert_eq!(hints(json!([place, tenant, claim])), [after(1), after(2)]);
}

#[test]
fn values_that_no_country_or_continent_has_are_faults() {
    let of = |by: &str, value: &str| {
        fault(&ruled(&json!([rule(&json!(by), &json!({ value: "us" }))]), Some("eu"), &json!({})))
    };
    let [at, what, remedy] = of("continent", "Europe");
    assert_eq!(
        (at.as_str(), what.as_str()),
        ("$.origins.app.selection.region_by[0].regions", "\"Europe\" is not a code of a continent",)
    );
    for code in ["AF", "AN", "AS", "EU", "NA", "OC", "SA"] {
        assert!(remedy.contains(&format!("\"{code}\"")), "{remedy}");
    }
    let [_, what, remedy] = of("country", "US-CA");
    assert_eq!(what, "\"US-CA\" is not a code of a country");
    assert!(remedy.contains("\"GB\" and not \"UK\""), "{remedy}");
}

#[test]
fn a_region_that_no_request_gets_is_noticed() {
    let mut policy = ruled(&json!([rule(&json!("country"), &json!({ "DE": "eu" }))]), None, &json!({}));
    let unassigned = "$.origins.app.regions.us is assigned to no request, and stands in for no region that is: its backends \
                      receive none";
    assert_eq!(hints(&policy), [unassigned]);
    policy["origins"]["app"]["regions"]["us"]["fallback"] = json!("eu");
    assert_eq!(hints(&policy), [unassigned], "it leads to one that is assigned, not the other way round");
    policy["origins"]["app"]["regions"] = json!({ "eu": { "fallback": "us" }, "us": {} });
    assert_eq!(hints(&policy), [""; 0]);
    policy["origins"]["app"]["regions"] = json!({ "eu": {}, "us": {} });
    policy["origins"]["app"]["selection"]["default_region"] = json!("us");
    assert_eq!(hints(&policy), [""; 0]);
}

#[test]
fn a_version_that_no_request_can_name_is_a_fault() {
    let versioned = |source: Value, version: &str| {
        json!({
            "origins": { "app": {
                "audience": "app", "backends": { "one": {}, "two": { "version": version } },
                "selection": { "version_by": source }
            } },
            "routes": [route("/a", &json!({}))]
        })
    };
    let (header, cookie, claim) = (json!({ "header": "x-v" }), json!({ "cookie": "v" }), json!({ "claim": "v" }));
    for (source, version) in [
        (&header, "a\r\nb \u{0}"),
        (&header, " a"),
        (&header, "a "),
        (&header, "a\tb"),
        (&cookie, "a;b"),
        (&cookie, "\u{7f}"),
    ] {
        let [at, what, _] = fault(&versioned(source.clone(), version));
        assert_eq!(at, "$.origins.app.backends.two.version", "{version}");
        assert!(what.ends_with("no request can name it"), "{what}");
    }
    for (source, version) in [(&header, "a b;c"), (&cookie, "a b,c"), (&claim, " a;b\n"), (&header, "größe")] {
        assert_eq!(hints(&versioned(source.clone(), version)), [""; 0], "{version}");
    }
    for name in ["cookie", "Cookie"] {
        let [at, what, remedy] = fault(&versioned(json!({ "header": name }), "a"));
        assert_eq!(at, "$.origins.app.selection.version_by.header");
        assert_eq!(what, "names \"cookie\", the field with all cookies of a request");
        assert!(remedy.contains("{\"cookie\": \"version\"}"), "{remedy}");
    }
}

#[test]
fn a_backend_in_two_jurisdictions_gets_a_hint() {
    let origin = |audience: &str, backend: &str, jurisdiction: &Value| {
        json!({
            "audience": audience, "backends": { backend: { "region": "here" } },
            "regions": { "here": { "jurisdiction": jurisdiction } }, "selection": { "default_region": "here" }
        })
    };
    let policy = |backend: &str, jurisdiction: Value| {
        json!({
            "origins": { "a": origin("a", "one", &json!("eu")), "b": origin("b", backend, &jurisdiction) },
            "routes": [route("/a", &json!({ "origin": "a", "access": "public" }))]
        })
    };
    assert_eq!(
        hints(&policy("one", json!("us"))),
        [
            "$.origins.b.backends.one.region is in the jurisdiction \"us\", but the origin \"a\" has the same backend in \
             \"eu\"",
        ]
    );
    for other in [policy("two", json!("us")), policy("one", json!("eu")), policy("one", Value::Null)] {
        assert_eq!(hints(&other), [""; 0]);
    }
}

#[test]
fn a_fact_that_never_chooses_a_region_is_answered_with_those_that_do() {
    for by in [json!({ "header": "x" }), json!("header"), json!({ "cookie": "x" })] {
        let [at, what, remedy] = fault(&ruled(&json!([rule(&by, &both())]), Some("eu"), &json!({})));
        assert_eq!(at, "$.origins.app.selection.region_by[0].by", "{by}");
        assert_eq!(what, "is none of \"tenant\", \"country\", \"continent\", {\"claim\": …}", "{by}");
        assert!(remedy.contains("a field of the request never chooses a region"), "{remedy}");
    }
    let [at, ..] = fault(&ruled(&json!([rule(&json!({ "claim": 7 }), &both())]), Some("eu"), &json!({})));
    assert_eq!(at, "$.origins.app.selection.region_by[0].by.claim");
}

#[test]
fn numbers_of_backends_are_answered_with_their_range() {
    let of = |member: &str, number: &Value| {
        let mut origin = json!({ "audience": "app", "backends": { "one": {}, "two": {} } });
        let mut of_route = json!({});
        match member.split_once('.') {
            Some(("backends", member)) => origin["backends"]["one"][member] = number.clone(),
            Some((group, member)) => origin[group] = json!({ member: number }),
            None => of_route[member] = number.clone(),
        }
        json!({ "origins": { "app": origin }, "routes": [route("/a", &of_route)] })
    };
    for (member, at, least, most) in [
        ("backends.weight", "$.origins.app.backends.one.weight", 0, 1000),
        ("backends.priority", "$.origins.app.backends.one.priority", 1, 16),
        ("health.failures", "$.origins.app.health.failures", 1, 100),
        ("health.pause", "$.origins.app.health.pause", 1, 3600),
        ("retries.limit", "$.origins.app.retries.limit", 0, 3),
        ("retries.budget", "$.origins.app.retries.budget", 0, 10_000),
        ("retries.window", "$.origins.app.retries.window", 1, 3600),
        ("timeout", "$.routes[0].timeout", 1, 110),
    ] {
        for number in [json!(least - 1), json!(most + 1), json!(4_294_967_296_u64), json!(1e30)] {
            let [place, what, remedy] = fault(&of(member, &number));
            assert_eq!((place.as_str(), what), (at, format!("is {number}, outside {least} to {most}")));
            assert_eq!(remedy, "→ write a number in that range");
        }
        for value in [json!(1.5), json!("1")] {
            let [place, what, remedy] = fault(&of(member, &value));
            assert_eq!((place.as_str(), what.as_str()), (at, "is not a whole number"));
            assert_eq!(remedy, format!("→ write a whole number from {least} to {most}"));
        }
        // The reader at the edge has the same range.
        for number in [least, most] {
            let (valid, text) = check("range", &of(member, &json!(number)));
            assert!(valid, "{member} = {number}: {text}");
        }
        let beyond = provider::policy(&of(member, &json!(most + 1))).to_string();
        let faults = Policy::parse(beyond.as_bytes()).unwrap_err().to_string();
        assert!(faults.contains(&format!("is {}, outside {least} to {most}", most + 1)), "{faults}");
    }
}
