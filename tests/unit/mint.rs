//! The parts of a grant besides the identity header, and the maximum length of the forwarded head.

mod algorithms;
mod contract;
mod forward;
mod vectors;

use fastgate::headers::IDENTITY;
use fastgate::mint::{MAX_FORWARDED_HEAD_BYTES, MAX_IDENTITY_BYTES, Minter, SigningKeys};
use serde_json::{Value, json};

use crate::offline::fakes::FakeKeys;
use crate::offline::{Outcome, get, handshake, policy_of};
use crate::samples::sign::{claims, edge_keys, header, token, with};
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

#[test]
fn a_key_pair_with_half_a_coordinate_of_another_key_signs_nothing() {
    let others = edge_keys()["keys"][1].clone();
    for coordinate in ["x", "y"] {
        let mut keys = edge_keys();
        keys["keys"][0][coordinate] = others[coordinate].clone();
        let signs = |keys: &Value| {
            SigningKeys::parse(keys.to_string().as_bytes()).map(|keys| Minter::new(keys).published_keys().is_ok())
        };
        assert_ne!(signs(&keys), Ok(true), "{coordinate}");
        assert_eq!(signs(&edge_keys()), Ok(true));
    }
}
