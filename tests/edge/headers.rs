//! Section F of `docs/attacks.md`: which of the header fields that a client sends arrive at the origin.

use crate::support::world::WORLD;

/// The names of all fields of a plain request at the origin.
fn arrived(fields: impl AsRef<[u8]>) -> Vec<String> {
    let outcome = WORLD.send("GET /open/x", fields);
    outcome.echoed().fields().map(|(name, _)| name.to_ascii_lowercase()).collect()
}

#[test]
fn a_client_sent_identity_header_never_reaches_the_origin() {
    for name in [
        "Fastgate-Identity",
        "fastgate-identity",
        "FASTGATE-IDENTITY",
        "Fastgate_Identity",
        "fastgate_identity",
        "fastgate.identity",
        "X-Fastgate-Identity",
        "x_fastgate_identity",
        "fastgate-subject",
    ] {
        let outcome = WORLD.send("GET /open/x", format!("{name}: forged\r\n"));
        let received = outcome.echoed();
        assert!(!received.head.contains("forged"), "{name}: {}", received.head);
        assert_eq!(received.all("fastgate-identity").len(), 1, "{name}");
    }
}

#[test]
fn fields_with_underscores_never_pass() {
    assert!(!arrived("x_real_ip: 1\r\nx_tenant: 2\r\nauth_user: 3\r\n").iter().any(|name| name.contains('_')));
}

#[test]
fn hop_by_hop_fields_and_those_that_connection_names_are_dropped() {
    let outcome = WORLD.send(
        "GET /open/x",
        "connection: x-secret-hop, fastgate-identity\r\nx-secret-hop: 1\r\nkeep-alive: timeout=5\r\nte: trailers\r\n\
         proxy-authorization: Basic eDp5\r\nproxy-connection: close\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABk\r\ntrailer: x\r\n\
         expect: 100-continue\r\n",
    );
    let received = outcome.echoed();
    for name in [
        "x-secret-hop",
        "keep-alive",
        "te",
        "proxy-authorization",
        "proxy-connection",
        "upgrade",
        "http2-settings",
        "trailer",
        "expect",
    ] {
        assert!(received.all(name).is_empty(), "{name}: {}", received.head);
    }
    assert_eq!(received.all("fastgate-identity").len(), 1, "naming it in Connection does not remove the edge's own");
}

#[test]
fn connection_cannot_hide_credentials_from_the_check() {
    let fields = format!("connection: authorization\r\nauthorization: Bearer {}\r\n", WORLD.token(""));
    assert_eq!(WORLD.send("GET /echo/x", fields).refused(), 401);
}

#[test]
fn fields_about_the_client_are_set_from_the_platforms_facts() {
    let forged: String = [
        "x-forwarded-for",
        "x-forwarded-host",
        "x-forwarded-proto",
        "x-forwarded-port",
        "x-forwarded-prefix",
        "x-forwarded-server",
        "x-forwarded-user",
        "x-forwarded-uri",
        "forwarded",
        "x-real-ip",
        "true-client-ip",
        "cf-connecting-ip",
        "fastly-client-ip",
        "x-client-ip",
        "x-original-url",
        "x-rewrite-url",
        "x-original-uri",
        "x-envoy-original-path",
        "x-request-id",
        "x-remote-user",
        "remote-user",
        "x-auth-request-email",
        "fastly-ff",
        "fastly-key",
        "fastly-client",
        "fastly-debug",
        "cdn-loop",
        "surrogate-control",
        "surrogate-capability",
    ]
    .map(|name| format!("{name}: forged.example\r\n"))
    .concat();
    let outcome = WORLD.send("GET /open/x", forged);
    let received = outcome.echoed();
    assert!(!received.head.contains("forged"), "{}", received.head);
    assert_eq!(received.all("x-forwarded-for"), ["127.0.0.1"]);
    assert_eq!(received.all("x-forwarded-proto"), ["http"]);
    assert_eq!(received.all("x-forwarded-host"), received.all("host"));
    assert_eq!(received.all("x-request-id"), [outcome.reply().header("x-request-id").unwrap()]);
    assert_eq!(received.all("x-request-id"), [outcome.identity()["txn"].as_str().unwrap()]);
}

