//! Row L9 of `docs/attacks.md`: one sandbox serves many requests, and no request sees data of another.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use crate::support::http::find;
use crate::support::tokens::{claims, header, sign};
use crate::support::world::{WORLD, test_id};

#[test]
fn users_of_one_sandbox_never_see_each_others_data() {
    let mut reused = 0;
    for turn in 0..30 {
        let (user, test) = (format!("user-{}", turn % 3), test_id());
        let anonymous = turn % 5 == 4;
        let token = sign(&header(), &claims(&WORLD.iss(), &user, &format!("scope:{user}")));
        let (target, bearer) = if anonymous {
            ("/open/x", String::new())
        } else {
            ("/echo/x", format!("authorization: Bearer {token}\r\n"))
        };
        let outcome = WORLD.send(&format!("GET {target}"), format!("{bearer}x-turn: {test}\r\n"));
        assert_eq!(outcome.echoed().all("x-turn"), [test]);
        let identity = outcome.identity();
        if anonymous {
            assert!(identity.get("sub").is_none() && identity["scope"] == "" && identity["rctx"].get("iss").is_none());
        } else {
            assert_eq!((&identity["sub"], &identity["scope"]), (&user.clone().into(), &format!("scope:{user}").into()));
        }
        let line = WORLD.edge.log_of(outcome.reply().header("x-request-id").unwrap());
        reused += usize::from(line["keys"]["from"] == "memory");
    }
    assert!(reused > 0, "sandboxes are used again: an earlier request left the keys in memory");
}

#[test]
fn requests_in_one_connection_get_their_own_responses() {
    let mut stream = TcpStream::connect(WORLD.edge.address).unwrap();
    for turn in 0..6 {
        let token = sign(&header(), &claims(&WORLD.iss(), &format!("user-{turn}"), ""));
        let bearer = if turn % 2 == 0 { format!("authorization: Bearer {token}\r\n") } else { String::new() };
        let test = test_id();
        write!(stream, "GET /echo/x HTTP/1.1\r\nhost: 127.0.0.1\r\n{bearer}x-test: {test}\r\n\r\n").unwrap();
        let mut seen = Vec::new();
        let mut buffer = [0; 4096];
        while find(&seen, b"}").is_none() {
            let count = stream.read(&mut buffer).unwrap();
            assert!(count > 0);
            seen.extend_from_slice(&buffer[..count]);
        }
        let expected = if turn % 2 == 0 { "HTTP/1.1 200" } else { "HTTP/1.1 401" };
        assert!(String::from_utf8_lossy(&seen).starts_with(expected), "{turn}");
        assert_eq!(WORLD.echo.received(&test).len(), usize::from(turn % 2 == 0));
    }
}
