//! The key sets of issuers, from wherever they are nearest: this sandbox's memory, the Core Cache of the POP, the KV
//! store, the issuer itself. What the issuer answers is written back to all of them. Good keys are never given up for a
//! bad answer.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::sync::Arc;
use std::time::Duration;

use fastgate::identity::keys::{KeySet, MAX_JWKS_BYTES};
use fastgate::identity::{KeySource, KeysUnavailable, discovery};
use fastgate::policy::Issuer;
use fastgate::time::UnixTime;
use fastly::cache::core::{self, CacheKey};
use fastly::http::{StatusCode, Url};
use fastly::kv_store::KVStore;
use fastly::{Body, Request};

use super::settings::STORE;

/// How long a key set is used without asking the issuer again, in seconds.
const FRESH: u64 = 600;
/// How long a key set is used when the issuer gives no better one, in seconds.
const MAX_STALE: u64 = 24 * 3600;
/// How long an issuer that failed is left alone, by the whole POP.
const COOL_DOWN: Duration = Duration::from_secs(5);

/// The key sets in the memory of this sandbox, by the policy's id of the issuer.
#[derive(Default)]
pub(super) struct Jwks(BTreeMap<String, Held>);

#[derive(Clone)]
struct Held {
    keys: Arc<KeySet>,
    /// When the issuer gave it; nothing for a set that an operator put into the KV store.
    fetched: Option<UnixTime>,
}

/// The key sets as they are asked for by one request.
pub(super) struct JwksAt<'sandbox> {
    jwks: &'sandbox mut Jwks,
    now: UnixTime,
    origin: Option<String>,
}

/// The places nearer than the issuer, the nearest first.
#[derive(Clone, Copy)]
enum Place {
    Memory,
    Cache,
    Store,
}

impl Place {
    const fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Cache => "cache",
            Self::Store => "store",
        }
    }
}

impl Jwks {
    /// The key sets, at the time of one request.
    pub(super) fn at(&mut self, now: UnixTime) -> JwksAt<'_> {
        JwksAt { jwks: self, now, origin: None }
    }
}

impl Held {
    fn age(&self, now: UnixTime) -> Option<u64> {
        self.fetched.map(|fetched| now.since(fetched))
    }

    fn is_fresh(&self, now: UnixTime) -> bool {
        self.age(now).is_some_and(|age| age < FRESH)
    }

    fn is_usable(&self, now: UnixTime) -> bool {
        self.age(now).is_none_or(|age| age < MAX_STALE)
    }
}

impl JwksAt<'_> {
    /// Where the keys of this request came from, for the log; nothing when none were asked for.
    pub(super) fn origin(self) -> Option<String> {
        self.origin
    }

    fn look(&self, place: Place, issuer: &Issuer) -> Option<Held> {
        match place {
            Place::Memory => self.jwks.0.get(&issuer.id).cloned(),
            Place::Cache => from_cache(issuer),
            Place::Store => from_store(issuer),
        }
    }

    fn found(&mut self, issuer: &Issuer, held: &Held, place: &str) -> Arc<KeySet> {
        self.origin = Some(match held.age(self.now) {
            Some(age) => format!("{place}, {age} s old"),
            None => format!("{place}, seeded"),
        });
        self.jwks.0.insert(issuer.id.clone(), held.clone());
        Arc::clone(&held.keys)
    }
}

impl KeySource for JwksAt<'_> {
    fn keys(&mut self, issuer: &Issuer) -> Result<Arc<KeySet>, KeysUnavailable> {
        let mut stale: Option<Held> = None;
        for place in [Place::Memory, Place::Cache, Place::Store] {
            match self.look(place, issuer) {
                Some(held) if held.is_fresh(self.now) => return Ok(self.found(issuer, &held, place.name())),
                Some(held) if stale.as_ref().is_none_or(|known| known.fetched < held.fetched) => stale = Some(held),
                _ => {}
            }
        }
        let cause = match fetch(issuer) {
            Ok((keys, json)) => {
                let held = Held { keys: Arc::new(keys), fetched: Some(self.now) };
                remember(issuer, &json, self.now);
                return Ok(self.found(issuer, &held, "issuer"));
            }
            Err(cause) => cause,
        };
        match stale.filter(|held| held.is_usable(self.now)) {
            Some(held) => Ok(self.found(issuer, &held, "stale")),
            None => Err(KeysUnavailable { issuer: issuer.id.clone(), cause }),
        }
    }
}

