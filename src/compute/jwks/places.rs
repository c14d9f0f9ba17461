//! Where key sets are kept between the sandbox and the issuer: the Core Cache of the POP and the KV store. Both hold the
//! JWK Set as it came and, beside it, when it came. What cannot be read counts as not there.

use std::io::Write as _;
use std::time::Duration;

use fastgate::identity::key_life::{Given, HeldKeys};
use fastgate::identity::keys::KeySet;
use fastgate::policy::Issuer;
use fastly::cache::core::{self, CacheKey};
use fastly::kv_store::KVStore;

use super::fetch::read_bounded;
use crate::compute::settings::STORE;

/// A key of the cache: a fixed prefix and the policy's id of the issuer. Nothing that a client sends is in it.
pub(super) fn cache_key(kind: &str, issuer: &Issuer) -> CacheKey {
    CacheKey::from(format!("fastgate/{kind}/{}", issuer.id).into_bytes())
}

fn store_key(issuer: &Issuer) -> String {
    format!("jwks/{}", issuer.id)
}

/// The set in the Core Cache.
pub(super) fn cache(issuer: &Issuer) -> Option<HeldKeys> {
    let found = core::lookup(cache_key("jwks", issuer)).execute().ok()??;
    let given = Given::from_note(&found.user_metadata())?;
    let json = read_bounded(found.to_stream().ok()?).ok()?;
    Some(HeldKeys::with_note(KeySet::parse(&json).ok()?, Some(given)))
}

/// The set in the KV store, which an operator may have put there.
pub(super) fn store(issuer: &Issuer) -> Option<HeldKeys> {
    let mut found = KVStore::open(STORE).ok()??.lookup(&store_key(issuer)).ok()?;
    let given = found.metadata().and_then(|note| Given::from_note(&note));
    let json = read_bounded(found.take_body()).ok()?;
    Some(HeldKeys::with_note(KeySet::parse(&json).ok()?, given))
}

/// Writes a fetched set to both. A place that does not take it is no reason to refuse anybody.
pub(super) fn remember(issuer: &Issuer, json: &[u8], held: &HeldKeys) {
    let note = held.given_at().map(Given::to_note).unwrap_or_default();
    let life = Duration::from_secs(issuer.key_life.max_stale);
    let cached = core::insert(cache_key("jwks", issuer), life).user_metadata(note.clone().into()).execute();
    if let Ok(mut body) = cached
        && body.write_all(json).is_ok()
    {
        let _ = body.finish();
    }
    if let Ok(Some(store)) = KVStore::open(STORE) {
        let _ = store.build_insert().metadata(&note).execute(&store_key(issuer), json);
    }
}
