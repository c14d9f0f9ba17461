//! Hints about routes: policies with hints, the exact texts, and policies without.

use serde_json::{Value, json};

use super::check;
use crate::rules::route;

/// The hints about a policy: the location and the text.
pub(super) fn hints(parts: &Value) -> Vec<String> {
    let (valid, text) = check("hints", parts);
    assert!(valid, "{text}");
    let lines: Vec<_> = text.lines().map(|line| line.trim().replace(" (a hint, not a fault)", "")).collect();
    lines.chunks_exact(3).map(|hint| format!("{} {}", hint[0], hint[1])).collect()
}

fn one(parts: Value) -> Value {
    json!({ "routes": [route("/a", &parts)] })
}

fn at(path: &str, methods: &[&str]) -> Value {
    json!({ "routes": [route(path, &json!({ "methods": methods }))] })
}

fn auth0(issuer: &str, aliases: &[&str]) -> Value {
    let auth0 = json!({ "issuer": issuer, "issuer_aliases": aliases, "backend": "idp", "audiences": ["a"] });
    json!({ "issuers": { "a": auth0 }, "routes": [route("/a", &json!({}))] })
}

fn limited(access: &str, limit: Value) -> Value {
    json!({ "limits": { "l": limit }, "routes": [route("/a", &json!({ "access": access, "limits": ["l"] }))] })
}

fn issuer(member: &str, value: Value) -> Value {
    let issuer = json!({ "issuer": "https://a.test", "backend": "idp", "audiences": ["a"], member: value });
    json!({ "issuers": { "a": issuer }, "routes": [route("/a", &json!({}))] })
}

fn placed(place: Value) -> Value {
    json!({ "places": { "p": place }, "routes": [route("/a", &json!({ "from": ["p"] }))] })
}

/// A route where the metadata of this resource is published.
fn resource(resource: &str) -> Value {
    let path = resource.strip_prefix("https://edge.test").unwrap();
    let mut parts = at(&format!("/.well-known/oauth-protected-resource{path}"), &["GET"]);
    parts["edge"] = json!({ "issuer": "https://edge.test", "hosts": ["edge.test"], "resource": resource });
    parts
}

fn flood(shadow: bool) -> Value {
    json!({
        "edge": { "issuer": "https://edge.test", "hosts": ["edge.test"], "flood_limit": "f" },
        "limits": { "f": { "count": 10, "window": 60, "by": ["network"], "shadow": shadow } },
        "routes": [route("/a", &json!({}))]
    })
}

const CLAIM_COST: &str =
    r#"{ "count": 10, "window": 60, "by": ["network"], "cost": 2, "cost_from": { "claim": "w" }, "max_cost": 5 }"#;

#[test]
fn policies_without_hints() {
    let cost: Value = serde_json::from_str(CLAIM_COST).unwrap();
    for parts in [
        auth0("https://t.auth0.com", &["https://t.auth0.com/"]),
        at("/.well-known/fastgate/jwks.json", &["POST"]),
        at("/.well-known/oauth-protected-resource", &["POST"]),
        at("/.well-known/oauth-protected-resource/v1", &["GET"]),
        flood(false),
        // A part of the allowed networks may be denied, and the entries of an ACL say whether it allows or denies.
        placed(
            json!({ "allow": [{ "continent": ["EU"] }, { "acl": ["a"] }], "deny": [{ "country": ["FR"] }, { "acl": ["a"] }] }),
        ),
        one(json!({ "accepts": { "shadow": true } })),
        limited("optional", cost),
        limited("public", json!({ "count": 10, "window": 60, "by": ["network", "route"] })),
    ] {
        assert_eq!(hints(&parts), [""; 0], "{parts}");
    }
}

