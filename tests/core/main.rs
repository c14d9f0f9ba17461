//! The tests of the library: tables and properties, native, about a second. What Fastgate does on the platform is in
//! `tests/edge`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::too_many_lines,
    missing_docs,
    reason = "a test says what went wrong by panicking, and a table is as long as it is"
)]

mod attacks;
mod content;
mod contract;
mod credentials;
mod differential;
mod fields;
mod house;
mod identity_algorithms;
mod import_cycles;
mod journey;
mod mint;
mod normalize;
mod policy;
mod policy_forms;
mod problems;
mod references;
mod routing;
mod support;
mod tokens;
mod vectors;
