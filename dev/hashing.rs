//! How evenly rendezvous hashing spreads keys over backends, and how many move if one leaves. Prints
//! `docs/reference/backend-hashing.md`; `make hashing` writes it.

#![allow(
    clippy::print_stdout,
    clippy::cast_precision_loss,
    clippy::indexing_slicing,
    reason = "a program that prints shares in percent and ends if it is wrong"
)]

use fastgate::backend::cost;
use sha2::{Digest as _, Sha256};

/// The number of keys.
const KEYS: u32 = 20_000;

/// The first choice of each key, as a position in `weights`.
fn first_choices(names: &[String], weights: &[u32]) -> Vec<usize> {
    let key = |number: u32| <[u8; 32]>::from(Sha256::digest(number.to_be_bytes()));
    let first = |number: u32| {
        let (key, all) = (key(number), names.iter().zip(weights).enumerate());
        all.min_by_key(|(_, (name, weight))| cost(&key, name, **weight)).map_or(0, |(position, _)| position)
    };
    (0..KEYS).map(first).collect()
}

fn percent(part: usize, whole: usize) -> f64 {
    100.0 * part as f64 / whole as f64
}

/// One row: the smallest and the greatest share in relation to what the weight promises, and the share of keys that move if
/// the last backend leaves, which promises its own share and no more.
fn row(weights: &[u32]) -> String {
    let names: Vec<String> = (0..weights.len()).map(|number| format!("backend_{number}")).collect();
    let before = first_choices(&names, weights);
    let total: u32 = weights.iter().sum();
    let shares: Vec<f64> = (0..weights.len())
        .map(|position| {
            let count = before.iter().filter(|found| **found == position).count();
            percent(count, before.len()) * f64::from(total) / f64::from(weights[position])
        })
        .collect();
    let least = shares.iter().copied().fold(f64::INFINITY, f64::min);
    let most = shares.iter().copied().fold(0.0, f64::max);
    let rest = weights.len() - 1;
    let after = first_choices(&names[..rest], &weights[..rest]);
    let moved = before.iter().zip(&after).filter(|(was, is)| was != is).count();
    let astray = before.iter().zip(&after).filter(|(was, is)| was != is && **was != rest).count();
    let ideal = 100.0 * f64::from(weights[rest]) / f64::from(total);
    let written: Vec<String> = weights.iter().map(u32::to_string).collect();
    let weights = if weights.iter().all(|weight| *weight == 1) { "equal".to_owned() } else { written.join(", ") };
    format!(
        "| {} | {weights} | {least:.1} % to {most:.1} % | {:.2} % | {ideal:.2} % | {astray} |",
        names.len(),
        percent(moved, before.len())
    )
}

fn main() {
    println!("# Hashing of backends\n");
    println!(
        "For operators: how evenly `hash_by` spreads requests over backends, and how many move if one leaves.\n\n\
         Written by `make hashing`. With `hash_by`, requests with the same value get the same backend. Each row spreads {KEYS} keys and then \
         removes the last\nbackend. The share is in relation to what the weight promises. Only the keys of the backend that leaves may \
         move.\n"
    );
    println!("| backends | weights | share of a backend | keys that move | ideal | of other backends |");
    println!("| --- | --- | --- | --- | --- | --- |");
    for count in 2..=16 {
        println!("{}", row(&vec![1; count]));
    }
    println!("{}", row(&[1, 2, 4]));
    println!("{}", row(&[10, 5, 1]));
}
