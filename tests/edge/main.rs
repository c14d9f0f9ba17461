//! The real guest on Viceroy, over real sockets: with the demo application on uvicorn, with origins that are closures,
//! with the real OpenID provider. Each refusal is checked by its response and by the requests at the origin.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::format_collect,
    clippy::items_after_statements,
    clippy::needless_pass_by_value,
    clippy::too_many_lines,
    clippy::type_complexity,
    missing_docs,
    reason = "a test that cannot go on has failed, tests have clocks, and a table is as long as it is"
)]

#[path = "../support/mod.rs"]
mod support;

mod backends;
mod bound;
mod caching;
mod closed;
mod codes;
mod credentials;
mod headers;
mod hostcalls;
mod jwks;
mod key_record;
mod log;
mod model;
mod opaque;
mod origins;
mod paths;
mod provider;
mod respond;
mod revoked;
mod rules;
mod sandbox;
mod shared_keys;
mod tenants;
mod tokens;
mod verdicts;
mod websockets;
mod without;
