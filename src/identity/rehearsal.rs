//! Tokens for rehearsals at the desk: what would happen to a caller of whom an issuer said this? A key pair is made for
//! the occasion and stands in for the issuer's; nothing that it signs is worth anything anywhere else.

use jwt_simple::prelude::{
    ECDSAP256KeyPairLike as _, ES256KeyPair, HeaderOptions, JWTClaims, RS256KeyPair, RSAKeyPairLike as _,
};
use serde_json::{Map, Value, json};

use super::keys::KeySet;
use crate::policy::{AlgorithmName, Issuer};
use crate::time::UnixTime;

/// A token that says `claims`, and the keys that it verifies with. What a good token needs and `claims` leave out is
/// filled in: issuer, audience, a subject, times. Nothing where no such token can be made.
#[must_use]
pub fn rehearse(issuer: &Issuer, claims: &Map<String, Value>, now: UnixTime) -> Option<(String, KeySet)> {
    let mut said: Map<String, Value> = Map::new();
    let seconds = now.seconds();
    for (name, value) in [
        ("iss", json!(issuer.issuer)),
        ("aud", json!(issuer.audiences.first()?)),
        ("sub", json!("somebody")),
        ("iat", json!(seconds)),
        ("exp", json!(seconds.saturating_add(300))),
    ] {
        said.insert(name.to_owned(), value);
    }
    said.extend(claims.clone());
    let custom = JWTClaims {
        issued_at: None,
        expires_at: None,
        invalid_before: None,
        issuer: None,
        subject: None,
        audiences: None,
        jwt_id: None,
        nonce: None,
        custom: said,
    };
    let header = HeaderOptions { content_type: None, signature_type: Some(issuer.types.first()?.clone()) };
    let (token, jwk) = if issuer.algorithms.contains(&AlgorithmName::ES256) {
        let pair = ES256KeyPair::generate();
        (pair.sign_with_options(custom, &header).ok()?, pair.public_key().to_jwk())
    } else {
        let pair = RS256KeyPair::generate(2048).ok()?;
        (pair.sign_with_options(custom, &header).ok()?, pair.public_key().to_jwk())
    };
    Some((token, KeySet::parse(format!("{{\"keys\":[{jwk}]}}").as_bytes()).ok()?))
}
