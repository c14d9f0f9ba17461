//! Tokens for rehearsals at the desk: what would happen to a caller of whom an issuer said this? A key pair is made for
//! the occasion and stands in for the issuer's; nothing that it signs is worth anything anywhere else.

use jwt_simple::prelude::{
    ECDSAP256KeyPairLike as _, ES256KeyPair, HeaderOptions, JWTClaims, RS256KeyPair, RSAKeyPairLike as _,
};
use serde_json::{Map, Value, json};

use super::keys::KeySet;
use crate::policy::{AlgorithmName, ClaimPath, Issuer};
use crate::time::UnixTime;

/// A token that says `claims`, and the keys that it verifies with. What a good token of this issuer needs and `claims`
/// leave out is filled in: issuer, audience, a subject, times, what the policy demands. Nothing where no such token can be
/// made.
#[must_use]
pub fn rehearse(issuer: &Issuer, claims: &Map<String, Value>, now: UnixTime) -> Option<(String, KeySet)> {
    let (shape, demands, seconds) = (&issuer.shape, &issuer.demands, now.seconds());
    let mut said = claims.clone();
    for (name, value) in [
        ("iss", json!(issuer.issuer)),
        ("sub", json!("somebody")),
        ("iat", json!(seconds)),
        ("exp", json!(seconds.saturating_add(demands.max_lifetime.unwrap_or(300).min(300)))),
    ] {
        said.entry(name).or_insert(value);
    }
    for (claim, values) in &demands.required {
        if let Some(value) = values.first() {
            said.entry(claim).or_insert_with(|| value.clone());
        }
    }
    let client = demands.clients.first().map_or("rehearsal", String::as_str);
    for (path, value) in [
        (shape.audience.first(), issuer.audiences.first().map(|audience| json!(audience))),
        (shape.client.first(), Some(json!(client))),
        (shape.tenant.as_ref(), demands.tenants.first().map(|tenant| json!(tenant))),
    ] {
        if let (Some(path), Some(value)) = (path, value) {
            put(&mut said, path, value);
        }
    }
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
    let header = HeaderOptions { content_type: None, signature_type: Some(shape.types.first()?.clone()) };
    let (token, jwk) = if issuer.algorithms.contains(&AlgorithmName::ES256) {
        let pair = ES256KeyPair::generate();
        (pair.sign_with_options(custom, &header).ok()?, pair.public_key().to_jwk())
    } else {
        let pair = RS256KeyPair::generate(2048).ok()?;
        (pair.sign_with_options(custom, &header).ok()?, pair.public_key().to_jwk())
    };
    Some((token, KeySet::parse(format!("{{\"keys\":[{jwk}]}}").as_bytes()).ok()?))
}

/// Puts `value` where `path` leads, unless something is there already or in the way.
pub fn put(claims: &mut Map<String, Value>, path: &ClaimPath, value: Value) {
    let steps: Vec<&str> = path.steps().collect();
    let Some((last, outer)) = steps.split_last() else { return };
    let mut object = claims;
    for step in outer {
        let inner = object.entry(*step).or_insert_with(|| Value::Object(Map::new()));
        let Value::Object(inner) = inner else { return };
        object = inner;
    }
    object.entry(*last).or_insert(value);
}
