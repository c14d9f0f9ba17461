//! Rows J1, J2, J4, J7, J9 of `docs/attacks.md`: who gets a stored response.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use super::{Gate, Told, minted, status};

#[test]
fn a_second_request_is_served_without_the_origin() {
    let gate = Gate::public(60);
    gate.responds("/shared/a", "one", &[("etag", "\"1\""), ("x-app", "1"), ("surrogate-key", "k")]);
    let fields = "cookie: a=b\r\nuser-agent: x\r\naccept: */*\r\naccept-language: de\r\nfastgate-purge: k\r\n";
    let miss = gate.send("GET /shared/a", fields);
    assert_eq!((miss.status, miss.text().as_str()), (200, "one"));
    assert_eq!(status(&miss), "fastgate; fwd=uri-miss; fwd-status=200; stored");
    let hit = gate.send("GET /shared/a", fields);
    assert_eq!((hit.status, hit.text().as_str(), hit.header("content-length")), (200, "one", Some("3")));
    assert!(status(&hit).starts_with("fastgate; hit; ttl="), "{}", status(&hit));
    assert!(hit.header("age").is_some() && hit.header("x-app") == Some("1") && hit.header("surrogate-key").is_none());
    let line = gate.log_of(&hit);
    assert_eq!((&line["verdict"], &line["cache"]), (&json!("served"), &json!("hit")));
    let [seen] = gate.seen("/shared/a").try_into().unwrap();
    for name in ["cookie", "user-agent", "accept", "x-forwarded-for", "fastgate-purge", "if-none-match"] {
        assert_eq!(seen.all(name), [""; 0], "{name}");
    }
    assert_eq!(seen.all("accept-language"), ["de"]);
    assert_eq!((minted(&seen)["tctx"]["shared"].clone(), minted(&seen)["rctx"].clone()), (json!([]), json!({})));
    let other = gate.send("GET /shared/a", "accept-language: en\r\n");
    assert!(status(&other).contains("uri-miss"));
    assert_eq!(gate.send("GET /shared/a", "accept-language: de\r\nif-none-match: \"1\"\r\n").status, 304);
    let part = gate.send("GET /shared/a", "accept-language: de\r\nrange: bytes=1-\r\n");
    assert_eq!((part.status, part.text().as_str(), part.header("content-range")), (206, "ne", Some("bytes 1-2/3")));
    let head = gate.send("HEAD /shared/a", "accept-language: de\r\n");
    assert_eq!((head.status, head.header("content-length"), head.body.len()), (200, Some("3"), 0));
    assert_eq!(gate.seen("/shared/a").len(), 2);
}

#[test]
fn tenants_do_not_share_and_a_withdrawn_caller_gets_nothing() {
    let gate = Gate::start("authenticated", &json!({ "audience": "tenant", "ttl": 60 }));
    gate.responds("/shared/a", "x", &[]);
    let get = |subject: &str, claims: &Value| {
        gate.send("GET /shared/a", &format!("authorization: Bearer {}\r\n", gate.token(subject, claims)))
    };
    assert!(status(&get("ada", &json!({ "tid": "one" }))).contains("uri-miss"));
    assert!(status(&get("bob", &json!({ "tid": "one" }))).contains("hit"));
    assert!(status(&get("eve", &json!({ "tid": "two" }))).contains("uri-miss"));
    assert!(status(&get("ada", &json!({}))).contains("fwd=bypass"));
    assert!(status(&get("ada", &json!({}))).contains("fwd=bypass"));
    let expired =
        gate.send("GET /shared/a", &format!("authorization: Bearer {}\r\n", gate.token("ada", &json!({ "exp": 1 }))));
    assert_eq!(expired.status, 401);
    assert_eq!(gate.get("/shared/a").status, 401);
    let seen = gate.seen("/shared/a");
    assert_eq!(seen.len(), 4);
    assert_eq!(minted(&seen[0])["rctx"]["tenant"], "one");
    for request in &seen {
        let header = minted(request);
        assert!(header.get("sub").is_none() && header["rctx"].get("client_id").is_none(), "{header}");
    }
}

#[test]
fn a_withdrawn_role_ends_access_to_what_is_stored() {
    let cache = json!({ "audience": "tenant", "ttl": 60 });
    let gate = Gate::with(&json!({ "require": { "role": "admin" }, "cache": cache }));
    let get = |roles: &Value| {
        let token = gate.token("ada", &json!({ "tid": "one", "roles": roles }));
        gate.send("GET /shared/a", &format!("authorization: Bearer {token}\r\n"))
    };
    assert!(status(&get(&json!(["admin"]))).contains("uri-miss"));
    assert!(status(&get(&json!(["admin", "reader"]))).contains("hit"));
    let withdrawn = get(&json!(["reader"]));
    assert_eq!((withdrawn.status, withdrawn.header("cache-status")), (403, None));
    assert_eq!(gate.seen("/shared/a").len(), 1);
}

#[test]
fn a_path_that_looks_like_a_file_is_not_stored_for_others() {
    let gate = Gate::start("authenticated", &json!({ "audience": "caller", "ttl": 60 }));
    for path in ["/shared/me.css", "/shared/me;x.js", "/shared/me.css?x.css"] {
        gate.responds(path, "x", &[("cache-control", "public, max-age=600")]);
        for subject in ["ada", "bob"] {
            let token = gate.token(subject, &json!({}));
            let reply = gate.send(&format!("GET {path}"), &format!("authorization: Bearer {token}\r\n"));
            assert!(status(&reply).contains("uri-miss"), "{path} {subject}");
        }
        assert_eq!(gate.get(path).status, 401, "{path}");
    }
    for path in ["/shared/..%2fme", "/shared/me%2f..%2fa.css", "/shared/%00.css", "/shared/../a"] {
        assert_eq!(gate.get(path).status, 400, "{path}");
    }
}

#[test]
fn identical_misses_cause_one_request_for_each_audience() {
    let gate = Arc::new(Gate::start("authenticated", &json!({ "audience": "tenant", "ttl": 60 })));
    let takes = Duration::from_millis(400);
    gate.tell("/shared/a", Told { body: "x".repeat(2000), takes, ..Told::default() });
    let clients: Vec<_> = (0..60)
        .map(|number| {
            let gate = Arc::clone(&gate);
            let token = gate.token(&format!("user-{number}"), &json!({ "tid": format!("tenant-{}", number % 3) }));
            thread::spawn(move || gate.send("GET /shared/a", &format!("authorization: Bearer {token}\r\n")))
        })
        .collect();
    for client in clients {
        let reply = client.join().unwrap();
        assert_eq!((reply.status, reply.body.len()), (200, 2000));
    }
    let seen = gate.seen("/shared/a");
    assert_eq!(seen.len(), 3);
}
