//! The digest of a body: there where a route wants it, over the bytes that are forwarded, and nobody else's body is read.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fastgate::content::{Body, ContentError};
use fastgate::headers::IDENTITY;
use fastgate::policy::{MAX_SIGNED_BODY, Policy};
use serde_json::json;

use crate::support::sign::{good, payload_of};
use crate::support::{Keys, Pipeline, policy_document, policy_of, request};

/// A body of these bytes, if it can be read; counts how often it was.
struct Sent(Result<&'static [u8], ContentError>, Vec<u64>);

impl Body for Sent {
    fn sha256(&mut self, most: u64) -> Result<[u8; 32], ContentError> {
        self.1.push(most);
        let bytes = self.0?;
        if bytes.len() as u64 > most { Err(ContentError::TooLong { most }) } else { Ok(hmac_sha256::Hash::hash(bytes)) }
    }

    fn hold(&mut self, most: u64) -> Result<(), ContentError> {
        self.sha256(most).map(drop)
    }
}

fn signing_bodies(max_body: Option<u64>) -> Policy {
    let mut document = policy_document();
    let accepts = max_body.map_or_else(|| json!({}), |most| json!({ "max_body": most }));
    let route = json!({
        "id": "pay", "path": "/pay", "methods": ["POST"], "origin": "app", "sign_body": true, "accepts": accepts
    });
    document["routes"].as_array_mut().unwrap().push(route);
    policy_of(&document)
}

fn paid(policy: Policy, body: &mut Sent) -> Pipeline {
    let request = request("POST", "/pay").bearer(&good()).field("content-digest", "sha-256=:bGllcw==:");
    request.walk_with_body(policy, Keys::of_both(), body)
}

#[test]
fn where_a_route_signs_bodies_the_header_binds_this_one_and_the_origin_sees_its_digest() {
    for bytes in [&b""[..], b"{\"amount\":1}", &[0xff, 0x00]] {
        let mut body = Sent(Ok(bytes), Vec::new());
        let walk = paid(signing_bodies(None), &mut body);
        let expected = format!("sha-256=:{}:", STANDARD.encode(hmac_sha256::Hash::hash(bytes)));
        let claims = payload_of(&walk.sent(IDENTITY).concat());
        assert_eq!(claims["tctx"]["content_digest"], expected);
        assert_eq!(walk.sent("content-digest"), [expected], "the client's own digest does not stay beside it");
        assert_eq!(body.1, [MAX_SIGNED_BODY]);
    }
}

#[test]
fn a_body_that_is_not_to_be_signed_is_not_read() {
    let mut body = Sent(Err(ContentError::Unreadable), Vec::new());
    let request = request("PUT", "/orders/7").bearer(&good());
    let walk =
        request.field("content-digest", "sha-256=:x:").walk_with_body(signing_bodies(None), Keys::of_both(), &mut body);
    assert!(payload_of(&walk.sent(IDENTITY).concat())["tctx"].get("content_digest").is_none());
    assert_eq!(walk.sent("content-digest"), ["sha-256=:x:"], "it is end-to-end and nobody's business");
    assert!(body.1.is_empty());
}

#[test]
fn a_caller_who_is_refused_has_no_body_read() {
    let mut body = Sent(Ok(b"x"), Vec::new());
    let walk = request("POST", "/pay").walk_with_body(signing_bodies(None), Keys::of_both(), &mut body);
    assert_eq!((walk.problem().status(), body.1.len()), (401, 0));
}

#[test]
fn a_body_that_cannot_be_signed_is_refused() {
    let too_long = paid(signing_bodies(Some(3)), &mut Sent(Ok(b"four"), Vec::new()));
    assert_eq!((too_long.problem().status(), too_long.trail.verdict), (413, "body-grew-too-long"));
    let fits = paid(signing_bodies(Some(4)), &mut Sent(Ok(b"four"), Vec::new()));
    assert_eq!(fits.trail.verdict, "forwarded");
    let broken = paid(signing_bodies(None), &mut Sent(Err(ContentError::Unreadable), Vec::new()));
    assert_eq!((broken.problem().status(), broken.trail.verdict), (400, "body-unreadable"));
}

#[test]
fn more_than_fits_the_memory_is_no_limit_for_a_body_that_is_signed() {
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
