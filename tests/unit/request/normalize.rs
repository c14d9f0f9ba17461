//! Sections E and F of `docs/attacks.md`: one canonical host, path, query and field section, or none.

use fastgate::policy::RouteId;
use fastgate::request::{CanonicalPath, MAX_PATH_BYTES, MAX_TARGET_BYTES, RequestError, Target};
use proptest::prelude::{Strategy, prop};
use proptest::{prop_assert, prop_assert_eq, prop_oneof};
use url::Url;

use crate::offline::fakes::FakeKeys;
use crate::offline::{Request, get, policy_of, request, text};
use crate::samples::sign::good;
use crate::samples::{fields, policy_document, property};

#[test]
fn a_host_that_the_policy_does_not_name_is_refused() {
    use RequestError::{HostMalformed, HostUnknown};
    for (host, expected) in [
        ("edge.test", Ok("edge.test")),
        ("EDGE.Test", Ok("edge.test")),
        ("edge.test:443", Ok("edge.test:443")),
        ("API.EDGE.TEST:8443", Ok("api.edge.test:8443")),
        ("edge.test:0443", Ok("edge.test:443")),
        ("[::1]", Ok("[::1]")),
        ("[::1]:443", Ok("[::1]:443")),
        ("edge.test:1", Err(HostUnknown)),
        ("edge.test:80", Err(HostUnknown)),
        ("edge.test:8443", Err(HostUnknown)),
        ("api.edge.test", Err(HostUnknown)),
        ("api.edge.test:443", Err(HostUnknown)),
        ("evil.test", Err(HostUnknown)),
        ("edge.test.", Err(HostUnknown)),
        ("edge.test.evil.test", Err(HostUnknown)),
        ("xedge.test", Err(HostUnknown)),
        ("192.0.2.1", Err(HostUnknown)),
        ("1.2.3.999", Err(HostUnknown)),
        ("256.256.256.256", Err(HostUnknown)),
        ("xn--a", Err(HostUnknown)),
        ("u@edge.test", Err(HostUnknown)),
        ("a/b?c#d", Err(HostUnknown)),
        ("edge.test/", Err(HostUnknown)),
        ("edge.test, edge.test", Err(HostUnknown)),
        (" edge.test", Err(HostUnknown)),
        ("edge%2etest", Err(HostUnknown)),
        ("\u{ff45}dge.test", Err(HostUnknown)),
        ("", Err(HostUnknown)),
        (":443", Err(HostUnknown)),
        ("[0:0:0:0:0:0:0:1]", Err(HostUnknown)),
        ("u:p@edge.test", Err(HostMalformed)),
        ("edge.test:", Err(HostMalformed)),
        ("edge.test:99999", Err(HostMalformed)),
        ("x:99999", Err(HostMalformed)),
        ("edge.test:65536", Err(HostMalformed)),
        ("edge.test:+443", Err(HostMalformed)),
        ("edge.test:-1", Err(HostMalformed)),
        ("edge.test: 443", Err(HostMalformed)),
        ("edge.test:443:443", Err(HostMalformed)),
        ("edge.test:٤", Err(HostMalformed)),
        ("[::1", Err(HostMalformed)),
        ("[::1]x", Err(HostMalformed)),
        ("[", Err(HostMalformed)),
    ] {
        let target = get("/pub/x").hosts(&[host.as_bytes()]).normalized();
        assert_eq!(target.as_ref().map(Target::host), expected.as_ref().map(|host| *host), "{host}");
    }
    let odd: [&[&[u8]]; 4] = [&[], &[b"edge.test", b"edge.test"], &[b"edge.test", b"evil.test"], &[b"edge.test\xff"]];
    for hosts in odd {
        assert_eq!(get("/pub/x").hosts(hosts).normalized().err(), Some(HostMalformed), "{hosts:?}");
    }
}

#[test]
fn the_origin_receives_the_host_of_the_policy() {
    let outcome = get("/pub/x")
        .hosts(&[b"API.Edge.Test:8443"])
        .field("x-forwarded-host", "evil.test")
        .field("forwarded", "host=evil.test")
        .decide();
    assert_eq!(outcome.sent("host"), ["api.edge.test:8443"]);
    assert_eq!(outcome.sent("x-forwarded-host"), ["api.edge.test:8443"]);
    assert_eq!(outcome.grant().authority(), "https://api.edge.test:8443");
    assert!(!format!("{:?}", outcome.grant()).contains("evil"));
}

