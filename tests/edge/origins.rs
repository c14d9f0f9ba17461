//! Rows M and F11: what an origin answers, and what of it the client sees.

use std::io::Write as _;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::support::edge::{Edge, Place, Stores};
use crate::support::http::{Reply, exchange};
use crate::support::origin::{Origin, answer};
use crate::support::world::{policy, signing_keys};

fn through(origin: &Origin) -> (Edge, Option<Reply>) {
    let place = Place::find();
    let policy = policy(place.address(), "http://127.0.0.1:1");
    let edge = Edge::start(
        place,
        &Stores {
            kv: Some(vec![("policy".to_owned(), policy.to_string())]),
            signing_keys: Some(signing_keys()),
            backends: vec![("echo".to_owned(), origin.address.to_string())],
            ..Stores::default()
        },
    );
    let reply = exchange(edge.address, b"GET /open/x HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    (edge, reply)
}

#[test]
fn an_answer_comes_back_as_it_is_without_what_only_the_edge_may_say() {
    let fields = [
        ("content-type", "text/plain"),
        ("set-cookie", "a=1"),
        ("set-cookie", "b=2"),
        ("etag", "\"x\""),
        ("fastgate-identity", "leak"),
        ("x-fastgate-debug", "leak"),
        ("surrogate-control", "leak"),
        ("x-request-id", "leak"),
        ("connection", "x-hop"),
        ("x-hop", "leak"),
        ("www-authenticate", "Basic realm=\"app\""),
    ];
    let (_edge, reply) = through(&Origin::answering(answer("418 I'm a teapot", &fields, "short and stout")));
    let reply = reply.unwrap();
    assert_eq!((reply.status, reply.text().as_str()), (418, "short and stout"));
    assert!(!reply.headers.iter().any(|(_, value)| value == "leak"), "{:?}", reply.headers);
    assert_eq!(reply.headers.iter().filter(|(name, _)| name == "set-cookie").count(), 2);
    assert_eq!(reply.header("etag"), Some("\"x\""));
}

#[test]
fn an_origin_that_is_down_or_talks_nonsense_is_a_502_that_names_nothing() {
    let closed = Origin::start(|_, _| {});
    let nonsense = Origin::answering("not http at all\r\n\r\n");
    let upgrade = Origin::answering("HTTP/1.1 101 Switching Protocols\r\nupgrade: h2c\r\nconnection: upgrade\r\n\r\n");
    for origin in [closed, nonsense, upgrade] {
        let (_edge, reply) = through(&origin);
        let reply = reply.unwrap();
        assert!(matches!(reply.status, 502 | 504), "{}", reply.status);
        assert!(!reply.text().contains("127.0.0.1"));
        reply.problem();
    }
}

#[test]
fn an_origin_that_does_not_answer_is_given_up_in_time() {
    let (_edge, reply) = through(&Origin::start(|_, _| sleep(Duration::from_secs(20))));
    assert!(matches!(reply.unwrap().status, 502 | 504));
}

#[test]
fn a_stream_arrives_while_it_is_being_written() {
    let origin = Origin::start(|_, stream| {
        stream
            .write_all(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
            .unwrap();
        for _ in 0..3 {
            stream.write_all(b"6\r\ndata\r\n\r\n").unwrap();
            stream.flush().unwrap();
            sleep(Duration::from_millis(300));
        }
        stream.write_all(b"0\r\n\r\n").unwrap();
    });
    let (edge, _) = through(&origin);
    let started = Instant::now();
    let mut stream = std::net::TcpStream::connect(edge.address).unwrap();
    stream.write_all(b"GET /open/x HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").unwrap();
    let mut seen = Vec::new();
    let mut buffer = [0; 4096];
    while crate::support::http::find(&seen, b"data").is_none() {
        let count = std::io::Read::read(&mut stream, &mut buffer).unwrap();
        assert!(count > 0, "the stream ended early");
        seen.extend_from_slice(&buffer[..count]);
    }
    let first = started.elapsed();
    std::io::Read::read_to_end(&mut stream, &mut seen).unwrap();
    assert!(started.elapsed() > first + Duration::from_millis(400), "the first chunk did not wait for the last");
}

#[test]
fn nothing_is_answered_from_a_cache() {
    let cacheable = [("cache-control", "public, max-age=3600"), ("content-type", "text/plain")];
    let origin = Origin::answering(answer("200 OK", &cacheable, "x"));
    let (edge, _) = through(&origin);
    for _ in 0..3 {
        exchange(edge.address, b"GET /open/x HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").unwrap();
    }
    assert_eq!(origin.everything().len(), 4);
}