#[test]
fn only_the_hosts_of_the_policy_are_served() {
    let port = WORLD.edge.address.port();
    for (host, status) in [
        ("evil.example", 421),
        ("127.0.0.2", 421),
        ("127.0.0.1.evil.example", 421),
        ("u:p@127.0.0.1", 400),
        ("127.0.0.1.", 421),
        ("localhost.", 421),
        ("1.2.3.999", 421),
        ("256.256.256.256", 421),
        ("xn--a", 421),
        ("x:99999", 400),
        ("127.0.0.1:99999", 400),
        ("127.0.0.1:", 400),
        ("127.0.0.1:+1", 400),
        ("[::1]", 421),
        ("127.0.0.1:1", 421),
        ("localhost:443", 421),
    ] {
        let outcome = WORLD.send("GET /open/x", format!("host: {host}\r\n"));
        if let Some(reply) = &outcome.reply {
            assert_eq!((reply.status, outcome.refused()), (status, status), "{host}");
        }
        assert!(outcome.echo.is_empty() && outcome.demo.is_empty(), "{host}");
    }
    for host in
        [format!("LOCALHOST:{port}"), "localhost".to_owned(), format!("127.0.0.1:{port}"), "127.0.0.1:80".to_owned()]
    {
        let outcome = WORLD.send("GET /open/x", format!("host: {host}\r\n"));
        assert_eq!(outcome.echoed().all("host"), [host.to_ascii_lowercase()]);
    }
}

#[test]
fn a_repeated_or_malformed_host_is_refused() {
    let two = WORLD.send("GET /open/x", "host: 127.0.0.1\r\nhost: evil.example\r\n");
    assert!(two.echo.is_empty(), "two hosts are refused: {two:?}");
    for host in ["a/b?c#d", "", "127.0.0.1/open", "127.0.0.1?x", "127.0.0.1#x", "127.0.0.1\\x"] {
        let outcome = WORLD.send("GET /open/x", format!("host: {host}\r\n"));
        assert!(outcome.echo.is_empty(), "{host}: {outcome:?}");
        assert!(outcome.reply.is_none_or(|reply| matches!(reply.status, 400 | 421)), "{host}");
    }
}

#[test]
fn ordinary_fields_arrive_unchanged() {
    let outcome = WORLD.send(
        "GET /open/x?b=2&a=1",
        b"Accept: text/html\r\nCookie: a=1; b=2\r\nX-Tenant: t-\xe9\r\nAccept-Language: de\r\n".as_slice(),
    );
    let received = outcome.echoed();
    assert_eq!(received.request_line(), "GET /open/x?b=2&a=1 HTTP/1.1");
    assert_eq!((received.all("accept"), received.all("cookie")), (vec!["text/html"], vec!["a=1; b=2"]));
    assert_eq!(received.all("accept-language"), ["de"]);
}

#[test]
fn trace_context_passes_only_if_it_is_well_formed() {
    let good = "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\n";
    assert!(arrived(good).contains(&"traceparent".to_owned()));
    for bad in [
        "traceparent: x\r\n".to_owned(),
        format!("traceparent: {}\r\n", "0".repeat(10_000)),
        format!("tracestate: {}\r\n", "a".repeat(600)),
    ] {
        let names = arrived(&bad);
        assert!(!names.iter().any(|name| name.starts_with("trace")), "{bad}");
    }
}

#[test]
fn too_many_or_too_large_fields_are_refused_and_not_forwarded() {
    let many = |count: usize| "x-many: 1\r\n".repeat(count);
    assert_eq!(WORLD.send("GET /open/x", many(101)).refused(), 431);
    for bytes in [16_000, 60_000, 200_000] {
        let outcome = WORLD.send("GET /open/x", format!("x-large: {}\r\n", "a".repeat(bytes)));
        assert_eq!(outcome.refused(), 431, "{bytes}");
    }
    WORLD.send("GET /open/x", format!("x-large: {}\r\n", "a".repeat(14_000))).echoed();
    let named = WORLD.send("GET /open/x", format!("connection: close,{}a\r\n", "a,".repeat(100_000)));
    assert_eq!(named.refused(), 431);
    let line = WORLD.edge.log_of(named.reply().header("x-request-id").unwrap());
    assert_eq!(line["verdict"], "too-many-connection-names");
    let scopes = (0..1000).map(|number| format!("s{number} ")).collect::<Vec<_>>().concat();
    let line = format!("GET /echo/{}", "a".repeat(2000));
    let outcome = WORLD.send(&line, format!("authorization: Bearer {}\r\n", WORLD.token(scopes.trim())));
    assert_eq!(outcome.refused(), 431, "the identity header of this token would be too long for any server");
}

