//! Rows C4 and C5 of `docs/attacks.md` for whole tokens: an algorithm is accepted only if the issuer lists it.

use fastgate::identity::keys::KeySet;
use fastgate::identity::signature_cache::NoSignatureCache;
use fastgate::identity::token::{TokenError, UnverifiedToken};
use fastgate::policy::{AlgorithmName, Policy};
use fastgate::secret::Secret;
use fastgate::time::UnixTime;
use jwt_simple::prelude::*;
use serde_json::{Value, json};

use crate::{ALL, base64url, with};

const ISS: &str = "https://idp.test";

/// A signer: a public key without `alg`, and a token.
struct Signed {
    algorithm: AlgorithmName,
    jwk: Value,
    token: String,
}

fn claims() -> JWTClaims<NoCustomClaims> {
    Claims::create(Duration::from_mins(5)).with_issuer(ISS).with_audience("api").with_subject("user-1")
}

/// A token for each algorithm, by jwt-simple, and one with `Ed25519` as its `alg` (RFC 9864 §2.2).
fn tokens() -> Vec<Signed> {
    macro_rules! signed {
        ($algorithm:ident, $pair:expr) => {{
            let pair = $pair;
            let mut jwk: Value = serde_json::from_str(&pair.public_key().to_jwk()).unwrap();
            jwk.as_object_mut().unwrap().remove("alg");
            Signed { algorithm: AlgorithmName::$algorithm, jwk, token: pair.sign(claims()).unwrap() }
        }};
    }
    let rsa = include_str!("keys/rsa-2048.json");
    let ed25519 = Ed25519KeyPair::generate();
    let mut renamed = signed!(EdDSA, ed25519.clone());
    let payload = renamed.token.split('.').nth(1).unwrap().to_owned();
    let header = base64url(json!({"alg": "Ed25519", "typ": "JWT"}).to_string().as_bytes());
    let message = format!("{header}.{payload}");
    let signer = ed25519_compact::KeyPair::from_slice(&ed25519.to_bytes()).unwrap();
    renamed.token = format!("{message}.{}", base64url(signer.sk.sign(&message, None).as_ref()));
    vec![
        signed!(RS256, RS256KeyPair::from_jwk(rsa).unwrap()),
        signed!(RS384, RS384KeyPair::from_jwk(rsa).unwrap()),
        signed!(RS512, RS512KeyPair::from_jwk(rsa).unwrap()),
        signed!(PS256, PS256KeyPair::from_jwk(rsa).unwrap()),
        signed!(PS384, PS384KeyPair::from_jwk(rsa).unwrap()),
        signed!(PS512, PS512KeyPair::from_jwk(rsa).unwrap()),
        signed!(ES256, ES256KeyPair::generate()),
        signed!(ES384, ES384KeyPair::generate()),
        signed!(EdDSA, ed25519),
        renamed,
    ]
}

/// The verdict on a token with these keys, for an issuer that lists `algorithms`.
fn judge(algorithms: &[AlgorithmName], keys: &[&Value], token: &str) -> Option<TokenError> {
    let names: Vec<String> = algorithms.iter().map(|algorithm| format!("{algorithm:?}")).collect();
    let policy = json!({
        "edge": { "issuer": "https://edge.test", "hosts": ["edge.test"] },
        "origins": { "app": { "backend": "app", "audience": "app" } },
        "issuers": { "idp": {
            "issuer": ISS, "backend": "idp", "audiences": ["api"], "types": ["JWT"], "algorithms": names,
        } },
        "routes": [{ "id": "root", "path": "/", "methods": ["GET"] }],
    });
    let policy = Policy::parse(policy.to_string().as_bytes()).unwrap();
    let keys = KeySet::parse(json!({ "keys": keys }).to_string().as_bytes()).unwrap();
    let now = UnixTime::from_seconds(std::time::UNIX_EPOCH.elapsed().unwrap().as_secs());
    let token = UnverifiedToken::parse(Secret::new(token)).unwrap();
    match token.check(policy.issuer(ISS).unwrap(), now) {
        Ok(token) => token.verify(&keys, &mut NoSignatureCache).err().map(|refused| refused.error),
        Err(error) => Some(error),
    }
}

#[test]
fn a_token_is_accepted_if_the_issuer_lists_its_algorithm() {
    for Signed { algorithm, jwk, token } in tokens() {
        let others: Vec<_> = ALL.into_iter().filter(|other| *other != algorithm).collect();
        assert_eq!(judge(&ALL, &[&jwk], &token), None, "{algorithm:?}");
        assert_eq!(judge(&[algorithm], &[&jwk], &token), None, "{algorithm:?}");
        assert_eq!(judge(&others, &[&jwk], &token), Some(TokenError::Algorithm), "{algorithm:?}");
    }
}

#[test]
fn a_key_with_alg_is_not_found_for_a_token_of_another_algorithm() {
    for Signed { algorithm, jwk, token } in tokens() {
        let own = with(&jwk, "alg", format!("{algorithm:?}"));
        assert_eq!(judge(&ALL, &[&own], &token), None, "{algorithm:?}");
        if jwk["kty"] == "RSA" {
            let other = if algorithm == AlgorithmName::RS256 { "PS256" } else { "RS256" };
            let other = with(&jwk, "alg", other);
            assert_eq!(judge(&ALL, &[&other], &token), Some(TokenError::UnknownKey), "{algorithm:?}");
        }
    }
}

#[test]
fn a_token_without_kid_finds_the_only_key_of_its_family() {
    let all = tokens();
    let of = |algorithm| &all.iter().find(|signed| signed.algorithm == algorithm).unwrap().jwk;
    let keys = [AlgorithmName::RS256, AlgorithmName::ES256, AlgorithmName::ES384].map(of);
    for Signed { algorithm, token, .. } in &all {
        let expected = (*algorithm == AlgorithmName::EdDSA).then_some(TokenError::UnknownKey);
        assert_eq!(judge(&ALL, &keys, token), expected, "{algorithm:?}");
    }
    let twice = [keys[0], keys[0]];
    assert_eq!(judge(&ALL, &twice, &all[0].token), None, "a key that is listed twice is one key");
}
