//! Issuers: the forms of their tokens, and the requirements of a policy for them. Natively, through `identify`.

mod claims;
mod discovery;
mod faults;
mod key_life;
mod kinds;
mod presets;
mod products;
mod requirements;
mod tenants;
mod unusual;

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use fastgate::identity::dpop::Nonces;
use fastgate::identity::token::TokenError;
use fastgate::identity::{Caller, Identity, IdentityError, Seen, identify};
use fastgate::policy::{Policy, PolicyFaults};
use fastgate::request::normalize;
use fastgate::time::UnixTime;
use jwt_simple::prelude::{ECDSAP256KeyPairLike as _, ES256KeyPair};
use p256::ecdsa::signature::Signer as _;
use serde_json::{Value, json};

use crate::offline::admitted::admitted;
use crate::offline::fakes::{FakeKeys, Fakes};
use crate::offline::{NOW, get};

/// Most providers sign with RSA; these tests do not depend on the algorithm.
static KEY: LazyLock<ES256KeyPair> = LazyLock::new(|| ES256KeyPair::generate().with_key_id("test-key"));

/// A policy with one issuer: `parts` and defaults for the rest.
pub(crate) fn policy(parts: &Value) -> Result<Policy, PolicyFaults> {
    let issuer = json!({ "issuer": "https://idp.test", "backend": "idp", "audiences": ["https://api.test"] });
    let document = json!({
        "edge": { "issuer": "https://edge.test", "hosts": ["edge.test"] },
        "origins": { "api": { "backend": "origin", "audience": "api" } },
        "issuers": { "idp": merged(&issuer, parts) },
        "routes": [{ "id": "me", "path": "/me", "methods": ["GET"] }]
    });
    Policy::parse(document.to_string().as_bytes())
}

/// The faults of such a policy, `place: fault`.
pub(crate) fn faults(parts: &Value) -> Vec<String> {
    policy(parts).err().map(|faults| faults.0.iter().map(ToString::to_string).collect()).unwrap_or_default()
}

/// The claims of a good access token of such an issuer, issued a minute ago, with `parts`; null removes a claim.
pub(crate) fn claims(parts: &Value) -> Value {
    let claims = json!({
        "iss": "https://idp.test", "aud": "https://api.test", "sub": "ada", "client_id": "web", "scope": "read",
        "iat": NOW - 60, "exp": NOW + 240
    });
    merged(&claims, parts)
}

/// `object` with the members of `parts`, without those that are null there.
pub(crate) fn merged(object: &Value, parts: &Value) -> Value {
    let mut object = object.clone();
    let members = object.as_object_mut().unwrap();
    for (name, value) in parts.as_object().unwrap() {
        members.insert(name.clone(), value.clone());
        members.retain(|_, value| !value.is_null());
    }
    object
}

/// The caller with a token with this header and these claims at `now`, signed by the issuer's key, with its `kid`.
pub(crate) fn shown(policy: &Policy, header: &Value, claims: &Value, now: u64) -> Result<Identity, TokenError> {
    shown_to(policy, header, claims, now, &json!([{}]))
}

/// A token with this header and these claims, signed by the issuer's key, with its `kid`.
pub(crate) fn signed(header: &Value, claims: &Value) -> String {
    let header = merged(header, &json!({ "alg": "ES256", "kid": "test-key" }));
    let [header, payload] = [header, claims.clone()].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
    let key = p256::ecdsa::SigningKey::from_slice(&KEY.key_pair().to_bytes()).unwrap();
    let signature: p256::ecdsa::Signature = key.sign(format!("{header}.{payload}").as_bytes());
    format!("{header}.{payload}.{}", URL_SAFE_NO_PAD.encode(signature.to_bytes()))
}

/// The same with the issuer's key published once for each of `listed`, with these additional members.
pub(crate) fn shown_to(
    policy: &Policy,
    header: &Value,
    claims: &Value,
    now: u64,
    listed: &Value,
) -> Result<Identity, TokenError> {
    let token = signed(header, claims);
    let target = normalize(get("/me").bearer(&token).head, &policy.edge().hosts).unwrap();
    let now = UnixTime::from_seconds(now);
    let key: Value = serde_json::from_str(&KEY.public_key().to_jwk()).unwrap();
    let keys: Value = listed.as_array().unwrap().iter().map(|members| merged(&key, members)).collect();
    let (mut fakes, nonces) = (Fakes::with(FakeKeys::none().with("idp", &keys)), Nonces::default());
    match identify(
        policy,
        admitted(&policy.routes()[0], &target),
        &target,
        now,
        &mut fakes.sources(&nonces),
        &mut Seen::default(),
    ) {
        Ok(Caller::Known(identity)) => Ok(identity),
        Err(IdentityError::Token(error)) => Err(error),
        other => panic!("{other:?}"),
    }
}

/// The caller with an `at+jwt` with these claims, at an issuer of these parts.
pub(crate) fn verdict(parts: &Value, claims: &Value) -> Result<Identity, TokenError> {
    shown(&policy(parts).unwrap(), &json!({ "typ": "at+jwt" }), claims, NOW)
}
