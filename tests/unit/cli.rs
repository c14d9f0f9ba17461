//! The host tool, `fastgate`, as it is run.

mod check;
mod diff;
mod explain;
mod revoke;
mod terminal;
