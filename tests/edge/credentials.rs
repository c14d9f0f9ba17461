//! Section A of `docs/attacks.md`: how a client presents a token.

use crate::support::tokens::{claims, header, sign};
use crate::support::world::WORLD;

#[test]
fn without_credentials_the_challenge_has_no_error_code() {
    let outcome = WORLD.send("GET /echo/x", "");
    assert_eq!(outcome.refused(), 401);
    let challenge = format!("Bearer {}", WORLD.resource_metadata());
    assert_eq!(outcome.reply().header("www-authenticate"), Some(challenge.as_str()));
    assert_eq!(outcome.reply().problem(), "authentication-required");
}

#[test]
fn the_scheme_is_accepted_in_every_spelling() {
    for scheme in ["Bearer", "bearer", "BEARER"] {
        let outcome = WORLD.send("GET /echo/x", format!("authorization: {scheme} {}\r\n", WORLD.token("")));
        assert_eq!(outcome.identity()["sub"], "user-1");
    }
}

#[test]
fn repeated_credentials_are_a_bad_request() {
    let good = WORLD.token("");
    for (one, two) in [(good.as_str(), "bad"), ("bad", good.as_str()), (good.as_str(), good.as_str())] {
        let fields = format!("authorization: Bearer {one}\r\nauthorization: Bearer {two}\r\n");
        let outcome = WORLD.send("GET /echo/x", fields);
        assert_eq!(outcome.refused(), 400);
        let challenge = format!("Bearer error=\"invalid_request\", {}", WORLD.resource_metadata());
        assert_eq!(outcome.reply().header("www-authenticate"), Some(challenge.as_str()));
    }
}

#[test]
fn a_token_after_several_spaces_is_read() {
    let token = WORLD.token("");
    WORLD.send("GET /echo/x", format!("authorization: Bearer   {token}\r\n")).echoed();
}

#[test]
fn anything_other_than_one_token_after_spaces_is_refused() {
    let good = WORLD.token("");
    for value in [
        "Bearer".to_owned(),
        "Bearer ".to_owned(),
        "Bearer    ".to_owned(),
        format!("Bearer {good} x"),
        format!("Bearer {good},"),
        format!("Bearer {good}, Bearer {good}"),
        format!("Bearer\t{good}"),
        format!("Bearer \t{good}"),
        format!("Bearer\u{a0}{good}"),
        format!("Basic {good}"),
        format!("Negotiate {good}"),
        format!("DPoP {good}"),
        format!("Bearer{good}"),
        good.clone(),
    ] {
        let outcome = WORLD.send("GET /echo/x", format!("authorization: {value}\r\n"));
        assert_eq!(outcome.refused(), 401, "{value}");
    }
    let bytes = [b"authorization: Bearer ".as_slice(), b"\xff\xfe", b"\r\n"].concat();
    assert_eq!(WORLD.send("GET /echo/x", bytes).refused(), 401);
}

#[test]
fn a_token_anywhere_else_is_not_a_credential() {
    let good = WORLD.token("");
    assert_eq!(WORLD.send(&format!("GET /echo/x?access_token={good}"), "").refused(), 401);
    assert_eq!(WORLD.send("GET /echo/x", format!("cookie: access_token={good}\r\n")).refused(), 401);
    assert_eq!(WORLD.send("GET /echo/x", format!("proxy-authorization: Bearer {good}\r\n")).refused(), 401);
    let form = format!("access_token={good}");
    let fields = format!("content-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n", form.len());
    assert_eq!(WORLD.send_bytes(b"POST /echo/x HTTP/1.1", fields, form.as_bytes()).refused(), 401);
}

#[test]
fn a_cookie_or_a_user_agent_does_not_make_an_invalid_token_valid() {
    let fields = format!("authorization: Bearer bad\r\ncookie: session={}\r\n", WORLD.token(""));
    assert_eq!(WORLD.send("GET /echo/x", fields).refused(), 401);
    for agent in ["GoogleHC/1.0", "kube-probe/1.30", "ELB-HealthChecker/2.0"] {
        assert_eq!(WORLD.send("GET /echo/x", format!("user-agent: {agent}\r\n")).refused(), 401);
    }
}

#[test]
fn the_cookie_of_another_user_beside_a_valid_token_has_no_effect() {
    let other = sign(&header(), &claims(&WORLD.iss(), "user-2", "orders:read orders:write"));
    let cookie = format!("session={other}; access_token={other}; user=user-2");
    let fields = format!("authorization: Bearer {}\r\ncookie: {cookie}\r\n", WORLD.token(""));
    let outcome = WORLD.send("GET /echo/x", &fields);
    assert_eq!(outcome.identity()["sub"], "user-1");
    assert_eq!(outcome.echoed().all("cookie"), [cookie]);
    let line = WORLD.edge.log_of(outcome.reply().header("x-request-id").unwrap());
    assert_eq!(line["subject"], "user-1");
    assert_eq!(WORLD.send("GET /orders/7", &fields).refused(), 403, "the cookie's scopes are not the caller's");
}

#[test]
fn on_a_public_route_a_token_is_neither_read_nor_forwarded() {
    for value in [WORLD.token(""), "bad".to_owned(), "a.b.c".to_owned()] {
        let outcome = WORLD.send("GET /open/x", format!("authorization: Bearer {value}\r\n"));
        assert!(outcome.echoed().all("authorization").is_empty());
        let identity = outcome.identity();
        assert!(identity.get("sub").is_none() && identity["scope"] == "", "{identity}");
    }
}

#[test]
fn the_clients_token_is_forwarded_only_where_the_route_says_so() {
    let fields = format!("authorization: Bearer {}\r\n", WORLD.token(""));
    assert!(WORLD.send("GET /echo/x", &fields).echoed().all("authorization").is_empty());
    assert_eq!(WORLD.send("GET /token/x", &fields).echoed().all("authorization").len(), 1);
}

#[test]
fn every_method_of_a_protected_route_requires_a_token() {
    for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] {
        assert_eq!(WORLD.send(&format!("{method} /echo/x"), "").refused(), 401, "{method}");
    }
}

#[test]
fn scopes_match_a_route_by_exact_names_only() {
    let status = |scope: &str| {
        let outcome = WORLD.send("GET /orders/7", format!("authorization: Bearer {}\r\n", WORLD.token(scope)));
        (outcome.reply().status, outcome.demo.len())
    };
    assert_eq!(status("profile orders:read"), (200, 1));
    for scope in
        ["", "orders", "orders:reads", "xorders:read", "ORDERS:READ", "orders:write", "orders:read\torders:write"]
    {
        assert_eq!(status(scope), (403, 0), "{scope}");
    }
    let outcome = WORLD.send("GET /orders/7", format!("authorization: Bearer {}\r\n", WORLD.token("")));
    let challenge =
        format!("Bearer error=\"insufficient_scope\", scope=\"orders:read\", {}", WORLD.resource_metadata());
    assert_eq!(outcome.reply().header("www-authenticate"), Some(challenge.as_str()));
}
