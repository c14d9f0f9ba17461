//! Signatures compared with independent sources: the test vectors of Wycheproof, and for RSA two other implementations,
//! on a hundred thousand altered signatures.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "a test says what went wrong by panicking"
)]

mod encodings;
mod keys;
mod mutations;
mod opinions;
mod roca;
mod tokens;
mod wycheproof_ecc;
mod wycheproof_rsa;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use fastgate::identity::keys::{Key, UnusableKey};
use fastgate::policy::AlgorithmName;
use serde_json::{Value, json};

/// All algorithms.
const ALL: [AlgorithmName; 9] = {
    use AlgorithmName::{ES256, ES384, EdDSA, PS256, PS384, PS512, RS256, RS384, RS512};
    [RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, EdDSA]
};

fn read(jwk: &Value) -> Result<Key, UnusableKey> {
    Key::read(jwk.as_object().unwrap())
}

fn base64url(octets: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(octets)
}

/// A JWK with this modulus and exponent, without leading zeros.
fn rsa_jwk(modulus: &[u8], exponent: &[u8]) -> Value {
    let cut = |number: &[u8]| base64url(&number[number.iter().position(|octet| *octet != 0).unwrap_or(number.len())..]);
    json!({"kty": "RSA", "n": cut(modulus), "e": cut(exponent)})
}

/// The key with one member added or replaced.
fn with(jwk: &Value, member: &str, value: impl Into<Value>) -> Value {
    let mut jwk = jwk.clone();
    jwk[member] = value.into();
    jwk
}
