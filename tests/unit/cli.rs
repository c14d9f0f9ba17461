//! The host tool, `fastgate`, run as a program.

mod check;
mod diff;
mod explain;
mod revoke;
mod terminal;
