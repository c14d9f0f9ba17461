//! Sample tokens for offline use: what would happen to a caller with these claims? Input: an [`Issuer`] and claims.
//! Output: a [`SampleToken`]. A new key pair replaces the issuer's, so that a sample token is valid nowhere else.

mod signer;

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};

use super::binding::Binding;
use super::keys::KeySet;
use crate::policy::{ClaimPath, Issuer};
use crate::time::{Seconds, UnixTime};
use signer::Signer;

/// Signs sample tokens of one issuer, with an algorithm that the policy accepts from it.
pub struct SampleIssuer {
    signer: Signer,
    keys: Arc<KeySet>,
}

/// A sample token, and the certificate that it is presented with.
pub struct SampleToken {
    /// The token.
    pub token: String,
    /// SHA-256 of the client certificate that a bound token is presented with.
    pub certificate: Option<[u8; 32]>,
}

impl SampleIssuer {
    /// A sample issuer with a new key pair; `None` if no key pair can be generated.
    #[must_use]
    pub fn new(issuer: &Issuer) -> Option<Self> {
        let signer = Signer::new(&issuer.algorithms)?;
        let owner = issuer.templates.as_ref().and_then(|_| issuer.key_issuers.first());
        let keys = Arc::new(signer.keys(owner.map(String::as_str))?);
        Some(Self { signer, keys })
    }

    /// The keys that verify its tokens.
    #[must_use]
    pub fn keys(&self) -> Arc<KeySet> {
        Arc::clone(&self.keys)
    }

    /// Signs a token of `issuer` with `claims`. Claims that a valid token of this issuer needs are added if they are
    /// absent: issuer, audience, a subject, times, and what the policy requires; never a claim that it refuses. `None`
    /// if the token cannot be signed.
    ///
    /// If `claims` bind the token (`cnf`), it is presented with a client certificate (RFC 8705 §3). That also replaces
    /// a DPoP key (RFC 9449 §6.1): no rule distinguishes the two.
    #[must_use]
    pub fn token(&self, issuer: &Issuer, claims: &Map<String, Value>, now: UnixTime) -> Option<SampleToken> {
        let mut claims = completed(issuer, claims, now);
        let certificate = certificate(&mut claims);
        let token = self.signer.sign(issuer.shape.types.first().map(String::as_str), claims)?;
        Some(SampleToken { token, certificate })
    }
}

fn completed(issuer: &Issuer, claims: &Map<String, Value>, now: UnixTime) -> Map<String, Value> {
    let (shape, rules, seconds) = (&issuer.shape, &issuer.rules, now.seconds());
    let mut completed = claims.clone();
    if let (Some(path), Some(tenant)) = (&shape.tenant, sample_tenant(issuer)) {
        put(&mut completed, path, json!(tenant));
    }
    let tenant = shape.tenant.as_ref().and_then(|path| find(&completed, path)).and_then(Value::as_str);
    let iss = issuer.name_for(tenant).into_owned();
    for (name, value) in [
        ("iss", json!(iss)),
        ("sub", json!("somebody")),
        ("iat", json!(seconds)),
        ("exp", json!(seconds.saturating_add(rules.max_lifetime.map_or(300, Seconds::as_u64).min(300)))),
    ] {
        completed.entry(name).or_insert(value);
    }
    for (claim, values) in &rules.required {
        completed.entry(claim).or_insert_with(|| values.first().cloned().unwrap_or_else(|| json!("sample")));
    }
    let any_client = rules.require_client.then_some("sample-client");
    let client = rules.clients.first().map(String::as_str).or(any_client);
    let has_client = accepted(&shape.client, issuer).any(|path| has(&completed, path));
    for (path, value) in [
        (accepted(&shape.audience, issuer).next(), issuer.audiences.first().map(|audience| json!(audience))),
        (accepted(&shape.client, issuer).next(), client.filter(|_| !has_client).map(Value::from)),
    ] {
        if let (Some(path), Some(value)) = (path, value) {
            put(&mut completed, path, value);
        }
    }
    completed
}

/// The `paths` at which a token of `issuer` may have a claim.
pub fn accepted<'paths, P: AsRef<ClaimPath>>(
    paths: &'paths [P],
    issuer: &'paths Issuer,
) -> impl Iterator<Item = &'paths P> + 'paths {
    let refused = |path: &ClaimPath| {
        path.steps().next().is_some_and(|first| issuer.rules.refused.iter().any(|refused| refused == first))
    };
    paths.iter().filter(move |path| !refused((*path).as_ref()))
}

/// The certificate for a bound token. A token that is bound to a DPoP key is bound to a certificate instead. A token
/// that is bound in an unknown way is left unchanged.
fn certificate(claims: &mut Map<String, Value>) -> Option<[u8; 32]> {
    let (Binding::Key(thumbprint) | Binding::Certificate(thumbprint)) = Binding::of(claims.get("cnf")).ok()??;
    let digest = URL_SAFE_NO_PAD.decode(thumbprint.as_str()).ok()?.try_into().ok()?;
    claims.insert("cnf".to_owned(), json!(Binding::Certificate(thumbprint)));
    Some(digest)
}

/// A tenant whose tokens are accepted; `None` if a token needs none.
fn sample_tenant(issuer: &Issuer) -> Option<&str> {
    const ANY: &str = "00000000-0000-0000-0000-000000000000";
    issuer.rules.tenants.first().map(String::as_str).or_else(|| issuer.templates.as_ref().map(|_| ANY))
}

fn has(claims: &Map<String, Value>, path: &ClaimPath) -> bool {
    find(claims, path).is_some()
}

fn find<'claims>(claims: &'claims Map<String, Value>, path: &ClaimPath) -> Option<&'claims Value> {
    let mut steps = path.steps();
    let first = steps.next().and_then(|step| claims.get(step));
    steps.fold(first, |value, step| value?.get(step))
}

/// Adds `value` at `path`, unless there is a value already or a step of the path is not an object.
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
