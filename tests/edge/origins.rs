//! Section M and row F11 of `docs/attacks.md`: the responses of an origin, and which parts of them the client receives.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::LazyLock;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::support::edge::{Edge, Listener, Stores};
use crate::support::http::{Reply, exchange, find};
use crate::support::origin::{Origin, Received, response};
use crate::support::tokens::{claims, header, jwks, sign};
use crate::support::world::{H11_WORLD, WORLD, policy, signing_keys, test_id};

/// An issuer that cannot be reached; its keys are in the store.
const ISSUER: &str = "http://127.0.0.1:1";

/// An origin with the behavior that the path names, and the edge in front of it.
static GATE: LazyLock<(Edge, Origin)> = LazyLock::new(|| {
    let (origin, listener) = (Origin::start(behave), Listener::bind());
    let policy = policy(listener.address(), ISSUER);
    let mut keys: serde_json::Value = serde_json::from_str(&jwks()).unwrap();
    keys["issuer"] = ISSUER.into();
    let stores = Stores {
        kv: Some(vec![("policy".to_owned(), policy.to_string()), ("jwks/test".to_owned(), keys.to_string())]),
        signing_keys: Some(signing_keys()),
        backends: vec![("echo".to_owned(), origin.address.to_string())],
        ..Stores::default()
    };
    (Edge::start(listener, &stores), origin)
});

fn behave(request: &Received, stream: &mut TcpStream) {
    let bytes = match path(request) {
        "/open/teapot" => response(
            "418 I'm a teapot",
            &[
                ("content-type", "text/plain"),
                ("set-cookie", "a=1"),
                ("set-cookie", "b=2"),
                ("etag", "\"x\""),
                ("fastgate-identity", "leak"),
                ("x-fastgate-debug", "leak"),
                ("surrogate-control", "leak"),
                ("surrogate-key", "leak"),
                ("x-surrogate-route", "leak"),
                ("cdn-cache-control", "leak"),
                ("fastgate_identity", "leak"),
                ("x_version", "3"),
                ("x-request-id", "leak"),
                ("connection", "x-hop"),
                ("x-hop", "leak"),
                ("www-authenticate", "Basic realm=\"app\""),
            ],
            "short and stout",
        ),
        "/open/cacheable" => {
            response("200 OK", &[("cache-control", "public, max-age=3600"), ("content-type", "text/plain")], "x")
        }
        "/open/unauthorized" | "/echo/unauthorized" => {
            response("401 Unauthorized", &CHALLENGES, "the application's own")
        }
        "/open/unavailable" => response("503 Service Unavailable", &[("retry-after", "0")], ""),
        "/open/cut" => b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\nnot all".to_vec(),
        "/open/cut-chunk" => b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n7\r\nnot all\r\n3e8\r\nx".to_vec(),
        "/open/cut-between-chunks" => b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n7\r\nnot all\r\n".to_vec(),
        "/open/nonsense" => b"not http at all\r\n\r\n".to_vec(),
        "/open/upgrade" => b"HTTP/1.1 101 Switching Protocols\r\nupgrade: h2c\r\nconnection: upgrade\r\n\r\n".to_vec(),
        "/open/silent" => return sleep(Duration::from_secs(20)),
        "/open/stream" => return drip(stream),
        _ => return,
    };
    let _ = stream.write_all(&bytes);
}

/// Challenges of an application.
const CHALLENGES: [(&str, &str); 3] = [
    ("www-authenticate", "Basic realm=\"app\""),
    ("www-authenticate", "Bearer error=\"invalid_token\", realm=\"app\""),
    ("content-type", "text/plain"),
];

fn path(request: &Received) -> &str {
    request.request_line().split(' ').nth(1).unwrap_or_default()
}

fn drip(stream: &mut TcpStream) {
    let head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
    stream.write_all(head).unwrap();
    for _ in 0..3 {
        stream.write_all(b"6\r\ndata\r\n\r\n").unwrap();
        stream.flush().unwrap();
        sleep(Duration::from_millis(300));
    }
    stream.write_all(b"0\r\n\r\n").unwrap();
}

