//! Tokens that are bound to a key, and the metadata of the edge, with the real guest: used proofs are kept in the cache
//! of the platform.

use std::sync::Barrier;
use std::thread::scope;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hyper::HeaderMap;
use p256::ecdsa::signature::Signer as _;
use p256::ecdsa::{Signature, SigningKey};
use serde_json::{Value, json};
use viceroy_lib::cache::CacheKey;

use crate::support::edge::{Edge, Listener, RUNTIME};
use crate::support::http::exchange;
use crate::support::origin::{Origin, response};
use crate::support::tokens::{claims, header, jwks, now, sign};
use crate::support::world::{Outcome, WORLD, issuer, policy, stores, test_id};

fn encoded(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn key() -> SigningKey {
    SigningKey::from_slice(&[2; 32]).unwrap()
}

fn jwk() -> Value {
    jwk_of(&key())
}

fn jwk_of(key: &SigningKey) -> Value {
    let point = key.verifying_key().to_sec1_point(false);
    json!({ "crv": "P-256", "kty": "EC", "x": encoded(point.x().unwrap()), "y": encoded(point.y().unwrap()) })
}

/// A token that is bound to the key.
fn token() -> String {
    token_of(&WORLD.iss())
}

fn token_of(iss: &str) -> String {
    let jkt = encoded(hmac_sha256::Hash::hash(jwk().to_string().as_bytes())); // members in alphabetical order
    let mut claims = claims(iss, "user-1", "");
    claims["cnf"] = json!({ "jkt": jkt });
    sign(&header(), &claims)
}

/// A proof for `GET` of this path with this token.
fn proof(path: &str, token: &str) -> String {
    proof_of(&format!("http://{}{path}", WORLD.edge.address), token, &Value::Null)
}

/// A proof for `GET` of this URL with this token and this nonce; `null` means no nonce.
fn proof_of(url: &str, token: &str, nonce: &Value) -> String {
    let mut claims = proof_claims(url, token);
    if !nonce.is_null() {
        claims["nonce"] = nonce.clone();
    }
    signed(&key(), &proof_header(), &claims)
}

fn proof_header() -> Value {
    json!({ "typ": "dpop+jwt", "alg": "ES256", "jwk": jwk() })
}

fn proof_claims(url: &str, token: &str) -> Value {
    let ath = encoded(hmac_sha256::Hash::hash(token.as_bytes()));
    json!({ "htm": "GET", "htu": url, "iat": now(), "jti": test_id(), "ath": ath })
}

fn signed(key: &SigningKey, header: &Value, claims: &Value) -> String {
    let content = format!("{}.{}", encoded(header.to_string()), encoded(claims.to_string()));
    let signature: Signature = key.sign(content.as_bytes());
    format!("{content}.{}", encoded(signature.to_bytes()))
}

fn send(path: &str, token: &str, proof: &str) -> Outcome {
    WORLD.send(&format!("GET {path}"), format!("authorization: DPoP {token}\r\ndpop: {proof}\r\n"))
}

#[test]
fn a_bound_token_is_accepted_with_its_proof_and_the_origin_receives_only_the_key() {
    let token = token();
    let outcome = send("/bound/x?q=1", &token, &proof("/bound/x", &token));
    assert_eq!(outcome.identity()["rctx"]["cnf"].as_object().unwrap().len(), 1);
    assert!(outcome.echoed().all("dpop").is_empty() && outcome.echoed().all("authorization").is_empty());
    let borne = WORLD.send("GET /echo/x", format!("authorization: Bearer {token}\r\n"));
    assert_eq!(borne.refused(), 401, "a bound token is not accepted as a bearer token");
    let plain = WORLD.send("GET /bound/x", format!("authorization: Bearer {}\r\n", WORLD.token("")));
    assert_eq!((plain.refused(), plain.reply().problem().as_str()), (401, "bound-token-required"));
}

#[test]
fn one_of_many_requests_with_the_same_proof_reaches_the_origin() {
    const CLIENTS: usize = 8;
    let (token, together) = (token(), Barrier::new(CLIENTS));
    let proof = proof("/bound/x", &token);
    let statuses: Vec<u16> = scope(|scope| {
        let send = || {
            together.wait();
            let outcome = send("/bound/x", &token, &proof);
            assert_eq!(outcome.echo.len(), usize::from(outcome.reply().status == 200));
            outcome.reply().status
        };
        let clients: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(send)).collect();
        clients.into_iter().map(|client| client.join().unwrap()).collect()
    });
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{statuses:?}");
    let again = send("/bound/x", &token, &proof);
    assert_eq!((again.refused(), again.reply().problem().as_str()), (401, "invalid-proof"));
    let expected = format!("DPoP error=\"invalid_dpop_proof\", algs=\"ES256 EdDSA\", {}", WORLD.resource_metadata());
    assert_eq!(again.reply().header("www-authenticate"), Some(expected.as_str()));
    let line = WORLD.edge.log_of(again.reply().header("x-request-id").unwrap());
    assert_eq!(line["verdict"], "proof-replayed");
}

