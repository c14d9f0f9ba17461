//! The minted header, compared with every line of `docs/concepts/identity-header.md`.

use std::collections::{BTreeMap, BTreeSet};

use fastgate::gateway::Decision;
use fastgate::headers::IDENTITY;
use fastgate::mint::{SigningKeys, SigningKeysError, new_signing_keys};
use serde_json::{Value, json};

use crate::offline::fakes::FakeKeys;
use crate::offline::{Request, get, handshake, policy_of};
use crate::samples::policy_document;
use crate::samples::sign::{
    EDGE_KEYS, claims, decoded, edge_keys, encoded, good, header, payload_of, private, public, token, with, without,
};

const DOCUMENT: &str = include_str!("../../../docs/concepts/identity-header.md");

#[test]
fn the_minted_header_has_the_documented_members_and_no_other() {
    let minted = minted_header(&identity("/orders/1?x"));
    let documented = rows("## JOSE header");
    assert_eq!(
        names(&minted),
        documented.keys().cloned().collect(),
        "docs/concepts/identity-header.md and what is minted"
    );
    for (name, cells) in &documented {
        let fixed = cells[0].split('`').nth(1).unwrap_or_default(); // the first of several is the default
        if cells[0].starts_with('`') {
            assert_eq!(minted[name], fixed, "{name}");
        }
    }
    assert_eq!(minted["kid"], thumbprint(&public("edge-one")));
}

/// Claims that depend on the request: those of conditions of the route (tested in `rules`), of bound tokens (`proofs`),
/// of signed bodies (`content`), of shared responses (`caching`), of handshakes (below), of further claims of the token
/// (`forward`), and of an origin with regions (`backends`).
const WHERE_JUDGED: [&str; 19] = [
    "tctx.content_digest",
    "tctx.inference",
    "tctx.mcp",
    "tctx.shared",
    "tctx.websocket",
    "rctx.acr",
    "rctx.asn",
    "rctx.auth_time",
    "rctx.claims",
    "rctx.cnf",
    "rctx.connection",
    "rctx.continent",
    "rctx.groups",
    "rctx.proxy",
    "rctx.region",
    "rctx.roles",
    "rctx.sid",
    "rctx.subdivision",
    "rctx.tenant",
];

#[test]
fn the_minted_claims_are_the_documented_ones_with_the_documented_types() {
    let documented = rows("## Claims");
    let minted = payload_of(&identity("/orders/1?x"));
    let flat = flattened(&minted);
    let names: BTreeSet<_> = flat.keys().cloned().collect();
    assert_eq!(names, documented.keys().filter(|name| !WHERE_JUDGED.contains(&name.as_str())).cloned().collect());
    for (name, cells) in documented.iter().filter(|(name, _)| names.contains(*name)) {
        let (kind, value) = (&cells[0], &flat[name]);
        let right = if kind.starts_with("string") { value.is_string() } else { value.is_u64() };
        assert!(right, "{name} is documented as {kind} and is {value}");
    }
}

#[test]
fn the_documented_optional_claims_may_be_absent() {
    let documented = rows("## Claims");
    let optional: BTreeSet<_> =
        documented.iter().filter(|(_, cells)| cells[0].contains("absent")).map(|(name, _)| name.clone()).collect();
    let mut present = flattened(&payload_of(&identity("/orders/1?x"))).into_keys().collect::<BTreeSet<_>>();
    let mut request = get("/pub/x");
    request.client.country = None;
    let anonymous = request.decide();
    let least: BTreeSet<_> = flattened(&payload_of(&anonymous.sent(IDENTITY).concat())).into_keys().collect();
    present.retain(|name| !least.contains(name));
    let judged = WHERE_JUDGED.map(str::to_owned).into();
    assert_eq!(&present | &judged, optional);
}

#[test]
fn an_opening_handshake_differs_from_any_other_get_of_its_path() {
    let mut document = policy_document();
    let routes = document["routes"].as_array_mut().unwrap();
    let live = json!({ "id": "live", "path": "/live", "methods": ["GET"], "origin": "app", "access": "public" });
    routes.push(with(&with(&live, "websocket", true), "id", "live-socket"));
    routes.push(live);
    let tctx = |request: Request| {
        let outcome = request.decide_with(policy_of(&document), FakeKeys::of_both());
        payload_of(&outcome.sent(IDENTITY).concat())["tctx"].clone()
    };
    let (socket, page) = (tctx(handshake("/live")), tctx(get("/live")));
    assert_eq!((&socket["route"], &socket["websocket"]), (&json!("live-socket"), &json!(true)));
    assert_eq!((&page["route"], page.get("websocket")), (&json!("live"), None));
}

