//! `fastgate check`, run as a program: hints about valid policies that are probably mistakes.

mod absent;
mod exposed;
mod hints;
mod manifest;
mod parts;
mod regions;
mod shape;

use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::{Value, json};

use crate::provider;
use crate::rules::route;

fn check(name: &str, parts: &Value) -> (bool, String) {
    check_text(name, &provider::policy(parts).to_string())
}

/// The output without the ids of routes after the locations: `an_id_is_printed_after_the_location_in_a_route` reads them.
fn check_text(name: &str, policy: &str) -> (bool, String) {
    let (valid, text) = check_with_ids(name, policy);
    let without_id = |line: &str| match line.split_once(" (route \"") {
        Some((at, _)) if at.starts_with("$.routes[") => format!("{at}\n"),
        _ => format!("{line}\n"),
    };
    (valid, text.lines().map(without_id).collect())
}

fn check_with_ids(name: &str, policy: &str) -> (bool, String) {
    static CALLS: AtomicU32 = AtomicU32::new(0);
    let call = CALLS.fetch_add(1, Ordering::Relaxed); // tests run in parallel, and some use the same name
    let path = std::env::temp_dir().join(format!("fastgate-check-{}-{call}-{name}.json", std::process::id()));
    std::fs::write(&path, policy).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_fastgate-tool")).arg("check").arg(&path).output().unwrap();
    std::fs::remove_file(&path).unwrap();
    (output.status.success(), String::from_utf8(output.stdout).unwrap())
}

fn public(path: &str, id: &str, methods: &[&str]) -> Value {
    route(path, &json!({ "id": id, "access": "public", "methods": methods }))
}

#[test]
fn probable_mistakes_get_a_hint_with_a_remedy_and_no_fault() {
    for (name, parts, hint) in [
        (
            "covers",
            json!({ "routes": [
                public("/{p:path}", "rest", &["GET", "DELETE"]), route("/admin/{id:int}", &json!({}))
            ] }),
            "$.routes[0]\n    lets every client use DELETE on paths of the protected route \"route\", as on \"/admin/4711\"",
        ),
        ("default", json!({ "routes": [public("/{p:path}", "rest", &["GET"])] }), "there is no default deny"),
        (
            "keys",
            json!({ "routes": [public("/.well-known/fastgate/jwks.json", "keys", &["GET"])] }),
            "is served by the edge itself",
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
            "limit \"l\" counts callers, but a public route does not identify them",
        ),
        (
            "tried",
            json!({ "places": { "p": { "allow": [{ "country": ["DE"] }], "shadow": true } },
                    "routes": [route("/", &json!({ "from": ["p"] }))] }),
            "$.places.p\n    is in shadow",
        ),
    ] {
        let (valid, text) = check(name, &parts);
        assert!(valid && text.contains(hint) && text.contains("→"), "{name}: {text}");
    }
}

#[test]
fn a_former_name_of_a_member_is_a_fault_that_names_the_new_one() {
    let limit = json!({ "count": 9, "window": 60, "by": ["network"], "cost_from": { "header": "x" }, "most_cost": 5 });
    for (name, parts, complaint) in [
        (
            "response",
            json!({ "routes": [route("/", &json!({ "answer_headers": { "remove": ["server"] } }))] }),
            "$.routes[0].answer_headers\n    is called \"response_headers\" now",
        ),
        (
            "shadow",
            json!({ "routes": [route("/", &json!({ "trial": { "scopes": ["a"] } }))] }),
            "$.routes[0].trial\n    is called \"shadow\" now",
        ),
        (
            "cost",
            json!({ "limits": { "l": limit }, "routes": [] }),
            "$.limits.l.most_cost\n    is called \"max_cost\" now",
        ),
    ] {
        let (valid, text) = check(name, &parts);
        assert!(!valid && text.contains(complaint) && text.contains("→ rename it"), "{name}: {text}");
    }
    for (name, origin, complaint, remedy) in [
        ("mac", json!({ "algorithm": "HS256" }), "$.origins.app.algorithm\n    no longer exists", "origin-key new"),
        (
            "private",
            json!({ "key": { "kty": "OKP", "crv": "X25519", "x": "x", "d": "s3cret" } }),
            "$.origins.app.key.d\n    is the private half of the key",
            "→ make a new key",
        ),
    ] {
        let mut origin = origin;
        origin["backend"] = json!("app");
        origin["audience"] = json!("app");
        let (valid, text) = check(name, &json!({ "origins": { "app": origin }, "routes": [] }));
        assert!(
            !valid && text.contains(complaint) && text.contains(remedy) && !text.contains("s3cret"),
            "{name}: {text}"
        );
    }
    let place = json!({ "places": { "p": { "allow": [{ "country": ["DE"] }], "trial": true } }, "routes": [] });
    let (valid, text) = check("elsewhere", &place);
    assert!(!valid && text.contains("$.places.p.trial\n    does not exist here"), "{text}");
}