#[test]
fn policies_with_hints() {
    let cost: Value = serde_json::from_str(CLAIM_COST).unwrap();
    let office = json!({ "office": { "allow": [{ "network": ["10.0.0.0/8"] }] } });
    let closed = json!({ "g": { "maintenance": {} } });
    let opened = |parts: &Value| {
        let mut open = json!({ "id": "open", "access": "public" });
        open.as_object_mut().unwrap().extend(parts.as_object().cloned().unwrap());
        json!({ "places": office, "groups": closed, "routes": [route("/admin/{x}", &open), route("/{t}/users", &json!({}))] })
    };
    let mut anywhere = one(json!({ "access": "public", "from": ["office"] }));
    anywhere["routes"][0]["path"] = json!("/{p:path}");
    anywhere["places"] = office.clone();
    let shadow = |access: &str| one(json!({ "access": access, "shadow": { "scopes": ["a"] } }));
    for (parts, expected) in [
        (
            auth0("https://t.auth0.com", &["https://t.auth0.example/"]),
            "$.issuers.a.issuer has no slash at its end, but `iss` of Auth0's tokens has one: every token is refused",
        ),
        (
            at("/.well-known/fastgate/jwks.json", &["POST", "GET"]),
            "$.routes[0].path is served by the edge itself, for GET and HEAD, with its public keys",
        ),
        (
            at("/.well-known/oauth-protected-resource", &["GET"]),
            "$.routes[0].path is served by the edge itself, for GET and HEAD, with the metadata of what it protects (RFC 9728)",
        ),
        (
            resource("https://edge.test/v1/b"),
            "$.routes[0].path is served by the edge itself, for GET and HEAD, with the metadata of what it protects (RFC 9728)",
        ),
        (
            issuer(
                "introspection",
                json!({ "url": "http://localhost/i", "backend": "b", "client_id": "c", "client_secret": "s" }),
            ),
            "$.issuers.a.introspection.url is http, which only this machine can reach",
        ),
        (
            placed(
                json!({ "allow": [{ "asn": [64500] }, { "country": ["DE", "FR"] }], "deny": [{ "country": ["FR"] }] }),
            ),
            "$.places.p.allow[1] names a value that \"deny\" names as well, and refuses",
        ),
        (flood(true), "$.limits.f is in shadow: requests that it would refuse are logged and pass"),
        (
            limited("public", cost),
            "$.routes[0].limits limit \"l\" takes its cost from a claim, but a public route reads none: each request costs 2",
        ),
        (
            one(json!({ "accepts": { "shadow": true, "max_query": 5 } })),
            "$.routes[0].accepts is in shadow: requests that it would refuse are logged and pass",
        ),
        (
            shadow("public"),
            "$.routes[0].shadow tests callers, but a public route does not identify them: each of its requests is logged as \
             \"would-refuse\"",
        ),
        (shadow("optional"), "$.routes[0].shadow is in shadow: requests that it would refuse are logged and pass"),
        (shadow("authenticated"), "$.routes[0].shadow is in shadow: requests that it would refuse are logged and pass"),
        (
            opened(&json!({ "from": ["office"] })),
            "$.routes[0] lets every client that \"office\" admits use GET on paths of the protected route \"route\", as on \
             \"/admin/users\"",
        ),
        (
            opened(&json!({ "group": "g" })),
            "$.routes[0] lets every client, once the group \"g\" is open again, use GET on paths of the protected route \
             \"route\", as on \"/admin/users\"",
        ),
        (
            anywhere,
            "$.routes[0] lets every client that \"office\" admits reach every path without another route: there is no default \
             deny",
        ),
    ] {
        assert_eq!(hints(&parts), [expected], "{parts}");
    }
    let said = |parts: &Value| check("remedy", parts).1;
    assert!(!said(&shadow("public")).contains("route itself"));
    assert!(said(&shadow("optional")).contains("write \"access\": \"authenticated\" and move it"));
}

