//! Stores that fail, and entries that cannot be read: rows H11, H15, I6, I8 and L2 of `docs/attacks.md`.

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
/// Another key pair under the same id: nobody publishes it.
const FORGED: Key = Key { kid: 1, material: 4 };
/// A key of which nobody has heard.
const UNKNOWN: Key = Key { kid: 9, material: 4 };

fn ask(token: Token, sandbox: usize) -> Step {
    Step::Request(Call { sandbox, route: Route::Me, token: Some(token), body: None, renews: true })
}

fn call(key: Key, sandbox: usize) -> Step {
    ask(Token::Signed { iss: 0, key, who: 0 }, sandbox)
}

fn start() -> Run {
    let life = Life { min_fresh: 1, max_fresh: 1, max_stale: 1000, cool_down: 1 };
    Run::with(Plan { life, recall: 60, ..first_plan(&SIMULATED) }, &new_signing_keys().0)
}

impl Run {
    /// Takes these steps, and says of each request among them whether it was forwarded.
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

    fn visits(&self) -> usize {
        self.world.visits.borrow().len()
    }
}

// H11
#[test]
fn where_the_cache_cannot_say_who_may_ask_nobody_asks_the_issuer() {
    let mut run = start();
    assert_eq!(run.forwarded(&[Step::Cache(false), call(GOOD, 0), call(GOOD, 1)]), [false, false]);
    run.last_says("does not say whether");
    run.last_says("503");
    assert_eq!(run.visits(), 0);
    assert_eq!(run.forwarded(&[Step::Cache(true), call(GOOD, 0)]), [true]);
    assert_eq!(run.visits(), 1);
    // Neither for a set that is stale, whose renewal is due behind the response, nor for a key that it lacks.
    let later = [Step::Cache(false), Step::Wait(10_000), call(GOOD, 0), call(GOOD, 1), call(UNKNOWN, 0)];
    assert_eq!(run.forwarded(&later), [true, true, false]);
    run.last_says("503");
    assert_eq!(run.visits(), 1);
}

// H15
#[test]
fn when_the_request_that_fetches_is_lost_the_next_one_takes_its_turn() {
    let mut run = start();
    run.world.loses_next_visitor.set(true);
    assert!(catch_unwind(AssertUnwindSafe(|| run.take(&[call(GOOD, 0)]))).is_err());
    assert_eq!(run.visits(), 1, "it was lost while it was asking");
    assert_eq!(run.forwarded(&[call(GOOD, 1)]), [true]);
    assert_eq!(run.visits(), 2);
}

// H15
#[test]
fn nobody_waits_longer_than_eight_seconds_for_a_request_that_fetches() {
    let mut run = start();
    assert_eq!(run.forwarded(&[Step::Lease(Held::Visits), call(GOOD, 0)]), [false]);
    run.last_says("takes too long");
    run.last_says("503");
    assert_eq!(*run.world.patience.borrow(), [Duration::from_secs(8)]);
    run.forwarded(&[Step::Lease(Held::Nothing), call(GOOD, 0), Step::Wait(2000), Step::Lease(Held::Visits)]);
    // For a key that the set lacks, and behind a response for a set that is stale.
    assert_eq!(run.forwarded(&[call(GOOD, 0), call(UNKNOWN, 0)]), [true, false]);
    let longest = run.world.patience.borrow().iter().max().copied();
    assert_eq!((longest, run.visits()), (Some(Duration::from_secs(8)), 1), "{:?}", run.world.patience);
}

/// Where the cache keeps that the signature of a token holds, and the note that says so.
fn signature_entry(key: Key) -> (Vec<u8>, Vec<u8>) {
    let set: serde_json::Value = serde_json::from_str(&jwks(&[GOOD])).unwrap();
    let x = set["keys"][0]["x"].as_str().unwrap();
    let thumbprint = hmac_sha256::Hash::hash(format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#).as_bytes());
    let token = sign("https://first.test/lane", key, 0, BEGIN);
    let digest = hmac_sha256::Hash::hash(&[&thumbprint[..], token.as_bytes()].concat());
    ([b"fastgate/live/signature/".as_slice(), &digest].concat(), digest.to_vec())
}

// I8, and I6 of signatures
#[test]
fn a_signature_is_checked_where_the_cache_fails_or_its_entry_is_damaged() {
    let (place, note) = signature_entry(FORGED);
    let of_another = signature_entry(GOOD).1;
    let wrong_byte = [&[note[0] ^ 1], &note[1..]].concat();
    let damaged = [
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
    // The entry is one that would have been believed: nothing above was refused for another reason.
    assert!(run.take(&[Step::Cache(true), call(FORGED, 2)]).unwrap_err().starts_with("step 1"));
    run.last_says("\"forwarded\"");
}

// I6
#[test]
fn a_damaged_entry_of_the_cache_is_as_if_it_were_not_there() {
    type Damage = fn(&mut Stored);
    let damages: [Damage; 7] = [
        |entry| *entry = Stored::default(),
        |entry| entry.note.clear(),
        |entry| entry.note.push(b'x'),
        |entry| entry.note.fill(b'x'),
        |entry| entry.note.insert(0, 0xff),
        // What a list said is cut off where its entry begins, or dated in the future.
        |entry| match entry.note.iter().position(|byte| *byte == b' ') {
            Some(space) => entry.note.truncate(space + 1),
            None => entry.note.clear(),
        },
        |entry| entry.note = b"9999999999 -".to_vec(),
    ];
    for (number, damage) in damages.into_iter().enumerate() {
        let mut run = start();
        let revoked = Token::Signed { iss: 0, key: GOOD, who: 1 };
        let steps = [call(GOOD, 0), ask(revoked, 0), ask(Token::Opaque(0), 0), ask(Token::Opaque(2), 0)];
        let all = |sandbox| {
            steps.clone().map(|step| match step {
                Step::Request(call) => Step::Request(Call { sandbox, ..call }),
                other => other,
            })
        };
        run.forwarded(&[Step::Revoke(0, Mark::Subject, 1)]);
        assert_eq!(run.forwarded(&all(0)), [true, false, true, false], "{:#?}", run.outcomes);
        let asked = run.world.asked.borrow().len();
        assert_eq!(run.forwarded(&all(1)), [true, false, true, false]);
        assert_eq!(run.world.asked.borrow().len(), asked, "the entries are read by another sandbox");
        let count = run.world.damage_cache(damage);
        assert!(count >= 6, "{count} entries");
        assert_eq!(run.forwarded(&all(2)), [true, false, true, false], "damage {number}: {:#?}", run.outcomes);
        assert_eq!(run.world.asked.borrow().len(), asked + 2, "damage {number}: the provider is asked again");
    }
}

// I6
#[test]
fn what_a_provider_said_is_kept_for_the_window_whatever_the_entry_says() {
    let mut run = start();
    assert_eq!(run.forwarded(&[ask(Token::Opaque(0), 0)]), [true]);
    run.world.damage_cache(|entry| entry.note = b"9999999999".to_vec());
    let steps =
        [ask(Token::Opaque(0), 1), Step::Inactive(0), Step::Evict, Step::Wait(61_000), ask(Token::Opaque(0), 1)];
    assert_eq!(run.forwarded(&steps), [true, false]);
}

// L2
#[test]
fn while_the_kv_store_fails_the_last_good_policy_stays_and_without_one_everything_is_closed() {
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
        // Of policies that are too long the reference knows nothing.
        assert_eq!(run.take(&[call(GOOD, 1)]).is_err(), outage.is_none(), "{:#?}", run.outcomes);
        run.last_says("503");
    }
}