#[test]
fn a_proof_for_another_url_is_refused() {
    let token = token();
    assert_eq!(send("/echo/x", &token, &proof("/echo/y", &token)).refused(), 401);
    assert_eq!(send("/echo/x", &token, &proof("/echo/x", "another")).refused(), 401);
}

#[test]
fn the_log_says_what_is_wrong_with_a_proof() {
    let token = token();
    let url = format!("http://{}/bound/x", WORLD.edge.address);
    let thief = SigningKey::from_slice(&[3; 32]).unwrap();
    let (header, claims) = (proof_header(), proof_claims(&url, &token));
    let with = |object: &Value, name: &str, value: Value| {
        let mut object = object.clone();
        object[name] = value;
        object
    };
    let header_with = |name: &str, value: Value| signed(&key(), &with(&header, name, value), &claims);
    let claims_with = |name: &str, value: Value| signed(&key(), &header, &with(&claims, name, value));
    let good = signed(&key(), &header, &claims);
    for (expected, proofs) in [
        ("proof-missing", vec![]),
        ("proof-repeated", vec![good.clone(), good]),
        ("proof-too-long", vec!["a".repeat(5000)]),
        ("proof-malformed", vec!["a.b.c".to_owned()]),
        ("proof-extension", vec![header_with("crit", json!([]))]),
        ("proof-type", vec![header_with("typ", json!("JWT"))]),
        ("proof-algorithm", vec![header_with("alg", json!("none"))]),
        ("proof-key", vec![header_with("jwk", json!({ "kty": "EC" }))]),
        ("proof-claim", vec![claims_with("jti", json!(1))]),
        ("proof-method", vec![claims_with("htm", json!("POST"))]),
        ("proof-url", vec![claims_with("htu", json!("http://evil.example/bound/x"))]),
        ("proof-too-old", vec![claims_with("iat", json!(now() - 600))]),
        ("proof-too-early", vec![claims_with("iat", json!(now() + 600))]),
        ("proof-token", vec![claims_with("ath", json!("other"))]),
        ("proof-other-key", vec![signed(&thief, &with(&header, "jwk", jwk_of(&thief)), &claims)]),
        ("proof-signature", vec![signed(&thief, &header, &claims)]),
    ] {
        let proofs: String = proofs.iter().map(|proof| format!("dpop: {proof}\r\n")).collect();
        assert_eq!(refusal(&format!("authorization: DPoP {token}\r\n{proofs}")), (401, expected.to_owned()));
    }
    let plain = WORLD.token("");
    let proof = proof("/bound/x", &plain);
    let unbound = refusal(&format!("authorization: DPoP {plain}\r\ndpop: {proof}\r\n"));
    assert_eq!(unbound, (401, "proof-unbound".to_owned()));
}

/// Status and code of the refusal of `GET /bound/x`.
fn refusal(fields: &str) -> (u16, String) {
    let outcome = WORLD.send("GET /bound/x", fields);
    let line = WORLD.edge.log_of(outcome.reply().header("x-request-id").unwrap());
    (outcome.refused(), line["verdict"].as_str().unwrap().to_owned())
}

#[test]
fn a_proof_whose_use_is_unknown_is_never_accepted() {
    let (token, url) = (token(), format!("http://{}/bound/x", WORLD.edge.address));
    let claims = proof_claims(&url, &token);
    let thumbprint = hmac_sha256::Hash::hash(jwk().to_string().as_bytes());
    let name = hmac_sha256::Hash::hash(&[&thumbprint, claims["jti"].as_str().unwrap().as_bytes()].concat());
    let cache_key = CacheKey::try_from([b"fastgate/live/used-proof/".as_slice(), &name].concat()).unwrap();
    // Simulates another request with the same proof that holds the lease and never ends.
    let viceroy = WORLD.edge.viceroy();
    let held = RUNTIME.block_on(viceroy.cache().transaction_lookup(&cache_key, &HeaderMap::new(), true));
    assert!(held.go_get().is_some(), "the lease is free");
    let proof = signed(&key(), &proof_header(), &claims);
    let refused = refusal(&format!("authorization: DPoP {token}\r\ndpop: {proof}\r\n"));
    assert_eq!(refused, (503, "used-proofs-unreachable".to_owned()));
    drop(held);
    send("/bound/x", &token, &proof).echoed();
}

#[test]
fn the_resource_metadata_is_at_the_url_in_the_challenges() {
    let outcome = WORLD.send("GET /.well-known/oauth-protected-resource", "");
    let reply = outcome.reply();
    assert_eq!((reply.status, reply.header("content-type")), (200, Some("application/json")));
    let metadata = reply.json();
    assert_eq!(metadata["resource"], format!("http://{}", WORLD.edge.address));
    assert_eq!(metadata["authorization_servers"], json!([WORLD.iss()]));
    assert_eq!(metadata["scopes_supported"], json!(["orders:read", "orders:write"]));
}

