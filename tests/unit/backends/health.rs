//! When a backend is skipped, and when it is tried again: the record, and its entry in the cache of a POP. Row M13 of
//! `docs/attacks.md`.

mod pop;

use fastgate::backend::{HealthRecord, Outcome};
use fastgate::policy::Policy;
use fastgate::time::UnixTime;
use pop::{Pop, Requests};
use serde_json::json;

use super::policy;
use crate::offline::policy_of;

/// Two backends, of which one is skipped for 10 seconds after 3 failures in a row.
fn two_backends() -> Policy {
    policy_of(&policy(
        &json!({ "audience": "app", "backends": { "a": {}, "b": {} }, "health": { "failures": 3, "pause": 10 } }),
        &json!({}),
    ))
}

#[test]
fn a_backend_is_skipped_after_failures_in_a_row_and_tried_by_one_request_after_the_pause() {
    let policy = two_backends();
    let backends = &policy.routes()[0].origin().unwrap().backends;
    let at = |second: u64| UnixTime::from_seconds(1000 + second);
    let twice = HealthRecord::default().failed(false, backends, at(0)).failed(false, backends, at(1));
    assert!(!twice.skips(at(1)) && twice.tried(backends, at(1)).is_none());
    assert!(twice.has_failures() && !HealthRecord::default().has_failures());
    let record = twice.failed(false, backends, at(2));
    assert!(record.skips(at(11)) && !record.skips(at(12)));
    assert_eq!(record.tried(backends, at(11)), None);
    let tried = record.tried(backends, at(12)).expect("one request tries it");
    assert!(tried.skips(at(12)) && tried.skips(at(21)), "it is skipped for the others");
    assert!(tried.failed(false, backends, at(13)).skips(at(22)), "a failure begins the next pause");
    let released = tried.released(at(13));
    assert!(!released.skips(at(13)) && released.tried(backends, at(13)).is_some(), "another request tries it");
    assert_eq!(HealthRecord::from_text(tried.to_text().as_bytes()), tried);
    for malformed in ["", "1", "1 2", "x 1 1", "1 x 1", "1 1 x", "1 2 3 4", "-1 5 5", "\u{ff}"] {
        assert_eq!(HealthRecord::from_text(malformed.as_bytes()), HealthRecord::default(), "{malformed}");
    }
}

#[test]
fn a_success_ends_a_row_although_others_fail_at_the_same_time() {
    let (policy, pop) = (two_backends(), Pop::default());
    // Of each three requests that overlap, two fail; there are never three failures in a row.
    Requests::of(&policy, &pop).begin().end(Outcome::Failed);
    for _ in 0..10 {
        let [mut succeeds, mut fails, mut last] = [(); 3].map(|()| Requests::of(&policy, &pop).begin());
        fails.end(Outcome::Failed);
        succeeds.end(Outcome::Responded);
        last.end(Outcome::Failed);
        assert!(!Requests::of(&policy, &pop).is_skipped());
    }
    // Without a success, the same failures add up.
    for _ in 0..2 {
        assert!(!Requests::of(&policy, &pop).is_skipped());
        Requests::of(&policy, &pop).begin().end(Outcome::Failed);
    }
    assert!(Requests::of(&policy, &pop).is_skipped());
}

#[test]
fn a_success_of_a_request_that_began_before_the_first_failure_ends_no_row_and_reads_nothing() {
    let (policy, pop) = (two_backends(), Pop::default());
    let mut early = Requests::of(&policy, &pop).begin();
    for _ in 0..2 {
        Requests::of(&policy, &pop).begin().end(Outcome::Failed);
    }
    let before = pop.lookups.get();
    early.end(Outcome::Responded);
    assert_eq!(pop.lookups.get(), before, "a request that found no failures looks them up once");
    Requests::of(&policy, &pop).begin().end(Outcome::Failed);
    assert!(Requests::of(&policy, &pop).is_skipped());
}

#[test]
fn a_success_of_a_request_that_began_before_a_pause_does_not_end_the_pause() {
    let (policy, pop) = (two_backends(), Pop::default());
    Requests::of(&policy, &pop).begin().end(Outcome::Failed);
    let [mut early, mut late] = [(); 2].map(|()| Requests::of(&policy, &pop).begin());
    for _ in 0..2 {
        Requests::of(&policy, &pop).begin().end(Outcome::Failed);
    }
    early.end(Outcome::Responded);
    assert!(Requests::of(&policy, &pop).is_skipped());
    // Neither does a failure make it longer.
    pop.now.set(9);
    late.end(Outcome::Failed);
    pop.now.set(10);
    assert!(!Requests::of(&policy, &pop).is_skipped());
}

#[test]
fn after_a_pause_one_request_tries_the_backend_and_its_outcome_decides() {
    for (outcome, at_once, later) in
        [(Outcome::Failed, true, true), (Outcome::Responded, false, false), (Outcome::Unclear, false, true)]
    {
        let (policy, pop) = (two_backends(), Pop::default());
        for _ in 0..3 {
            Requests::of(&policy, &pop).begin().end(Outcome::Failed);
        }
        pop.now.set(10);
        let mut tries = Requests::of(&policy, &pop).begin();
        assert!(Requests::of(&policy, &pop).is_skipped(), "the others skip it");
        tries.end(outcome);
        assert_eq!(Requests::of(&policy, &pop).is_skipped(), at_once, "{outcome:?}");
        // One that tries it after an unclear outcome makes the others skip it again; after a success none does.
        let mut next = Requests::of(&policy, &pop).begin();
        assert_eq!(Requests::of(&policy, &pop).is_skipped(), later, "{outcome:?}");
        next.end(Outcome::Unclear);
    }
}