#[test]
fn an_id_is_printed_after_the_location_in_a_route() {
    let both = json!({ "id": "r", "trial": { "scopes": ["a"] }, "shadow": { "scopes": ["b"] } });
    let policy = provider::policy(&json!({ "routes": [route("/", &both)] }));
    let (valid, text) = check_with_ids("both", &policy.to_string());
    let complaint =
        "$.routes[0].trial (route \"r\")\n    is called \"shadow\" now, which is there as well\n    → merge";
    assert!(!valid && text.contains(complaint), "{text}");
}

#[test]
fn members_without_an_effect_get_a_hint_and_no_fault() {
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
        assert!(fastgate::policy::Policy::parse(provider::policy(&parts).to_string().as_bytes()).is_ok(), "{name}");
        let (valid, text) = check(name, &parts);
        let found: Vec<_> = text.lines().filter(|line| line.starts_with("$.")).collect();
        assert!(valid && found == places && text.contains(remedy), "{name}: {text}");
    }
}

#[test]
fn a_policy_without_mistakes_gets_no_hint() {
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
fn contradictions_are_faults() {
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
    let left = |methods: &str, path: &str| {
        vec![format!("lets every client use {methods} on paths of the protected route \"closed\", as on \"{path}\"")]
    };
    let none: Vec<String> = Vec::new();
    let uuid = "01234567-89ab-cdef-0123-456789abcdef";
    for (name, open, closed, expected) in [
        ("o1", ("/{tenant}/docs", &["GET", "POST"][..]), ("/admin/{x}", &["GET"][..]), left("POST", "/admin/docs")),
        ("o2", ("/{n}.csv", &["GET", "PUT"]), ("/v{x}", &["GET"]), left("GET, PUT", "/v.csv")),
        ("o3", ("/admin/{x}", &["GET"]), ("/{tenant}/docs", &["GET"]), left("GET", "/admin/docs")),
        ("o4", ("/orders", &["POST"]), ("/orders", &["GET"]), left("POST", "/orders")),
        ("o5", ("/{p:path}/raw", &["DELETE"]), ("/files/{x}/{y:path}", &["GET"]), left("DELETE", "/files/example/raw")),
        ("o6", ("/a/{x}", &["HEAD"]), ("/{p:path}/b", &["GET"]), left("HEAD", "/a/b")),
        // A narrower convertor is not an exception: it may match every path.
        ("o7", ("/orders/{o:uuid}", &["GET"]), ("/orders/{id}", &["GET"]), left("GET", &format!("/orders/{uuid}"))),
        ("o8", ("/users/{id:int}", &["DELETE"]), ("/users/{id}", &["GET"]), left("DELETE", "/users/4711")),
        ("o9", ("/files/{n}", &["GET"]), ("/files/{p:path}", &["GET"]), left("GET", "/files/example")),
        // The public route covers a part of the protected paths and is more specific: it is an intended exception.
        ("e1", ("/users/login", &["POST"]), ("/users/{id}", &["GET"]), none.clone()),
        ("e2", ("/files/{n}.css", &["GET"]), ("/files/{id}", &["GET", "PUT"]), none.clone()),
        ("e3", ("/files/{n}/public", &["GET"]), ("/files/{p:path}", &["GET"]), none.clone()),
        ("e4", ("/v1", &["GET"]), ("/version{x}", &["GET"]), none.clone()),
        ("e5", ("/vlatest", &["GET"]), ("/v{x}", &["GET"]), none.clone()),
        ("e6", ("/{slug}", &["GET"]), ("/{rest:path}", &["GET", "POST"]), none.clone()),
        // A public route may offer reads of data that only callers with a token may change.
        ("r1", ("/products", &["GET", "HEAD"]), ("/products", &["POST"]), none.clone()),
        ("r2", ("/products/{slug}", &["GET"]), ("/products/{id:int}", &["PUT", "DELETE"]), none.clone()),
        ("n1", ("/a/{x}", &["GET", "PUT"]), ("/b/{x}", &["GET"]), none.clone()),
        ("n2", ("/{x}.csv", &["GET", "PUT"]), ("/{x}.txt", &["GET"]), none.clone()),
        ("n3", ("/{x}/docs", &["GET"]), ("/admin/{x}", &["GET"]), none),
    ] {
        assert_eq!(hints_about(name, open, closed), expected, "{open:?} {closed:?}");
    }
}

/// The output of `check` for a policy of these routes: `(id, path, methods)`. The ids of public ones begin with `pub`.
/// A method `WS` makes it a WebSocket.
fn said(name: &str, routes: &[(&str, &str, &[&str])]) -> String {
    let routes: Vec<_> = routes
        .iter()
        .map(|(id, path, methods)| {
            let access = if id.starts_with("pub") { "public" } else { "authenticated" };
            let parts = match *methods {
                ["WS"] => json!({ "id": id, "access": access, "websocket": true }),
                _ => json!({ "id": id, "access": access, "methods": methods }),
            };
            route(path, &parts)
        })
        .collect();
    let (valid, text) = check(name, &json!({ "routes": routes }));
    assert!(valid, "{text}");
    text
}

#[test]
fn paths_that_another_route_serves_get_no_hint() {
    let all = ("pub", "/{kind}/{slug}", &["GET"][..]);
    for (name, routes) in [
        ("third1", vec![all, ("i", "/orders/{id:int}", &["GET"][..]), ("s", "/orders/{id}", &["GET"])]),
        ("third2", vec![all, ("s", "/orders/{id}", &["GET"]), ("i", "/orders/{id:int}", &["POST"])]),
        (
            "third3",
            vec![
                ("pub", "/{kind}/{slug}", &["GET", "POST", "DELETE"]),
                ("s", "/orders/{id}", &["GET"]),
                ("i", "/orders/{id}", &["POST", "DELETE"]),
            ],
        ),
        (
            "third4",
            vec![("pub", "/{v}/status", &["GET"]), ("pub1", "/v1/status", &["GET"]), ("v", "/v1/{p:path}", &["GET"])],
        ),
        ("page", vec![("pub", "/chat", &["GET"]), ("socket", "/chat", &["WS"])]),
        ("read", vec![("pub", "/products", &["GET"]), ("write", "/products", &["POST"])]),
    ] {
        assert_eq!(said(name, &routes).lines().count(), 1, "{}", said(name, &routes));
    }
    let app = [
        ("pub", "/{path:path}", &["GET", "POST"][..]),
        ("list", "/api/orders", &["GET"]),
        ("create", "/api/orders", &["POST"]),
    ];
    let text = said("spa", &app);
    assert!(text.contains("there is no default deny") && text.matches("a hint").count() == 1, "{text}");
    // One of several paths is enough: the third route has the shortest alone.
    let deep = said(
        "deep",
        &[
            ("pub", "/{p:path}/raw", &["POST"]),
            ("files", "/files/{p:path}", &["GET"]),
            ("third", "/files/raw", &["POST"]),
        ],
    );
    assert!(deep.contains("use POST on paths of the protected route \"files\""), "{deep}");
    let sockets = said("sockets", &[("pub", "/{a}/live", &["WS"]), ("socket", "/admin/{x}", &["WS"])]);
    assert_eq!(sockets.lines().count(), 1, "{sockets}");
    let sockets = said("sockets", &[("pub", "/admin/{x}", &["WS"]), ("socket", "/{a}/live", &["WS"])]);
    assert!(sockets.contains("use WebSockets on paths of the protected route \"socket\""), "{sockets}");
}

#[test]
fn a_public_route_has_one_hint_whose_remedy_can_help() {
    let open = ["/docs/{path:path}", "/static/{path:path}", "/assets/{path:path}", "/.well-known/{path:path}"];
    let mut routes: Vec<Value> =
        open.iter().enumerate().map(|(index, path)| public(path, &format!("open-{index}"), &["GET"])).collect();
    for name in ["orders", "users", "invoices", "items", "carts", "reports"] {
        for (index, (path, methods)) in
            [("", &["GET"][..]), ("", &["POST"]), ("/{id:int}", &["GET"]), ("/{id:int}", &["PUT", "DELETE"])]
                .into_iter()
                .enumerate()
        {
            let parts = json!({ "id": format!("{name}-{index}"), "methods": methods });
            routes.push(route(&format!("/{{tenant}}/{name}{path}"), &parts));
        }
    }
    let (valid, text) = check("tenants", &json!({ "routes": routes }));
    assert!(valid && text.matches("a hint").count() == 4 && !text.contains("same methods"), "{text}");
    assert_eq!(text.matches("the public route goes first").count(), 4, "{text}");
    let first = "$.routes[0]\n    lets every client use GET on paths of the protected route \"orders-0\", as on \"/docs/orders\" \
                 (and opens paths of 11 more protected routes) (a hint, not a fault)\n";
    assert!(text.contains(first), "{text}");

    let ordinary = ("closed", "/orders/{id:int}", &["GET"][..]);
    for (name, public, closed, remedy) in [
        ("wider", ("pub", "/{a}/{b}", &["POST"][..]), ordinary, "→ add these methods to the protected route"),
        ("same", ("pub", "/orders/{x:int}", &["POST"]), ordinary, "→ take these methods out of the public route"),
        ("first", ("pub", "/orders/{a}", &["POST"]), ("closed", "/{x}/7", &["GET"]), "→ the public route goes first"),
        ("socket", ("pub", "/{a}/{b}", &["POST"]), ("closed", "/a/{b}", &["WS"]), "→ take these methods out"),
    ] {
        let text = said(name, &[public, closed]);
        assert!(text.contains(remedy) && text.matches("a hint").count() == 1, "{name}: {text}");
    }
}

#[test]
fn the_comparison_of_routes_is_bounded() {
    let many = (0..60).map(|index| format!("{{a{index}:uuid}}")).collect::<Vec<_>>().join("/");
    let routes: Vec<_> = (0..200)
        .flat_map(|index| {
            // The last segments do not distinguish these routes.
            let open = public(&format!("/{{p:path}}/{many}/p{index}/{{z}}"), &format!("p{index}"), &["GET"]);
            let closed = json!({ "id": format!("s{index}") });
            [open, route(&format!("/{many}/{{q:path}}/s{index}/{{z}}"), &closed)]
        })
        .collect();
    let (valid, text) = check("many", &json!({ "routes": routes }));
    assert!(valid && text.matches("were not compared with every protected route").count() == 1, "{text}");
}

#[test]
fn paths_that_a_convertor_leaves_public_get_a_hint() {
    let spelled = |text: &str| {
        vec![format!(
            "lets every client use GET where the path has \"{text}\", which the protected route \"closed\" does not match and \
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
        // Only one of several equivalent templates may have a method.
        let methods: (&[&str], &[&str]) = if name == "s8" { (&["GET"], &["PUT"]) } else { (&["GET"], &["GET"]) };
        let found = hints_about(name, (open, methods.0), (closed, methods.1));
        let found: Vec<_> = found.into_iter().filter(|hint| hint.contains("where the path has")).collect();
        assert_eq!(found, expected, "{open} {closed}");
    }
}
