//! Section F of `docs/attacks.md`: which header fields are forwarded.

use crate::offline::get;
use crate::samples::sign::good;

#[test]
fn no_spelling_of_a_field_that_only_the_edge_may_set_gets_past() {
    for name in [
        "fastgate-identity",
        "Fastgate-Identity",
        "FASTGATE-IDENTITY",
        "fastgate_identity",
        "fastgate-identity ",
        "fastgate.identity",
        "fastgate identity",
        "X-Fastgate-Identity",
        "x_fastgate_identity",
        "fastgate-anything",
        "x_tenant",
        "_",
        "x-forwarded-for",
        "x-forwarded-host",
        "x-forwarded-proto",
        "x-forwarded-port",
        "x-forwarded-prefix",
        "x-forwarded-server",
        "x-forwarded-user",
        "x-forwarded-email",
        "x.forwarded.for",
        "forwarded",
        "x-real-ip",
        "true-client-ip",
        "cf-connecting-ip",
        "fastly-client-ip",
        "x-client-ip",
        "x-cluster-client-ip",
        "client-ip",
        "fastly-ff",
        "fastly-client",
        "cdn-loop",
        "surrogate-control",
        "surrogate-capability",
        "surrogate-key",
        "x-surrogate-control",
        "cdn-cache-control",
        "fastly-debug",
        "fastly-key",
        "remote-user",
        "x-remote-user",
        "x-auth-request-email",
        "x-authenticated-user",
        "x-envoy-original-path",
        "x-request-id",
        "x-original-url",
        "x-rewrite-url",
        "Daphne-Root-Path",
        "daphne.root.path",
        "x-script-name",
        "script-name",
        "SCRIPT_NAME",
    ] {
        let outcome = get("/me").field(name, "forged").bearer(&good()).decide();
        let forged = outcome.grant().headers().iter().any(|(_, value)| value == b"forged");
        assert!(!forged, "{name}");
        assert_eq!(outcome.sent("fastgate-identity").len(), 1, "{name}");
    }
}

#[test]
fn hop_by_hop_fields_and_those_that_connection_names_are_not_forwarded() {
    let outcome = get("/pub/x")
        .field("Connection", "Fastgate-Identity, X-Hop,close")
        .field("connection", "cookie , x-request-id,host")
        .field("x-hop", "hop")
        .field("cookie", "hop")
        .field("keep-alive", "hop")
        .field("proxy-connection", "hop")
        .field("proxy-authorization", "hop")
        .field("proxy-authenticate", "hop")
        .field("te", "hop")
        .field("trailer", "hop")
        .field("transfer-encoding", "hop")
        .field("content-length", "0")
        .field("upgrade", "h2c")
        .field("http2-settings", "hop")
        .field("expect", "100-continue")
        .field("accept", "stays")
        .decide();
    let names: Vec<_> = outcome.grant().headers().iter().map(|(name, _)| name.to_owned()).collect();
    let edge_made = ["host", "x-forwarded-host", "x-forwarded-proto", "x-forwarded-for", "x-request-id"];
    let expected: Vec<_> = ["accept"].into_iter().chain(edge_made).chain(["fastgate-identity"]).collect();
    assert_eq!(names, expected);
}

#[test]
fn other_fields_pass_in_order_and_byte_for_byte() {
    let sent: Vec<(&str, &[u8])> =
        vec![("accept", b"a"), ("x-bytes", b"\xff\xfe"), ("accept", b"b"), ("cookie", b"a=b; c"), ("x-empty", b"")];
    let request = sent.iter().fold(get("/pub/x"), |request, (name, value)| request.field(name, value));
    let target = request.normalized().unwrap();
    assert_eq!(target.headers().iter().collect::<Vec<_>>(), sent);
}

#[test]
fn cookies_in_several_fields_arrive_in_one() {
    let sent =
        get("/pub/x").field("cookie", "a=1").field("accept", "x").field("Cookie", "b=2; c=3").field("cookie", "d");
    let target = sent.normalized().unwrap();
    let expected: [(&str, &[u8]); 2] = [("cookie", b"a=1; b=2; c=3; d"), ("accept", b"x")];
    assert_eq!(target.headers().iter().collect::<Vec<_>>(), expected);
}

#[test]
fn a_field_section_is_limited_in_number_and_size() {
    let with_fields = |count: usize| (1..count).fold(get("/pub/x"), |request, _| request.field("x", ""));
    for (count, verdict) in [(99, "forwarded"), (100, "forwarded"), (101, "too-many-fields"), (256, "too-many-fields")]
    {
        assert_eq!(with_fields(count).decide().trail.verdict, verdict, "{count}");
    }
    for (size, verdict) in [(8_000, "forwarded"), (16_000, "head-too-long"), (128 * 1024, "head-too-long")] {
        assert_eq!(get("/pub/x").field("x", "a".repeat(size)).decide().trail.verdict, verdict, "{size}");
    }
}

#[test]
fn connection_may_name_only_a_few_fields() {
    let naming = |names: usize| get("/pub/x").field("connection", "a,".repeat(names) + "close");
    for (names, verdict) in
        [(31, "forwarded"), (32, "too-many-connection-names"), (120_000, "too-many-connection-names")]
    {
        assert_eq!(naming(names).decide().trail.verdict, verdict, "{names}");
    }
    let spread = (0..33).fold(get("/pub/x"), |request, _| request.field("connection", "close"));
    assert_eq!(spread.decide().trail.verdict, "too-many-connection-names");
}

#[test]
fn trace_context_is_forwarded_only_in_its_standard_form() {
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    for (name, value, passes) in [
        ("traceparent", trace.to_owned(), true),
        ("traceparent", format!("{trace}-x"), false),
        ("traceparent", format!("{trace}\r\nx: y"), false),
        ("traceparent", trace.replace('f', "g"), false),
        ("traceparent", trace.replace("00-4", "0x-4"), false),
        ("traceparent", trace.replace("-4bf", "-4bx"), false),
        ("traceparent", trace.replace("-00f", "-00x"), false),
        ("traceparent", trace.replace("-01", "-0x"), false),
        ("traceparent", trace.replace('-', ""), false),
        ("traceparent", "a".repeat(10_000), false),
        ("traceparent", "\u{1b}[31m".to_owned(), false),
        ("traceparent", String::new(), false),
        ("tracestate", "vendor=1,other=2".to_owned(), true),
        ("tracestate", "vendor=\u{1b}[31m".to_owned(), false),
        ("tracestate", "a".repeat(512), true),
        ("tracestate", "a".repeat(513), false),
    ] {
        let target = get("/pub/x").field(name, value.clone()).normalized().unwrap();
        assert_eq!(target.headers().all(name).count(), usize::from(passes), "{name}: {value}");
    }
}
