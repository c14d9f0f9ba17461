//! Proof of possession. The presenter of a bound token must prove that it holds the key (RFC 9449) or the certificate
//! (RFC 8705). A bound token is never accepted as a bearer token, nor the reverse.

use super::bearer::Scheme;
use super::binding::{Binding, Thumbprint};
use super::dpop::used::UsedProofs;
use super::dpop::{Proof, ProofError, Rules, USED_FOR};
use super::error::IdentityError;
use super::token_error::TokenError;
use crate::request::Target;
use crate::secret::Secret;

/// Checks that the presenter holds what the token is bound to, except for the signature of a proof. The result is the
/// proof, which [`spend`] must verify, or `None` if the token needs no proof. If the client's next proof needs another
/// nonce, it is written to `nonce`, whether or not this proof is valid.
///
/// # Errors
/// [`TokenError::Bound`] if a bound token is presented without proof of possession; a [`ProofError`] if the proof is
/// not for this request, token and key.
pub(super) fn prove<'request>(
    scheme: Scheme,
    token: &Secret<&str>,
    binding: Option<&Binding>,
    target: &'request Target,
    rules: Rules<'_>,
    nonce: &mut Option<String>,
) -> Result<Option<Proof<'request>>, IdentityError> {
    match (scheme, binding) {
        (Scheme::Bearer, None) => Ok(None),
        // RFC 8705 §3: the certificate of this connection, whose key the client has proven to hold in the TLS
        // handshake.
        (Scheme::Bearer, Some(Binding::Certificate(thumbprint))) => {
            let held = target.certificate().map(Thumbprint::of).is_some_and(|presented| presented == *thumbprint);
            if held { Ok(None) } else { Err(TokenError::Bound.into()) }
        }
        // RFC 9449 §7.2: never downgraded to a bearer token.
        (Scheme::Bearer, Some(Binding::Key(_))) => Err(TokenError::Bound.into()),
        (Scheme::DPoP, Some(Binding::Key(thumbprint))) => {
            let proof = Proof::only(target.proofs())?;
            *nonce = proof.next_nonce(rules);
            proof.check(target, token, thumbprint, rules)?;
            Ok(Some(proof))
        }
        (Scheme::DPoP, None | Some(Binding::Certificate(_))) => Err(ProofError::Unbound.into()),
    }
}

/// Verifies the signature of `proof` and marks it as used. A proof is only stored after its signature was verified, so
/// that only the holder of a key that a valid token is bound to can fill the memory of used proofs.
///
/// # Errors
/// A [`ProofError`] if the signature is not valid or the proof was used before;
/// [`UsedProofsUnreachable`](super::dpop::used::UsedProofsUnreachable) if it is unknown whether it was used.
pub(super) fn spend(proof: Option<Proof<'_>>, used_proofs: &mut dyn UsedProofs) -> Result<(), IdentityError> {
    let Some(proof) = proof else { return Ok(()) };
    let id = proof.verify()?;
    if used_proofs.mark_used(&id, USED_FOR)? { Ok(()) } else { Err(ProofError::Replayed.into()) }
}
