//! The tests of the library and of the host tool: tables and properties, run natively in some seconds. The tests of the
//! guest on the platform are in `tests/edge`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::needless_pass_by_value,
    clippy::too_many_lines,
    missing_docs,
    reason = "a test says what went wrong by panicking, has clocks, and a table is as long as it is"
)]

mod architecture;
mod attacks;
mod backends;
mod budgets;
mod caching;
mod cli;
mod content;
mod import_cycles;
mod inference;
mod issuers;
mod mcp_list;
mod mcp_request;
mod mint;
#[path = "../support/offline.rs"]
mod offline;
mod opaque;
mod pipeline;
mod policy;
mod problems;
mod proofs;
#[path = "../support/provider.rs"]
mod provider;
#[path = "../support/random.rs"]
mod random;
mod references;
mod request;
mod responses;
mod routing;
mod rules;
mod samples;
mod tokens;
mod usage;
