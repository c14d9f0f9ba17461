//! The plan of a rotation, step by step, and under any interleaving of writers, crashes and clocks.

use std::cell::RefCell;

use fastgate::mint::rotation::{KEYS_MAX_STALE, Step, Waits, created, first, next_step};
use fastgate::mint::{Curve, KeyRecord, KeyState, RecordedKey, new_edge_key};
use fastgate::time::{Seconds, UnixTime};

use crate::random::Random;

const BEGIN: u64 = 1_800_000_000;
/// How long a POP may have an old record: the propagation of a write, and the poll of a sandbox.
const BEHIND: u64 = 60 + 10;
/// How long a header may be accepted after its sandbox read the record: the request, the header, the greatest leeway.
const ACCEPTED: u64 = 120 + 60 + 60;
/// How long a nonce may be accepted after its sandbox read the record.
const NONCE: u64 = 120 + 240;
/// How long an app may use a key set after the edge published it: HTTP caches, and `keys_max_stale`.
const KEPT: u64 = 300 + 3600;
const SEQUENCES: u64 = 400;

fn waits() -> Waits {
    Waits::of(KEYS_MAX_STALE)
}

fn at(seconds: u64) -> UnixTime {
    UnixTime::from_seconds(BEGIN + seconds)
}

fn step(record: &KeyRecord, now: u64) -> Step {
    next_step(Some(record), at(now), waits(), Seconds::new(0))
}

fn made(curves: &[Curve]) -> Vec<RecordedKey> {
    curves.iter().map(|curve| new_edge_key(*curve).unwrap().0).collect()
}

fn states(record: &KeyRecord) -> Vec<(KeyState, Curve)> {
    record.keys().iter().map(|key| (key.state, key.crv)).collect()
}

#[track_caller]
fn dated(record: &KeyRecord, now: u64) -> KeyRecord {
    let Step::Date(dated) = step(record, now) else { panic!("{:?}", step(record, now)) };
    assert_eq!(states(&dated), states(record));
    dated
}

#[test]
fn a_rotation_takes_its_steps_in_order_and_never_before_their_time() {
    use Curve::{Ed25519, X25519};
    use KeyState::{Retired, Signing};
    let (publish, withdraw) = (waits().publish.as_u64(), waits().withdraw.as_u64());
    assert_eq!((publish, withdraw), (4030, 490));
    let both = vec![Ed25519, X25519];
    assert_eq!(next_step(None, at(0), waits(), Seconds::new(0)), Step::Create(both.clone()));
    let record = dated(&first(&made(&both)).unwrap(), 5);
    assert_eq!(states(&record), [(Signing, Ed25519), (Signing, X25519)]);
    let day = Seconds::new(86_400);
    assert_eq!(next_step(Some(&record), at(5 + 86_399), waits(), day), Step::Nothing);
    assert_eq!(next_step(Some(&record), at(5 + 86_400), waits(), day), Step::Create(both.clone()));
    assert_eq!(step(&record, 5), Step::Create(both.clone()));

    let published = created(&record, &made(&both)).unwrap();
    let published = dated(&published, 100);
    for now in [40, 100, 100 + publish - 1] {
        assert_eq!(step(&published, now), Step::Wait(at(100 + publish)), "{now}");
    }
    let Step::Switch(switched) = step(&published, 100 + publish) else { panic!() };
    assert_eq!(states(&switched), [(Signing, Ed25519), (Signing, X25519), (Retired, Ed25519), (Retired, X25519)]);
    assert_eq!(switched.keys()[..2].iter().map(|key| &key.kid).collect::<Vec<_>>(), {
        published.keys()[2..].iter().map(|key| &key.kid).collect::<Vec<_>>()
    });
    let switched = dated(&switched, 5000);
    assert_eq!(step(&switched, 5000 + withdraw - 1), Step::Wait(at(5000 + withdraw)));
    let Step::Withdraw(gone, left) = step(&switched, 5000 + withdraw) else { panic!() };
    assert_eq!(gone, switched.keys()[2..].iter().map(|key| key.kid.clone()).collect::<Vec<_>>());
    assert_eq!(left.keys(), &switched.keys()[..2]);
    assert_eq!(next_step(Some(&left), at(6000), waits(), day), Step::Nothing);
}

#[test]
fn a_longer_time_for_kept_keys_makes_a_longer_wait_and_sums_do_not_wrap() {
    assert_eq!(Waits::of(Seconds::new(7200)).publish, Seconds::new(7200 + 430));
    let record = created(&first(&made(&[Curve::Ed25519])).unwrap(), &made(&[Curve::Ed25519])).unwrap();
    let Step::Date(record) = next_step(Some(&record), UnixTime::from_seconds(u64::MAX), waits(), Seconds::new(0))
    else {
        panic!()
    };
    assert_eq!(step(&record, u64::MAX - BEGIN - 60), Step::Wait(UnixTime::from_seconds(u64::MAX)));
}

