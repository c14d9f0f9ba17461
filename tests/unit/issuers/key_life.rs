//! How long a stored key set is fresh, and how long it may be used.

use fastgate::identity::key_life::{CachedKeySet, FetchedAt};
use fastgate::identity::keys::KeySet;
use fastgate::policy::KeyLife;
use fastgate::time::{Seconds, UnixTime};
use serde_json::json;

const LIFE: KeyLife = KeyLife {
    min_fresh: Seconds::new(10),
    max_fresh: Seconds::new(100),
    max_stale: Seconds::new(1000),
    cool_down: Seconds::new(5),
};

fn at(seconds: u64) -> UnixTime {
    UnixTime::from_seconds(seconds)
}

/// A set with one usable key and one unusable key.
fn set() -> KeySet {
    let x = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"; // RFC 8037 appendix A.2
    let jwks = json!({ "keys": [{ "kty": "OKP", "crv": "Ed25519", "x": x }, { "kty": "unknown" }] });
    KeySet::parse(jwks.to_string().as_bytes()).unwrap()
}

fn given(seconds: u64, fresh_for: u64) -> CachedKeySet {
    CachedKeySet::with_note(set(), Some(FetchedAt::new(at(seconds), Seconds::new(fresh_for))))
}

#[test]
fn a_set_is_fresh_then_stale_then_gone() {
    for (now, fresh, usable) in [
        (9_939, false, false), // from the future by more than the permitted clock difference
        (9_940, true, true),
        (10_000, true, true),
        (10_049, true, true),
        (10_050, false, true),
        (10_051, false, true),
        (10_999, false, true),
        (11_000, false, false),
        (11_001, false, false),
    ] {
        let set = given(10_000, 50);
        assert_eq!(set.is_fresh(at(now), &LIFE), fresh, "{now}");
        assert_eq!(set.is_usable(at(now), &LIFE), usable, "{now}");
        let note = set.note("kv", at(now), &LIFE);
        let state = if fresh { "fresh" } else { "stale" };
        let age = Seconds::new(now.saturating_sub(10_000));
        assert_eq!((note.from, note.state, note.age, note.skipped), ("kv", state, Some(age), 1));
    }
}

#[test]
fn the_policy_limits_the_freshness_of_a_stored_set() {
    let set = given(10_000, 5_000);
    assert!(set.is_fresh(at(10_099), &LIFE));
    assert!(!set.is_fresh(at(10_100), &LIFE));
}

#[test]
fn a_seeded_set_is_never_fresh_and_always_usable() {
    let set = CachedKeySet::with_note(set(), None);
    assert_eq!(set.fetched_at(), None);
    for now in [0, u64::MAX] {
        assert!(!set.is_fresh(at(now), &LIFE) && set.is_usable(at(now), &LIFE));
        let note = set.note("kv", at(now), &LIFE);
        assert_eq!((note.state, note.age, note.skipped), ("seeded", None, 1));
    }
}

#[test]
fn the_set_that_was_fetched_later_is_newer() {
    let (older, newer) = (given(10_000, 90), given(10_001, 10));
    assert!(newer.is_newer_than(&older) && !older.is_newer_than(&newer));
    assert!(!older.is_newer_than(&older));
    let seeded = CachedKeySet::with_note(set(), None);
    assert!(older.is_newer_than(&seeded) && !seeded.is_newer_than(&older));
    assert_eq!(older.fetched_at(), Some(FetchedAt::new(at(10_000), Seconds::new(90))));
    assert_eq!(older.fetched_at().map(FetchedAt::at), Some(at(10_000)));
    assert_eq!(older.keys().keys().len(), 1);
}
