//! `fastgate check`, as it is run: what is valid and yet hardly meant.

use std::process::Command;

use serde_json::{Value, json};

use crate::{desk, route};

fn check(name: &str, parts: &Value) -> (bool, String) {
    let path = std::env::temp_dir().join(format!("fastgate-check-{}-{name}.json", std::process::id()));
    std::fs::write(&path, desk::policy(parts).to_string()).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_fastgate")).arg("check").arg(&path).output().unwrap();
    std::fs::remove_file(&path).unwrap();
    (output.status.success(), String::from_utf8(output.stdout).unwrap())
}

fn public(path: &str, id: &str, methods: &[&str]) -> Value {
    route(path, &json!({ "id": id, "access": "public", "methods": methods }))
}

#[test]
fn what_is_hardly_meant_is_said_with_a_remedy_and_fails_nothing() {
    for (name, parts, hint) in [
        (
            "covers",
            json!({ "routes": [
                public("/{p:path}", "rest", &["GET", "DELETE"]), route("/admin/{id:int}", &json!({}))
            ] }),
            "$.routes[0]\n    lets everybody use DELETE on the paths of the protected route \"route\"",
        ),
        ("default", json!({ "routes": [public("/{p:path}", "rest", &["GET"])] }), "there is no default deny"),
        (
            "keys",
            json!({ "routes": [public("/.well-known/fastgate/jwks.json", "keys", &["GET"])] }),
            "is answered by the edge itself",
        ),
        (
            "http",
            json!({ "issuers": { "dev": { "issuer": "http://127.0.0.1:9080", "backend": "idp", "audiences": ["a"] } },
                    "routes": [route("/", &json!({}))] }),
            "$.issuers.dev.issuer\n    is http",
        ),
        (
            "auth0-preset",
            json!({ "issuers": { "a": { "preset": "auth0", "issuer": "https://login.x.test", "backend": "idp", "audiences": ["a"] } },
                    "routes": [route("/", &json!({}))] }),
            "$.issuers.a.issuer\n    has no slash at its end",
        ),
        (
            "auth0-host",
            json!({ "issuers": { "a": { "issuer": "https://x.eu.auth0.com", "backend": "idp", "audiences": ["a"] } },
                    "routes": [route("/", &json!({}))] }),
            "$.issuers.a.issuer\n    has no slash at its end",
        ),
        (
            "leeway",
            json!({ "issuers": { "dev": { "issuer": "https://x.test", "backend": "idp", "audiences": ["a"], "leeway": 300 } },
                    "routes": [route("/", &json!({}))] }),
            "$.issuers.dev.leeway\n    lets tokens live 300 seconds longer",
        ),
        (
            "limit",
            json!({ "limits": { "l": { "count": 1, "window": 1, "by": ["subject"], "shadow": true } },
                    "routes": [route("/", &json!({ "access": "public", "limits": ["l"] }))] }),
            "limit \"l\" counts callers, whom a public route does not know",
        ),
        (
            "tried",
            json!({ "places": { "p": { "allow": [{ "country": ["DE"] }], "shadow": true } },
                    "routes": [route("/", &json!({ "from": ["p"] }))] }),
            "$.places.p\n    is only tried",
        ),
    ] {
        let (valid, text) = check(name, &parts);
        assert!(valid && text.contains(hint) && text.contains("→"), "{name}: {text}");
    }
}