#[test]
fn what_a_caller_may_cause_counts_only_if_no_request_succeeds_for_a_while() {
    let (policy, pop) = (two_backends(), Pop::default());
    // A burst of slow requests makes nobody skip the backend, however many they are.
    for _ in 0..20 {
        Requests::of(&policy, &pop).begin().end(Outcome::Doubtful);
    }
    assert!(!Requests::of(&policy, &pop).is_skipped());
    // One success ends the row.
    Requests::of(&policy, &pop).begin().end(Outcome::Responded);
    pop.now.set(5);
    Requests::of(&policy, &pop).begin().end(Outcome::Doubtful);
    assert!(!Requests::of(&policy, &pop).is_skipped());
    // Without one, the next doubtful failure that is late enough makes it skipped.
    for (second, skipped) in [(5, false), (9, false), (10, true)] {
        pop.now.set(second);
        Requests::of(&policy, &pop).begin().end(Outcome::Doubtful);
        assert_eq!(Requests::of(&policy, &pop).is_skipped(), skipped, "{second}");
    }
    // After the pause, one request at a time tries it, until the row is as long again.
    for (second, skipped) in [(20, false), (20, false), (24, false), (25, true)] {
        pop.now.set(second);
        let mut tries = Requests::of(&policy, &pop).begin();
        assert!(Requests::of(&policy, &pop).is_skipped(), "the others skip it");
        tries.end(Outcome::Doubtful);
        assert_eq!(Requests::of(&policy, &pop).is_skipped(), skipped, "{second}");
    }
    // One success ends it all.
    pop.now.set(35);
    Requests::of(&policy, &pop).begin().end(Outcome::Doubtful);
    Requests::of(&policy, &pop).begin().end(Outcome::Responded);
    let mut tries = Requests::of(&policy, &pop).begin();
    assert!(!Requests::of(&policy, &pop).is_skipped());
    tries.end(Outcome::Responded);
}

#[test]
fn a_failure_that_no_caller_causes_counts_at_once() {
    let (policy, pop) = (two_backends(), Pop::default());
    for outcome in [Outcome::Doubtful, Outcome::Doubtful, Outcome::Failed] {
        assert!(!Requests::of(&policy, &pop).is_skipped());
        Requests::of(&policy, &pop).begin().end(outcome);
    }
    assert!(Requests::of(&policy, &pop).is_skipped());
}

#[test]
fn a_failure_while_all_backends_are_skipped_makes_the_pause_longer() {
    let (policy, pop) = (two_backends(), Pop::default());
    for _ in 0..3 {
        Requests::of(&policy, &pop).begin().end(Outcome::Failed);
    }
    for (outcome, until) in [(Outcome::Failed, 15), (Outcome::Doubtful, 15), (Outcome::Unclear, 15)] {
        pop.now.set(5);
        Requests::of(&policy, &pop).begin().end(outcome);
        pop.now.set(until - 1);
        assert!(Requests::of(&policy, &pop).is_skipped(), "{outcome:?}");
    }
    pop.now.set(15);
    assert!(!Requests::of(&policy, &pop).is_skipped());
}

#[test]
fn a_success_while_all_backends_are_skipped_ends_the_pause() {
    let (policy, pop) = (two_backends(), Pop::default());
    for _ in 0..3 {
        Requests::of(&policy, &pop).begin().end(Outcome::Failed);
    }
    let mut tries = Requests::of(&policy, &pop).begin();
    tries.end(Outcome::Responded);
    assert!(!Requests::of(&policy, &pop).is_skipped());
}

#[test]
fn the_clock_is_read_once_for_all_backends_and_only_if_one_has_failed() {
    let (policy, pop) = (two_backends(), Pop::default());
    let select = |policy: &Policy| {
        Requests::of(policy, &pop).open(|health, backends, [a, b]| {
            assert_eq!([a, b].map(|backend| health.skipped_until(backends, backend)), [None, None]);
            health.tries(backends, b);
        });
    };
    select(&policy);
    assert_eq!(pop.clock_reads.get(), 0);
    for name in ["a", "b"] {
        for _ in 0..3 {
            Requests::of(&policy, &pop).begin_at(name).end(Outcome::Failed);
        }
    }
    pop.now.set(20);
    pop.clock_reads.set(0);
    select(&policy);
    assert_eq!(pop.clock_reads.get(), 1);
}

#[test]
fn a_cache_that_fails_and_a_shadow_policy_skip_no_backend() {
    let (policy, pop) = (two_backends(), Pop::default());
    for _ in 0..3 {
        Requests::of(&policy, &pop).begin().end(Outcome::Failed);
    }
    assert!(Requests::of(&policy, &pop).is_skipped());
    assert!(!Requests::in_shadow(&policy, &pop).is_skipped());
    pop.broken.set(true);
    assert!(!Requests::of(&policy, &pop).is_skipped());
    pop.unhealthy.set(true);
    assert!(Requests::of(&policy, &pop).is_skipped());
    assert!(!Requests::in_shadow(&policy, &pop).is_skipped());
}
