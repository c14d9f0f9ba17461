//! Rows J2, J4, J5, J6, J7, J11 of `docs/attacks.md`: callers who share no audience share no response, and the origin learns nothing that is not part of the key.

use serde_json::{Value, json};

use super::{Outcome, caching, exchange};
use crate::offline::{Gate, NOW, Request, get};
use crate::rules::{PARTNER, faults, gate_of, gate_with, route, token};

fn caller(claims: Value) -> Request {
    get("/a").bearer(&token(claims))
}

fn is_shared(cache: &Value, one: Value, other: Value) -> bool {
    let gate = with_claims(cache);
    assert_eq!(exchange(&gate, caller(one), 200, &[]), Outcome::Fetched);
    match exchange(&gate, caller(other), 200, &[]) {
        Outcome::Stored(200) => true,
        Outcome::Fetched => false,
        other => panic!("{other:?}"),
    }
}

/// A gate whose main issuer names tenants, roles and groups.
fn with_claims(cache: &Value) -> Gate {
    gate_of(&document(cache))
}

fn document(cache: &Value) -> Value {
    let mut policy = crate::provider::policy(&json!({ "routes": [route("/a", &json!({ "cache": cache }))] }));
    for issuer in ["main", "partner"] {
        policy["issuers"][issuer]["claims"] = json!({ "tenant": "tid", "roles": ["roles"], "groups": ["groups"] });
    }
    policy
}

#[test]
fn a_response_is_shared_by_the_callers_of_its_audience_alone() {
    let tenant = json!({ "audience": "tenant", "ttl": 60 });
    assert!(is_shared(&tenant, json!({ "tid": "x" }), json!({ "tid": "x", "sub": "bob", "roles": ["admin"] })));
    assert!(!is_shared(&tenant, json!({ "tid": "x" }), json!({ "tid": "y" })));
    let roles = json!({ "audience": "roles", "ttl": 60 });
    assert!(is_shared(&roles, json!({ "roles": ["b", "a"] }), json!({ "roles": ["a", "b"], "sub": "bob" })));
    for other in [json!(["a"]), json!(["a", "b", "c"]), json!(["ab"]), json!([]), json!(["a,b"])] {
        assert!(!is_shared(&roles, json!({ "roles": ["a", "b"] }), json!({ "roles": other })), "{other}");
    }
    let one = json!({ "audience": "caller", "ttl": 60 });
    assert!(is_shared(&one, json!({}), json!({ "roles": ["admin"] })));
    assert!(!is_shared(&one, json!({}), json!({ "sub": "bob" })));
    let claims = json!({ "audience": ["plan", { "claim": ["org", "id"] }], "ttl": 60 });
    let of = |plan: Value, org: Value| json!({ "plan": plan, "org": { "id": org } });
    assert!(is_shared(&claims, of(json!("pro"), json!(1)), of(json!("pro"), json!(1))));
    for other in [of(json!("pro"), json!("1")), of(json!("pro"), json!([1])), of(json!("free"), json!(1))] {
        assert!(!is_shared(&claims, of(json!("pro"), json!(1)), other.clone()), "{other}");
    }
}

/// Values that would be equal if they were joined without their lengths.
#[test]
fn crafted_claims_do_not_collide() {
    let two = json!({ "audience": ["a", "b"], "ttl": 60 });
    let of = |a: Value, b: Value| json!({ "a": a, "b": b });
    for (one, other) in [
        (of(json!("x"), json!("yz")), of(json!("xy"), json!("z"))),
        (of(json!("x\u{0}"), json!("y")), of(json!("x"), json!("\u{0}y"))),
        (of(json!("1"), json!(1)), of(json!(1), json!("1"))),
        (of(json!(""), json!("\"\"")), of(json!("\"\""), json!(""))),
        (of(json!(["x", "y"]), json!("z")), of(json!(["x,y"]), json!("z"))),
    ] {
        assert!(!is_shared(&two, one.clone(), other.clone()), "{one} {other}");
    }
    let facts = json!({ "audience": ["tenant", "roles"], "ttl": 60 });
    assert!(!is_shared(&facts, json!({ "tid": "x", "roles": ["y"] }), json!({ "tid": "x", "roles": ["y", "y2"] })));
}

#[test]
fn issuers_do_not_share() {
    let gate = with_claims(&json!({ "audience": "tenant", "ttl": 60 }));
    assert_eq!(exchange(&gate, caller(json!({ "tid": "x" })), 200, &[]), Outcome::Fetched);
    let other = get("/a").bearer(&PARTNER.token(NOW, json!({ "tid": "x" })));
    assert_eq!(exchange(&gate, other, 200, &[]), Outcome::Fetched);
}

