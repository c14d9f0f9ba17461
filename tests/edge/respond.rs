//! Responses that the edge makes itself, through the guest: no origin sees the request. Rows J16, J22 and J23 of
//! docs/attacks.md.

use serde_json::{Value, json};

use crate::support::edge::{Edge, Listener};
use crate::support::http::{Reply, exchange};
use crate::support::origin::{Origin, response};
use crate::support::tokens::{claims, header, jwks, sign};
use crate::support::world::{issuer, stores};

/// A page that is too long to be one piece of a body.
const PIECES: usize = 20_000;

/// A file that no sandbox should keep in memory.
fn video() -> String {
    (0..20 * 1024 * 1024 / 8).map(|number| format!("{number:07}\n")).collect()
}

struct Gate {
    edge: Edge,
    origin: Origin,
    issuer: Origin,
}

impl Gate {
    fn start() -> Self {
        let origin = Origin::responding(response("200 OK", &[], "of the origin"));
        let (issuer, listener) = (issuer(jwks()), Listener::bind());
        let route = |id: &str, path: &str, access: &str, respond: Value| {
            let methods =
                if respond.get("redirect").is_some() { json!(["GET", "POST"]) } else { json!(["GET", "HEAD"]) };
            json!({ "id": id, "path": path, "methods": methods, "access": access, "respond": respond })
        };
        let policy = json!({
            "edge": { "issuer": format!("http://{}", listener.address()), "hosts": ["127.0.0.1"] },
            "origins": { "app": { "backend": "app", "audience": "app" }, "other": { "backend": "app", "audience": "b" } },
            "issuers": { "test": {
                "issuer": format!("http://{}", issuer.address), "backend": "issuer", "audiences": ["https://api.test"]
            } },
            "routes": [
                route("health", "/health", "public", json!({ "body": "ok" })),
                route("none", "/none", "public", json!({ "status": 204 })),
                route("old", "/old/{rest:path}", "public", json!({ "redirect": "/new/{rest}" })),
                route("robots", "/robots.txt", "public", json!({ "file": "robots.txt" })),
                route("huge", "/huge", "public", json!({ "file": "huge.bin" })),
                route("video", "/video", "public", json!({ "file": "video.bin" })),
                route("private", "/private", "authenticated", json!({ "file": "pages.txt" })),
                route("app", "/app/{path:path}", "public", json!({ "files": "app/", "fallback": "index.html" }))
            ]
        });
        let mut stores = stores(&policy, &[("app", origin.address), ("issuer", issuer.address)]);
        let pages: String = (0..PIECES).map(|number| format!("{number:07}\n")).collect();
        for (name, content) in [
            ("robots.txt", "User-agent: *\n"),
            ("pages.txt", &pages),
            ("huge.bin", &"x".repeat(8 * 1024 * 1024 + 1)),
            ("video.bin", &video()),
            ("app/index.html", "<!doctype html>"),
            ("app/main.js", "plain"),
            ("app/main.js.br", "brotli"),
            ("app/both.js", "plain"),
            ("app/both.js.br", "brotli"),
            ("app/both.js.gz", "gzip"),
            ("app/zipped.js", "plain"),
            ("app/zipped.js.gz", "gzip"),
        ] {
            stores.kv.as_mut().unwrap().push((format!("files/{name}"), content.to_owned()));
        }
        let description = json!({ "content_type": "text/x-pages", "etag": "\"pages-1\"" }).to_string();
        stores.kv_notes.push(("files/pages.txt".to_owned(), description));
        stores.kv_notes.push(("files/video.bin".to_owned(), json!({ "etag": "\"video\"" }).to_string()));
        Self { edge: Edge::start(listener, &stores), origin, issuer }
    }

    fn send(&self, line: &str, fields: &str) -> Reply {
        let request = format!("{line} HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n{fields}\r\n");
        exchange(self.edge.address, request.as_bytes()).unwrap_or_else(|| panic!("no response to {line}"))
    }

    fn get(&self, path: &str) -> Reply {
        self.send(&format!("GET {path}"), "")
    }

    #[track_caller]
    fn verdict(&self, reply: &Reply) -> Value {
        self.edge.log_of(reply.header("x-request-id").unwrap())["verdict"].clone()
    }
}

