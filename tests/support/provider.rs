//! A provider and a policy for the tests of rules.

use jwt_simple::prelude::{ECDSAP256KeyPairLike as _, ES256KeyPair, HeaderOptions, JWTClaims};
use serde_json::{Map, Value, json};

/// An OpenID provider without a server: its issuer, its key, its tokens.
pub(crate) struct Provider {
    issuer: String,
    keys: ES256KeyPair,
}

impl Provider {
    pub(crate) fn new(issuer: &str) -> Self {
        let keys = ES256KeyPair::generate();
        Self { issuer: issuer.to_owned(), keys: keys.with_key_id("test") }
    }

    /// Its JWK Set.
    pub(crate) fn jwks(&self) -> String {
        let mut jwk: Value = serde_json::from_str(&self.keys.public_key().to_jwk()).unwrap();
        jwk["kid"] = "test".into();
        json!({ "keys": [jwk] }).to_string()
    }

    /// An access token that is valid at `now` and has `claims` in addition.
    pub(crate) fn token(&self, now: u64, claims: Value) -> String {
        let mut all: Map<String, Value> = serde_json::from_value(json!({
            "iss": self.issuer, "aud": "api", "sub": "alice", "iat": now - 5, "exp": now + 3600
        }))
        .unwrap();
        all.extend(claims.as_object().cloned().unwrap());
        let claims = JWTClaims {
            issued_at: None,
            expires_at: None,
            invalid_before: None,
            issuer: None,
            subject: None,
            audiences: None,
            jwt_id: None,
            nonce: None,
            custom: all,
        };
        let header = HeaderOptions { content_type: None, signature_type: Some("at+jwt".to_owned()) };
        self.keys.sign_with_options(claims, &header).unwrap()
    }
}

/// A policy with two issuers and one origin, with `parts` added.
pub(crate) fn policy(parts: &Value) -> Value {
    let mut policy = json!({
        "edge": { "issuer": "https://edge.test", "hosts": ["edge.test"] },
        "origins": { "app": { "backend": "origin", "audience": "app" } },
        "issuers": {
            "main": { "issuer": "https://idp.test", "backend": "idp", "audiences": ["api"] },
            "partner": {
                "issuer": "https://partner.test", "backend": "idp", "audiences": ["api"],
                "claims": { "roles": [["realm_access", "roles"]] }
            }
        }
    });
    policy.as_object_mut().unwrap().extend(parts.as_object().cloned().unwrap());
    policy
}
