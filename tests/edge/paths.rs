//! Section E of `docs/attacks.md`: the path that the edge checked is the path that the application serves, or the
//! request is refused.

use std::sync::LazyLock;

use crate::support::world::{H11_WORLD, WORLD, World};

fn both() -> [&'static World; 2] {
    [LazyLock::force(&WORLD), LazyLock::force(&H11_WORLD)]
}

#[test]
fn a_path_that_two_parsers_read_differently_is_refused() {
    let targets = [
        "/me/../orders/7",
        "/me/./x",
        "/./me",
        "/files/%2e%2e/me",
        "/files/.%2E/me",
        "/%2e/me",
        "/files/a%2fb",
        "/files%2Fa",
        "/files/..%2fme",
        "/files%5c..%5cme",
        "/files\\..\\me",
        "/me\\x",
        "//me",
        "/files//me",
        "///",
        "/me%00",
        "/me%00.css",
        "/me%0a",
        "/me%0d%0aX:",
        "/%ff",
        "/%c0%ae",
        "/%u002e",
        "/%",
        "/%g1",
        "/%2",
        "/files/%7f",
        "/files/%c2%85",
    ];
    for world in both() {
        for target in targets {
            let outcome = world.get(target);
            assert_eq!(outcome.refused(), 400, "{target}");
            assert_eq!(outcome.reply().problem(), "bad-request", "{target}");
        }
    }
}

#[test]
fn bytes_that_no_url_may_hold_are_refused_before_or_by_the_gate() {
    for world in both() {
        for target in [&b"/files/a b"[..], b"/files/\x07", b"/files/\xff", b"/files/\xc3\xa9"] {
            let line = [b"GET ", target, b" HTTP/1.1"].concat();
            let outcome = world.send_bytes(&line, format!("authorization: Bearer {}\r\n", world.token("")), b"");
            assert_eq!(outcome.refused(), 400, "{}", String::from_utf8_lossy(target));
        }
    }
}

#[test]
fn one_resource_has_one_spelling_at_edge_and_application() {
    for world in both() {
        for (target, raw_path, route) in [
            ("/%6de", "/me", "read_me"),
            ("/orders/%37", "/orders/7", "read_order"),
            ("/files/a%20b", "/files/a%20b", "read_file"),
            ("/files/caf%c3%a9", "/files/caf%C3%A9", "read_file"),
            ("/files/%252e%252e/me", "/files/%252e%252e/me", "read_file"),
            ("/files/%25%32%66", "/files/%252f", "read_file"),
            ("/files/a%23b", "/files/a%23b", "read_file"),
            ("/files/a%3fb", "/files/a%3Fb", "read_file"),
            ("/files/a;v=1/b", "/files/a;v=1/b", "read_file"),
            ("/files/%EF%BC%8E%EF%BC%8E", "/files/%EF%BC%8E%EF%BC%8E", "read_file"),
            ("/files/x.css", "/files/x.css", "read_file"),
            ("/files/%40%3A%21", "/files/@:!", "read_file"),
            ("/files/", "/files/", "read_file"),
            ("/files/report[1].pdf", "/files/report%5B1%5D.pdf", "read_file"),
            ("/files/a|b", "/files/a%7Cb", "read_file"),
            ("/files/{x}\"", "/files/%7Bx%7D%22", "read_file"),
        ] {
            let outcome = world.get(target);
            assert_eq!(outcome.reply().status, 200, "{target}: {}", outcome.reply().text());
            assert_eq!(outcome.demo[0]["raw_path"], raw_path, "{target}");
            let line = world.edge.log_of(outcome.reply().header("x-request-id").unwrap());
            assert_eq!(line["route"], route, "{target}");
        }
    }
}

/// The server in front of the gate may refuse `<`, `>`, `^` and the backtick. If it lets them pass, they arrive
/// encoded.
#[test]
fn unencoded_characters_arrive_encoded_or_not_at_all() {
    for world in both() {
        for byte in b"\"<>[]^`{|}" {
            let outcome = world.get(&format!("/files/a{}b", char::from(*byte)));
            match outcome.reply().status {
                200 => assert_eq!(outcome.demo[0]["raw_path"], format!("/files/a%{byte:02X}b")),
                status => assert_eq!((status, outcome.refused()), (400, 400)),
            }
        }
    }
}

