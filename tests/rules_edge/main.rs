//! The rules at the edge: the real guest under Viceroy, and what the application behind it saw.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::too_many_lines,
    clippy::needless_pass_by_value,
    clippy::items_after_statements,
    clippy::type_complexity,
    clippy::format_collect,
    missing_docs,
    reason = "a test says what went wrong by panicking, has clocks, and a table is as long as it is"
)]

mod agreement;
#[path = "../rules/desk.rs"]
mod desk;
mod diff;
mod gate;
#[path = "../support/guest.rs"]
mod guest;
mod limits;
mod places;
mod requests;
mod trial;
mod who;