#[test]
fn a_field_value_with_nul_or_a_lone_cr_is_a_bad_request() {
    for (number, value) in [&b"a\0b"[..], b"\0", b"a\0", b"a\rb", b"\rb", b"a\r b", b"a\r\n b"].into_iter().enumerate()
    {
        let target = format!("/open/control-{number}");
        for name in ["x-value", "cookie", "authorization", "traceparent"] {
            let field = [name.as_bytes(), b": ", value, b"\r\n"].concat();
            let outcome = WORLD.send(&format!("GET {target}"), field);
            assert_eq!(outcome.refused(), 400, "{name} {number}");
        }
        // The server may end the field at any of these bytes, and with it the marks of this test.
        assert!(!WORLD.echo.everything().iter().any(|request| request.request_line().contains(&target)), "{number}");
    }
}

#[test]
fn a_line_feed_ends_a_field_and_the_next_line_is_an_ordinary_field() {
    for follows in ["fastgate-identity: forged", "x_fastgate: forged", "x-forwarded-for: forged", "forged"] {
        let outcome = WORLD.send("GET /open/line-feed", format!("x-value: a\n{follows}\r\n"));
        assert!(matches!(outcome.reply().status, 200 | 400), "{follows}: {}", outcome.reply().status);
        let heads = WORLD.echo.everything().into_iter().map(|request| request.head);
        assert!(
            !heads.into_iter().any(|head| head.contains("/open/line-feed") && head.contains("forged")),
            "{follows}"
        );
    }
}

#[test]
fn thirty_three_kilobytes_of_cookies_are_refused_however_they_are_divided() {
    let cookies = |count: usize, bytes: usize| format!("cookie: a={}\r\n", "a".repeat(bytes)).repeat(count);
    for (count, bytes) in [(1, 33_000), (3, 11_000), (33, 1000)] {
        assert_eq!(WORLD.send("GET /open/x", cookies(count, bytes)).refused(), 431, "{count} x {bytes}");
    }
    WORLD.send("GET /open/x", cookies(1, 14_000)).echoed();
}

#[test]
fn a_body_arrives_whole_and_framed_once() {
    let body = "{\"item\": 1}";
    for framing in [format!("content-length: {}\r\n", body.len()), "transfer-encoding: chunked\r\n".to_owned()] {
        let sent = if framing.starts_with("content") {
            body.to_owned()
        } else {
            format!("{:x}\r\n{body}\r\n0\r\nfastgate-identity: forged\r\n\r\n", body.len())
        };
        let outcome = WORLD.send_bytes(b"POST /open/x HTTP/1.1", &framing, sent.as_bytes());
        let received = outcome.echoed();
        assert_eq!(received.body, body.as_bytes());
        assert!(!received.head.contains("forged"));
        assert_eq!(
            received.all("content-length").len() + received.all("transfer-encoding").len(),
            1,
            "{}",
            received.head
        );
    }
}

#[test]
fn a_request_with_two_framings_never_becomes_two_requests() {
    let smuggled = b"0\r\n\r\nGET /open/smuggled HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n";
    for fields in [
        "content-length: 5\r\ntransfer-encoding: chunked\r\n",
        "content-length: 5\r\ncontent-length: 6\r\n",
        "content-length: +5\r\n",
        "transfer-encoding: xchunked\r\n",
        "transfer-encoding: chunked, identity\r\n",
        "content-length: 5, 5\r\n",
    ] {
        let outcome = WORLD.send_bytes(b"POST /open/x HTTP/1.1", fields, smuggled);
        assert!(outcome.echo.len() <= 1, "{fields}: {outcome:?}");
        let everything = WORLD.echo.everything();
        assert!(!everything.iter().any(|request| request.request_line().contains("smuggled")), "{fields}");
    }
}