#[test]
fn a_path_without_a_route_is_refused() {
    for world in both() {
        for target in [
            "/admin",
            "/ME",
            "/me/",
            "/me%20",
            "/me.",
            "/orders",
            "/orders/7/",
            "/orders/x",
            "/orders/-7",
            "/;/me",
            "/me;.css",
            "/docs",
            "/openapi.json",
        ] {
            let outcome = world.get(target);
            let expected = if target == "/orders" { 405 } else { 404 };
            assert_eq!(outcome.refused(), expected, "{target}");
        }
    }
}

#[test]
fn the_query_is_never_part_of_the_path() {
    for world in both() {
        let outcome = world.get("/me?x=/orders/7&path=../../admin&y=%zz'");
        assert_eq!(outcome.reply().status, 200);
        assert_eq!(outcome.demo[0]["raw_path"], "/me");
        assert_eq!(outcome.demo[0]["query"], "x=/orders/7&path=../../admin&y=%zz%27");
        assert_eq!(world.send("GET /nothing?/../me", "").refused(), 404);
        let empty = world.get("/me?");
        assert_eq!((empty.reply().status, &empty.demo[0]["query"]), (200, &"".into()));
    }
}

#[test]
fn a_target_that_is_not_a_path_is_refused() {
    let world = &WORLD;
    assert_eq!(world.send("OPTIONS *", "").refused(), 400);
    let absolute = world.send("GET http://other.example/me", format!("authorization: Bearer {}\r\n", world.token("")));
    assert_eq!(absolute.reply().status, 200, "the path is judged, the Host field decides the host");
    assert_eq!(absolute.demo[0]["raw_path"], "/me");
    assert_eq!(world.send("GET http://other.example/admin", "").refused(), 404);
    let connect = world.send("CONNECT other.example:443", "");
    assert!(connect.demo.is_empty() && connect.echo.is_empty());
    assert!(connect.reply.is_none_or(|reply| matches!(reply.status, 400 | 404 | 405)), "CONNECT never opens a tunnel");
}

#[test]
fn a_target_over_the_limit_is_refused_and_one_at_the_limit_is_served() {
    let world = &WORLD;
    let path = |bytes: usize| format!("/open/{}", "a".repeat(bytes - "/open/".len()));
    let query = |bytes: usize| format!("/open/x?{}", "q".repeat(bytes - "/open/x?".len()));
    for served in [path(4095), path(4096), query(8191), query(8192)] {
        let line = format!("GET {served}");
        assert_eq!(world.send(&line, "").echoed().request_line(), format!("{line} HTTP/1.1"));
    }
    for refused in [path(4097), path(9000), path(60_000), query(8193), query(20_000)] {
        let outcome = world.send(&format!("GET {refused}"), "");
        assert_eq!(outcome.refused(), 414, "{} bytes", refused.len());
    }
    let deep = format!("/open/{}", "a/".repeat(2000));
    assert_eq!(world.send(&format!("GET {deep}"), "").echoed().request_line(), format!("GET {deep} HTTP/1.1"));
}

#[test]
fn methods_are_matched_case_sensitively() {
    let world = &WORLD;
    let bearer = format!("authorization: Bearer {}\r\n", world.token("orders:read"));
    for method in ["TRACE", "get", "Get", "PURGE", "FOO", "HEAD", "OPTIONS", "DELETE", "PUT"] {
        let outcome = world.send(&format!("{method} /me"), &bearer);
        assert_eq!(outcome.refused(), 405, "{method}");
        assert_eq!(outcome.reply().header("allow"), Some("GET"), "{method}");
    }
    for field in ["x-http-method-override: DELETE", "x-method-override: POST", "x-http-method: PUT"] {
        let outcome = world.send("GET /echo/x", format!("{bearer}{field}\r\n"));
        assert_eq!(outcome.echoed().request_line(), "GET /echo/x HTTP/1.1");
        assert_eq!(outcome.echoed().all(field.split(':').next().unwrap()), [""; 0]);
        assert_eq!(outcome.identity()["tctx"]["method"], "GET");
    }
}
