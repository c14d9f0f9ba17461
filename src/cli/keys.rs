//! `fastgate keys`: the edge's own keys.

use std::io::Read as _;
use std::process::ExitCode;

use fastgate::mint::{SigningKeys, new_signing_keys};

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

/// Prints the keys that the edge whose private key set is on standard input shares with the origin of this audience.
pub(super) fn origin(audience: &str) -> ExitCode {
    let mut private = Vec::new();
    let read = std::io::stdin().read_to_end(&mut private).map_err(|error| error.to_string());
    match read.and_then(|_| {
        SigningKeys::parse(&private).and_then(SigningKeys::checked).map_err(|error| format!("the key set {error}"))
    }) {
        Ok(keys) => {
            printer::error(format_args!(
                "Only for the origin \"{audience}\": these keys are enough to forge its identity headers."
            ));
            printer::line(keys.origin_keys(audience));
            ExitCode::SUCCESS
        }
        Err(error) => {
            printer::error(format_args!(
                "standard input: {error}; give it the private key set, `fastgate keys origin … < signing-keys.json`"
            ));
            ExitCode::from(2)
        }
    }
}