#[test]
fn a_caller_without_the_claim_gets_nothing_and_leaves_nothing() {
    for cache in [
        json!({ "audience": "tenant", "ttl": 60 }),
        json!({ "audience": ["plan"], "ttl": 60 }),
        json!({ "audience": [{ "claim": ["org", "id"] }], "ttl": 60 }),
    ] {
        let gate = with_claims(&cache);
        for claims in [json!({}), json!({ "plan": null }), json!({ "org": {} }), json!({ "tid": 7 })] {
            assert_eq!(exchange(&gate, caller(claims), 200, &[]), Outcome::Relayed("no-audience".to_owned()));
        }
        assert_eq!(gate.fakes().responses.looked_up, []);
    }
    let optional = caching("optional", &json!({ "audience": "caller", "ttl": 60 }));
    assert_eq!(exchange(&optional, get("/a"), 200, &[]), Outcome::Relayed("no-audience".to_owned()));
    assert_eq!(optional.send(get("/a")).minted()["tctx"]["shared"], json!([]), "nobody is known");
    assert_eq!(exchange(&optional, caller(json!({})), 200, &[]), Outcome::Fetched);
    assert_eq!(exchange(&optional, get("/a"), 200, &[]), Outcome::Relayed("no-audience".to_owned()));
}

#[test]
fn authorization_comes_first() {
    let cache = json!({ "audience": "tenant", "ttl": 60 });
    let mut policy = document(&cache);
    policy["routes"][0]["scopes"] = json!(["orders:read"]);
    let gate = gate_of(&policy);
    let of = |scope: &str| caller(json!({ "tid": "x", "scope": scope }));
    assert_eq!(exchange(&gate, of("orders:read"), 200, &[]), Outcome::Fetched);
    assert_eq!(exchange(&gate, of("orders:read admin"), 200, &[]), Outcome::Stored(200));
    assert_eq!(exchange(&gate, of("orders:write"), 200, &[]), Outcome::Refused("insufficient-scope"));
    assert_eq!(exchange(&gate, get("/a"), 200, &[]), Outcome::Refused("credentials-missing"));
}

