//! Measures the verification of token signatures, for every algorithm.

use std::hint::black_box;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use fastgate::identity::keys::Key;
use fastgate::policy::AlgorithmName;
use jwt_simple::prelude::*;
use serde_json::{Value, json};

use crate::microseconds;

/// Prints the time to read the key, to verify its first signature and every later one, next to jwt-simple's whole check
/// of the token.
fn row(label: &str, jwk: &Value, token: &str, jwt_simple: impl Fn(&str) -> bool) {
    let algorithm = label.split(' ').next().and_then(AlgorithmName::from_jose).unwrap();
    let (message, signature) = token.rsplit_once('.').unwrap();
    let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
    let key = || Key::read(black_box(jwk).as_object().unwrap()).unwrap();
    let read = microseconds(20, || drop(black_box(key())));
    let first = microseconds(10, || key().verify(algorithm, message.as_bytes(), &signature).unwrap()) - read;
    let known = key();
    let later = microseconds(20, || known.verify(algorithm, black_box(message.as_bytes()), &signature).unwrap());
    let theirs = microseconds(10, || assert!(jwt_simple(black_box(token))));
    println!("{label:12}{read:12.1}{first:12.1}{later:12.1}{theirs:12.1}");
}

/// Prints a row for each algorithm.
pub(crate) fn run() {
    println!("{:12}{:>12}{:>12}{:>12}{:>12}", "µs", "read key", "first", "later", "jwt-simple");
    let claims = || Claims::create(Duration::from_hours(1)).with_subject("s".repeat(500));
    macro_rules! rsa {
        ($name:expr, $bits:literal, $pair:ty) => {
            let private: Value =
                serde_json::from_str(include_str!(concat!("../../tests/signatures/keys/rsa-", $bits, ".json"))).unwrap();
            let pair = <$pair>::from_jwk(&private.to_string()).unwrap();
            let public = json!({"kty": "RSA", "n": private.get("n"), "e": "AQAB"});
            let key = pair.public_key();
            row(concat!($name, " ", $bits), &public, &pair.sign(claims()).unwrap(), |token| {
                key.verify_token::<NoCustomClaims>(token, None).is_ok()
            });
        };
    }
    rsa!("RS256", "2048", RS256KeyPair);
    rsa!("PS256", "2048", PS256KeyPair);
    rsa!("RS384", "3072", RS384KeyPair);
    rsa!("RS512", "4096", RS512KeyPair);
    macro_rules! curve {
        ($name:expr, $pair:ty) => {
            let pair = <$pair>::generate();
            let key = pair.public_key();
            let public = serde_json::from_str(&key.to_jwk()).unwrap();
            row($name, &public, &pair.sign(claims()).unwrap(), |token| {
                key.verify_token::<NoCustomClaims>(token, None).is_ok()
            });
        };
    }
    curve!("ES256", ES256KeyPair);
    curve!("ES384", ES384KeyPair);
    curve!("EdDSA", Ed25519KeyPair);
}
