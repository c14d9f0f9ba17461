//! Keys and tokens, made once: Ed25519, whose signatures are fast to verify.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_compact::{KeyPair, Seed};
use serde_json::{Value, json};

use super::steps::{Key, MATERIALS};

static PAIRS: LazyLock<Vec<KeyPair>> =
    LazyLock::new(|| (0..MATERIALS).map(|number| KeyPair::from_seed(Seed::new([number + 1; 32]))).collect());

/// The JWK Set with these keys.
pub(crate) fn jwks(keys: &[Key]) -> String {
    let jwk = |key: &Key| {
        let x = URL_SAFE_NO_PAD.encode(*PAIRS[usize::from(key.material)].pk);
        json!({ "kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig", "kid": kid(key.kid), "x": x })
    };
    json!({ "keys": keys.iter().map(jwk).collect::<Vec<_>>() }).to_string()
}

pub(crate) fn kid(number: u8) -> String {
    format!("k{number}")
}

pub(crate) fn subject(who: u8) -> String {
    format!("user-{who}")
}

pub(crate) fn token_id(who: u8) -> String {
    format!("token-{who}")
}

/// The claims of a good token.
pub(crate) fn claims(iss: &str, who: u8, now: u64) -> Value {
    json!({
        "iss": iss, "sub": subject(who), "jti": token_id(who), "aud": "https://api.test", "client_id": "client",
        "iat": now - 10, "exp": now + 1_000_000,
    })
}

/// A token of `iss`, signed by `key`.
pub(crate) fn sign(iss: &str, key: Key, who: u8, now: u64) -> Arc<str> {
    type Made = HashMap<(String, Key, u8, u64), Arc<str>>;
    static MADE: LazyLock<Mutex<Made>> = LazyLock::new(Mutex::default);
    let make = || {
        let header = json!({ "alg": "EdDSA", "typ": "at+jwt", "kid": kid(key.kid) });
        let parts = [header, claims(iss, who, now)].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
        let input = parts.join(".");
        let signature = PAIRS[usize::from(key.material)].sk.sign(&input, None);
        Arc::from(format!("{input}.{}", URL_SAFE_NO_PAD.encode(*signature)))
    };
    let id = (iss.to_owned(), key, who, now);
    Arc::clone(MADE.lock().unwrap().entry(id).or_insert_with(make))
}