#[test]
fn what_does_nothing_is_a_hint_and_no_fault() {
    let limit = json!({ "count": 9, "window": 60, "by": ["network"] });
    let edge = json!({ "issuer": "https://edge.test", "hosts": ["edge.test"], "flood_limit": "f" });
    let limited = json!({ "edge": edge, "limits": { "a": limit, "f": limit }, "routes": [route("/", &json!({ "limits": ["a", "f", "a"] }))] });
    let placed = |member: &str, kind: &str, codes: &[&str]| {
        let places = json!({ "p": { member: [{ kind: codes }] } });
        json!({ "places": places, "routes": [route("/", &json!({ "from": ["p"] }))] })
    };
    let from_pages = json!({
        "groups": { "g": { "cors": { "origins": ["https://app.test", "https://app.test:443"] } } },
        "routes": [route("/", &json!({ "group": "g" })), route("/b", &json!({ "id": "b", "group": "g" }))]
    });
    let forwards = json!({ "routes": [route("/", &json!({ "access": "public", "forward_token": true }))] });
    for (name, parts, places, remedy) in [
        ("country", placed("deny", "country", &["FR", "UK", "XK"]), vec!["$.places.p.deny[0]"], "write \"GB\""),
        ("region", placed("allow", "subdivision", &["XX-CA"]), vec!["$.places.p.allow[0]"], "ISO 3166-1 assigns"),
        ("union", placed("allow", "country", &["EU"]), vec!["$.places.p.allow[0]"], "list the countries"),
        ("page", from_pages, vec!["$.groups.g.cors.origins[1]"], "as browsers send it"),
        ("twice", limited, vec!["$.routes[0].limits[1]", "$.routes[0].limits[2]"], "name it once"),
        ("forwards", forwards, vec!["$.routes[0].forward_token"], "\"access\": \"optional\""),
    ] {
        // The policy that the edge reads is this text: it goes on to be served.
        assert!(fastgate::policy::Policy::parse(desk::policy(&parts).to_string().as_bytes()).is_ok(), "{name}");
        let (valid, text) = check(name, &parts);
        let found: Vec<_> = text.lines().filter(|line| line.starts_with("$.")).collect();
        assert!(valid && found == places && text.contains(remedy), "{name}: {text}");
    }
}

#[test]
fn a_policy_that_means_what_it_says_gets_no_hint() {
    let parts = json!({
        "issuers": {
            "a": { "preset": "auth0", "issuer": "https://x.eu.auth0.com/", "backend": "idp", "audiences": ["a"] },
            "b": { "issuer": "https://idp.test", "backend": "idp", "audiences": ["a"] },
        },
        "routes": [public("/", "root", &["GET"]), route("/admin/{id:int}", &json!({}))]
    });
    let (valid, text) = check("clean", &parts);
    assert!(valid && text.lines().count() == 1, "{text}");
}

#[test]
fn what_cannot_be_meant_is_a_fault() {
    let parts = json!({
        "issuers": { "dev": { "issuer": "http://example.com", "backend": "idp", "audiences": [], "leeway": 301 } },
        "routes": [route("/", &json!({}))]
    });
    let (valid, text) = check("fault", &parts);
    let places = ["$.issuers.dev.issuer", "$.issuers.dev.audiences", "$.issuers.dev.leeway"];
    assert!(!valid && places.iter().all(|place| text.contains(place)), "{text}");
}

/// The hints about these two routes, without their remedies: the public one first.
fn hints_about(name: &str, open: (&str, &[&str]), closed: (&str, &[&str])) -> Vec<String> {
    let parts = json!({
        "routes": [public(open.0, "open", open.1), route(closed.0, &json!({ "id": "closed", "methods": closed.1 }))]
    });
    let (valid, text) = check(name, &parts);
    assert!(valid, "{text}");
    text.lines().filter_map(|line| Some(line.trim().strip_suffix(" (a hint, not a fault)")?.to_owned())).collect()
}

#[test]
fn routes_are_compared_by_every_path_that_both_match() {
    let left =
        |methods: &str| vec![format!("lets everybody use {methods} on the paths of the protected route \"closed\"")];
    let none: Vec<String> = Vec::new();
    for (name, open, closed, expected) in [
        ("o1", ("/{tenant}/docs", &["GET", "POST"][..]), ("/admin/{x}", &["GET"][..]), left("POST")),
        ("o2", ("/{n}.csv", &["GET", "PUT"]), ("/v{x}", &["GET"]), left("GET, PUT")),
        ("o3", ("/admin/{x}", &["GET"]), ("/{tenant}/docs", &["GET"]), left("GET")),
        ("o4", ("/orders", &["POST"]), ("/orders", &["GET"]), left("POST")),
        ("o5", ("/{p:path}/raw", &["DELETE"]), ("/files/{x}/{y:path}", &["GET"]), left("DELETE")),
        // All of the public paths are the protected ones': somebody has named an exception.
        ("e1", ("/users/login", &["POST"]), ("/users/{id}", &["GET"]), none.clone()),
        ("e2", ("/files/{n}.css", &["GET"]), ("/files/{id}", &["GET", "PUT"]), none.clone()),
        ("e3", ("/files/{n}/public", &["GET"]), ("/files/{p:path}", &["GET"]), none.clone()),
        ("n1", ("/a/{x}", &["GET", "PUT"]), ("/b/{x}", &["GET"]), none.clone()),
        ("n2", ("/{x}.csv", &["GET", "PUT"]), ("/{x}.txt", &["GET"]), none.clone()),
        ("n3", ("/{x}/docs", &["GET"]), ("/admin/{x}", &["GET"]), none),
    ] {
        assert_eq!(hints_about(name, open, closed), expected, "{open:?} {closed:?}");
    }
}

