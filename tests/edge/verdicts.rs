//! Rows I: what is remembered of a token that was seen before, and what is decided again.

use std::thread::sleep;
use std::time::Duration;

use serde_json::json;

use crate::support::tokens::{claims, header, now, sign};
use crate::support::world::WORLD;

fn status(token: &str) -> u16 {
    WORLD.send("GET /echo/x", format!("authorization: Bearer {token}\r\n")).reply().status
}

#[test]
fn a_good_token_vouches_for_no_other_signature() {
    let good = WORLD.token("");
    assert_eq!((status(&good), status(&good)), (200, 200));
    let (signed, signature) = good.rsplit_once('.').unwrap();
    let other = WORLD.token("other");
    let forged = format!("{signed}.{}", other.rsplit_once('.').unwrap().1);
    assert_ne!(forged, good);
    for _ in 0..10 {
        assert_eq!(status(&forged), 401);
    }
    let mut changed = claims(&WORLD.iss(), "admin", "");
    changed["iat"] = json!(now());
    let unsigned = sign(&header(), &changed);
    assert_eq!(status(&format!("{}.{signature}", unsigned.rsplit_once('.').unwrap().0)), 401);
}

#[test]
fn a_token_that_was_seen_expires_all_the_same() {
    let mut claims = claims(&WORLD.iss(), "user-1", "");
    claims["exp"] = json!(now() - 28); // with the leeway of 30 seconds, two more
    let token = sign(&header(), &claims);
    assert_eq!(status(&token), 200);
    sleep(Duration::from_millis(3100));
    for _ in 0..10 {
        assert_eq!(status(&token), 401);
    }
}

#[test]
fn what_a_seen_token_may_do_is_decided_for_every_route() {
    let token = WORLD.token("orders:write");
    let call = |line: &str| WORLD.send(line, format!("authorization: Bearer {token}\r\n")).reply().status;
    for _ in 0..5 {
        assert_eq!((call("GET /me"), call("GET /orders/7"), call("GET /echo/x")), (200, 403, 200));
    }
}
