//! Section I of `docs/attacks.md`: which results are cached for a token, and which are decided for each request.

use std::thread::sleep;
use std::time::Duration;

use serde_json::json;

use crate::support::tokens::{claims, header, now, sign};
use crate::support::world::WORLD;

fn status(token: &str) -> u16 {
    WORLD.send("GET /echo/x", format!("authorization: Bearer {token}\r\n")).reply().status
}

#[test]
fn a_cached_signature_is_valid_for_no_other_token() {
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
fn a_cached_token_still_expires() {
    // A busy machine may need longer for the first request than the token lasts. The test then repeats with a longer
    // one.
    for seconds in [2, 8, 30] {
        let mut claims = claims(&WORLD.iss(), "user-1", "");
        let ends = now() + seconds;
        claims["exp"] = json!(ends - 30); // and 30 seconds of leeway
        let token = sign(&header(), &claims);
        let before = status(&token);
        if now() >= ends {
            continue;
        }
        assert_eq!(before, 200);
        while now() < ends {
            sleep(Duration::from_millis(200));
        }
        for _ in 0..10 {
            assert_eq!(status(&token), 401);
        }
        return;
    }
    panic!("the machine is too busy for this test");
}

#[test]
fn a_cached_token_is_authorized_anew_for_every_route() {
    let token = WORLD.token("orders:write");
    let call = |line: &str| WORLD.send(line, format!("authorization: Bearer {token}\r\n")).reply().status;
    for _ in 0..5 {
        assert_eq!((call("GET /me"), call("GET /orders/7"), call("GET /echo/x")), (200, 403, 200));
    }
}
