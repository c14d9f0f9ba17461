//! The stores of key sets between the sandbox and the issuer: the POP's cache and the KV store. Both hold the JWK Set
//! as the issuer served it and, in a note, the time of the fetch and the [`KeysDigest`] to which it belongs. A set that
//! cannot be read, belongs to another digest, or may not be used now (too old, or dated in the future) counts as
//! absent, so that it hides no usable one.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};

use crate::digest::add_parts;
use crate::identity::key_life::{CachedKeySet, FetchedAt};
use crate::identity::keys::{KeySet, MAX_JWKS_BYTES};
use crate::policy::Issuer;
use crate::ports::cache_space::Space;
use crate::ports::role_platform::RolePlatform;
use crate::ports::storage::Stored;
use crate::store_keys::key_set_key;
use crate::strict_json;

/// The parts on which a key set depends, as its name: SHA-256 over the issuer (`iss`), the URL of its keys and the
/// backend, each after its length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeysDigest([u8; 32]);

impl KeysDigest {
    /// The digest for the keys of `issuer`.
    #[must_use]
    pub fn of(issuer: &Issuer) -> Self {
        Self::new(&issuer.issuer, issuer.jwks_uri.as_deref(), &issuer.backend)
    }

    /// The digest for the keys of the provider whose `iss` is `issuer`. Without `jwks_uri`, the discovery document
    /// gives the URL.
    #[must_use]
    pub fn new(issuer: &str, jwks_uri: Option<&str>, backend: &str) -> Self {
        let mut hash = Sha256::new();
        add_parts(&mut hash, [issuer, jwks_uri.unwrap_or("discovery"), backend]);
        Self(hash.finalize().into())
    }

    /// The note of a set that the issuer served at `given`: Unix seconds, seconds of freshness, the digest in
    /// base64url, separated by single spaces.
    #[must_use]
    pub fn note(&self, given: FetchedAt) -> String {
        format!("{} {}", given.to_note(), URL_SAFE_NO_PAD.encode(self.0))
    }

    /// Reads a [`note`](Self::note); `None` if it is malformed or for another digest.
    #[must_use]
    pub fn read_note(&self, note: &[u8]) -> Option<FetchedAt> {
        let (given, digest) = std::str::from_utf8(note).ok()?.rsplit_once(' ')?;
        if URL_SAFE_NO_PAD.decode(digest).ok()? != self.0 {
            return None;
        }
        FetchedAt::from_note(given.as_bytes())
    }

    pub(super) const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// A lookup in one place.
pub(super) type Lookup = fn(&Issuer, &KeysDigest, RolePlatform<'_>) -> Option<CachedKeySet>;

/// The set in the POP's cache.
pub(super) fn cached(issuer: &Issuer, digest: &KeysDigest, platform: RolePlatform<'_>) -> Option<CachedKeySet> {
    let found = platform.cached(Space::KeySet, digest.as_bytes(), MAX_JWKS_BYTES).ok()??;
    usable(issuer, Some(digest.read_note(&found.note)?), &found.value, platform)
}

/// The set in the POP's cache, if it is later than `known`. Its note is read first, so that the set is read only then.
pub(super) fn cached_later(
    issuer: &Issuer,
    digest: &KeysDigest,
    platform: RolePlatform<'_>,
    known: &CachedKeySet,
) -> Option<CachedKeySet> {
    let note = platform.cached_note(Space::KeySet, digest.as_bytes()).ok()??;
    let is_later = |given: &FetchedAt| Some(*given) > known.fetched_at();
    digest.read_note(&note).filter(is_later)?;
    cached(issuer, digest, platform).filter(|held| held.is_newer_than(known))
}

/// The set in the KV store, under `jwks/` and the policy's id of the issuer. An operator may have stored it: such a set
/// has no note, and names its issuer in a member `issuer`.
pub(super) fn stored(issuer: &Issuer, digest: &KeysDigest, platform: RolePlatform<'_>) -> Option<CachedKeySet> {
    let found = platform.kv(&key_set_key(issuer.id.as_str()), MAX_JWKS_BYTES).ok()??;
    let given = match found.note.as_slice() {
        [] if is_seeded_for(issuer, &found.value) => None,
        note => Some(digest.read_note(note)?),
    };
    usable(issuer, given, &found.value, platform)
}

fn usable(issuer: &Issuer, given: Option<FetchedAt>, json: &[u8], platform: RolePlatform<'_>) -> Option<CachedKeySet> {
    let held = CachedKeySet::with_note(KeySet::parse(json).ok()?, given);
    held.is_usable(platform.began(), &issuer.key_life).then_some(held)
}

fn is_seeded_for(issuer: &Issuer, json: &[u8]) -> bool {
    let members = strict_json::parse_object(json).unwrap_or_default();
    members.get("issuer").and_then(serde_json::Value::as_str) == Some(issuer.issuer.as_str())
}

/// Writes a fetched set to both places. A failed write does not refuse the request.
pub(super) fn remember(
    issuer: &Issuer,
    digest: &KeysDigest,
    json: Vec<u8>,
    given: FetchedAt,
    platform: RolePlatform<'_>,
) {
    let set = Stored { note: digest.note(given).into_bytes(), value: json };
    let _ = platform.cache(Space::KeySet, digest.as_bytes(), &set, issuer.key_life.max_stale);
    let _ = platform.kv_put(&key_set_key(issuer.id.as_str()), &set);
}

#[cfg(test)]
mod tests {
    use super::KeysDigest;
    use crate::identity::key_life::FetchedAt;
    use crate::time::{Seconds, UnixTime};

    #[test]
    fn a_note_is_read_for_the_digest_that_it_was_written_for() {
        let given = FetchedAt::new(UnixTime::from_seconds(17), Seconds::new(60));
        let digest = KeysDigest::new("https://idp.test", None, "idp");
        assert_eq!(digest.read_note(digest.note(given).as_bytes()), Some(given));
        for other in [
            KeysDigest::new("https://idp.test/", None, "idp"),
            KeysDigest::new("https://idp.test", Some("https://idp.test/keys"), "idp"),
            KeysDigest::new("https://idp.test", None, "other"),
            KeysDigest::new("https://idp.testdiscovery", Some(""), "idp"),
        ] {
            assert_eq!(digest.read_note(other.note(given).as_bytes()), None);
        }
        for note in [&b""[..], b"17 60", b"17 60 ", b"17 60 x", b"\xff"] {
            assert_eq!(digest.read_note(note), None);
        }
    }
}