#[test]
fn a_resource_that_no_token_has_to_name_gets_a_hint() {
    let policy = |resource: &str, audiences: Value, of_origin: &Value| {
        let mut origin = json!({ "backend": "b", "audience": "a", "resource": resource });
        origin.as_object_mut().unwrap().extend(of_origin.as_object().unwrap().clone());
        json!({
            "edge": { "issuer": "https://edge.test", "hosts": ["edge.test"] },
            "origins": { "app": origin },
            "issuers": { "a": { "issuer": "https://a.test", "backend": "idp", "audiences": audiences } },
            "routes": [route("/mcp", &json!({})), route("/t/{tenant}/mcp", &json!({ "id": "t" }))]
        })
    };
    let (mcp, none) = ("https://edge.test/mcp", json!({}));
    assert_eq!(hints(&policy(mcp, json!([mcp]), &none)), [""; 0]);
    assert_eq!(hints(&policy(mcp, json!(["m"]), &json!({ "token_audiences": ["m"] }))), [""; 0]);
    assert_eq!(hints(&policy("https://edge.test/t/1/mcp", json!(["https://edge.test/t/1/mcp"]), &none)), [""; 0]);
    let unnamed =
        "$.origins.app.resource is an audience that the issuer \"a\" does not list: its tokens need not name it";
    assert_eq!(hints(&policy(mcp, json!(["m"]), &none)), [unnamed]);
    let wildcard = "$.issuers.a.audiences lists \"*\", an audience like any other: a token must name exactly it";
    assert_eq!(hints(&policy(mcp, json!(["*", mcp]), &none)), [wildcard]);
    let elsewhere = "$.origins.app.resource has a path at which the origin has no route: clients compare it with the \
                     URL that they request";
    let orders = "https://edge.test/orders";
    assert_eq!(hints(&policy(orders, json!([orders]), &none)), [elsewhere]);
    let published = at("/.well-known/oauth-protected-resource/mcp", &["GET"]);
    let mut shadowed = policy(mcp, json!([mcp]), &none);
    let mut published = published["routes"][0].clone();
    published["id"] = json!("published");
    shadowed["routes"].as_array_mut().unwrap().push(published);
    let served = "is served by the edge itself, for GET and HEAD, with the metadata of what it protects (RFC 9728)";
    assert_eq!(hints(&shadowed), [format!("$.routes[2].path {served}")]);
}

#[test]
fn what_a_stored_response_must_not_depend_on_gets_a_hint() {
    let forward = json!(["groups", "roles", { "claim": "plan" }, { "claim": "email", "as": "mail" }]);
    let of = |audience: Value| {
        let cache = json!({ "audience": audience, "ttl": 60 });
        hints(&json!({ "routes": [route("/a", &json!({ "forward": forward, "cache": cache }))] }))
    };
    let hint = |what: &str| {
        format!(
            "$.routes[0].forward names {what}, which the callers that share a response need not have in common: not \
             forwarded"
        )
    };
    assert_eq!(of(json!(["groups", "plan", "email"])), [""; 0]);
    assert_eq!(of(json!("caller")), [hint("the claim \"mail\""), hint("the claim \"plan\""), hint("the groups")]);
    assert_eq!(of(json!(["plan", "caller"])), [hint("the claim \"mail\""), hint("the groups")]);
}

#[test]
fn an_identity_header_that_may_get_too_long_gets_a_hint() {
    let forwarding = |count: usize, others: usize| {
        let list: Vec<Value> = (0..count).map(|number| json!({ "claim": format!("claim-{number:02}") })).collect();
        let mut routes = vec![route("/a", &json!({ "id": "a", "forward": list }))];
        routes.extend(
            (0..others)
                .map(|number| route(&format!("/o/{number}"), &json!({ "id": format!("o{number}"), "forward": list }))),
        );
        json!({ "routes": routes })
    };
    assert_eq!(hints(&forwarding(10, 0)), [""; 0]);
    let found = hints(&forwarding(16, 0));
    let [hint] = found.as_slice() else { panic!("{found:?}") };
    assert!(hint.starts_with("$.routes[0] may have an identity header of about "), "{hint}");
    assert!(
        hint.contains("for a caller of issuer \"partner\"") && hint.contains("16 forwarded claims 200 each"),
        "{hint}"
    );
    let bytes: usize = hint.split(' ').find_map(|word| word.parse().ok()).unwrap();
    assert!((7168..8500).contains(&bytes), "{hint}");
    let mut public = forwarding(16, 0);
    public["routes"][0]["access"] = json!("public");
    let useless = "$.routes[0].forward has no effect, since a public route reads no token";
    assert_eq!(hints(&public), [useless]);
    let several = hints(&forwarding(16, 2));
    assert!(several[0].contains("(and 2 more routes are near the limit)"), "{several:?}");
}