#[test]
fn another_request_or_another_policy_has_another_response() {
    let cache = json!({ "audience": "public", "ttl": 60, "vary": ["accept-language"] });
    let of_path = |path: &str, parts: Value| {
        let mut routes = route(path, &json!({ "access": "public", "cache": cache }));
        routes.as_object_mut().unwrap().extend(parts.as_object().cloned().unwrap());
        gate_with(&json!({ "routes": [routes], "edge": crate::provider::policy(&json!({}))["edge"].clone() }))
    };
    let key = |gate: &Gate, request: Request| {
        gate.send(request);
        gate.fakes().responses.looked_up.last().unwrap().0.clone()
    };
    let gate = of_path("/{name}", json!({}));
    let same = key(&gate, get("/a"));
    assert_eq!(key(&gate, get("/a").field("user-agent", "x").field("cookie", "a=b")), same);
    assert_eq!(key(&gate, get("/%61")), same, "the path is canonical");
    let mut others = vec![
        key(&gate, get("/b")),
        key(&gate, get("/a?x")),
        key(&gate, get("/a?x=1")),
        key(&gate, get("/a").field("accept-language", "de")),
        key(&gate, get("/a").field("accept-language", "")),
        key(&gate, get("/a").field("accept-language", "de").field("accept-language", "en")),
        key(&of_path("/{nome}", json!({})), get("/a")),
        key(&of_path("/{name}", json!({ "request_headers": { "set": { "x-a": "1" } } })), get("/a")),
        key(&of_path("/{name}", json!({ "request_headers": { "remove": ["x-a"] } })), get("/a")),
        key(&of_path("/{name}", json!({ "rewrite": { "template": "/v2/{name}" } })), get("/a")),
        key(&of_path("/{name}", json!({ "cache": { "audience": "public", "ttl": 61 } })), get("/a")),
        same,
    ];
    let mut purged = of_path("/{name}", json!({}));
    purged.generations = fastgate::caching::Generations::parse(br#"{"app":1}"#);
    others.push(key(&purged, get("/a")));
    let count = others.len();
    others.sort();
    others.dedup();
    assert_eq!(others.len(), count);
}

#[test]
fn without_the_purge_generations_nothing_is_sent_or_stored() {
    let mut gate = caching("public", &json!({ "audience": "public", "ttl": 60 }));
    gate.generations = None;
    assert_eq!(exchange(&gate, get("/a"), 200, &[]), Outcome::Relayed("no-audience".to_owned()));
    for record in [&b"[]"[..], b"{\"a\":-1}", b"{\"a\":\"1\"}", b"{\"a\":1.5}", b"", b"\xff"] {
        assert_eq!(fastgate::caching::Generations::parse(record), None);
    }
}

#[test]
fn the_origin_learns_only_what_the_audience_has_in_common() {
    let sent = json!({
        "tid": "x", "roles": ["r"], "groups": ["g"], "plan": "pro", "acr": "mfa", "auth_time": NOW, "sid": "s",
        "azp": "client", "scope": "orders:read other", "email": "a@b.c",
    });
    let header = |cache: Value| {
        let mut policy = document(&cache);
        policy["routes"][0]["scopes"] = json!(["orders:read"]);
        policy["routes"][0]["forward"] = json!(["groups", { "claim": "email" }, { "claim": "plan", "as": "p" }]);
        let gate = gate_of(&policy);
        let request = caller(sent.clone()).field("cookie", "a=b").field("x-user", "1").field("accept-language", "de");
        let outcome = gate.send(request);
        let names: Vec<_> = outcome.grant().headers().iter().map(|(name, _)| name.to_owned()).collect();
        (outcome.minted(), names)
    };
    let (claims, names) = header(json!({ "audience": ["tenant", "plan"], "ttl": 60, "vary": ["accept-language"] }));
    let expected = json!({ "iss": "https://idp.test", "tenant": "x", "claims": { "p": "pro", "plan": "pro" } });
    assert_eq!((&claims["rctx"], &claims["scope"]), (&expected, &json!("orders:read")));
    assert_eq!((claims.get("sub"), &claims["tctx"]["shared"]), (None, &json!(["tenant", "claim:plan"])));
    let expected = ["accept-language", "host", "x-forwarded-host", "x-forwarded-proto", "x-request-id"];
    assert_eq!(names, [&expected[..], &["fastgate-identity"]].concat());
    let (claims, _) = header(json!({ "audience": "caller", "ttl": 60 }));
    assert_eq!((&claims["sub"], &claims["rctx"]), (&json!("alice"), &json!({ "iss": "https://idp.test" })));
    let (claims, _) = header(json!({ "audience": "public", "ttl": 60, "shared": true }));
    assert_eq!((claims.get("sub"), &claims["rctx"], &claims["tctx"]["shared"]), (None, &json!({}), &json!([])));
    let (claims, _) = header(json!({ "audience": ["roles", "groups"], "ttl": 60 }));
    assert_eq!(claims["rctx"], json!({ "iss": "https://idp.test", "roles": ["r"], "groups": ["g"] }));
}

#[test]
fn a_declaration_that_could_leak_is_a_fault() {
    let fault = |access: &str, parts: Value| {
        let mut one = route("/a", &json!({ "access": access }));
        one.as_object_mut().unwrap().extend(parts.as_object().cloned().unwrap());
        faults(&json!({ "routes": [one] })).join("; ")
    };
    let cache = |audience: Value| json!({ "audience": audience, "ttl": 60 });
    for (access, parts, expected) in [
        (
            "authenticated",
            json!({ "cache": cache(json!("public")) }),
            "$.routes[0].cache.audience: is \"public\" on a route",
        ),
        (
            "optional",
            json!({ "cache": cache(json!("public")) }),
            "$.routes[0].cache.audience: is \"public\" on a route",
        ),
        ("public", json!({ "cache": cache(json!("caller")) }), "$.routes[0].cache.audience: names claims on a public"),
        ("authenticated", json!({ "cache": cache(json!([])) }), "$.routes[0].cache.audience: is empty"),
        (
            "authenticated",
            json!({ "cache": cache(json!("tenant")) }),
            "$.routes[0].cache.audience: needs a claim that issuer",
        ),
        ("authenticated", json!({ "cache": { "ttl": 60 } }), "missing field `audience`"),
        ("authenticated", json!({ "cache": { "audience": "caller" } }), "missing field `ttl`"),
        ("authenticated", json!({ "cache": { "audience": "caller", "ttl": 0 } }), "$.routes[0].cache.ttl: is 0"),
        (
            "public",
            json!({ "cache": { "audience": "public", "ttl": 1, "shared": true } }),
            "$.routes[0].cache.shared: belongs to",
        ),
        (
            "authenticated",
            json!({ "cache": cache(json!("caller")), "forward_token": true }),
            "$.routes[0].cache: is on a route with \"forward_token\"",
        ),
        (
            "authenticated",
            json!({ "cache": cache(json!("caller")), "methods": ["POST"] }),
            "$.routes[0].cache: is on a route without responses to GET",
        ),
        (
            "public",
            json!({ "cache": { "audience": "public", "ttl": 1, "vary": ["cookie"] } }),
            "$.routes[0].cache.vary[0]: names \"cookie\"",
        ),
        (
            "public",
            json!({ "cache": { "audience": "public", "ttl": 1, "vary": ["authorization"] } }),
            "$.routes[0].cache.vary[0]: names \"authorization\"",
        ),
    ] {
        let found = fault(access, parts.clone());
        assert!(found.contains(expected), "{parts}: {found}");
    }
}
