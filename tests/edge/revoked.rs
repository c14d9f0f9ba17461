//! Row I5 of `docs/attacks.md`, at the edge: a token with an entry in the KV store under `denied/` is refused, even if
//! it was accepted before.

use std::thread::sleep;
use std::time::Duration;

use fastgate::identity::deny_list::{Entry, RevocationClaim, RevocationKey};
use fastgate::time::UnixTime;
use serde_json::{Value, json};

use crate::support::edge::{Edge, Listener, Stores};
use crate::support::http::{Reply, exchange};
use crate::support::origin::{Origin, response};
use crate::support::tokens::{claims, header, jwks, now, sign};
use crate::support::world::{issuer, policy, signing_keys};

struct Gate {
    edge: Edge,
    echo: Origin,
    iss: String,
    _issuer: Origin,
}

impl Gate {
    /// An edge with a deny-list of these entries: the claim, its value, the entry.
    fn start(entries: &[(RevocationClaim, &str, String)], window: u64) -> Self {
        let (issuer, listener) = (issuer(jwks()), Listener::bind());
        let echo = Origin::responding(response("200 OK", &[], "{}"));
        let iss = format!("http://{}", issuer.address);
        let mut policy = policy(listener.address(), &iss);
        policy["issuers"]["test"]["deny_list"] = json!(true);
        policy["issuers"]["test"]["verdict_window"] = json!(window);
        let denied = entries
            .iter()
            .map(|(kind, value, entry)| (RevocationKey::new(*kind, &iss, value).store_key(), entry.clone()));
        let stores = Stores {
            kv: Some(denied.chain([("policy".to_owned(), policy.to_string())]).collect()),
            signing_keys: Some(signing_keys()),
            backends: [("echo", echo.address), ("issuer", issuer.address)]
                .map(|(name, address)| (name.to_owned(), address.to_string()))
                .to_vec(),
            ..Stores::default()
        };
        Self { edge: Edge::start(listener, &stores), echo, iss, _issuer: issuer }
    }

    fn call(&self, parts: &Value) -> Reply {
        let mut claims = claims(&self.iss, "user-1", "");
        claims.as_object_mut().unwrap().extend(parts.as_object().cloned().unwrap());
        let token = sign(&header(), &claims);
        let request = format!(
            "GET /echo/x HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {token}\r\nconnection: close\r\n\r\n"
        );
        exchange(self.edge.address, request.as_bytes()).unwrap()
    }

    fn verdict(&self, parts: &Value) -> String {
        let reply = self.call(parts);
        self.edge.log_of(reply.header("x-request-id").unwrap())["verdict"].as_str().unwrap().to_owned()
    }
}

fn entry(until: u64, not_before: Option<u64>) -> String {
    Entry { until: UnixTime::from_seconds(until), not_before: not_before.map(UnixTime::from_seconds) }.to_json()
}

#[test]
fn a_revoked_token_session_or_subject_is_refused() {
    let gate = Gate::start(
        &[
            (RevocationClaim::Token, "t-1", entry(now() + 600, None)),
            (RevocationClaim::Session, "s-1", entry(now() + 600, None)),
            (RevocationClaim::Subject, "bob", entry(now() + 600, Some(now()))),
            (RevocationClaim::Token, "t-2", "not an entry".to_owned()),
            (RevocationClaim::Token, "t-9", "longer than an entry is read ".repeat(100)),
        ],
        30,
    );
    for _ in 0..3 {
        for (parts, verdict) in [
            (json!({ "jti": "t-0", "sid": "s-0" }), "forwarded"),
            (json!({ "jti": "t-1" }), "token-revoked"),
            (json!({ "jti": "t-2" }), "token-revoked"),
            (json!({ "jti": "t-9" }), "deny-list-unavailable"),
            (json!({ "jti": "t-3", "sid": "s-1" }), "token-revoked"),
            (json!({ "jti": "s-1", "sid": "t-1" }), "forwarded"),
            (json!({ "sub": "bob", "iat": now() - 60 }), "token-revoked"),
            (json!({ "sub": "bob", "iat": now() + 5 }), "forwarded"),
        ] {
            assert_eq!(gate.verdict(&parts), verdict, "{parts}");
        }
    }
    assert_eq!(gate.echo.everything().len(), 9, "no refused request reached the origin");
    let reply = gate.call(&json!({ "jti": "t-9" }));
    assert_eq!(
        (reply.status, reply.problem().as_str()),
        (503, "unavailable"),
        "an unreadable entry does not admit the token"
    );
    let reply = gate.call(&json!({ "jti": "t-1" }));
    assert_eq!(
        (reply.status, reply.problem().as_str()),
        (401, "invalid-token"),
        "the response is the same as for any bad token"
    );
}

#[test]
fn a_cached_entry_ends_to_the_second() {
    // A busy machine may need longer for the first request than the entry lasts. The test then repeats with a longer
    // one.
    for seconds in [8, 20, 60] {
        let until = now() + seconds;
        let gate = Gate::start(&[(RevocationClaim::Token, "t-1", entry(until, None))], 300);
        let token = json!({ "jti": "t-1", "iat": now(), "exp": now() + 300 });
        let before = gate.verdict(&token);
        if now() >= until {
            continue;
        }
        assert_eq!(before, "token-revoked");
        while now() <= until {
            sleep(Duration::from_millis(500));
        }
        assert_eq!(gate.verdict(&token), "forwarded");
        return;
    }
    panic!("the machine is too busy for this test");
}

#[test]
fn without_a_window_the_store_is_read_for_every_request() {
    let gate = Gate::start(&[(RevocationClaim::Token, "t-1", entry(now() + 600, None))], 0);
    for _ in 0..5 {
        assert_eq!(gate.verdict(&json!({ "jti": "t-1" })), "token-revoked");
        assert_eq!(gate.verdict(&json!({ "jti": "t-2" })), "forwarded");
    }
}