/// Two applications behind one issuer with two audiences.
fn two_origins(orders: &Value, billing: &Value, of_route: &Value) -> Value {
    let origin = |name: &str, audiences: &Value| {
        let mut origin = json!({ "backend": name, "audience": name });
        if !audiences.is_null() {
            origin["token_audiences"] = audiences.clone();
        }
        origin
    };
    let issuer = json!({ "issuer": "https://a.test", "backend": "idp", "audiences": ["o", "b"] });
    let mut billed = json!({ "id": "billing", "origin": "billing" });
    billed.as_object_mut().unwrap().extend(of_route.as_object().unwrap().clone());
    json!({
        "origins": { "orders": origin("orders", orders), "billing": origin("billing", billing) },
        "issuers": { "a": issuer },
        "routes": [route("/orders", &json!({ "id": "orders", "origin": "orders" })), route("/billing", &billed)]
    })
}

#[test]
fn tokens_that_several_applications_accept_get_a_hint() {
    let (none, own) = (Value::Null, json!(["b"]));
    let shared =
        "$.issuers.a.audiences are accepted at 2 origins alike: a token for one application can be used at another";
    assert_eq!(hints(&two_origins(&none, &none, &json!({}))), [shared]);
    for parts in [
        two_origins(&json!(["o"]), &own, &json!({})),
        two_origins(&none, &own, &json!({})),
        two_origins(&none, &none, &json!({ "token_audiences": ["b"] })),
    ] {
        assert_eq!(hints(&parts), [""; 0], "{parts}");
    }
    let public = two_origins(&none, &none, &json!({ "access": "public" }));
    assert!(!hints(&public).contains(&shared.to_owned()), "a public route reads no token");
    let unknown = hints(&two_origins(&json!(["x"]), &own, &json!({})));
    assert_eq!(unknown, ["$.routes[0] accepts tokens for \"x\", but no issuer accepts this audience"]);
    let mut unnamed = two_origins(&json!(["o"]), &none, &json!({}));
    unnamed["issuers"]["b"] = json!({
        "issuer": "https://b.test", "backend": "idp", "audiences": "none", "clients": ["shop"]
    });
    let refused =
        "$.routes[0] accepts tokens by their audience, but tokens of the issuer \"b\" name none: all are refused";
    assert!(hints(&unnamed).contains(&refused.to_owned()), "{:?}", hints(&unnamed));
}

#[test]
fn regions_of_a_route_that_no_request_is_assigned_to_are_noticed() {
    let policy = |default: &str, of_route: &str| {
        json!({
            "origins": { "app": {
                "audience": "app", "backends": { "one": { "region": "eu" }, "two": { "region": "us" } },
                "regions": { "eu": {}, "us": { "fallback": "eu" } }, "selection": { "default_region": default }
            } },
            "routes": [route("/a", &json!({ "regions": [of_route] }))]
        })
    };
    let of_routes =
        |policy: &Value| hints(policy).into_iter().filter(|hint| hint.starts_with("$.routes")).collect::<Vec<_>>();
    let found = of_routes(&policy("eu", "us"));
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].starts_with("$.routes[0].regions names no region"), "{found:?}");
    assert_eq!(of_routes(&policy("us", "eu")), Vec::<String>::new(), "a fallback");
    assert_eq!(of_routes(&policy("eu", "eu")), Vec::<String>::new());
}