#[test]
fn a_port_is_the_default_of_the_scheme_or_one_of_the_policy() {
    let mut document = policy_document();
    document["edge"]["issuer"] = "http://127.0.0.1:7676".into();
    document["edge"]["resource"] = "https://edge.test:9443/api".into();
    for (tls, host, verdict) in [
        (true, "edge.test", "forwarded"),
        (true, "edge.test:443", "forwarded"),
        (true, "edge.test:7676", "forwarded"),
        (true, "edge.test:9443", "forwarded"),
        (true, "edge.test:80", "host-unknown"),
        (true, "edge.test:1", "host-unknown"),
        (true, "edge.test:8443", "host-unknown"),
        (true, "api.edge.test:7676", "host-unknown"),
        (false, "edge.test:80", "forwarded"),
        (false, "edge.test:443", "host-unknown"),
    ] {
        let mut request = get("/pub/x").hosts(&[host.as_bytes()]);
        request.head.tls = tls;
        let outcome = request.decide_with(policy_of(&document), FakeKeys::none());
        assert_eq!(outcome.trail.verdict, verdict, "{host} {tls}");
    }
}

/// Each target with the decision: the route and the forwarded path, or a code.
#[test]
fn a_path_has_one_interpretation_or_is_refused() {
    let granted = |route: &'static str, path: &'static str| Ok((route, path));
    for (target, expected) in [
        // E1, E2: dot segments
        ("/admin/../pub", Err("path-ambiguous")),
        ("/admin/../pub/x", Err("path-ambiguous")),
        ("/admin/./x", Err("path-ambiguous")),
        ("/./admin", Err("path-ambiguous")),
        ("/pub/..", Err("path-ambiguous")),
        ("/pub/.", Err("path-ambiguous")),
        ("/admin/%2e%2e/pub", Err("path-ambiguous")),
        ("/admin/.%2E/pub", Err("path-ambiguous")),
        ("/%2e/admin/x", Err("path-ambiguous")),
        ("/pub/...", granted("pub", "/pub/...")),
        ("/pub/.x/x.", granted("pub", "/pub/.x/x.")),
        // E3: one resource, one spelling
        ("/%61dmin/x", granted("admin", "/admin/x")),
        ("/a%64min/x", granted("admin", "/admin/x")),
        ("/pub/%7Euser/%41", granted("pub", "/pub/~user/A")),
        // E4, E5: encoded slashes and backslashes
        ("/admin%2fx", Err("path-ambiguous")),
        ("/admin%2Fx", Err("path-ambiguous")),
        ("/pub/..%2fadmin/x", Err("path-ambiguous")),
        ("/orders/a%2fb", Err("path-ambiguous")),
        ("/pub%5c..%5cadmin", Err("path-ambiguous")),
        ("/pub\\..\\admin", Err("path-ambiguous")),
        ("/admin\\x", Err("path-ambiguous")),
        // E6: empty segments
        ("//admin/x", Err("path-ambiguous")),
        ("/admin//x", Err("path-ambiguous")),
        ("/pub//", Err("path-ambiguous")),
        ("///", Err("path-ambiguous")),
        // E7, E8, E9, E11: similar paths are different
        ("/admin;a=1/x", Err("no-route")),
        ("/;/admin", Err("no-route")),
        ("/pub/;/admin", granted("pub", "/pub/;/admin")),
        ("/ADMIN/x", Err("no-route")),
        ("/Pub/x", Err("no-route")),
        ("/admin", Err("no-route")),
        ("/admin/", granted("admin", "/admin/")),
        ("/admin/x/", granted("admin", "/admin/x/")),
        ("/me/", Err("no-route")),
        ("/admin%20/x", Err("no-route")),
        ("/admin./x", Err("no-route")),
        ("/admin%2e/x", Err("no-route")),
        // E10: control characters
        ("/admin%00", Err("path-ambiguous")),
        ("/pub/%00.css", Err("path-ambiguous")),
        ("/pub/%0a", Err("path-ambiguous")),
        ("/pub/%0d%0aX:", Err("path-ambiguous")),
        ("/admin%09", Err("path-ambiguous")),
        ("/pub/%7f", Err("path-ambiguous")),
        ("/pub/%c2%80", Err("path-ambiguous")),
        // E12, E13: targets that are not paths
        ("/pub/#/admin", Err("path-ambiguous")),
        ("/pub/%23/x", granted("pub", "/pub/%23/x")),
        ("/pub/%3f/x", granted("pub", "/pub/%3F/x")),
        ("/pub/x?/admin", granted("pub", "/pub/x?/admin")),
        ("/admin/x?path=/pub/x", granted("admin", "/admin/x?path=/pub/x")),
        ("/pub/x?", granted("pub", "/pub/x")),
        // E14: decoded once
        ("/%252e%252e/admin", Err("no-route")),
        ("/pub/%252e%252e/x", granted("pub", "/pub/%252e%252e/x")),
        ("/pub/%25%32%66", granted("pub", "/pub/%252f")),
        ("/%2561dmin/x", Err("no-route")),
        // E15: malformed escapes and invalid UTF-8
        ("/pub/%ff", Err("path-ambiguous")),
        ("/pub/%c0%ae", Err("path-ambiguous")),
        ("/pub/%ed%a0%80", Err("path-ambiguous")),
        ("/pub/%u002e", Err("path-ambiguous")),
        ("/pub/%", Err("path-ambiguous")),
        ("/pub/%g1", Err("path-ambiguous")),
        ("/pub/%2", Err("path-ambiguous")),
        ("/pub/%%32", Err("path-ambiguous")),
        ("/pub/%+1", Err("path-ambiguous")),
        // E16, E17: characters that must be encoded
        ("/pub/a b", Err("path-ambiguous")),
        ("/pub/a\tb", Err("path-ambiguous")),
        ("/pub/é", Err("path-ambiguous")),
        ("/pub/\x7f", Err("path-ambiguous")),
        // characters that clients send unencoded although they must be encoded
        ("/pub/|", granted("pub", "/pub/%7C")),
        ("/pub/\"<>", granted("pub", "/pub/%22%3C%3E")),
        ("/pub/^`", granted("pub", "/pub/%5E%60")),
        ("/pub/{x}", granted("pub", "/pub/%7Bx%7D")),
        ("/pub/[x]%5B", granted("pub", "/pub/%5Bx%5D%5B")),
        ("/pub/[..]/x", granted("pub", "/pub/%5B..%5D/x")),
        ("/[admin]/x", Err("no-route")),
        ("/pub/%7bx%7d%20%22", granted("pub", "/pub/%7Bx%7D%20%22")),
        // E18: other forms of a target
        ("http://other.test/admin/x", granted("admin", "/admin/x")),
        ("https://edge.test/pub/x?y", granted("pub", "/pub/x?y")),
        ("https://edge.test/%70ub/x", granted("pub", "/pub/x")),
        ("*", Err("target-malformed")),
        ("https://edge.test*", Err("target-malformed")),
        ("https://edge.test", Err("target-malformed")),
        ("https://edge.test?x=/pub/x", Err("target-malformed")),
        ("https://edge.test#/pub/x", Err("target-malformed")),
        ("edge.test:443", Err("target-malformed")),
        ("ftp://edge.test/pub/x", Err("target-malformed")),
        ("HTTPS://edge.test/pub/x", Err("target-malformed")),
        ("", Err("target-malformed")),
        // E19: letters that look alike
        ("/pub/%EF%BC%8E%EF%BC%8E/x", granted("pub", "/pub/%EF%BC%8E%EF%BC%8E/x")),
        ("/admin%EF%BC%8Fx", Err("no-route")),
        ("/pub/e%CC%81", granted("pub", "/pub/e%CC%81")),
        ("/pub/%C3%A9", granted("pub", "/pub/%C3%A9")),
        // E23
        ("/pub/%2e%2e", Err("path-ambiguous")),
    ] {
        let outcome = get(target).bearer(&good()).decide();
        match expected {
            Err(code) => assert_eq!(outcome.trail.verdict, code, "{target}"),
            Ok((route, path)) => {
                assert_eq!(outcome.trail.route.as_ref().map(RouteId::as_str), Some(route), "{target}");
                assert_eq!(outcome.grant().path_and_query(), path, "{target}");
            }
        }
    }
}

