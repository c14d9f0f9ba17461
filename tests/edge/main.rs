//! The real guest on Viceroy, over real sockets: with the demo application on uvicorn, with origins that are closures,
//! with the real OpenID provider. Every refusal is judged twice: by its answer, and by what the origin did not see.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test that cannot go on has failed, and tests have clocks"
)]

#[path = "../support/mod.rs"]
mod support;

mod bound;
mod closed;
mod credentials;
mod headers;
mod jwks;
mod log;
mod opaque;
mod origins;
mod paths;
mod provider;
mod revoked;
mod sandbox;
mod tokens;
mod verdicts;