fn request(behaviour: &str) -> String {
    format!("GET /open/{behaviour} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
}

fn get(behaviour: &str) -> Reply {
    exchange(GATE.0.address, request(behaviour).as_bytes()).unwrap()
}

#[test]
fn a_response_is_forwarded_unchanged_without_fields_that_only_the_edge_may_set() {
    let reply = get("teapot");
    assert_eq!((reply.status, reply.text().as_str()), (418, "short and stout"));
    assert!(!reply.headers.iter().any(|(_, value)| value == "leak"), "{:?}", reply.headers);
    assert_eq!(reply.headers.iter().filter(|(name, _)| name == "set-cookie").count(), 2);
    assert_eq!(reply.header("etag"), Some("\"x\""));
    assert_eq!(reply.header("x_version"), Some("3"));
}

#[test]
fn an_origin_that_is_down_or_malformed_is_a_502_without_details() {
    for behaviour in ["closed", "nonsense", "upgrade"] {
        let reply = get(behaviour);
        assert!(matches!(reply.status, 502 | 504), "{behaviour}: {}", reply.status);
        assert!(!reply.text().contains("127.0.0.1"));
        reply.problem();
    }
}

#[test]
fn an_origin_that_does_not_respond_times_out() {
    assert!(matches!(get("silent").status, 502 | 504));
}

#[test]
fn a_stream_arrives_while_it_is_being_written() {
    let address = GATE.0.address;
    let started = Instant::now();
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(request("stream").as_bytes()).unwrap();
    let mut seen = Vec::new();
    let mut buffer = [0; 4096];
    while find(&seen, b"data").is_none() {
        let count = stream.read(&mut buffer).unwrap();
        assert!(count > 0, "the stream ended early");
        seen.extend_from_slice(&buffer[..count]);
    }
    let first = started.elapsed();
    stream.read_to_end(&mut seen).unwrap();
    assert!(started.elapsed() > first + Duration::from_millis(400), "the first chunk did not wait for the last");
}

#[test]
fn no_response_comes_from_a_cache() {
    for _ in 0..4 {
        assert_eq!(get("cacheable").text(), "x");
    }
    let arrived = GATE.1.everything();
    assert_eq!(arrived.iter().filter(|request| path(request) == "/open/cacheable").count(), 4);
}

#[test]
fn an_origins_own_challenges_are_passed_on_as_they_are() {
    let token = sign(&header(), &claims(ISSUER, "user-1", ""));
    for (target, fields) in [("/open", String::new()), ("/echo", format!("authorization: Bearer {token}\r\n"))] {
        let request =
            format!("GET {target}/unauthorized HTTP/1.1\r\nhost: localhost\r\n{fields}connection: close\r\n\r\n");
        let reply = exchange(GATE.0.address, request.as_bytes()).unwrap();
        assert_eq!((reply.status, reply.text().as_str()), (401, "the application's own"));
        let challenges: Vec<_> = reply.headers.iter().filter(|(name, _)| name == "www-authenticate").collect();
        let theirs = CHALLENGES.iter().filter(|(name, _)| *name == "www-authenticate");
        assert_eq!(
            challenges.iter().map(|(_, value)| value).collect::<Vec<_>>(),
            theirs.map(|(_, value)| value).collect::<Vec<_>>()
        );
        assert_eq!(reply.header("content-type"), Some("text/plain"));
        assert_eq!(GATE.0.log_of(reply.header("x-request-id").unwrap())["verdict"], "forwarded");
    }
}

#[test]
fn a_request_is_never_sent_twice() {
    for (method, behaviour, statuses) in
        ["GET", "POST", "PUT"].into_iter().flat_map(|method| SENT_ONCE.map(|(behaviour, of)| (method, behaviour, of)))
    {
        let (test, body) = (test_id(), if method == "GET" { "" } else { "a body" });
        let length = if method == "GET" { String::new() } else { format!("content-length: {}\r\n", body.len()) };
        let request = format!(
            "{method} /open/{behaviour} HTTP/1.1\r\nhost: localhost\r\nx-test: {test}\r\n{length}connection: close\r\n\r\n\
             {body}"
        );
        let reply = exchange(GATE.0.address, request.as_bytes()).unwrap();
        assert!(statuses.contains(&reply.status), "{method} {behaviour}: {}", reply.status);
        let received = GATE.1.received(&test);
        assert_eq!(received.len(), 1, "{method} {behaviour}");
        assert_eq!(received[0].body, body.as_bytes());
    }
}

/// Failures of an origin after which a client might retry, and the outcome.
const SENT_ONCE: [(&str, &[u16]); 4] =
    [("closed", &[502]), ("nonsense", &[502]), ("unavailable", &[503]), ("silent", &[502, 504])];

#[test]
fn a_truncated_response_does_not_look_complete() {
    for behaviour in ["cut", "cut-chunk", "cut-between-chunks"] {
        let mut stream = TcpStream::connect(GATE.0.address).unwrap();
        stream.write_all(request(behaviour).as_bytes()).unwrap();
        let mut seen = Vec::new();
        // After a reset of the connection, `seen` holds the bytes before it.
        let _ = stream.read_to_end(&mut seen);
        let text = String::from_utf8_lossy(&seen).into_owned();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 200 "), "{behaviour}: {text}");
        let head = head.to_ascii_lowercase();
        let announced = head.split("\r\n").find_map(|field| field.strip_prefix("content-length:"));
        if let Some(length) = announced {
            assert!(body.len() < length.trim().parse().unwrap(), "{behaviour}: {text}");
        } else {
            assert!(head.contains("transfer-encoding: chunked"), "{behaviour}: {text}");
            assert!(!body.ends_with("0\r\n\r\n"), "{behaviour}: {text}");
        }
    }
}

#[test]
fn a_response_to_head_has_the_content_length_of_the_resource() {
    for world in [&*WORLD, &*H11_WORLD] {
        let whole = world.send("GET /static/witness.py", "");
        let length = whole.reply().body.len().to_string();
        let head = world.send("HEAD /static/witness.py", "");
        let reply = head.reply();
        assert_eq!((reply.status, reply.header("content-length")), (200, Some(length.as_str())));
        assert_eq!((reply.body.len(), reply.header("transfer-encoding")), (0, None));
        assert_eq!(reply.header("etag"), whole.reply().header("etag"));
        let missing = world.send("HEAD /static/nothing", "");
        assert_eq!((missing.reply().status, missing.reply().body.len()), (404, 0));
    }
}
