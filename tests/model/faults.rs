//! Failing stores and unreadable entries: rows H11, H15, I6, I8 and L2 of `docs/attacks.md`.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use fastgate::mint::new_signing_keys;
use fastgate::ports::storage::Stored;
use fastgate::store_keys::POLICY_KEY;

use crate::run::Run;
use crate::shared::steps::{Call, Held, Key, Life, Mark, Outage, Plan, Route, SIMULATED, Step, Token, first_plan};
use crate::shared::tokens::{jwks, sign};
use crate::world::BEGIN;

/// The key that the first provider publishes in the beginning.
const GOOD: Key = Key { kid: 1, material: 0 };
/// Another key pair under the same id, which is not published.
const FORGED: Key = Key { kid: 1, material: 4 };
/// A key that is not published.
const UNKNOWN: Key = Key { kid: 9, material: 4 };

fn call_with(token: Token, sandbox: usize) -> Step {
    Step::Request(Call { sandbox, route: Route::Me, token: Some(token), body: None, renews: true })
}

fn call(key: Key, sandbox: usize) -> Step {
    call_with(Token::Signed { iss: 0, key, who: 0 }, sandbox)
}

fn start() -> Run {
    let life = Life { min_fresh: 1, max_fresh: 1, max_stale: 1000, cool_down: 1 };
    Run::with(Plan { life, recall: 60, ..first_plan(&SIMULATED) }, &new_signing_keys().0)
}

impl Run {
    /// Takes these steps. Returns for each request among them whether it was forwarded.
    #[track_caller]
    fn forwarded(&mut self, steps: &[Step]) -> Vec<bool> {
        let before = self.outcomes.len();
        self.take(steps).unwrap();
        self.outcomes[before..].iter().map(|words| words.contains("\"forwarded\"")).collect()
    }

    #[track_caller]
    fn last_says(&self, part: &str) {
        assert!(self.outcomes.last().unwrap().contains(part), "{part}: {:#?}", self.outcomes);
    }

    fn fetches(&self) -> usize {
        self.world.fetches.borrow().len()
    }
}

// H11
#[test]
fn without_a_lease_of_the_cache_no_request_goes_to_the_issuer() {
    let mut run = start();
    assert_eq!(run.forwarded(&[Step::Cache(false), call(GOOD, 0), call(GOOD, 1)]), [false, false]);
    run.last_says("whether the keys may be fetched");
    run.last_says("503");
    assert_eq!(run.fetches(), 0);
    assert_eq!(run.forwarded(&[Step::Cache(true), call(GOOD, 0)]), [true]);
    assert_eq!(run.fetches(), 1);
    // The same holds for a stale set, which is renewed after the response, and for an unknown key.
    let later = [Step::Cache(false), Step::Wait(10_000), call(GOOD, 0), call(GOOD, 1), call(UNKNOWN, 0)];
    assert_eq!(run.forwarded(&later), [true, true, false]);
    run.last_says("503");
    assert_eq!(run.fetches(), 1);
}

// H15
#[test]
fn when_the_fetching_request_is_lost_the_next_one_gets_the_lease() {
    let mut run = start();
    run.world.loses_next_fetch.set(true);
    assert!(catch_unwind(AssertUnwindSafe(|| run.take(&[call(GOOD, 0)]))).is_err());
    assert_eq!(run.fetches(), 1, "the request was lost during its fetch");
    assert_eq!(run.forwarded(&[call(GOOD, 1)]), [true]);
    assert_eq!(run.fetches(), 2);
}

// H15
#[test]
fn no_request_waits_longer_than_eight_seconds_for_another_fetch() {
    let mut run = start();
    assert_eq!(run.forwarded(&[Step::Lease(Held::Fetches), call(GOOD, 0)]), [false]);
    run.last_says("takes too long");
    run.last_says("503");
    assert_eq!(*run.world.patience.borrow(), [Duration::from_secs(8)]);
    run.forwarded(&[Step::Lease(Held::Nothing), call(GOOD, 0), Step::Wait(2000), Step::Lease(Held::Fetches)]);
    // The same for an unknown key, and after a response with a stale set.
    assert_eq!(run.forwarded(&[call(GOOD, 0), call(UNKNOWN, 0)]), [true, false]);
    let longest = run.world.patience.borrow().iter().max().copied();
    assert_eq!((longest, run.fetches()), (Some(Duration::from_secs(8)), 1), "{:?}", run.world.patience);
}

