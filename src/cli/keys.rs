//! `fastgate keys`: the edge's own keys.

use std::process::ExitCode;

use fastgate::mint::new_signing_keys;

use super::printer;

/// Prints a new private key set, ready for a pipe into the Secret Store.
pub(super) fn new() -> ExitCode {
    let (private, public) = new_signing_keys();
    if private.is_empty() {
        printer::error("the operating system gave no randomness, so no key was made; try again");
        return ExitCode::from(2);
    }
    printer::error(
        "Private key set on standard output: store it as the secret \"signing-keys\" of the Secret Store \"fastgate\".",
    );
    printer::error("Public half, which the edge publishes at /.well-known/fastgate/jwks.json:");
    printer::error(public);
    printer::line(private);
    ExitCode::SUCCESS
}
