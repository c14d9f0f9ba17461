//! `make guest-cost`: the cost of single operations in the guest, in microseconds. The program is compiled twice: for
//! `wasm32-wasip1` it measures, and for the host it runs the measurement on Viceroy.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::cast_precision_loss,
    reason = "a measurement has a clock, and no caller"
)]

#[cfg(target_os = "wasi")]
#[path = "../../tests/support/admitted.rs"]
mod admitted;
#[cfg(target_os = "wasi")]
mod deciding;
#[cfg(target_os = "wasi")]
mod envelope;
#[cfg(target_os = "wasi")]
mod fields;
#[cfg(not(target_os = "wasi"))]
#[path = "../../tests/support/guest.rs"]
mod guest;
#[cfg(target_os = "wasi")]
mod lists;
#[cfg(target_os = "wasi")]
mod matching;
#[cfg(target_os = "wasi")]
#[path = "../bench/policy.rs"]
mod policy;
#[cfg(target_os = "wasi")]
mod signatures;
#[cfg(not(target_os = "wasi"))]
#[path = "../../src/local_edge/viceroy.rs"]
mod viceroy;

#[cfg(not(target_os = "wasi"))]
#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    use std::sync::{Arc, Mutex};
    let config = "manifest_version = 3\n".parse()?;
    let wasm = std::path::Path::new(guest::GUEST).with_file_name("examples/guest_cost.wasm");
    viceroy::keep_compiled_in(std::path::Path::new(guest::COMPILED))?;
    let context = viceroy::start(&wasm, &config, Arc::new(Mutex::new(std::io::stdout())))?;
    Ok(context.run_main("guest_cost", &[]).await?)
}

#[cfg(target_os = "wasi")]
fn main() {
    deciding::run();
    println!();
    fields::run();
    println!();
    matching::run();
    println!();
    signatures::run();
    println!();
    envelope::run();
    println!();
    lists::run();
}

#[cfg(target_os = "wasi")]
/// The fastest of several rounds: other load on the machine only adds time.
fn microseconds(times: u32, mut work: impl FnMut()) -> f64 {
    let mut round = || {
        let start = std::time::Instant::now();
        (0..times).for_each(|_| work());
        start.elapsed().as_secs_f64() * 1e6 / f64::from(times)
    };
    (0..10).map(|_| round()).fold(f64::INFINITY, f64::min)
}
