//! The host tool, `fastgate`, run as a program.

mod check;
mod diff;
mod explain;
mod purge;
mod revoke;
mod terminal;