#[test]
fn a_target_is_limited_to_the_length_that_the_platform_accepts() {
    let path = |length: usize| format!("/pub/{}", "a".repeat(length - 5));
    let query = |length: usize| format!("/pub/x?{}", "a".repeat(length - 7));
    for (target, verdict) in [
        (path(MAX_PATH_BYTES - 1), "forwarded"),
        (path(MAX_PATH_BYTES), "forwarded"),
        (path(MAX_PATH_BYTES + 1), "target-too-long"),
        (query(MAX_TARGET_BYTES - 1), "forwarded"),
        (query(MAX_TARGET_BYTES), "forwarded"),
        (query(MAX_TARGET_BYTES + 1), "target-too-long"),
        (format!("/pub{}", "/a".repeat(2_000)), "forwarded"),
        (format!("/pub{}", "/a".repeat(10_000)), "target-too-long"),
        (format!("/pub/{}", "[".repeat(1_363)), "forwarded"),
        (format!("/pub/{}", "[".repeat(1_364)), "target-too-long"),
        (format!("/pub/{}", "%41".repeat(1_363)), "forwarded"),
        (format!("/pub/{}", "%41".repeat(1_364)), "target-too-long"),
    ] {
        for target in [target.clone(), format!("https://edge.test{target}")] {
            assert_eq!(get(&target).decide().trail.verdict, verdict, "{} bytes: {target:.60}", target.len());
        }
    }
}