fn cache_key(kind: &str, issuer: &Issuer) -> CacheKey {
    CacheKey::from(format!("fastgate/{kind}/{}", issuer.id).into_bytes())
}

fn store_key(issuer: &Issuer) -> String {
    format!("jwks/{}", issuer.id)
}

fn from_cache(issuer: &Issuer) -> Option<Held> {
    let found = core::lookup(cache_key("jwks", issuer)).execute().ok()??;
    let fetched = seconds(&found.user_metadata())?;
    let json = read_bounded(found.to_stream().ok()?).ok()?;
    Some(Held { keys: Arc::new(KeySet::parse(&json).ok()?), fetched: Some(fetched) })
}

fn from_store(issuer: &Issuer) -> Option<Held> {
    let mut found = KVStore::open(STORE).ok()??.lookup(&store_key(issuer)).ok()?;
    let fetched = found.metadata().and_then(|metadata| seconds(&metadata));
    let json = read_bounded(found.take_body()).ok()?;
    Some(Held { keys: Arc::new(KeySet::parse(&json).ok()?), fetched })
}

/// Writes a fetched set back. A place that does not take it is no reason to refuse anybody.
fn remember(issuer: &Issuer, json: &[u8], now: UnixTime) {
    let fetched = now.seconds().to_string();
    let cached = core::insert(cache_key("jwks", issuer), Duration::from_secs(MAX_STALE))
        .user_metadata(fetched.clone().into())
        .execute();
    if let Ok(mut body) = cached
        && body.write_all(json).is_ok()
    {
        let _ = body.finish();
    }
    if let Ok(Some(store)) = KVStore::open(STORE) {
        let _ = store.build_insert().metadata(&fetched).execute(&store_key(issuer), json);
    }
}

fn seconds(metadata: &[u8]) -> Option<UnixTime> {
    std::str::from_utf8(metadata).ok()?.parse().ok().map(UnixTime::from_seconds)
}

/// Asks the issuer, unless it failed a moment ago.
fn fetch(issuer: &Issuer) -> Result<(KeySet, Vec<u8>), String> {
    let cool_down = || cache_key("jwks-failed", issuer);
    if matches!(core::lookup(cool_down()).execute(), Ok(Some(_))) {
        return Err("the issuer failed a moment ago".to_owned());
    }
    let fetched = fetch_now(issuer);
    if fetched.is_err()
        && let Ok(body) = core::insert(cool_down(), COOL_DOWN).execute()
    {
        let _ = body.finish();
    }
    fetched
}

fn fetch_now(issuer: &Issuer) -> Result<(KeySet, Vec<u8>), String> {
    let uri = match &issuer.jwks_uri {
        Some(uri) => uri.clone(),
        None => discover(issuer)?,
    };
    let json = fetch_json(&uri, &issuer.backend)?;
    let keys = KeySet::parse(&json).map_err(|error| format!("{uri}: {error}"))?;
    Ok((keys, json))
}

fn discover(issuer: &Issuer) -> Result<String, String> {
    let url = discovery::document_url(issuer);
    let document = fetch_json(&url, &issuer.backend)?;
    discovery::jwks_uri(issuer, &document).map_err(|error| format!("{url}: {error}"))
}

/// One answer of an issuer: 200, not redirected, not longer than a key set may be.
fn fetch_json(url: &str, backend: &str) -> Result<Vec<u8>, String> {
    let parsed = Url::parse(url).map_err(|_| format!("{url}: not a URL"))?;
    let request = Request::get(parsed).with_header("accept", "application/json").with_pass(true);
    let mut answer = request.send(backend).map_err(|error| format!("{url}: {}", error.root_cause()))?;
    if answer.get_status() != StatusCode::OK {
        return Err(format!("{url}: answered {}", answer.get_status().as_u16()));
    }
    read_bounded(answer.take_body()).map_err(|()| format!("{url}: cannot be read to its end or is too long"))
}

fn read_bounded(body: Body) -> Result<Vec<u8>, ()> {
    let mut bytes = Vec::new();
    let most = u64::try_from(MAX_JWKS_BYTES).unwrap_or(u64::MAX);
    body.take(most.saturating_add(1)).read_to_end(&mut bytes).map_err(drop)?;
    if bytes.len() > MAX_JWKS_BYTES { Err(()) } else { Ok(bytes) }
}
