//! Section H of `docs/attacks.md`: the life of a key set. The issuer really produces the faults over a socket.
//! `docs/reference/jwks-faults.md` holds the outcomes: a test writes it if `FASTGATE_WRITE_DOCS` is set, and compares
//! it otherwise.

mod faults;
mod issuer;
mod roles;

use std::collections::BTreeMap;
use std::sync::LazyLock;
use std::thread::{scope, sleep};
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::edge::{Edge, Listener, Stores};
use crate::support::http::{Reply, exchange};
use crate::support::origin::{Origin, response};
use crate::support::tokens::{claims, header, jwks, now, sign};
use crate::support::world::{keys_note, policy, signing_keys};
use issuer::Issuer;

/// An edge that trusts these issuers, each under the given id, with these settings for the life of their keys.
pub(crate) fn edge(issuers: &[(&str, &Issuer)], life: &Value, kv: &[(&str, String, String)]) -> (Edge, Origin) {
    edge_with(issuers, life, |policy, stores| {
        let values = stores.kv.as_mut().unwrap();
        values.extend(kv.iter().map(|(key, value, _)| ((*key).to_owned(), value.clone())));
        let notes = kv.iter().filter(|(_, _, note)| !note.is_empty());
        stores.kv_notes = notes.map(|(key, _, note)| ((*key).to_owned(), completed(policy, key, note))).collect();
    })
}

/// The same with other changes of the policy and the stores; the policy is put into the KV store after them.
pub(crate) fn edge_with(
    issuers: &[(&str, &Issuer)],
    life: &Value,
    change: impl FnOnce(&mut Value, &mut Stores),
) -> (Edge, Origin) {
    let echo = Origin::responding(response("200 OK", &[], "{}"));
    let listener = Listener::bind();
    let mut policy = policy(listener.address(), "http://127.0.0.1:1");
    policy["issuers"] = json!({});
    let mut backends = vec![("echo".to_owned(), echo.address.to_string())];
    for (id, issuer) in issuers {
        policy["issuers"][id] = json!({
            "issuer": issuer.iss(), "backend": id, "audiences": ["https://api.test"], "key_life": life,
        });
        backends.push(((*id).to_owned(), issuer.address.to_string()));
    }
    let mut stores = Stores { kv: Some(Vec::new()), signing_keys: Some(signing_keys()), backends, ..Stores::default() };
    change(&mut policy, &mut stores);
    stores.kv.iter_mut().for_each(|kv| kv.push(("policy".to_owned(), policy.to_string())));
    (Edge::start(listener, &stores), echo)
}

/// `note` (when a set was fetched and how long it is fresh) with the digest to which the set belongs.
fn completed(policy: &Value, key: &str, note: &str) -> String {
    let (at, fresh) = note.split_once(' ').unwrap();
    keys_note(policy, key.strip_prefix("jwks/").unwrap(), at.parse().unwrap(), fresh.parse().unwrap())
}

fn token(issuer: &Issuer, kid: &str) -> String {
    let mut header = header();
    header["kid"] = json!(kid);
    sign(&header, &claims(&issuer.iss(), "user-1", ""))
}

/// The same token, issued `age` seconds ago.
fn aged_token(issuer: &Issuer, kid: &str, age: u64) -> String {
    let (mut header, mut claims) = (header(), claims(&issuer.iss(), "user-1", ""));
    header["kid"] = json!(kid);
    claims["iat"] = json!(now() - age);
    sign(&header, &claims)
}

fn call(edge: &Edge, token: &str) -> Reply {
    let request = format!(
        "GET /echo/x HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {token}\r\nconnection: close\r\n\r\n"
    );
    exchange(edge.address, request.as_bytes()).unwrap()
}

fn good(edge: &Edge, issuer: &Issuer) -> Reply {
    call(edge, &token(issuer, "test-key"))
}

/// The `keys` member of the log line of a response.
fn keys_of(edge: &Edge, reply: &Reply) -> Value {
    edge.log_of(reply.header("x-request-id").unwrap())["keys"].clone()
}

/// Damaged key sets in a store, by the issuer's id.
const DAMAGED: [(&str, &str); 4] = [
    ("empty", ""),
    ("page", "<html>"),
    ("no-keys", "{\"keys\":[]}"),
    ("symmetric", "{\"keys\":[{\"kty\":\"oct\",\"k\":\"AAAA\"}]}"),
];