#[test]
fn tries_that_take_longer_than_the_platform_lets_a_request_run_get_a_hint() {
    let policy = |of_origin: Value, of_route: Value| {
        let mut origin = json!({ "audience": "app", "backends": { "one": {}, "two": {}, "three": {} } });
        origin.as_object_mut().unwrap().extend(of_origin.as_object().cloned().unwrap());
        json!({ "origins": { "app": origin }, "routes": [route("/a", &of_route)] })
    };
    let hint = |tries: u64, timeout: u64| {
        format!(
            "$.routes[0].timeout of route \"route\" counts for each try: {tries} tries of {timeout} seconds may take {}, but \
             the platform ends a request after 120",
            tries * timeout
        )
    };
    let timeout = |seconds: u64| json!({ "timeout": seconds });
    let retries = |limit: u64| json!({ "retries": { "limit": limit } });
    assert_eq!(hints(&policy(json!({}), timeout(60))), [""; 0], "one retry by default");
    assert_eq!(hints(&policy(json!({}), timeout(61))), [hint(2, 61)]);
    assert_eq!(hints(&policy(retries(2), timeout(41))), [hint(3, 41)]);
    assert_eq!(hints(&policy(retries(3), timeout(40))), [""; 0], "there are three backends to try");
    assert_eq!(hints(&policy(retries(0), timeout(110))), [""; 0]);
    assert_eq!(hints(&policy(json!({}), json!({}))), [""; 0]);
    assert_eq!(hints(&policy(json!({}), json!({ "timeout": 110, "methods": ["POST"] }))), [""; 0], "sent once");
    let drained = json!({ "backends": { "one": {}, "two": { "weight": 0 } } });
    assert_eq!(hints(&policy(drained, timeout(110))), [""; 0]);
    let regions = |us: Value| {
        json!({
            "backends": { "one": { "region": "eu" }, "two": { "region": "us" } }, "regions": { "eu": {}, "us": us },
            "selection": { "region_by": [{ "by": "country", "regions": { "US": "us" } }], "default_region": "eu" }
        })
    };
    assert_eq!(hints(&policy(regions(json!({})), timeout(110))), [""; 0], "each region has one backend");
    let falling_back = regions(json!({ "fallback": "eu" }));
    assert_eq!(hints(&policy(falling_back.clone(), timeout(110))), [hint(2, 110)]);
    assert_eq!(hints(&policy(falling_back, json!({ "timeout": 110, "regions": ["eu"] }))), [""; 0]);
    let versions = json!({
        "backends": { "one": {}, "two": { "version": "a" }, "three": { "version": "b" } }, "retries": { "limit": 3 },
        "selection": { "version_by": { "header": "x-version" } }
    });
    assert_eq!(hints(&policy(versions, timeout(50))), [""; 0], "no request gets two versions");
}

#[test]
fn a_claim_in_an_audience_that_resembles_a_word_gets_a_hint() {
    let of = |audience: Value| {
        let cache = json!({ "audience": audience, "ttl": 60 });
        hints(&json!({ "routes": [route("/a", &json!({ "cache": cache }))] }))
    };
    let hint = |number: usize, name: &str, instead: &str| {
        format!("$.routes[0].cache.audience[{number}] is the claim \"{name}\"; {instead}")
    };
    let word = |word: &str| format!("\"{word}\" is the word for what callers have in common");
    assert_eq!(of(json!(["role"])), [hint(0, "role", &word("roles"))]);
    assert_eq!(of(json!(["plan", "sub"])), [hint(1, "sub", &word("caller"))]);
    assert_eq!(
        of(json!(["public"])),
        [hint(0, "public", "\"audience\": \"public\", without a list, is for all callers")]
    );
    assert_eq!(of(json!([{ "claim": "role" }, "groups", "caller", "plan", "org"])), [""; 0]);
}