#[test]
fn an_identity_header_lives_at_most_a_minute() {
    for lifetime in [1, 30, 60] {
        let mut document = policy_document();
        document["edge"]["identity_lifetime"] = json!(lifetime);
        let outcome = get("/me").bearer(&good()).decide_with(policy_of(&document), FakeKeys::of_both());
        let claims = payload_of(&outcome.sent(IDENTITY).concat());
        let [iat, exp] = ["iat", "exp"].map(|name| claims[name].as_u64().unwrap());
        assert_eq!(exp - iat, lifetime);
        assert!(exp - iat <= 60);
    }
}

#[test]
fn a_callers_claims_cannot_replace_the_edges_own() {
    let loud = ["txn", "tctx", "rctx", "route", "path", "country", "jti", "groups", "email"]
        .iter()
        .fold(claims(), |claims, name| with(&claims, name, "s3cret"));
    let minted = |claims| payload_of(&get("/me").bearer(&token(&header(), claims)).decide().sent(IDENTITY).concat());
    assert_eq!(minted(&loud), minted(&claims()));
}

#[test]
fn all_keys_are_published_with_their_ids_and_without_private_parts() {
    let Decision::Publish(published) = get("/.well-known/fastgate/jwks.json").decide().decision else { panic!() };
    let published: Value = serde_json::from_str(&published.body).unwrap();
    assert_eq!(names(&published), ["keys".to_owned()].into());
    let keys = published["keys"].as_array().unwrap();
    assert_eq!(keys.len(), 4);
    for (key, kid) in keys.iter().zip(EDGE_KEYS) {
        let ours = public(kid);
        let mut expected = json!({ "kty": "OKP", "crv": ours["crv"], "x": ours["x"], "kid": thumbprint(&ours) });
        if kid.contains("exchange") {
            expected["use"] = json!("enc");
        } else {
            expected = with(&with(&expected, "use", "sig"), "alg", "EdDSA");
        }
        assert_eq!(*key, expected);
        let secret = private(kid)["d"].as_str().unwrap().to_owned();
        assert!(!published.to_string().contains(&secret));
    }
}

#[test]
fn new_keys_are_usable_and_their_public_half_is_published() {
    let (private, public) = new_signing_keys();
    assert_ne!(private, new_signing_keys().0);
    assert!(SigningKeys::parse(private.as_bytes()).is_ok());
    let (private, public): (Value, Value) =
        (serde_json::from_str(&private).unwrap(), serde_json::from_str(&public).unwrap());
    for (index, curve) in ["Ed25519", "X25519"].into_iter().enumerate() {
        let half = &public["keys"][index];
        assert!(half.get("d").is_none());
        assert_eq!((&half["crv"], &half["kid"]), (&json!(curve), &json!(thumbprint(half))));
        assert_eq!(*half, without(&private["keys"][index], "d"));
    }
    assert_eq!((public["keys"].as_array().unwrap().len(), private["keys"].as_array().unwrap().len()), (2, 2));
}

