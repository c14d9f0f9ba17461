//! The parts of a grant besides the identity header, and the maximum length of the forwarded head.

mod algorithms;
mod contract;
mod forward;
mod key_record;
mod rotation;
mod vectors;

use fastgate::headers::IDENTITY;
use fastgate::mint::{
    MAX_FORWARDED_HEAD_BYTES, MAX_IDENTITY_BYTES, Minter, SigningKeys, SigningKeysError, new_signing_keys,
};
use serde_json::{Value, json};

use crate::offline::fakes::FakeKeys;
use crate::offline::{Gate, Outcome, get, handshake, policy_of};
use crate::samples::sign::{claims, edge_keys, header, public, token, with};
use crate::samples::{policy, policy_document};

fn verdict(outcome: &Outcome) -> &str {
    outcome.trail.verdict
}

#[test]
fn an_identity_header_is_at_most_as_long_as_origins_accept() {
    let sent = |more: usize| {
        let scopes: Vec<_> = (0..more / 100).map(|_| "s".repeat(99)).chain(["s".repeat(more % 100 + 1)]).collect();
        let named = with(&claims(), "scope", scopes.iter().enumerate().map(unlike).collect::<Vec<_>>().join(" "));
        let outcome = get("/me").bearer(&token(&header(), &named)).decide_with(wide(), FakeKeys::of_both());
        let length = (verdict(&outcome) == "forwarded").then(|| outcome.sent(IDENTITY).concat().len());
        (verdict(&outcome).to_owned(), length)
    };
    let (_, shortest) = sent(0);
    // Base64 encodes three bytes as four characters: one more byte is one or two more characters.
    let missing = (MAX_IDENTITY_BYTES - shortest.unwrap()) / 4 * 3;
    let longest: Vec<_> = (missing - 9..missing + 6).map(sent).collect();
    assert_eq!(longest.iter().filter_map(|(_, length)| *length).max(), Some(MAX_IDENTITY_BYTES), "{longest:?}");
    assert_eq!(longest.last().unwrap().0, "identity-too-long");
}

/// A different scope of the same length, so that no two are equal.
fn unlike((index, scope): (usize, &String)) -> String {
    let number = format!("{index:03}");
    if scope.len() < number.len() { scope.clone() } else { number.clone() + &scope[number.len()..] }
}

/// The policy of all tests, with the longest permitted tokens.
fn wide() -> fastgate::policy::Policy {
    let mut document = policy_document();
    document["edge"]["max_token"] = json!(16_384);
    policy_of(&document)
}

#[test]
fn a_head_is_at_most_as_long_as_servers_accept() {
    let padded = |bytes: usize| get("/pub/x?a=b").field("x-pad", "p".repeat(bytes)).decide();
    let head = |outcome: &Outcome| {
        let grant = outcome.grant();
        let fields: usize = grant.headers().iter().map(|(name, value)| name.len() + ": \r\n".len() + value.len()).sum();
        format!("{} {} HTTP/1.1\r\n\r\n", grant.method(), grant.path_and_query()).len() + fields
    };
    let most = MAX_FORWARDED_HEAD_BYTES - head(&padded(0));
    assert_eq!(head(&padded(most)), MAX_FORWARDED_HEAD_BYTES);
    assert_eq!(verdict(&padded(most + 1)), "head-too-long");
}

#[test]
fn a_grant_has_the_body_limit_and_the_kind_of_the_request() {
    let mut document = policy_document();
    let pay = json!({ "id": "pay", "path": "/pay", "methods": ["POST"], "origin": "app", "access": "public" });
    let accepts = json!({ "max_body": 7 });
    let live = json!({ "id": "live", "path": "/live", "methods": ["GET"], "origin": "app", "access": "public" });
    let routes = document["routes"].as_array_mut().unwrap();
    routes.push(with(&pay, "accepts", accepts));
    routes.push(with(&live, "websocket", true));
    let paid = crate::offline::request("POST", "/pay").decide_with(policy_of(&document), FakeKeys::of_both());
    assert_eq!((paid.grant().max_body(), paid.grant().opens_websocket()), (Some(7), false));
    let page = get("/pub/x").decide_with(policy(), FakeKeys::of_both());
    assert_eq!((page.grant().max_body(), page.grant().opens_websocket()), (None, false));
    let socket = handshake("/live").decide_with(policy_of(&document), FakeKeys::of_both());
    assert!(socket.grant().opens_websocket());
}

/// Two keys with one id would make every origin refuse the published set.
#[test]
fn a_key_that_is_in_the_set_twice_is_refused() {
    for (again, index) in [(0, 4), (3, 4)] {
        let mut keys = edge_keys();
        let key = keys["keys"][again].clone();
        keys["keys"].as_array_mut().unwrap().push(key);
        let error = SigningKeys::parse(keys.to_string().as_bytes()).unwrap_err();
        assert_eq!(error, SigningKeysError::Repeated { index });
    }
}

#[test]
fn a_key_pair_with_half_of_another_key_signs_nothing() {
    let others: Value = serde_json::from_str(&new_signing_keys().0).unwrap();
    for (key, other) in [(0, 0), (1, 0), (2, 1), (3, 1)] {
        let mut keys = edge_keys();
        assert_eq!(keys["keys"][key]["crv"], others["keys"][other]["crv"]);
        keys["keys"][key]["x"] = others["keys"][other]["x"].clone();
        keys["keys"][key]["kid"] = others["keys"][other]["kid"].clone();
        let publishes = |keys: &Value| {
            SigningKeys::parse(keys.to_string().as_bytes()).map(|keys| Minter::new(keys, []).published_keys().is_ok())
        };
        assert_eq!(publishes(&keys), Ok(false), "{key}");
        assert_eq!(publishes(&edge_keys()), Ok(true));
        let sent = |key: Option<&str>| {
            let mut document = policy_document();
            document["origins"]["app"]["key"] = key.map_or(Value::Null, public);
            Gate::with_signing_keys(policy_of(&document), FakeKeys::of_both(), &keys.to_string()).send(get("/pub/x"))
        };
        let signing = sent(None);
        let exchange = sent(Some("app-exchange"));
        assert_eq!(verdict(&signing), if key == 0 { "signing-failed" } else { "forwarded" });
        assert_eq!(verdict(&exchange), if key == 2 { "signing-failed" } else { "forwarded" });
    }
}