#[test]
fn the_edge_responds_and_no_origin_sees_the_request() {
    let gate = Gate::start();

    let health = gate.get("/health");
    assert_eq!((health.status, health.text().as_ref(), health.header("content-length")), (200, "ok", Some("2")));
    assert_eq!(gate.verdict(&health), "responded");
    let head = gate.send("HEAD /health", "");
    assert_eq!((head.status, head.text().as_ref(), head.header("content-length")), (200, "", Some("2")));
    let none = gate.get("/none");
    assert_eq!((none.status, none.header("content-length")), (204, None));
    assert_eq!(gate.send("POST /health", "content-length: 0\r\n").status, 405);

    let moved = gate.send("POST /old/a%20b/c", "content-length: 0\r\n");
    assert_eq!((moved.status, moved.header("location")), (308, Some("/new/a%20b/c")));

    let robots = gate.get("/robots.txt");
    assert_eq!((robots.status, robots.text().as_ref()), (200, "User-agent: *\n"));
    assert_eq!(robots.header("content-type"), Some("text/plain; charset=utf-8"));
    assert_eq!(robots.header("cache-control"), Some("no-cache"));
    let condition = format!("if-none-match: {}\r\n", robots.header("etag").unwrap());
    let known = gate.send("GET /robots.txt", &condition);
    assert_eq!((known.status, known.text().as_ref()), (304, ""));
    let range = gate.send("GET /robots.txt", "range: bytes=5-9\r\n");
    assert_eq!((range.status, range.text().as_ref()), (206, "agent"));
    assert_eq!(range.header("content-range"), Some("bytes 5-9/14"));

    let huge = gate.get("/huge");
    assert_eq!(
        (huge.status, gate.verdict(&huge)),
        (503, json!("file-unreadable")),
        "it has no entity tag, and is too long"
    );

    assert!(gate.origin.everything().is_empty());
}

#[test]
fn a_file_with_an_entity_tag_is_streamed_to_authorized_callers() {
    let gate = Gate::start();
    let refused = gate.get("/private");
    assert_eq!((refused.status, gate.verdict(&refused)), (401, json!("credentials-missing")));
    let iss = format!("http://{}", gate.issuer.address);
    let bearer = format!("authorization: Bearer {}\r\n", sign(&header(), &claims(&iss, "user-1", "")));
    let pages = gate.send("GET /private", &bearer);
    assert_eq!((pages.status, pages.text().len()), (200, PIECES * 8));
    assert!(pages.text().ends_with("0019999\n"));
    assert_eq!(pages.header("content-type"), Some("text/x-pages"));
    assert_eq!((pages.header("etag"), pages.header("cache-control")), (Some("\"pages-1\""), Some("private, no-cache")));
    // A store that does not say how long a file is has no ranges of it.
    let range = gate.send("GET /private", &format!("{bearer}range: bytes=80000-80006\r\n"));
    match pages.header("accept-ranges") {
        Some(_) => assert_eq!((range.status, range.text().as_ref()), (206, "0010000")),
        None => assert_eq!((range.status, range.text().len()), (200, PIECES * 8)),
    }
    let head = gate.send("HEAD /private", &bearer);
    assert_eq!((head.status, head.text().as_ref()), (200, ""));
    assert!(gate.origin.everything().is_empty());
}

#[test]
fn a_range_to_the_end_of_a_long_file_is_streamed() {
    let gate = Gate::start();
    let whole = gate.get("/video");
    let length = 20 * 1024 * 1024;
    assert_eq!((whole.status, whole.text().len()), (200, length));
    if whole.header("accept-ranges").is_none() {
        return; // A store that does not say how long a file is has no ranges of it.
    }
    for (range, first, last) in [
        ("0-", 0, length - 1),
        ("5-", 5, length - 1),
        ("-16", length - 16, length - 1),
        ("100-99999999", 100, length - 1),
        ("16000000-16000015", 16_000_000, 16_000_015),
        ("0-7", 0, 7),
    ] {
        let part = gate.send("GET /video", &format!("range: bytes={range}\r\n"));
        assert_eq!(part.status, 206, "{range}");
        let expected = format!("bytes {first}-{last}/{length}");
        assert_eq!(part.header("content-range"), Some(expected.as_str()));
        assert_eq!(part.header("content-length"), Some((last - first + 1).to_string().as_str()));
        assert!(part.text() == whole.text()[first..=last], "{range}: other bytes");
    }
}