#[test]
fn what_a_convertor_does_not_match_is_not_left_to_everybody_unsaid() {
    let spelled = |text: &str| {
        vec![format!(
            "lets everybody use GET where the path has \"{text}\", which the protected route \"closed\" does not match and \
             an application may read as the same value"
        )]
    };
    let none: Vec<String> = Vec::new();
    let uuid = "urn:uuid:00000000-0000-0000-0000-000000000000";
    for (name, open, closed, expected) in [
        ("s1", "/orders/{slug}", "/orders/{id:int}", spelled("+7")),
        ("s2", "/orders/{price:float}", "/orders/{id:int}", spelled("7.0")),
        ("s3", "/orders/{slug}", "/orders/{price:float}", spelled("+7")),
        ("s4", "/orders/{slug}", "/orders/{id:uuid}", spelled(uuid)),
        ("s5", "/orders/{rest:path}", "/orders/v{id:int}/items", spelled("v+7")),
        ("s6", "/orders/latest", "/orders/{id:int}", none.clone()),
        ("s7", "/orders/{id:uuid}", "/orders/{id:int}", none.clone()),
        ("s8", "/orders/{slug}", "/orders/{id}", none.clone()),
        ("s9", "/orders/{slug}/x", "/orders/{id:int}", none),
    ] {
        // Of templates that match the same, only one may have the method.
        let methods: (&[&str], &[&str]) = if name == "s8" { (&["GET"], &["PUT"]) } else { (&["GET"], &["GET"]) };
        let found = hints_about(name, (open, methods.0), (closed, methods.1));
        let found: Vec<_> = found.into_iter().filter(|hint| hint.contains("where the path has")).collect();
        assert_eq!(found, expected, "{open} {closed}");
    }
}

#[test]
fn what_an_absent_claim_passes_is_said() {
    let suspended = json!({ "not": { "group": "suspended" } });
    let hint = |name: &str, parts: Value| {
        let (valid, text) = check(name, &parts);
        assert!(valid, "{text}");
        let hints: Vec<_> = text.lines().filter(|line| line.contains("under \"not\"")).map(str::to_owned).collect();
        (text, hints)
    };
    let with = |condition: &Value| {
        let rules = json!({ "suspended": { "group": "suspended" }, "staff": { "role": "staff" } });
        json!({ "rules": rules, "routes": [route("/", &json!({ "require": condition }))] })
    };
    for (name, condition, kind) in [
        ("a1", suspended.clone(), "groups"),
        ("a2", json!({ "not": { "role": "banned" } }), "roles"),
        ("a3", json!({ "not": { "any": [{ "scope": "a" }, { "rule": "suspended" }] } }), "groups"),
        ("a4", json!({ "all": [{ "role": "staff" }, suspended] }), "groups"),
        ("a5", json!({ "any": [{ "group": "staff" }, suspended] }), "groups"),
    ] {
        let (text, hints) = hint(name, with(&condition));
        let what = format!("asks under \"not\" for {kind}, which a token without the claim passes");
        assert!(hints.len() == 1 && hints[0].contains(&what) && text.contains("$.routes[0].require\n"), "{text}");
    }
    for (name, condition) in [
        ("p1", json!({ "all": [{ "group": "members" }, suspended] })),
        ("p2", json!({ "all": [{ "any": [{ "role": "a" }, { "rule": "staff" }] }, { "not": { "role": "banned" } }] })),
        ("p3", json!({ "not": { "not": { "group": "members" } } })),
        ("p4", json!({ "not": { "scope": "a" } })),
    ] {
        assert_eq!(hint(name, with(&condition)).1, [""; 0], "{condition}");
    }
    let unread = json!({
        "issuers": {
            "a": { "issuer": "https://a.test", "backend": "idp", "audiences": ["a"] },
            "b": { "issuer": "https://b.test", "backend": "idp", "audiences": ["a"], "claims": { "roles": [] } },
        },
        "routes": [route("/", &json!({ "require": { "not": { "role": "banned" } } }))]
    });
    let all_pass = "no claim of the issuer \"b\" is read for roles: all of its tokens pass";
    assert!(hint("unread", unread).0.contains(all_pass));
}
