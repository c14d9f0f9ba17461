//! Tokens that are bound to a key or a certificate, and valid and invalid proofs of possession.

mod binding;
mod certificates;
mod dpop;
mod nonces;
mod replays;
mod resource;

use fastgate::mint::new_signing_keys;
use p256::ecdsa::signature::Signer as _;
use p256::ecdsa::{Signature, SigningKey};
use serde_json::{Value, json};

use crate::offline::fakes::FakeKeys;
use crate::offline::{Gate, NOW, Request, policy_of};
use crate::samples::sign::{encoded, with};

const METADATA: &str = "resource_metadata=\"https://edge.test/.well-known/oauth-protected-resource\"";

/// The key pair with this number.
struct Pair(SigningKey);

const ISSUER: u8 = 1;
const CLIENT: u8 = 2;
const THIEF: u8 = 3;

fn pair(number: u8) -> Pair {
    Pair(SigningKey::from_slice(&[number; 32]).unwrap())
}

impl Pair {
    fn jwk(&self) -> Value {
        let point = self.0.verifying_key().to_sec1_point(false);
        json!({ "kty": "EC", "crv": "P-256", "x": encoded(point.x().unwrap()), "y": encoded(point.y().unwrap()) })
    }

    /// A thumbprint by RFC 7638 §3, without the library: the hash of the required members in alphabetical order.
    fn thumbprint(&self) -> String {
        let jwk = self.jwk();
        let [x, y] = ["x", "y"].map(|name| jwk[name].as_str().unwrap().to_owned());
        digest(&format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#))
    }

    /// A compact JWS with any header and payload.
    fn sign(&self, header: impl AsRef<[u8]>, claims: impl AsRef<[u8]>) -> String {
        let content = format!("{}.{}", encoded(header), encoded(claims));
        let signature: Signature = self.0.sign(content.as_bytes());
        format!("{content}.{}", encoded(signature.to_bytes()))
    }
}

fn digest(text: &str) -> String {
    encoded(hmac_sha256::Hash::hash(text.as_bytes()))
}

/// A token of the provider with this binding; `null` for none.
fn token(cnf: &Value) -> String {
    let mut claims = json!({
        "iss": "https://idp.test", "aud": "api", "sub": "ada", "client_id": "shop", "scope": "orders:read",
        "iat": NOW - 60, "exp": NOW + 600
    });
    if !cnf.is_null() {
        claims["cnf"] = cnf.clone();
    }
    pair(ISSUER).sign(json!({ "alg": "ES256", "typ": "at+jwt", "kid": "one" }).to_string(), claims.to_string())
}

/// A token that is bound to the client's key.
fn bound_token() -> String {
    token(&json!({ "jkt": pair(CLIENT).thumbprint() }))
}

/// The header of the client's proofs.
fn header() -> Value {
    json!({ "typ": "dpop+jwt", "alg": "ES256", "jwk": pair(CLIENT).jwk() })
}

/// The claims of a proof for `GET https://edge.test/me` with the bound token.
fn claims() -> Value {
    json!({
        "htm": "GET", "htu": "https://edge.test/me", "iat": NOW, "jti": "one", "ath": digest(&bound_token())
    })
}

/// A proof by the client's key.
fn proof(header: &Value, claims: &Value) -> String {
    pair(CLIENT).sign(header.to_string(), claims.to_string())
}

impl Request {
    /// Adds this token and these proofs.
    fn proven(self, token: &str, proofs: &[&str]) -> Self {
        let request = self.field("authorization", format!("DPoP {token}"));
        proofs.iter().fold(request, |request, proof| request.field("DPoP", *proof))
    }
}

/// The policy, with `edge` added to its edge.
fn policy(edge: &Value) -> Value {
    let mut policy = json!({
        "edge": { "issuer": "https://edge.test", "hosts": ["edge.test", "edge.test:8443", "[::1]:7676"] },
        "origins": { "app": { "backend": "origin", "audience": "app" } },
        "issuers": { "main": { "issuer": "https://idp.test", "backend": "idp", "audiences": ["api"] } },
        "groups": { "web": { "cors": { "origins": ["https://app.test"] } } },
        "routes": [
            { "id": "page", "path": "/page", "methods": ["GET"], "group": "web" },
            { "id": "me", "path": "/me", "methods": ["GET", "POST"] },
            { "id": "files", "path": "/files/{rest:path}", "methods": ["GET"] },
            { "id": "safe", "path": "/safe", "methods": ["GET"], "require_bound": true, "scopes": ["orders:read"] },
            { "id": "maybe", "path": "/maybe", "methods": ["GET"], "access": "optional" },
            { "id": "open", "path": "/open", "methods": ["GET"], "access": "public" },
            { "id": "token", "path": "/token", "methods": ["GET"], "forward_token": true }
        ]
    });
    policy["edge"].as_object_mut().unwrap().extend(edge.as_object().cloned().unwrap());
    policy
}

/// A gate with these members added to its edge.
fn gate_with(edge: &Value) -> Gate {
    gate_with_signing_keys(edge, &new_signing_keys().0)
}

fn gate_with_signing_keys(edge: &Value, signing_keys: &str) -> Gate {
    let key = with(&pair(ISSUER).jwk(), "kid", "one");
    let keys = FakeKeys::none().with("main", &json!([key]));
    Gate::with_signing_keys(policy_of(&policy(edge)), keys, signing_keys)
}

/// The verdict of a gate of its own.
fn verdict(request: Request) -> &'static str {
    gate_with(&json!({})).verdict(request)
}
