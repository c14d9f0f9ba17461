//! `fastgate keys`: the edge's own keys.
//!
//! `rotate.rs` plans a rotation, `steps.rs` carries out one step of it, `former.rs` takes keys over that were in one secret, `known.rs` asks
//! the edge and the apps which keys they know, `status.rs` shows all of it, `stores.rs` reads and writes the stores, and `unlisted.rs` finds secrets
//! that belong to no key of the record.

mod former;
mod known;
mod rotate;
mod status;
mod steps;
mod stores;
mod unlisted;

use std::process::ExitCode;

use clap::Subcommand;
use fastgate::mint::new_signing_keys;

use super::failure::exit_code;
use super::printer;

/// What to do with the keys.
#[derive(Subcommand)]
pub(super) enum Keys {
    /// Print a new private key set for the local edge (secret "signing-keys"): an Ed25519 key, which signs, and an
    /// X25519 key, from which MAC keys are derived. The public half is printed to standard error.
    New,
    /// Replace the edge's keys of a service, without a refused request: carry out the steps that are due, and say when to run this
    /// again. On a new service it makes the first keys. Needs an API token (`FASTLY_API_TOKEN`).
    Rotate(Box<rotate::Rotate>),
    /// Print the edge's keys of a service: their states, their secrets, who knows them, and the next step. Needs an API token
    /// (`FASTLY_API_TOKEN`).
    Status(Box<status::Status>),
}

/// Runs the command.
pub(super) fn keys(keys: &Keys) -> ExitCode {
    match keys {
        Keys::New => new(),
        Keys::Rotate(rotate) => exit_code(rotate::run(rotate)),
        Keys::Status(status) => exit_code(status::run(status)),
    }
}

/// Prints a new private key set, ready for a pipe into a file.
fn new() -> ExitCode {
    let (private, public) = new_signing_keys();
    if private.is_empty() {
        printer::error("the operating system gave no randomness, so no key was made; try again");
        return ExitCode::from(2);
    }
    printer::error(
        "Private key set on standard output, for the secret \"signing-keys\" of a local edge; `fastgate keys rotate` makes the \
         keys of a service.",
    );
    printer::error("Public half, which the edge publishes at /.well-known/fastgate/jwks.json:");
    printer::error(public);
    printer::line(private);
    ExitCode::SUCCESS
}