#[test]
fn a_query_arrives_unchanged() {
    for (query, expected) in [
        ("", Ok("")),
        ("a=1&b=2&a=1", Ok("a=1&b=2&a=1")),
        ("a=/x?y", Ok("a=/x?y")),
        ("%zz%", Ok("%zz%")),
        ("%c3%A9", Ok("%c3%A9")),
        ("a b", Ok("a%20b")),
        ("\"<>'", Ok("%22%3C%3E%27")),
        ("é", Ok("%C3%A9")),
        ("[]{}|\\^`+", Ok("[]{}|\\^`+")),
        ("a#b", Err(RequestError::TargetMalformed)),
        ("a\tb", Err(RequestError::TargetMalformed)),
        ("a\r\nb", Err(RequestError::TargetMalformed)),
        ("\0", Err(RequestError::TargetMalformed)),
        ("\u{7f}", Err(RequestError::TargetMalformed)),
    ] {
        let target = get(&format!("/pub/x?{query}")).normalized();
        assert_eq!(target.as_ref().map(Target::query), expected.as_ref().map(|query| *query), "{query}");
    }
}

#[test]
fn a_canonical_path_is_its_own_canonical_form_and_survives_every_parser_on_the_way() {
    let accepted = std::cell::Cell::new(0);
    property(4_000, &raw_path(), |raw| {
        let Ok(path) = CanonicalPath::parse(&raw) else { return Ok(()) };
        accepted.set(accepted.get() + 1);
        let encoded = path.encoded();
        prop_assert!(CanonicalPath::parse(encoded.as_bytes()) == Ok(path.clone()), "{} is stable", encoded);
        prop_assert_eq!(unquoted(&raw), path.decoded(), "the origin decodes the client's path to the same text");
        prop_assert_eq!(unquoted(encoded.as_bytes()), path.decoded(), "and the forwarded path");
        let url = Url::parse(&format!("https://edge.test{encoded}")).unwrap();
        prop_assert_eq!(url.path(), encoded, "the WHATWG parser of the SDK does not change it");
        prop_assert!(url.query().is_none() && url.fragment().is_none());
        prop_assert!(encoded.is_ascii() && !path.decoded().contains("//"));
        prop_assert!(path.segments().all(|segment| segment != "." && segment != ".."));
        Ok(())
    });
    assert!(accepted.get() > 400, "only {} paths were accepted: the test is too weak", accepted.get());
}

