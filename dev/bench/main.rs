//! `make bench`: the cost of a request, as CPU time of the Viceroy process, in ratios to a guest that only forwards.
//!
//! One process for each guest, the same origin, interleaved rounds; the report has the median over the rounds for each
//! kind of request. Absolute figures depend on the machine; the ratios are those of this run.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::cast_precision_loss,
    reason = "a measurement that cannot go on has failed, and measurements have clocks"
)]

mod load;
mod machine;
mod requests;

use machine::Machine;
use requests::{Kind, Requests};

/// Rounds; odd, so that the median is one of them.
const ROUNDS: usize = 9;
/// Requests of each kind in each round.
const REQUESTS: usize = 400;

fn main() {
    let requests = Requests::prepare(ROUNDS * REQUESTS);
    let machine = Machine::start(&requests);
    let kinds = Kind::ALL;
    let mut samples: Vec<Vec<f64>> = vec![Vec::new(); kinds.len()];
    for kind in kinds {
        machine.measure(kind, &requests.of(kind, 0, REQUESTS / 4)); // warms code, caches and connections
    }
    for round in 0..ROUNDS {
        eprint!("\rround {} of {ROUNDS} ", round + 1);
        for (index, kind) in kinds.iter().enumerate() {
            let requests = requests.of(*kind, round * REQUESTS, REQUESTS);
            samples[index].push(machine.measure(*kind, &requests));
        }
    }
    eprintln!();
    let base = median(&samples[0]);
    println!("| request | CPU, µs | to pass-through | spread |");
    println!("| --- | ---: | ---: | ---: |");
    for (kind, samples) in kinds.iter().zip(&mut samples) {
        samples.sort_by(f64::total_cmp);
        let (low, high) = (samples[samples.len() / 4], samples[samples.len() * 3 / 4]);
        println!("| {} | {:.0} | {:.2} | {low:.0}–{high:.0} |", kind.name(), median(samples), median(samples) / base);
    }
    println!(
        "\nMedians of {ROUNDS} interleaved rounds of {REQUESTS} requests; the spread is from quartile to quartile."
    );
}

fn median(samples: &[f64]) -> f64 {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}
