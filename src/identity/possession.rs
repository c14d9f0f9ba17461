//! Whether whoever presents a token shows to hold what it is bound to. A token that is bound is never taken for one that
//! serves whoever has it, nor the other way round.

use super::IdentityError;
use super::bearer::Scheme;
use super::binding::{Binding, Thumbprint};
use super::dpop::{Proof, ProofError, Rules};
use super::token_error::TokenError;
use crate::request::Target;
use crate::secret::Secret;

/// The proof that has yet to be spent, where a token is presented with one. Everything that needs no signature is judged.
/// Where the client is to use another nonce from now on, `nonce` becomes that one, whatever becomes of this proof.
///
/// # Errors
/// [`TokenError::Bound`] where a bound token is presented without what it is bound to, a [`ProofError`] where the proof is
/// not one for this request, token and key.
pub(super) fn shown<'request>(
    scheme: Scheme,
    token: &Secret<&str>,
    binding: Option<&Binding>,
    target: &'request Target,
    rules: Rules<'_>,
    nonce: &mut Option<String>,
) -> Result<Option<Proof<'request>>, IdentityError> {
    match (scheme, binding) {
        (Scheme::Bearer, None) => Ok(None),
        // RFC 8705 §3: the certificate of this very connection, which TLS has proven to be the client's.
        (Scheme::Bearer, Some(Binding::Certificate(thumbprint))) => {
            let held = target.certificate().map(Thumbprint::of).is_some_and(|shown| shown == *thumbprint);
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