#[test]
fn a_folder_has_compressed_forms_and_a_fallback_and_no_way_out() {
    let gate = Gate::start();
    let plain = gate.get("/app/main.js");
    assert_eq!((plain.text().as_ref(), plain.header("content-encoding")), ("plain", None));
    assert_eq!(plain.header("vary"), Some("Accept-Encoding"));
    let brotli = gate.send("GET /app/main.js", "accept-encoding: gzip, br\r\n");
    assert_eq!((brotli.text().as_ref(), brotli.header("content-encoding")), ("brotli", Some("br")));
    assert_eq!(brotli.header("content-type"), Some("text/javascript; charset=utf-8"));
    for path in ["/app/", "/app/orders/7"] {
        let page = gate.get(path);
        assert_eq!((page.status, page.text().as_ref()), (200, "<!doctype html>"), "{path}");
    }
    let missing = gate.get("/app/missing.js");
    assert_eq!((missing.status, gate.verdict(&missing)), (404, json!("file-missing")));
    assert_eq!(missing.header("content-type"), Some("application/problem+json"));
    for path in ["/app/../policy", "/app/%2e%2e/policy", "/app/..%2fpolicy", "/app/..%5cpolicy", "/app//policy"] {
        let reply = gate.get(path);
        assert!(reply.status >= 400 || reply.text() == "<!doctype html>", "{path}: {}", reply.text());
        assert!(!reply.text().contains("routes"), "{path}");
    }
    for path in [
        "/app/a%5Bb%5D.js",
        "/app/a%23b.js",
        "/app/a%3Fb.js",
        "/app/a%2Ab.js",
        "/app/a;b.js",
        "/app/a%5Eb.js",
        "/app/a%7Cb.js",
        "/app/a./b.js",
    ] {
        assert_eq!(gate.get(path).status, 404, "{path}: the store may have no such key");
    }
    assert!(gate.origin.everything().is_empty());
}

#[test]
fn a_compressed_form_is_sent_only_to_clients_that_accept_its_coding() {
    let gate = Gate::start();
    for (file, accepted, sent) in [
        ("both", "gzip, br", "brotli"),
        ("both", "br;q=0.1, gzip", "brotli"), // the edge prefers the smallest form that the client accepts at all
        ("both", "BR;Q=0.001", "brotli"),
        ("both", "br;q=1.000, gzip;q=0.5", "brotli"),
        ("both", "gzip", "gzip"),
        ("both", "br;q=0, gzip", "gzip"),
        ("both", "br;q=0.000, *", "gzip"),
        ("both", "br ; q=0 , gzip ; q=0.2", "gzip"),
        ("both", "*", "brotli"),
        ("both", "*, br;q=0", "gzip"),
        ("both", "gzip;q=0", "plain"),
        ("both", "gzip;q=0, br;q=0", "plain"),
        ("both", "*;q=0", "plain"),
        ("both", "*;q=0, gzip", "gzip"),
        ("both", "identity", "plain"),
        ("both", "deflate, x-br, zstd", "plain"),
        ("both", "", "plain"),
        ("zipped", "br;q=0.1, gzip", "gzip"),
        ("zipped", "br", "plain"),
        ("zipped", "br, gzip;q=0", "plain"),
    ] {
        let case = format!("{file}: {accepted:?}");
        let reply = gate.send(&format!("GET /app/{file}.js"), &format!("accept-encoding: {accepted}\r\n"));
        let coding = match sent {
            "brotli" => Some("br"),
            "gzip" => Some("gzip"),
            _ => None,
        };
        assert_eq!((reply.status, reply.text().as_str()), (200, sent), "{case}");
        assert_eq!(
            (reply.header("content-encoding"), reply.header("vary")),
            (coding, Some("Accept-Encoding")),
            "{case}"
        );
    }
    // Members of several fields are one list.
    let split = gate.send("GET /app/both.js", "accept-encoding: br;q=0\r\naccept-encoding: gzip\r\n");
    assert_eq!((split.text().as_str(), split.header("content-encoding")), ("gzip", Some("gzip")));
    assert!(gate.origin.everything().is_empty());
}
