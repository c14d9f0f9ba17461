//! Step *identify*: who is the caller? Input: the [`Admitted`] route, the request and the [`Sources`]. Output: a
//! [`Caller`]. A token is verified with the keys of its own issuer only. On a public route it is not read at all.
//!
//! `credential.rs` tells JWTs from opaque tokens; `token.rs` runs the checks of a JWT in their order, `jws.rs` reads its form,
//! `signature.rs` verifies its signature (RSA: `rsa.rs`), and `token_rules.rs` applies the issuer's rules.

pub mod bearer;
pub mod binding;
pub mod cache;
mod caller;
mod claims;
mod credential;
pub mod deny_list;
pub mod discovery;
pub mod dpop;
mod error;
pub mod introspection;
mod jws;
pub mod key_life;
mod key_source;
pub mod keys;
mod possession;
mod rsa;
#[cfg(not(target_os = "wasi"))]
pub mod sample_token;
pub mod signature;
pub mod signature_cache;
mod sources;
pub mod token;
mod token_error;
mod token_rules;

use std::sync::Arc;

use crate::place::Admitted;
use crate::policy::{Access, Policy};
use crate::request::Target;
use crate::time::UnixTime;
pub use caller::{Caller, Identity};
pub(crate) use claims::members;
use credential::Credential;
pub use credential::Seen;
use dpop::Rules;
pub use error::IdentityError;
pub use key_source::{KeySource, KeysUnavailable, Wanted};
pub use sources::Sources;

/// Identifies the caller. The cheapest checks come first; keys are only fetched if the token is otherwise valid.
///
/// # Errors
/// An [`IdentityError`]; never on a public route.
pub fn identify(
    policy: &Policy,
    admitted: Admitted<'_>,
    target: &Target,
    now: UnixTime,
    sources: &mut Sources<'_>,
    seen: &mut Seen,
) -> Result<Caller, IdentityError> {
    if admitted.route().access == Access::Public {
        return Ok(Caller::Anonymous);
    }
    let (scheme, compact) = bearer::single(target.authorization())?;
    token::check_length(&compact, policy.edge().max_token)?;
    let credential = Credential::read(policy, &compact, now, sources, seen)?;
    credential.check_resource(admitted.route())?;
    let binding = credential.binding()?;
    let rules = Rules { policy: policy.edge().proofs, nonces: sources.nonces, now };
    let proof = possession::prove(scheme, &compact, binding.as_ref(), target, rules, &mut seen.nonce)?;
    let issuer = credential.issuer();
    let claims = credential.verify(sources)?;
    let revocation_keys = deny_list::revocation_keys(issuer, &claims)?;
    deny_list::check(issuer, &revocation_keys, claims.issued(), now, sources.deny_list)?;
    possession::spend(proof, sources.used_proofs)?;
    Ok(Caller::Known(Identity::new(Arc::clone(issuer), claims, binding)))
}
