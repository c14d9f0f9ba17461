//! The digest of a body: present if the route requires it, and over the forwarded bytes. No other body is read.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fastgate::headers::IDENTITY;
use fastgate::policy::{MAX_SIGNED_BODY, Policy};
use serde_json::json;

use crate::offline::fakes::FakeBody;
use crate::offline::{Outcome, policy_of, request};
use crate::samples::policy_document;
use crate::samples::sign::{good, payload_of};

fn signing_bodies(max_body: Option<u64>) -> Policy {
    let mut document = policy_document();
    let accepts = max_body.map_or_else(|| json!({}), |most| json!({ "max_body": most }));
    let route = json!({
        "id": "pay", "path": "/pay", "methods": ["POST"], "origin": "app", "sign_body": true, "accepts": accepts
    });
    document["routes"].as_array_mut().unwrap().push(route);
    policy_of(&document)
}

fn paid(policy: Policy, body: FakeBody) -> (Outcome, Vec<u64>) {
    let request = request("POST", "/pay").bearer(&good()).field("content-digest", "sha-256=:bGllcw==:");
    request.decide_with_body(policy, body)
}

#[test]
fn a_route_that_signs_bodies_binds_the_digest_into_the_header() {
    for bytes in [&b""[..], b"{\"amount\":1}", &[0xff, 0x00]] {
        let (outcome, read) = paid(signing_bodies(None), FakeBody::of(bytes));
        let expected = format!("sha-256=:{}:", STANDARD.encode(hmac_sha256::Hash::hash(bytes)));
        let claims = payload_of(&outcome.sent(IDENTITY).concat());
        assert_eq!(claims["tctx"]["content_digest"], expected);
        assert_eq!(outcome.sent("content-digest"), [expected], "the client's own digest is replaced");
        assert_eq!(read, [MAX_SIGNED_BODY]);
    }
}

#[test]
fn a_body_is_read_only_if_the_route_signs_bodies() {
    let request = request("PUT", "/orders/7").bearer(&good());
    let (outcome, read) =
        request.field("content-digest", "sha-256=:x:").decide_with_body(signing_bodies(None), FakeBody::broken());
    assert!(payload_of(&outcome.sent(IDENTITY).concat())["tctx"].get("content_digest").is_none());
    assert_eq!(outcome.sent("content-digest"), ["sha-256=:x:"], "the field is end-to-end and is forwarded unchanged");
    assert!(read.is_empty());
}

#[test]
fn the_body_of_a_refused_caller_is_not_read() {
    let (outcome, read) = request("POST", "/pay").decide_with_body(signing_bodies(None), FakeBody::of(b"x"));
    assert_eq!((outcome.problem().status(), read.len()), (401, 0));
}

#[test]
fn a_body_that_cannot_be_signed_is_refused() {
    let (too_long, _) = paid(signing_bodies(Some(3)), FakeBody::of(b"four"));
    assert_eq!((too_long.problem().status(), too_long.trail.verdict), (413, "body-grew-too-long"));
    let (fits, _) = paid(signing_bodies(Some(4)), FakeBody::of(b"four"));
    assert_eq!(fits.trail.verdict, "forwarded");
    let (broken, _) = paid(signing_bodies(None), FakeBody::broken());
    assert_eq!((broken.problem().status(), broken.trail.verdict), (400, "body-unreadable"));
}

#[test]
fn a_limit_for_signed_bodies_must_fit_the_memory() {
    let mut document = policy_document();
    let route = |most| {
        json!({
            "id": "pay", "path": "/pay", "methods": ["POST"], "origin": "app", "sign_body": true,
            "accepts": { "max_body": most }
        })
    };
    document["routes"] = json!([route(MAX_SIGNED_BODY)]);
    assert!(Policy::parse(document.to_string().as_bytes()).is_ok());
    document["routes"] = json!([route(MAX_SIGNED_BODY + 1)]);
    let faults = Policy::parse(document.to_string().as_bytes()).unwrap_err().to_string();
    assert!(faults.contains("$.routes[0].accepts.max_body"), "{faults}");
}
