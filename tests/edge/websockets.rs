//! WebSockets: the edge checks the handshake like any request. The connection then belongs to the application.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use crate::support::world::{H11_WORLD, WORLD, World, test_id};

/// The key of RFC 6455 §1.3 and the response that it gives there.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &str = "sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// Sends a handshake with these fields. Returns the connection and the head of the response.
fn handshake(world: &World, fields: &str) -> (TcpStream, String) {
    let mut stream = TcpStream::connect(world.edge.address).unwrap();
    let host = world.edge.address;
    let own = format!("upgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: {KEY}\r\n");
    write!(stream, "GET /updates HTTP/1.1\r\nhost: {host}\r\n{own}{fields}\r\n").unwrap();
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap() == 1 {
        head.push(byte[0]);
    }
    (stream, String::from_utf8(head).unwrap().to_ascii_lowercase())
}

/// A text frame as a client sends it (RFC 6455 §5.2), masked with zeros.
fn frame(text: &str) -> Vec<u8> {
    let length = 0x80 | u8::try_from(text.len()).unwrap();
    [&[0x81, length, 0, 0, 0, 0], text.as_bytes()].concat()
}

#[test]
fn an_accepted_websocket_reaches_the_application_with_its_caller() {
    for world in [&*WORLD, &*H11_WORLD] {
        let test = test_id();
        let token = world.token("");
        let forged = "fastgate-identity: forged\r\nfastgate_identity: forged\r\nx-forwarded-for: 203.0.113.9\r\n";
        let fields =
            format!("connection: keep-alive, Upgrade\r\nauthorization: Bearer {token}\r\nx-test: {test}\r\n{forged}");
        let (mut stream, head) = handshake(world, &fields);
        assert!(head.starts_with("http/1.1 101 ") && head.contains(&ACCEPT.to_ascii_lowercase()), "{head}");
        for word in ["hello", "again"] {
            stream.write_all(&frame(word)).unwrap();
            let expected = format!("user-1 said {word}");
            let mut response = vec![0; 2 + expected.len()];
            stream.read_exact(&mut response).unwrap();
            assert_eq!((response[0], String::from_utf8_lossy(&response[2..])), (0x81, expected.into()));
        }
        let [seen] = world.demo.seen(&test).try_into().unwrap();
        let sent = |name: &str| {
            let fields = seen["headers"].as_array().unwrap().iter();
            fields
                .filter(|field| field[0] == name)
                .map(|field| field[1].as_str().unwrap().to_owned())
                .collect::<Vec<_>>()
        };
        let identity = sent("fastgate-identity");
        assert_eq!((identity.len(), sent("fastgate_identity").len(), sent("authorization").len()), (1, 0, 0));
        assert_ne!(identity[0], "forged");
        assert_eq!(sent("x-forwarded-for"), ["127.0.0.1"]);
        let line = world.edge.log_of(&sent("x-request-id")[0]);
        assert_eq!((&line["verdict"], &line["status"]), (&"forwarded".into(), &101.into()));
    }
}

#[test]
fn a_refused_websocket_reaches_no_application() {
    let test = test_id();
    for (fields, status) in [
        ("connection: upgrade\r\n".to_owned(), 401),
        ("connection: upgrade\r\nauthorization: Bearer x\r\n".to_owned(), 401),
        // The request is not a handshake, and the route accepts only handshakes.
        (format!("authorization: Bearer {}\r\n", WORLD.token("")), 426),
    ] {
        let (_, head) = handshake(&WORLD, &format!("{fields}x-test: {test}\r\n"));
        assert!(head.starts_with(&format!("http/1.1 {status} ")), "{head}");
        assert_eq!(head.contains("upgrade: websocket"), status == 426, "{head}");
    }
    let request = format!("authorization: Bearer {}\r\n", WORLD.token(""));
    let outcome = WORLD.send("GET /updates", &request);
    assert_eq!(outcome.refused(), 426);
    assert_eq!(WORLD.edge.log_of(outcome.reply().header("x-request-id").unwrap())["verdict"], "no-handshake");
    assert!(WORLD.demo.seen(&test).is_empty());
}

#[test]
fn a_page_can_send_its_token_as_a_subprotocol() {
    for world in [&*WORLD, &*H11_WORLD] {
        let (test, token) = (test_id(), world.token(""));
        let offered = format!("sec-websocket-protocol: bearer, {token}, chat\r\n");
        let (mut stream, head) = handshake(world, &format!("connection: upgrade\r\nx-test: {test}\r\n{offered}"));
        assert!(head.starts_with("http/1.1 101 ") && head.contains("sec-websocket-protocol: bearer\r\n"), "{head}");
        stream.write_all(&frame("hello")).unwrap();
        let expected = b"user-1 said hello";
        let mut response = vec![0; 2 + expected.len()];
        stream.read_exact(&mut response).unwrap();
        assert_eq!(&response[2..], expected);
        let [seen] = world.demo.seen(&test).try_into().unwrap();
        assert!(!seen.to_string().contains(&token), "the application does not receive the token");
        let fields = seen["headers"].as_array().unwrap();
        assert!(fields.iter().any(|field| field[0] == "sec-websocket-protocol" && field[1] == "chat"), "{fields:?}");
        assert!(!world.edge.log_text().contains(&token), "the token is not logged");
    }
    let (_, head) = handshake(&WORLD, "connection: upgrade\r\nsec-websocket-protocol: bearer, a.b.c\r\n");
    assert!(head.starts_with("http/1.1 401 "), "{head}");
}

#[test]
fn a_subprotocol_list_that_may_leak_a_token_or_is_too_long_is_refused() {
    let (test, token) = (test_id(), WORLD.token(""));
    for (offered, status, code) in [
        (format!("Bearer, {token}"), 400, "subprotocol-malformed"),
        (format!("{token}, bearer"), 400, "subprotocol-malformed"),
        ("bearer,x,".repeat(500) + &"b,".repeat(2000), 431, "too-many-subprotocols"),
    ] {
        let fields = format!("connection: upgrade\r\nx-test: {test}\r\nsec-websocket-protocol: {offered}\r\n");
        let (_, head) = handshake(&WORLD, &fields);
        assert!(head.starts_with(&format!("http/1.1 {status} ")), "{head}");
        let id = head.lines().find_map(|line| line.strip_prefix("x-request-id: ")).unwrap();
        assert_eq!(WORLD.edge.log_of(id)["verdict"], code);
    }
    assert!(WORLD.demo.seen(&test).is_empty());
    assert!(!WORLD.edge.log_text().contains(&token));
}
