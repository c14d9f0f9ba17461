//! The gate over time: generated sequences of actions of operators, providers, stores and clients, run through
//! [`Sandbox`](fastgate::sandbox::Sandbox) on a simulated platform, and checked by a small reference.
//! `tests/edge/model.rs` does the same with the real guest.
//!
//! A failing sequence is printed with its seed, reduced to the necessary steps. `FASTGATE_MODEL_SEED=<seed>` runs only
//! this sequence; the seeds of earlier failures are in `seeds.txt` and are always run.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on has failed"
)]

mod body;
mod faults;
mod proofs;
mod rollback;
mod run;
#[path = "shared.rs"]
mod shared;
mod withdrawn;
mod world;

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use fastgate::mint::new_signing_keys;
use run::{Run, shortest};
use shared::seeds::seeds;
use shared::sequences::sequence;
use shared::steps::{SIMULATED, Step};

/// The number of new sequences.
const SEQUENCES: u64 = 2000;

/// Runs a sequence, and again without its shadow policies: live requests must have the same outcomes.
fn fails(steps: &[Step], signing_keys: &str) -> Result<usize, String> {
    let with_shadow = Run::of(steps, signing_keys)?;
    if steps.iter().any(|step| matches!(step, Step::Shadow(Some(_)))) {
        let steps: Vec<_> = steps.iter().filter(|step| !matches!(step, Step::Shadow(_))).cloned().collect();
        let without = Run::of(&steps, signing_keys)?;
        for (with, without) in with_shadow.outcomes.iter().zip(&without.outcomes) {
            if with != without {
                return Err(format!("(d) a shadow policy changes something:\n  {with}\n  {without}"));
            }
        }
    }
    Ok(with_shadow.outcomes.iter().filter(|outcome| outcome.contains("forwarded")).count())
}

#[test]
fn the_invariants_hold_over_time() {
    let seeds = seeds(include_str!("seeds.txt"), 1, SEQUENCES);
    let signing_keys = new_signing_keys().0;
    let (next, forwarded, failed) = (AtomicUsize::new(0), AtomicUsize::new(0), Mutex::new(None));
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(2, usize::from) {
            scope.spawn(|| {
                while failed.lock().unwrap().is_none() {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let Some(seed) = seeds.get(number) else { return };
                    let steps = sequence(*seed, &SIMULATED);
                    match fails(&steps, &signing_keys) {
                        Ok(count) => drop(forwarded.fetch_add(count, Ordering::Relaxed)),
                        Err(violation) => *failed.lock().unwrap() = Some((number, *seed, steps, violation)),
                    }
                }
            });
        }
    });
    if let Some((number, seed, steps, violation)) = failed.into_inner().unwrap() {
        let (steps, shortest) = shortest(steps, violation, |steps| fails(steps, &signing_keys).err());
        let steps: Vec<_> = steps.iter().map(|step| format!("  {step:?}")).collect();
        panic!("sequence {number}, FASTGATE_MODEL_SEED={seed}: {shortest}\n{}", steps.join("\n"));
    }
    if seeds.len() > 1 {
        let forwarded = forwarded.into_inner();
        assert!(forwarded > 2 * seeds.len(), "only {forwarded} requests were forwarded: nothing was tested");
    }
}