/// The cache key and the note of a verified signature.
fn signature_entry(key: Key) -> (Vec<u8>, Vec<u8>) {
    let set: serde_json::Value = serde_json::from_str(&jwks(&[GOOD])).unwrap();
    let x = set["keys"][0]["x"].as_str().unwrap();
    let thumbprint = hmac_sha256::Hash::hash(format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#).as_bytes());
    let token = sign("https://first.test/lane", key, 0, BEGIN);
    let digest = hmac_sha256::Hash::hash(&[&thumbprint[..], token.as_bytes()].concat());
    (
        [b"fastgate/live/signature/".as_slice(), &digest].concat(),
        [digest.as_slice(), &(BEGIN + 30).to_be_bytes()].concat(),
    )
}

// I8, and I6 of signatures
#[test]
fn a_signature_is_checked_if_the_cache_fails_or_its_entry_is_damaged() {
    let (place, note) = signature_entry(FORGED);
    let of_another = signature_entry(GOOD).1;
    let wrong_byte = [&[note[0] ^ 1], &note[1..]].concat();
    let over = [&note[..32], &BEGIN.to_be_bytes()].concat();
    let damaged = [
        Stored::note(&note[..32]),
        Stored::note(&note[..39]),
        Stored::note(over),
        Stored::default(),
        Stored::note(&note[..31]),
        Stored::note([note.as_slice(), &[0]].concat()),
        Stored::note(wrong_byte),
        Stored::note(of_another),
        Stored { note: Vec::new(), value: note.clone() },
    ];
    for entry in damaged {
        let mut run = start();
        assert_eq!(run.forwarded(&[call(GOOD, 0)]), [true]);
        run.world.cache_entry(&place, entry);
        assert_eq!(run.forwarded(&[call(FORGED, 0), call(FORGED, 1), call(GOOD, 1)]), [false, false, true]);
    }
    let mut run = start();
    assert_eq!(run.forwarded(&[call(GOOD, 0)]), [true]);
    run.world.cache_entry(&place, Stored::note(note));
    let down = [Step::Cache(false), call(FORGED, 0), call(FORGED, 1), call(GOOD, 0), call(GOOD, 1)];
    assert_eq!(run.forwarded(&down), [false, false, true, true]);
    // The original entry is accepted: no request above was refused for another reason.
    assert!(run.take(&[Step::Cache(true), call(FORGED, 2)]).unwrap_err().starts_with("step 1"));
    run.last_says("\"forwarded\"");
}

// I6
#[test]
fn a_damaged_entry_of_the_cache_counts_as_absent() {
    type Damage = fn(&mut Stored);
    let damages: [Damage; 7] = [
        |entry| *entry = Stored::default(),
        |entry| entry.note.clear(),
        |entry| entry.note.push(b'x'),
        |entry| entry.note.fill(b'x'),
        |entry| entry.note.insert(0, 0xff),
        // Each damage truncates an entry of the deny-list, or dates it in the future.
        |entry| match entry.note.iter().position(|byte| *byte == b' ') {
            Some(space) => entry.note.truncate(space + 1),
            None => entry.note.clear(),
        },
        |entry| entry.note = b"9999999999 -".to_vec(),
    ];
    for (number, damage) in damages.into_iter().enumerate() {
        let mut run = start();
        let revoked = Token::Signed { iss: 0, key: GOOD, who: 1 };
        let steps =
            [call(GOOD, 0), call_with(revoked, 0), call_with(Token::Opaque(0), 0), call_with(Token::Opaque(2), 0)];
        let all = |sandbox| {
            steps.clone().map(|step| match step {
                Step::Request(call) => Step::Request(Call { sandbox, ..call }),
                other => other,
            })
        };
        run.forwarded(&[Step::Revoke(0, Mark::Subject, 1)]);
        assert_eq!(run.forwarded(&all(0)), [true, false, true, false], "{:#?}", run.outcomes);
        let before = run.world.introspections.borrow().len();
        assert_eq!(run.forwarded(&all(1)), [true, false, true, false]);
        assert_eq!(run.world.introspections.borrow().len(), before, "another sandbox uses the cached entries");
        let count = run.world.damage_cache(damage);
        assert!(count >= 6, "{count} entries");
        assert_eq!(run.forwarded(&all(2)), [true, false, true, false], "damage {number}: {:#?}", run.outcomes);
        assert_eq!(
            run.world.introspections.borrow().len(),
            before + 2,
            "damage {number}: the tokens are introspected again"
        );
    }
}

// I6
#[test]
fn an_introspection_response_is_kept_for_the_window_despite_a_later_date_in_the_entry() {
    let mut run = start();
    assert_eq!(run.forwarded(&[call_with(Token::Opaque(0), 0)]), [true]);
    run.world.damage_cache(|entry| entry.note = b"9999999999".to_vec());
    let steps = [
        call_with(Token::Opaque(0), 1),
        Step::Inactive(0),
        Step::Evict,
        Step::Wait(61_000),
        call_with(Token::Opaque(0), 1),
    ];
    assert_eq!(run.forwarded(&steps), [true, false]);
}

// L2
#[test]
fn while_the_kv_store_fails_the_last_policy_is_used_or_the_gate_is_closed() {
    let too_long = vec![b' '; 8 * 1024 * 1024 + 1];
    for outage in [Some(Outage::All), Some(Outage::Policy), None] {
        let mut run = start();
        // Without the deny-list, which is in the same store and must be known.
        let plan = Plan { deny_list: false, ..first_plan(&SIMULATED) };
        run.take(&[Step::Policy(plan), Step::NewSandbox(0)]).unwrap();
        assert_eq!(run.forwarded(&[call(GOOD, 0)]), [true]);
        match outage {
            Some(_) => run.take(&[Step::Store(outage)]).unwrap(),
            None => run.world.put_value(POLICY_KEY, too_long.clone()),
        }
        for _ in 0..3 {
            assert_eq!(run.forwarded(&[Step::Wait(3000), call(GOOD, 0)]), [true], "{outage:?}");
        }
        assert_eq!(run.forwarded(&[Step::Wait(11_000), call(GOOD, 0)]), [true], "{outage:?}");
        // The reference does not model policies that are too long.
        assert_eq!(run.take(&[call(GOOD, 1)]).is_err(), outage.is_none(), "{:#?}", run.outcomes);
        run.last_says("503");
    }
}
