//! Tokens whose every part a test can set, so that they can be invalid in any way.

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jwt_simple::prelude::*;
use serde_json::{Value, json};

/// The key of the test issuer.
static KEY: LazyLock<ES256KeyPair> = LazyLock::new(|| ES256KeyPair::generate().with_key_id("test-key"));

/// The JWK Set of the test issuer.
pub(crate) fn jwks() -> String {
    let key: Value = serde_json::from_str(&KEY.public_key().to_jwk()).unwrap();
    json!({ "keys": [key] }).to_string()
}

/// Seconds since the epoch.
pub(crate) fn now() -> u64 {
    std::time::UNIX_EPOCH.elapsed().unwrap().as_secs()
}

/// The claims of a good token of the issuer `iss` for user `sub` with these scopes.
pub(crate) fn claims(iss: &str, sub: &str, scope: &str) -> Value {
    json!({
        "iss": iss, "sub": sub, "aud": "https://api.test", "client_id": "test-client", "scope": scope,
        "iat": now(), "exp": now() + 300,
    })
}

/// The header of a good token.
pub(crate) fn header() -> Value {
    json!({ "alg": "ES256", "typ": "at+jwt", "kid": "test-key" })
}

/// Signs exactly this header and this payload.
pub(crate) fn sign(header: &Value, claims: &Value) -> String {
    sign_bytes(header.to_string().as_bytes(), claims.to_string().as_bytes())
}

/// Signs exactly these bytes as header and payload, ES256 with the issuer's key.
pub(crate) fn sign_bytes(header: &[u8], payload: &[u8]) -> String {
    use p256::ecdsa::signature::Signer as _;
    let input = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload));
    let key = p256::ecdsa::SigningKey::from_slice(&KEY.to_bytes()).unwrap();
    let signature: p256::ecdsa::Signature = key.sign(input.as_bytes());
    format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature.to_bytes()))
}