/// The `Content-Type` of the documents of an issuer, by its id.
const CONTENT_TYPES: [(&str, Option<&str>); 6] = [
    ("page", Some("text/html; charset=iso-8859-1")),
    ("set", Some("application/jwk-set+json")),
    ("bytes", Some("application/octet-stream")),
    ("image", Some("image/png")),
    ("nonsense", Some("\"")),
    ("untyped", None),
];

/// An edge and an issuer, for the tests that need only one issuer.
static SHARED: LazyLock<Shared> = LazyLock::new(|| {
    let ids = ["idle", "old", "one", "two", "odd"].into_iter().chain(DAMAGED.map(|(id, _)| id));
    let issuers: BTreeMap<&str, Issuer> = ids.map(|id| (id, Issuer::healthy())).collect();
    let damaged = DAMAGED.map(|(id, text)| (format!("jwks/{id}"), text.to_owned(), format!("{} 600", now())));
    let old = ("jwks/old".to_owned(), jwks(), format!("{} 600", now() - 86_401));
    let kv: Vec<_> =
        damaged.iter().chain([&old]).map(|(key, set, note)| (key.as_str(), set.clone(), note.clone())).collect();
    let list: Vec<_> = issuers.iter().map(|(id, issuer)| (*id, issuer)).collect();
    let (edge, _) = edge(&list, &json!({}), &kv);
    Shared { edge, issuers }
});

struct Shared {
    edge: Edge,
    issuers: BTreeMap<&'static str, Issuer>,
}

impl Shared {
    fn with(id: &str) -> (&'static Edge, &'static Issuer) {
        (&SHARED.edge, &SHARED.issuers[id])
    }
}

/// The requests to a healthy issuer for one key set.
const FETCH: [&str; 2] = ["/.well-known/openid-configuration", "/jwks"];

#[test]
fn a_thousand_cold_requests_make_one_fetch() {
    let issuer = Issuer::healthy();
    issuer.slow_by(Duration::from_millis(300));
    let (edge, _echo) = edge(&[("test", &issuer)], &json!({}), &[]);
    let token = token(&issuer, "test-key");
    let statuses: Vec<u16> = scope(|scope| {
        let callers: Vec<_> =
            (0..50).map(|_| scope.spawn(|| (0..20).map(|_| call(&edge, &token).status).collect::<Vec<_>>())).collect();
        callers.into_iter().flat_map(|caller| caller.join().unwrap()).collect()
    });
    assert_eq!(statuses, [200; 1000]);
    assert_eq!(issuer.requests(), FETCH);
}

#[test]
fn a_new_key_is_found_by_one_fetch_and_then_known() {
    let issuer = Issuer::healthy();
    let (edge, _echo) = edge(&[("test", &issuer)], &json!({ "cool_down": 1 }), &[]);
    let former = aged_token(&issuer, "test-key", 600);
    assert_eq!(call(&edge, &former).status, 200);
    sleep(Duration::from_millis(1200));
    issuer.serve(&jwks().replace("test-key", "next-key"));
    assert_eq!(
        call(&edge, &token(&issuer, "next-key")).status,
        200,
        "the first token with the new key is accepted at once"
    );
    for _ in 0..20 {
        assert_eq!(call(&edge, &token(&issuer, "next-key")).status, 200);
    }
    assert_eq!(issuer.requests().len(), 2 * FETCH.len());
    assert_eq!(
        call(&edge, &former).status,
        401,
        "the key that is gone opens nothing, though its token was seen before"
    );
}

#[test]
fn a_flood_of_unknown_keys_causes_one_fetch_per_cool_down_and_no_refusals() {
    let issuer = Issuer::healthy();
    let (edge, echo) = edge(&[("test", &issuer)], &json!({ "cool_down": 3600 }), &[]);
    assert_eq!(good(&edge, &issuer).status, 200);
    let flooding = 8;
    scope(|scope| {
        for caller in 0..flooding {
            let (edge, issuer) = (&edge, &issuer);
            scope.spawn(move || {
                for number in 0..10_000 / flooding {
                    // A key may have been published between the fetch and the time at which a token was issued. That is
                    // not possible for an older token.
                    let (age, status) = if number % 2 == 0 { (600, 401) } else { (0, 503) };
                    let token = aged_token(issuer, &format!("unknown-{caller}-{number}"), age);
                    assert_eq!(call(edge, &token).status, status);
                }
            });
        }
        for _ in 0..200 {
            assert_eq!(good(&edge, &issuer).status, 200);
        }
    });
    assert_eq!(issuer.requests(), FETCH, "the cool-down that the first fetch began is not over");
    assert_eq!(echo.everything().len(), 201);
}