#[test]
fn unusable_signing_keys_are_refused_by_position_and_never_printed() {
    use SigningKeysError::{Empty, Malformed, NoSigningKey, Unusable};
    let (one, two, exchange) = (private("edge-one"), private("edge-two"), private("edge-exchange-one"));
    let text = |name: &str| one[name].as_str().unwrap().to_owned();
    for (keys, expected) in [
        (json!({}), Malformed),
        (json!({ "keys": {} }), Malformed),
        (json!([one]), Malformed),
        (json!({ "keys": [] }), Empty),
        (json!({ "keys": [public("edge-one")] }), Unusable { index: 0 }),
        (json!({ "keys": [one, public("edge-two")] }), Unusable { index: 1 }),
        (json!({ "keys": [one, with(&two, "d", one["d"].clone())] }), Unusable { index: 1 }),
        (json!({ "keys": [exchange] }), NoSigningKey),
        (json!({ "keys": [one, with(&exchange, "d", one["d"].clone())] }), Unusable { index: 1 }),
        (json!({ "keys": [one, with(&exchange, "use", "sig")] }), Unusable { index: 1 }),
        (json!({ "keys": [one, with(&exchange, "alg", "EdDSA")] }), Unusable { index: 1 }),
        (json!({ "keys": [one, with(&exchange, "crv", "X448")] }), Unusable { index: 1 }),
        (json!({ "keys": [one, with(&exchange, "crv", "Ed25519")] }), Unusable { index: 1 }),
        (json!({ "keys": [one, private("alpha-ec")] }), Unusable { index: 1 }),
        (json!({ "keys": [with(&one, "crv", "X25519")] }), Unusable { index: 0 }),
        (json!({ "keys": [with(&one, "crv", "Ed448")] }), Unusable { index: 0 }),
        (json!({ "keys": [with(&one, "kty", "EC")] }), Unusable { index: 0 }),
        (json!({ "keys": [with(&one, "use", "enc")] }), Unusable { index: 0 }),
        (json!({ "keys": [with(&one, "use", 1)] }), Unusable { index: 0 }),
        (json!({ "keys": [with(&one, "alg", "Ed25519")] }), Unusable { index: 0 }),
        (json!({ "keys": [with(&one, "kid", "edge-one")] }), Unusable { index: 0 }),
        (json!({ "keys": [with(&one, "d", text("d") + "=")] }), Unusable { index: 0 }),
        (json!({ "keys": [with(&one, "d", text("d") + "AA")] }), Unusable { index: 0 }),
        (json!({ "keys": [with(&one, "x", &text("x")[..42])] }), Unusable { index: 0 }),
        (json!({ "keys": [with(&one, "x", not_canonical(&text("x")))] }), Unusable { index: 0 }),
        (json!({ "keys": [without(&one, "d")] }), Unusable { index: 0 }),
        (json!({ "keys": [private("alpha-rsa")] }), Unusable { index: 0 }),
        (json!({ "keys": [with(&one, "alg", "ES256")] }), Unusable { index: 0 }),
        (json!({ "keys": [1] }), Unusable { index: 0 }),
    ] {
        let error = SigningKeys::parse(keys.to_string().as_bytes()).and_then(SigningKeys::checked).unwrap_err();
        assert_eq!(error, expected);
        assert!(!format!("{error} {error:?}").contains(one["d"].as_str().unwrap()));
    }
    for text in ["", "null", "{\"keys\":[],\"keys\":[]}"] {
        assert_eq!(SigningKeys::parse(text.as_bytes()).err(), Some(Malformed), "{text}");
    }
    let keys = SigningKeys::parse(edge_keys().to_string().as_bytes()).unwrap();
    assert_eq!(format!("{keys:?}"), "SigningKeys([redacted])");
}

/// The same octets in base64url, with bits set after the last one.
fn not_canonical(text: &str) -> String {
    let (last, following) =
        [("A", "B"), ("E", "F"), ("I", "J"), ("M", "N"), ("Q", "R"), ("U", "V"), ("Y", "Z"), ("c", "d")]
            .into_iter()
            .chain([("g", "h"), ("k", "l"), ("o", "p"), ("s", "t"), ("w", "x"), ("0", "1"), ("4", "5"), ("8", "9")])
            .find(|(last, _)| text.ends_with(last))
            .unwrap();
    text.strip_suffix(last).unwrap().to_owned() + following
}

fn identity(target: &str) -> String {
    get(target).bearer(&good()).decide().sent(IDENTITY).concat()
}

fn minted_header(identity: &str) -> Value {
    serde_json::from_slice(&decoded(identity.split('.').next().unwrap())).unwrap()
}

fn names(object: &Value) -> BTreeSet<String> {
    object.as_object().unwrap().keys().cloned().collect()
}

/// `{"a": {"b": 1}}` as `a.b`.
fn flattened(claims: &Value) -> BTreeMap<String, Value> {
    let mut flat = BTreeMap::new();
    for (name, value) in claims.as_object().unwrap() {
        match value.as_object() {
            Some(inner) => flat.extend(inner.iter().map(|(below, value)| (format!("{name}.{below}"), value.clone()))),
            None => drop(flat.insert(name.clone(), value.clone())),
        }
    }
    flat
}

/// The table under a heading: the first column (several names are separated by commas) and the other cells.
fn rows(heading: &str) -> BTreeMap<String, Vec<String>> {
    let section = DOCUMENT.split_once(heading).unwrap().1.split("\n## ").next().unwrap();
    let mut rows = BTreeMap::new();
    for line in section.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<_> = line.trim_matches('|').split(" | ").map(|cell| cell.trim().to_owned()).collect();
        for name in cells[0].split(',') {
            rows.insert(name.trim().trim_matches('`').to_owned(), cells[1..].to_vec());
        }
    }
    assert!(rows.len() > 2, "the table of {heading} was not found");
    rows
}

/// A thumbprint by RFC 7638 §3, without the library: the hash of the required members in alphabetical order.
fn thumbprint(jwk: &Value) -> String {
    let member = |name: &str| jwk[name].as_str().unwrap();
    let canonical = format!(r#"{{"crv":"{}","kty":"OKP","x":"{}"}}"#, member("crv"), member("x"));
    encoded(hmac_sha256::Hash::hash(canonical.as_bytes()))
}