#[test]
fn a_canonical_query_is_its_own_canonical_form_and_survives_the_url_parser() {
    let query = prop::collection::vec(proptest::num::u8::ANY, 0..24);
    let printable = prop::collection::vec(0x20..=0xff_u8, 0..24);
    property(2_000, &prop_oneof![query, printable], |raw| {
        let normalized = |query: &[u8]| with_target(&[b"/pub/x?", query].concat()).normalized();
        let Ok(target) = normalized(&raw) else { return Ok(()) };
        let query = target.query();
        let again = normalized(query.as_bytes()).unwrap();
        prop_assert_eq!(again.query(), query);
        let url = Url::parse(&format!("https://edge.test/pub/x?{query}")).unwrap();
        prop_assert_eq!(url.query(), Some(query));
        Ok(())
    });
}

#[test]
fn no_bytes_make_the_pipeline_panic_or_pass_a_reserved_field() {
    let bytes = || prop::collection::vec(proptest::num::u8::ANY, 0..40);
    let name = prop::collection::vec(prop::sample::select(b"fastgate-identity_. X".to_vec()), 1..20);
    let headers = prop::collection::vec((name, bytes()), 0..6);
    property(1_000, &(bytes(), bytes(), headers, raw_path()), |(method, host, headers, path)| {
        let request = request(&text(&method), "/").hosts(&[&host]);
        let mut odd = get("");
        odd.head.target = method;
        let _ = (odd.normalized(), request.normalized());
        let start = with_target(&[b"/pub", path.as_slice()].concat());
        let request = headers.iter().fold(start, |request, (name, value)| request.field(&text(name), value.clone()));
        let Ok(target) = request.normalized() else { return Ok(()) };
        for (name, _) in fields(target.headers()) {
            prop_assert!(!name.contains('_') && !name.starts_with("fastgate-"), "{}", name);
        }
        Ok(())
    });
}

fn with_target(target: &[u8]) -> Request {
    let mut request = get("");
    request.head.target = target.to_vec();
    request
}

/// Paths of pieces that parsers are known to disagree on, with some random bytes.
fn raw_path() -> impl Strategy<Value = Vec<u8>> {
    const PIECES: [&str; 38] = [
        "/",
        "/",
        "/",
        "a",
        "B9",
        "admin",
        ".",
        "..",
        "%2e",
        "%2E",
        "%61",
        "%7E",
        "~",
        "%25",
        "%252e",
        "%20",
        "%3f",
        "%23",
        ";x=1",
        ":",
        "@",
        "!$&'()*+,=",
        "%c3%a9",
        "%E2%82%AC",
        "%7b",
        "-_",
        "[1]",
        "|^`",
        "{x}",
        "\"<>",
        "%2f",
        "%5C",
        "\\",
        "%00",
        "%ff",
        "%",
        " ",
        "#",
    ];
    // The last pieces are refused; they are used rarely, so that most paths are accepted.
    let piece = prop_oneof![
        40 => prop::sample::select(&PIECES[..30]).prop_map(|piece| piece.as_bytes().to_vec()),
        1 => prop::sample::select(&PIECES[30..]).prop_map(|piece| piece.as_bytes().to_vec()),
        1 => proptest::num::u8::ANY.prop_map(|byte| vec![byte]),
        3 => proptest::num::u8::ANY.prop_map(|byte| format!("%{byte:02x}").into_bytes()),
    ];
    prop::collection::vec(piece, 0..12).prop_map(|pieces| [b"/".to_vec(), pieces.concat()].concat())
}

/// The result of Python's `urllib.parse.unquote` for ASCII bytes, as uvicorn uses it.
fn unquoted(raw: &[u8]) -> String {
    let mut pieces = raw.split(|byte| *byte == b'%');
    let mut decoded = pieces.next().unwrap().to_vec();
    for piece in pieces {
        let digits = piece.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        let digits = digits.filter(|digits| !digits.starts_with('+'));
        if let Some(byte) = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            decoded.push(byte);
            decoded.extend(&piece[2..]);
        } else {
            decoded.push(b'%');
            decoded.extend(piece);
        }
    }
    text(&decoded)
}