#[test]
fn pages_and_head_reach_the_resource_metadata() {
    let path = "/.well-known/oauth-protected-resource";
    let whole = WORLD.send(&format!("GET {path}"), "");
    let head = WORLD.send(&format!("HEAD {path}"), "");
    let length = whole.reply().body.len().to_string();
    assert_eq!((head.reply().status, head.reply().header("content-length")), (200, Some(length.as_str())));
    assert_eq!(head.reply().body.len(), 0);
    let fields = "origin: https://page.test\r\naccess-control-request-method: GET\r\n\
                  access-control-request-headers: mcp-protocol-version\r\n";
    let preflight = WORLD.send(&format!("OPTIONS {path}"), fields);
    let allowed = |name: &str| preflight.reply().header(name).map(str::to_owned);
    assert_eq!(preflight.reply().status, 204);
    assert_eq!(allowed("access-control-allow-origin").as_deref(), Some("*"));
    assert_eq!(allowed("access-control-allow-headers").as_deref(), Some("*"));
}

#[test]
fn a_resource_below_the_edge_has_its_own_metadata_and_audience() {
    let edge = format!("http://{}", WORLD.edge.address);
    let refused = WORLD.send("POST /mcp", "content-length: 0\r\n");
    let url = format!("{edge}/.well-known/oauth-protected-resource/mcp");
    let challenge = format!("Bearer scope=\"tools:call\", resource_metadata=\"{url}\"");
    assert_eq!((refused.refused(), refused.reply().header("www-authenticate")), (401, Some(challenge.as_str())));
    // The steps of a client: it reads the metadata at the URL in the challenge, and asks for a token for the resource.
    let found = WORLD.send(&format!("GET {}", url.strip_prefix(&edge).unwrap()), "");
    let metadata = found.reply().json();
    assert_eq!((found.reply().status, found.reply().header("access-control-allow-origin")), (200, Some("*")));
    assert_eq!(metadata["authorization_servers"], json!([WORLD.iss()]));
    assert_eq!(metadata["scopes_supported"], json!(["tools:call"]));
    assert_eq!(metadata["resource"], format!("{edge}/mcp"));
    let call = |audience: &Value| {
        let mut claims = claims(&WORLD.iss(), "user-1", "tools:call");
        claims["aud"] = audience.clone();
        let token = sign(&header(), &claims);
        WORLD.send("POST /mcp", format!("authorization: Bearer {token}\r\ncontent-length: 0\r\n"))
    };
    call(&metadata["resource"]).echoed();
    let other = call(&json!("https://api.test"));
    assert_eq!((other.refused(), other.reply().problem().as_str()), (401, "invalid-token"));
    let line = WORLD.edge.log_of(other.reply().header("x-request-id").unwrap());
    assert_eq!(line["verdict"], "token-audience");
    assert!(other.reply().header("www-authenticate").unwrap().ends_with(&format!("resource_metadata=\"{url}\"")));
    assert_eq!(WORLD.send("GET /.well-known/oauth-protected-resource/nothing", "").refused(), 404);
}

#[test]
fn a_proof_without_the_required_nonce_gets_one_that_is_accepted() {
    let (issuer, listener) = (issuer(jwks()), Listener::bind());
    let echo = Origin::responding(response("200 OK", &[("cache-control", "max-age=60")], "{}"));
    let (iss, address) = (format!("http://{}", issuer.address), listener.address());
    let mut policy = policy(address, &iss);
    policy["edge"]["dpop"] = json!({ "nonce": true });
    let backends = [("echo", echo.address), ("issuer", issuer.address)];
    let edge = Edge::start(listener, &stores(&policy, &backends));
    let token = token_of(&iss);
    let send = |nonce: &Value| {
        let proof = proof_of(&format!("http://{address}/bound/x"), &token, nonce);
        let fields = format!("authorization: DPoP {token}\r\ndpop: {proof}\r\nconnection: close\r\n");
        exchange(address, format!("GET /bound/x HTTP/1.1\r\nhost: {address}\r\n{fields}\r\n").as_bytes()).unwrap()
    };
    let refused = send(&Value::Null);
    assert_eq!((refused.status, refused.problem().as_str()), (401, "proof-nonce-required"));
    let challenge = refused.header("www-authenticate").unwrap();
    assert!(challenge.starts_with("DPoP error=\"use_dpop_nonce\", algs="), "{challenge}");
    assert_eq!(edge.log_of(refused.header("x-request-id").unwrap())["verdict"], "proof-nonce");
    assert!(echo.everything().is_empty());
    // Sandboxes are replaced, and the window may change in between: the nonce that was given last is always accepted.
    let mut nonce = json!(refused.header("dpop-nonce").unwrap());
    for turn in 1..=12 {
        let passed = send(&nonce);
        assert_eq!((passed.status, echo.everything().len()), (200, turn), "{}", passed.text());
        let next = passed.header("dpop-nonce");
        assert_eq!(passed.header("cache-control"), Some(if next.is_some() { "no-store" } else { "max-age=60" }));
        nonce = next.map_or(nonce, |next| json!(next));
    }
    assert_eq!(send(&json!("of-another-edge")).status, 401);
}
