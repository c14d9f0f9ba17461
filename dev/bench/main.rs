//! `make bench`: the cost of a request at the edge and in the app. Writes `docs/reference/costs.md`, its chart, and the
//! section of the README about costs.
//!
//! The CPU time of a Viceroy process per request is measured in pairs: a batch to a guest that only forwards, then one of
//! the kind in question; the figure of a kind is the median of the ratios of its pairs. Every Viceroy that is not being
//! measured is stopped, because each has a thread that wakes every 50 µs. Absolute figures depend on the machine.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::cast_precision_loss,
    reason = "a measurement that cannot go on has failed, and measurements have clocks"
)]

mod chart;
mod load;
mod machine;
mod measure;
mod models;
mod origin;
mod policy;
mod process;
mod programs;
mod report;
mod requests;
mod statistics;
mod streams;

use machine::Machine;
use requests::{ISSUER, Requests};

fn main() {
    let load = programs::load();
    let requests = Requests::prepare(measure::TOKENS);
    let machine = Machine::start("requests", &policy::policy(ISSUER), &requests);
    let rows = measure::rows(&machine, &requests);
    let machine = Machine::start("streams", &models::policy(ISSUER), &requests);
    let streams = streams::rows(&machine, &requests);
    let report = report::Report { rows, streams, guest: programs::guest_cost(), app: programs::origin_bench(), load };
    report.write();
}
