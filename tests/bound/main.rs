//! Tokens that are bound to a key or a certificate, at the desk: the library's own walk, without a guest.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "a test says what went wrong by panicking"
)]

mod binding;
mod certificates;
mod desk;
mod nonces;
mod proofs;
mod replays;
mod resource;
