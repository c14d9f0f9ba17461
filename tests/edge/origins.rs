//! Section M and row F11 of `docs/attacks.md`: what an origin answers, and what of it the client sees.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::LazyLock;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::support::edge::{Edge, Place, Stores};
use crate::support::http::{Reply, exchange, find};
use crate::support::origin::{Origin, Received, answer};
use crate::support::world::{H11_WORLD, WORLD, policy, signing_keys};

/// An origin that behaves as the path asks it to, and the edge in front of it.
static GATE: LazyLock<(Edge, Origin)> = LazyLock::new(|| {
    let (origin, place) = (Origin::start(behave), Place::find());
    let policy = policy(place.address(), "http://127.0.0.1:1");
    let stores = Stores {
        kv: Some(vec![("policy".to_owned(), policy.to_string())]),
        signing_keys: Some(signing_keys()),
        backends: vec![("echo".to_owned(), origin.address.to_string())],
        ..Stores::default()
    };
    (Edge::start(place, &stores), origin)
});

fn behave(request: &Received, stream: &mut TcpStream) {
    let bytes = match path(request) {
        "/open/teapot" => answer(
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
            answer("200 OK", &[("cache-control", "public, max-age=3600"), ("content-type", "text/plain")], "x")
        }
        "/open/nonsense" => b"not http at all\r\n\r\n".to_vec(),
        "/open/upgrade" => b"HTTP/1.1 101 Switching Protocols\r\nupgrade: h2c\r\nconnection: upgrade\r\n\r\n".to_vec(),
        "/open/silent" => return sleep(Duration::from_secs(20)),
        "/open/stream" => return drip(stream),
        _ => return,
    };
    let _ = stream.write_all(&bytes);
}

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

fn ask(behaviour: &str) -> Reply {
    exchange(GATE.0.address, request(behaviour).as_bytes()).unwrap()
}

#[test]
fn an_answer_comes_back_as_it_is_without_what_only_the_edge_may_say() {
    let reply = ask("teapot");
    assert_eq!((reply.status, reply.text().as_str()), (418, "short and stout"));
    assert!(!reply.headers.iter().any(|(_, value)| value == "leak"), "{:?}", reply.headers);
    assert_eq!(reply.headers.iter().filter(|(name, _)| name == "set-cookie").count(), 2);
    assert_eq!(reply.header("etag"), Some("\"x\""));
    assert_eq!(reply.header("x_version"), Some("3"));
}

#[test]
fn an_origin_that_is_down_or_talks_nonsense_is_a_502_that_names_nothing() {
    for behaviour in ["closed", "nonsense", "upgrade"] {
        let reply = ask(behaviour);
        assert!(matches!(reply.status, 502 | 504), "{behaviour}: {}", reply.status);
        assert!(!reply.text().contains("127.0.0.1"));
        reply.problem();
    }
}

#[test]
fn an_origin_that_does_not_answer_is_given_up_in_time() {
    assert!(matches!(ask("silent").status, 502 | 504));
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
fn nothing_is_answered_from_a_cache() {
    for _ in 0..4 {
        assert_eq!(ask("cacheable").text(), "x");
    }
    let arrived = GATE.1.everything();
    assert_eq!(arrived.iter().filter(|request| path(request) == "/open/cacheable").count(), 4);
}

#[test]
fn an_answer_to_head_says_how_long_the_resource_is() {
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
