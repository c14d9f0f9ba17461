//! Rows J12 of `docs/attacks.md`: responses are streamed in and out; one that is not complete is never stored.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::thread::{self, sleep};
use std::time::Duration;

use super::{Gate, Told, status};

#[test]
fn a_response_that_breaks_off_leaves_nothing() {
    let gate = Gate::public(60);
    gate.tell("/shared/a", Told { body: "x".repeat(100_000), sends: Some(50_000), ..Told::default() });
    let cut = gate.try_send("GET /shared/a", "");
    assert!(cut.is_none_or(|cut| cut.body.len() < 100_000));
    gate.responds("/shared/a", "whole", &[]);
    let whole = gate.get("/shared/a");
    assert_eq!((whole.text().as_str(), status(&whole)), ("whole", "fastgate; fwd=uri-miss; fwd-status=200; stored"));
    assert!(status(&gate.get("/shared/a")).contains("hit"));
}

#[test]
fn a_short_response_that_breaks_off_is_a_failure_of_the_origin() {
    let gate = Gate::public(60);
    gate.tell("/shared/a", Told { body: "x".repeat(60_000), sends: Some(59_999), ..Told::default() });
    let broken = gate.get("/shared/a");
    assert_eq!((broken.status, gate.log_of(&broken)["verdict"].as_str()), (502, Some("origin-unreachable")));
    let announced = |status: &str, sent: usize| {
        let head = format!("HTTP/1.1 {status}\r\ncontent-length: 1000\r\nconnection: close\r\n\r\n");
        &*format!("{head}{}", "x".repeat(sent)).leak()
    };
    gate.tell("/shared/b", Told { bytes: announced("204 No Content", 0), ..Told::default() });
    assert_eq!(gate.get("/shared/b").status, 204, "it has no content, whatever it announces");
    let pauses = Duration::from_millis(1500);
    gate.tell("/shared/c", Told { bytes: announced("200 OK", 500), pauses, ..Told::default() });
    let begun = gate.try_send("GET /shared/c", "");
    assert!(begun.is_none_or(|reply| reply.status == 200 && reply.body.len() < 1000), "it is sent while it arrives");
}

#[test]
fn a_client_that_leaves_does_not_end_the_response_for_those_who_wait() {
    let gate = Arc::new(Gate::public(60));
    let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n";
    let pieces = "a\r\n0123456789\r\n".repeat(20);
    let bytes = format!("{head}{pieces}0\r\n\r\n").leak();
    gate.tell("/shared/a", Told { bytes, pauses: Duration::from_secs(1), ..Told::default() });
    let mut leaver = TcpStream::connect(gate.edge.address).unwrap();
    write!(leaver, "GET /shared/a HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n").unwrap();
    leaver.read_exact(&mut [0; 10]).unwrap(); // its response has begun
    let waiter = {
        let gate = Arc::clone(&gate);
        thread::spawn(move || gate.get("/shared/a"))
    };
    sleep(Duration::from_millis(300));
    drop(leaver);
    assert_eq!(waiter.join().unwrap().text(), "0123456789".repeat(20));
    assert!(status(&gate.get("/shared/a")).contains("hit"));
    assert_eq!(gate.seen("/shared/a").len(), 1);
}

#[test]
fn a_response_without_a_length_is_stored_if_it_is_complete() {
    let gate = Gate::public(60);
    let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n4\r\nsome\r\n";
    for (path, bytes) in [("/shared/a", "5\r\nwh"), ("/shared/b", "")] {
        let bytes = format!("{chunked}{bytes}").leak();
        gate.tell(path, Told { bytes, ..Told::default() });
        gate.try_send(&format!("GET {path}"), "");
        gate.responds(path, "whole", &[]);
        assert!(!status(&gate.get(path)).contains("hit"), "{path}: the part was not stored");
    }
    gate.tell("/shared/c", Told { bytes: format!("{chunked}0\r\n\r\n").leak(), ..Told::default() });
    assert_eq!(gate.get("/shared/c").text(), "some");
    let stored = gate.send("GET /shared/c", "range: bytes=1-2\r\n");
    assert_eq!((stored.status, stored.text().as_str()), (206, "om"), "its length is known by then");
}

#[test]
fn a_long_response_is_stored_whole_and_its_ranges_are_exact() {
    let gate = Gate::public(60);
    let body: String = (0..200_000_u32).map(|number| char::from(b'a' + u8::try_from(number % 26).unwrap())).collect();
    gate.responds("/shared/a", &body, &[]);
    assert_eq!(gate.get("/shared/a").text(), body);
    assert_eq!(gate.get("/shared/a").text(), body);
    let part = gate.send("GET /shared/a", "range: bytes=100000-150000\r\n");
    assert_eq!((part.status, part.text().as_str()), (206, &body[100_000..=150_000]));
    assert_eq!(gate.seen("/shared/a").len(), 1);
}

#[test]
fn a_client_that_leaves_spoils_nothing() {
    let gate = Arc::new(Gate::public(60));
    let body = "x".repeat(3000);
    gate.tell("/shared/a", Told { body: body.clone(), takes: Duration::from_millis(300), ..Told::default() });
    let mut leaver = TcpStream::connect(gate.edge.address).unwrap();
    write!(leaver, "GET /shared/a HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n").unwrap();
    let waiter = {
        let gate = Arc::clone(&gate);
        thread::spawn(move || {
            sleep(Duration::from_millis(50));
            gate.get("/shared/a")
        })
    };
    sleep(Duration::from_millis(100));
    drop(leaver);
    assert_eq!(waiter.join().unwrap().text(), body);
    assert_eq!(gate.get("/shared/a").text(), body);
    let mut leaver = TcpStream::connect(gate.edge.address).unwrap();
    gate.responds("/shared/b", &"y".repeat(2_000_000), &[]);
    write!(leaver, "GET /shared/b HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n").unwrap();
    let mut piece = [0; 1000];
    leaver.read_exact(&mut piece).unwrap();
    drop(leaver);
    sleep(Duration::from_millis(300));
    assert_eq!(gate.get("/shared/b").body.len(), 2_000_000);
}

#[test]
fn a_client_that_does_not_read_delays_nobody_who_waits() {
    let gate = Gate::public(60);
    let body = "x".repeat(30_000_000); // more than the buffers on the way hold
    gate.responds("/shared/a", &body, &[]);
    let mut idle = TcpStream::connect(gate.edge.address).unwrap();
    write!(idle, "GET /shared/a HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n").unwrap();
    idle.read_exact(&mut [0; 1000]).unwrap(); // its response has begun
    let waiter = gate.get("/shared/a");
    assert_eq!((waiter.body.len(), status(&waiter).contains("hit")), (body.len(), true));
    assert_eq!(gate.seen("/shared/a").len(), 1);
    let mut rest = Vec::new();
    idle.read_to_end(&mut rest).unwrap();
    assert!(rest.ends_with(&[b'x'; 100]) && rest.len() + 1000 > body.len(), "it gets the rest when it reads");
}
