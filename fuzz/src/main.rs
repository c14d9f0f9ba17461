//! One program for all targets: `FUZZ_TARGET` names the one. Build it with `make fuzz`, which instruments it.
#![no_main]

use std::sync::LazyLock;

#[path = "../targets/mod.rs"]
mod targets;

static TARGET: LazyLock<fn(&[u8])> = LazyLock::new(|| {
    let name = std::env::var("FUZZ_TARGET").unwrap_or_default();
    targets::find(&name).unwrap_or_else(|| panic!("FUZZ_TARGET is one of {:?}", targets::names()))
});

libfuzzer_sys::fuzz_target!(|data: &[u8]| TARGET(data));