#[test]
fn a_time_that_no_right_clock_can_have_written_is_replaced_and_another_stays() {
    let record = first(&made(&[Curve::Ed25519, Curve::X25519])).unwrap();
    let record = created(&dated(&record, 0), &made(&[Curve::Ed25519])).unwrap();
    let record = dated(&record, 1060);
    assert_eq!(step(&record, 1000), Step::Wait(at(1060 + waits().publish.as_u64())), "clocks may differ by a minute");
    let Step::Date(corrected) = step(&record, 999) else { panic!() };
    assert_eq!(states(&corrected), states(&record));
    let times: Vec<_> = corrected.keys().iter().map(|key| key.since).collect();
    assert_eq!(times, [Some(at(0)), Some(at(0)), Some(at(999))]);
    assert_eq!(step(&corrected, 999), Step::Wait(at(999 + waits().publish.as_u64())));
}

/// A writer of the record: an operator's machine, with a clock of its own, which may stop at any time.
struct Writer {
    fast_by: u64,
    /// The record that it is about to write, and the version that it has read.
    pending: Option<(usize, KeyRecord)>,
}

/// The versions of the record, each with the time at which it was written.
type Versions = Vec<(u64, KeyRecord)>;

fn sequence(seed: u64, keys: &RefCell<Vec<RecordedKey>>) -> Versions {
    let mut random = Random(seed);
    let key = |curve: &Curve| {
        let mut keys = keys.borrow_mut();
        let known = keys.iter().position(|key| key.crv == *curve);
        known.map_or_else(|| new_edge_key(*curve).unwrap().0, |known| keys.swap_remove(known))
    };
    let mut writers = [0, 60, 13].map(|fast_by| Writer { fast_by, pending: None });
    let (mut now, mut versions) = (0, Versions::new());
    for _ in 0..300 {
        now += random.pick(&[0, 0, 1, 10, 60, 240, 490, 2000, 4000]);
        let chosen = random.below(writers.len());
        let writer = &mut writers[chosen];
        let read = versions.last().map(|(_, record)| record);
        match (random.below(8), writer.pending.take()) {
            // It crashes.
            (0, _) => {}
            (_, Some((version, record))) => {
                // A write on which another came first is refused.
                if version == versions.len() {
                    versions.push((now, record));
                }
            }
            (_, None) => {
                let step = next_step(read, at(now + writer.fast_by), waits(), Seconds::new(100));
                let new = match step {
                    Step::Create(curves) => {
                        let new: Vec<_> = curves.iter().map(key).collect();
                        read.map_or_else(|| first(&new), |read| created(read, &new))
                    }
                    Step::Date(record) | Step::Switch(record) | Step::Withdraw(_, record) => Some(record),
                    Step::Wait(_) | Step::Nothing => None,
                };
                writer.pending = new.map(|record| (versions.len(), record));
            }
        }
    }
    versions
}

/// The keys of a version that are used, and whether another publishes them.
fn publishes(published: &KeyRecord, used: &KeyRecord) -> bool {
    let mut used = used.keys().iter().filter(|key| key.state == KeyState::Signing);
    used.all(|used| published.keys().iter().any(|key| key.kid == used.kid))
}

#[test]
fn at_every_moment_each_origin_can_verify_every_header_and_each_pop_every_nonce() {
    let keys =
        RefCell::new([Curve::Ed25519, Curve::X25519].repeat(200).iter().flat_map(|curve| made(&[*curve])).collect());
    let mut switches = 0;
    for seed in 0..SEQUENCES {
        let versions = sequence(seed, &keys);
        let end = |index: usize| versions.get(index + 1).map_or(u64::MAX / 2, |(end, _)| *end);
        for (signer, (signs_from, used)) in versions.iter().enumerate() {
            let signs_until = end(signer) + BEHIND;
            for (index, (from, published)) in versions.iter().enumerate() {
                let until = end(index) + BEHIND;
                let at_an_origin = *from < signs_until + ACCEPTED && *signs_from < until + KEPT;
                let at_a_pop = *from < signs_until + NONCE && *signs_from < until;
                if at_an_origin || at_a_pop {
                    assert!(
                        publishes(published, used),
                        "seed {seed}: version {signer} signs, version {index} verifies: {versions:#?}"
                    );
                }
            }
        }
        let signing = |record: &KeyRecord| record.keys()[0].kid.clone();
        switches += versions.windows(2).filter(|pair| signing(&pair[0].1) != signing(&pair[1].1)).count();
        keys.borrow_mut().extend(versions.last().into_iter().flat_map(|(_, record)| record.keys().to_vec()));
    }
    assert!(switches > 1000, "{switches} switches: nothing was tested");
}

#[test]
fn the_waits_contain_the_times_of_the_app_and_of_the_published_set() {
    let settings = include_str!("../../../origin/src/fastgate/settings.py");
    assert!(settings.contains(&format!("keys_max_stale: float = {}.0\n", KEYS_MAX_STALE.as_u64())));
    assert!(settings.contains("if not 0 <= self.leeway <= 60:"));
    assert!(include_str!("../../../src/gateway/well_known.rs").contains("\"public, max-age=300\""));
    assert!(include_str!("../../../src/ports/polled.rs").contains("const FRESH: Duration = Duration::from_secs(10);"));
}
