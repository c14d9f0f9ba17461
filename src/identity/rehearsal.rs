//! Tokens for rehearsals: what would happen to a caller of whom an issuer said this? A key pair is made for the occasion
//! and stands in for the issuer's; nothing that it signs is worth anything anywhere else.

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

/// Signs in the place of one issuer, by an algorithm that the policy accepts of it.
pub struct StandIn {
    signer: Signer,
    keys: Arc<KeySet>,
}

/// A token, and what it is presented with.
pub struct Rehearsed {
    /// The token.
    pub token: String,
    /// The digest of the client certificate that shows that the token is its holder's, where it is bound.
    pub certificate: Option<[u8; 32]>,
}

impl StandIn {
    /// A stand-in with a key pair of its own; nothing where none can be made.
    #[must_use]
    pub fn new(issuer: &Issuer) -> Option<Self> {
        let signer = Signer::new(&issuer.algorithms)?;
        let keys = Arc::new(signer.keys()?);
        Some(Self { signer, keys })
    }

    /// The keys that its tokens verify with.
    #[must_use]
    pub fn keys(&self) -> Arc<KeySet> {
        Arc::clone(&self.keys)
    }

    /// A token of `issuer` that says `claims`. What a good token of this issuer needs and `claims` leave out is filled in:
    /// issuer, audience, a subject, times, what the policy demands; never a claim that it refuses. Nothing where no token
    /// can be made.
    ///
    /// A token that `claims` bind (`cnf`) is presented with what it is bound to. A client certificate (RFC 8705 §3) does
    /// that for a DPoP key (RFC 9449 §6.1), too: which of the two it is makes no difference to any rule.
    #[must_use]
    pub fn token(&self, issuer: &Issuer, claims: &Map<String, Value>, now: UnixTime) -> Option<Rehearsed> {
        let mut said = completed(issuer, claims, now);
        let certificate = certificate(&mut said);
        let token = self.signer.sign(issuer.shape.types.first().map(String::as_str), said)?;
        Some(Rehearsed { token, certificate })
    }
}

fn completed(issuer: &Issuer, claims: &Map<String, Value>, now: UnixTime) -> Map<String, Value> {
    let (shape, demands, seconds) = (&issuer.shape, &issuer.rules, now.seconds());
    let mut said = claims.clone();
    for (name, value) in [
        ("iss", json!(issuer.issuer)),
        ("sub", json!("somebody")),
        ("iat", json!(seconds)),
        ("exp", json!(seconds.saturating_add(demands.max_lifetime.map_or(300, Seconds::as_u64).min(300)))),
    ] {
        said.entry(name).or_insert(value);
    }
    for (claim, values) in &demands.required {
        if let Some(value) = values.first() {
            said.entry(claim).or_insert_with(|| value.clone());
        }
    }
    let any_client = demands.require_client.then_some("rehearsal");
    let client = demands.clients.first().map(String::as_str).or(any_client);
    let named = accepted(&shape.client, issuer).any(|path| has(&said, path));
    for (path, value) in [
        (accepted(&shape.audience, issuer).next(), issuer.audiences.first().map(|audience| json!(audience))),
        (accepted(&shape.client, issuer).next(), client.filter(|_| !named).map(Value::from)),
        (shape.tenant.as_ref(), demands.tenants.first().map(|tenant| json!(tenant))),
    ] {
        if let (Some(path), Some(value)) = (path, value) {
            put(&mut said, path, value);
        }
    }
    said
}

/// Those of `paths` at which a token of `issuer` may have a claim.
pub fn accepted<'paths>(
    paths: &'paths [ClaimPath],
    issuer: &'paths Issuer,
) -> impl Iterator<Item = &'paths ClaimPath> + 'paths {
    let refused = |path: &ClaimPath| {
        path.steps().next().is_some_and(|first| issuer.rules.refused.iter().any(|refused| refused == first))
    };
    paths.iter().filter(move |path| !refused(path))
}

/// The certificate that shows that a bound token is its holder's. A token that is bound to a DPoP key becomes one that is
/// bound to a certificate; one that is bound in an unknown way is left as it is.
fn certificate(said: &mut Map<String, Value>) -> Option<[u8; 32]> {
    let (Binding::Key(thumbprint) | Binding::Certificate(thumbprint)) = Binding::of(said.get("cnf")).ok()??;
    let digest = URL_SAFE_NO_PAD.decode(thumbprint.as_str()).ok()?.try_into().ok()?;
    said.insert("cnf".to_owned(), json!(Binding::Certificate(thumbprint)));
    Some(digest)
}

fn has(claims: &Map<String, Value>, path: &ClaimPath) -> bool {
    let mut steps = path.steps();
    let first = steps.next().and_then(|step| claims.get(step));
    steps.fold(first, |value, step| value?.get(step)).is_some()
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
