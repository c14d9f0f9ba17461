//! Of several key sets the right one is used: never an older one instead of a newer one, even if the older one was
//! declared fresh for longer, and never an unusable one instead of a usable one.

use fastgate::identity::key_life::FetchedAt;
use fastgate::mint::new_signing_keys;
use fastgate::ports::KeysDigest;
use fastgate::ports::storage::Stored;
use fastgate::time::{Seconds, UnixTime};

use crate::run::Run;
use crate::shared::steps::{Call, Key, Life, Outage, Plan, Route, SIMULATED, Step, Token, first_plan};
use crate::shared::tokens::jwks;
use crate::world::{BEGIN, World};

fn call(key: Key, sandbox: usize) -> Step {
    let token = Some(Token::Signed { iss: 0, key, who: 0 });
    Step::Request(Call { sandbox, route: Route::Me, token, body: None, renews: true })
}

#[test]
fn a_stale_set_is_never_replaced_by_an_older_fresh_one() {
    let life = Life { min_fresh: 1, max_fresh: 3600, max_stale: 86_400, cool_down: 1 };
    let plan = Plan { life, ..first_plan(&SIMULATED) };
    let (old, new) = (Key { kid: 1, material: 0 }, Key { kid: 2, material: 4 });
    let mut run = Run::with(plan, &new_signing_keys().0);
    run.world.cache_control.set(Some("max-age=3600"));
    run.take(&[call(old, 0), Step::Store(Some(Outage::Keys)), Step::Publish(0, vec![new]), Step::Wait(2000)]).unwrap();
    run.world.cache_control.set(Some("max-age=1"));
    run.take(&[call(new, 0), Step::Store(None), Step::Wait(10_000), call(old, 0), call(new, 0)]).unwrap();
    let verdicts: Vec<_> = run.outcomes.iter().map(|words| words.contains("\"forwarded\"")).collect();
    assert_eq!(verdicts, [true, true, false, true], "{:#?}", run.outcomes);
}

/// Puts the key set with `key` into the KV store, as fetched from the issuer at `at`, or as seeded by an operator for
/// `None`.
fn store(world: &World, key: Key, at: Option<u64>) {
    let source = world.names.source(0);
    let digest = KeysDigest::new(&source.iss, source.jwks_uri.as_deref(), source.backend);
    let note = at.map(|at| digest.note(FetchedAt::new(UnixTime::from_seconds(at), Seconds::new(60))).into_bytes());
    let mut set: serde_json::Value = serde_json::from_str(&jwks(&[key])).unwrap();
    set["issuer"] = source.iss.into();
    let stored = Stored { note: note.unwrap_or_default(), value: set.to_string().into_bytes() };
    world.kv.borrow_mut().insert("jwks/idp-lane".to_owned(), stored);
}

#[test]
fn an_unusable_set_does_not_hide_a_usable_one() {
    let life = Life { min_fresh: 1, max_fresh: 60, max_stale: 1000, cool_down: 1 };
    let plan = Plan { life, ..first_plan(&SIMULATED) };
    let key = Key { kid: 1, material: 0 };
    // A set from a POP whose clock is fast.
    for ahead in [100, 86_400] {
        let mut run = Run::with(plan, &new_signing_keys().0);
        run.take(&[call(key, 0), Step::Reachable(0, false), Step::Wait(100_000)]).unwrap();
        store(&run.world, Key { kid: 2, material: 4 }, Some(BEGIN + 100 + ahead));
        run.take(&[call(key, 0), call(key, 1)]).unwrap(); // from memory, and from the cache
        assert!(run.outcomes.iter().all(|words| words.contains("\"forwarded\"")), "{:#?}", run.outcomes);
    }
    // Nor does a set that is too old: an operator decided that the seeded set may always be used.
    let mut run = Run::with(plan, &new_signing_keys().0);
    run.take(&[call(key, 0), Step::Reachable(0, false), Step::Evict, Step::Wait(1_001_000)]).unwrap();
    store(&run.world, key, None);
    run.take(&[call(key, 0)]).unwrap();
    assert!(run.outcomes[1].contains("\"forwarded\"") && run.outcomes[1].contains("seeded"), "{:#?}", run.outcomes);
}