#[test]
fn a_token_that_fails_a_cheaper_check_never_causes_a_fetch() {
    let (edge, issuer) = Shared::with("idle");
    for (member, value) in [("exp", json!(1)), ("aud", json!("other")), ("iat", json!(now() + 900)), ("sub", json!(1))]
    {
        let mut claims = claims(&issuer.iss(), "user-1", "");
        claims[member] = value;
        assert_eq!(call(edge, &sign(&header(), &claims)).status, 401);
    }
    let mut alien = header();
    alien["alg"] = json!("none");
    assert_eq!(call(edge, &sign(&alien, &claims(&issuer.iss(), "user-1", ""))).status, 401);
    assert!(issuer.requests().is_empty());
}

#[test]
fn an_outage_of_an_hour_has_no_effect_while_the_store_holds_keys() {
    let issuer = Issuer::healthy();
    issuer.fail_with(faults::Fault::Refuses);
    let note = format!("{} 600", now() - 3600);
    let (edge, echo) = edge(&[("test", &issuer)], &json!({}), &[("jwks/test", jwks(), note)]);
    scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| (0..25).for_each(|_| assert_eq!(good(&edge, &issuer).status, 200)));
        }
    });
    assert_eq!(echo.everything().len(), 200);
    let keys = keys_of(&edge, &good(&edge, &issuer));
    assert_eq!(keys["state"], "stale");
    assert!(keys["age"].as_u64().unwrap() >= 3600, "{keys}");
}

#[test]
fn keys_older_than_max_stale_are_not_used() {
    let (edge, issuer) = Shared::with("old");
    issuer.fail_with(faults::Fault::Refuses);
    assert_eq!(good(edge, issuer).status, 503);
}

#[test]
fn a_damaged_set_in_a_store_is_fetched_anew() {
    for (id, damaged) in DAMAGED {
        let (edge, issuer) = Shared::with(id);
        let reply = good(edge, issuer);
        assert_eq!((reply.status, keys_of(edge, &reply)["from"].clone()), (200, json!("issuer")), "{damaged}");
    }
}

#[test]
fn keys_are_used_whatever_their_content_type() {
    let issuers = CONTENT_TYPES.map(|(id, content_type)| {
        let issuer = Issuer::healthy();
        issuer.set_content_type(content_type);
        (id, issuer)
    });
    let list: Vec<_> = issuers.iter().map(|(id, issuer)| (*id, issuer)).collect();
    let (edge, echo) = edge(&list, &json!({}), &[]);
    for (id, issuer) in &issuers {
        let reply = good(&edge, issuer);
        assert_eq!((reply.status, keys_of(&edge, &reply)["from"].clone()), (200, json!("issuer")), "{id}");
        assert_eq!(issuer.requests(), FETCH, "{id}");
    }
    assert_eq!(echo.everything().len(), issuers.len());
}

#[test]
fn a_key_of_one_issuer_verifies_no_token_of_another() {
    let (edge, one) = Shared::with("one");
    let (_, two) = Shared::with("two");
    two.serve(r#"{"keys":[{"kty":"EC","crv":"P-256","kid":"test-key","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]}"#);
    assert_eq!(good(edge, one).status, 200);
    let reply = good(edge, two);
    assert_eq!(reply.status, 401, "the same kid, another issuer's key");
    assert_eq!(edge.log_of(reply.header("x-request-id").unwrap())["verdict"], "token-signature");
}

#[test]
fn an_unusable_key_among_good_ones_is_skipped_and_counted() {
    let (edge, issuer) = Shared::with("odd");
    let mut set: Value = serde_json::from_str(&jwks()).unwrap();
    set["keys"][0]["x5c"] = json!(["A".repeat(20_000)]);
    set["keys"][0]["x-unknown"] = json!({ "a": [1] });
    for odd in [
        json!({}),
        json!("x"),
        json!({"kty": "RSA"}),
        json!({"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}),
        json!({"kty": "OKP", "crv": "X25519", "x": "AA"}),
    ] {
        set["keys"].as_array_mut().unwrap().push(odd);
    }
    issuer.serve(&set.to_string());
    let reply = good(edge, issuer);
    assert_eq!((reply.status, keys_of(edge, &reply)["skipped"].clone()), (200, json!(5)));
}
