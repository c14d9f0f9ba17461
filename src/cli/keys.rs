//! `fastgate keys`: the edge's own keys.

use std::process::ExitCode;

use fastgate::mint::new_signing_keys;

/// Prints a new private key set, ready for a pipe into the Secret Store.
pub(super) fn new() -> ExitCode {
    let (private, public) = new_signing_keys();
    eprintln!(
        "Private key set on standard output: store it as the secret \"signing-keys\" of the Secret Store \"fastgate\"."
    );
    eprintln!("Public half, which the edge publishes at /.well-known/fastgate/jwks.json:\n{public}");
    println!("{private}");
    ExitCode::SUCCESS
}
