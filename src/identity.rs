//! Step 4, *identify*: who is calling. In goes the route and the credentials that arrived, out comes a [`Caller`]. A
//! token is only ever checked against the keys of its own issuer, and on a public route it is not read at all.

pub mod bearer;
pub mod binding;
mod claims;
mod demands;
pub mod deny_list;
pub mod discovery;
pub mod dpop;
pub mod introspection;
mod jose;
pub mod key_life;
pub mod keys;
mod possession;
#[cfg(not(target_os = "wasi"))]
pub mod rehearsal;
pub mod replay;
mod rsa;
pub mod signature;
pub mod token;
pub mod verdict;

use std::sync::Arc;

use serde_json::Value;

use crate::place::Admitted;
use crate::policy::{Access, ClaimPath, Issuer, Policy};
use crate::request::Target;
use crate::time::UnixTime;
use bearer::CredentialsError;
use binding::Binding;
pub(crate) use claims::members;
use claims::{Claims, Holder};
use deny_list::{DenyList, DenyListError};
use dpop::{Nonces, ProofError, Rules};
use introspection::{IntrospectionError, Introspector};
use keys::KeySet;
use replay::{Replays, ReplaysUnreachable};
use token::{TokenError, UnverifiedToken, VerifiedClaims};
use verdict::Verdicts;

/// Who is calling.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Caller {
    /// Nobody in particular; the route is public, or a token is optional and there is no good one.
    Anonymous,
    /// The holder of a token that verified.
    Known(Identity),
}

/// What a verified token says about its holder. Only [`identify`] makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    issuer: String,
    issuer_id: String,
    holder: Box<Holder>,
    claims: Claims,
    binding: Option<Box<Binding>>,
}

impl Identity {
    /// `sub`: unique within the issuer.
    #[must_use]
    pub fn subject(&self) -> &str {
        &self.holder.subject
    }

    /// `iss` of the token, in the policy's first spelling.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The policy's id of that issuer.
    #[must_use]
    pub fn issuer_id(&self) -> &str {
        &self.issuer_id
    }

    /// The OAuth client to which the token was issued.
    #[must_use]
    pub fn client_id(&self) -> Option<&str> {
        self.holder.client_id.as_deref()
    }

    /// `exp` of the token, in whole seconds: a fraction is cut off. The issuer's leeway is not added.
    #[must_use]
    pub fn expires(&self) -> Option<UnixTime> {
        self.claims.time("exp").ok().flatten()
    }

    /// The scopes of the token.
    #[must_use]
    pub fn scopes(&self) -> &[String] {
        &self.holder.scopes
    }

    /// The roles of the token, sorted, from the claims that the issuer keeps them in.
    #[must_use]
    pub fn roles(&self) -> &[String] {
        &self.holder.roles
    }

    /// The groups of the token, likewise.
    #[must_use]
    pub fn groups(&self) -> &[String] {
        &self.holder.groups
    }

    /// The tenant for which the token was issued.
    #[must_use]
    pub fn tenant(&self) -> Option<&str> {
        self.holder.tenant.as_deref()
    }

    /// A claim of the token; nothing where the path leads through something that is no object.
    #[must_use]
    pub fn claim(&self, path: &ClaimPath) -> Option<&Value> {
        self.claims.find(path)
    }

    /// What the token is bound to; the caller has shown to hold it.
    #[must_use]
    pub fn binding(&self) -> Option<&Binding> {
        self.binding.as_deref()
    }

    fn new(issuer: &Issuer, claims: VerifiedClaims, binding: Option<Binding>) -> Self {
        let (holder, claims) = claims.into_parts();
        let (issuer, issuer_id) = (issuer.issuer.clone(), issuer.id.clone());
        Self { issuer, issuer_id, holder: Box::new(holder), claims, binding: binding.map(Box::new) }
    }
}

/// Where the keys of an issuer come from.
pub trait KeySource {
    /// The key set of `issuer`, from wherever it is nearest.
    ///
    /// # Errors
    /// [`KeysUnavailable`] when there is none; the caller is then neither accepted nor called a liar.
    fn keys(&mut self, issuer: &Issuer, wanted: Wanted) -> Result<Arc<KeySet>, KeysUnavailable>;

    /// Whether the set that was given last may lack the key `kid` although the issuer has published it: where the token
    /// was issued (`since`, its `iat`) after the set was fetched, and the issuer may not be asked again yet.
    fn may_lack(&self, issuer: &Issuer, kid: Option<&str>, since: Option<UnixTime>) -> bool {
        let _ = (issuer, kid, since);
        false
    }
}

/// Which key set is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// The nearest one that may be used.
    Nearest,
    /// A later one, if there is: the nearest one lacks a key. May give the same again, above all when the issuer was
    /// asked a moment ago.
    Later,
}

/// The keys of an issuer cannot be had.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the keys of issuer \"{issuer}\" cannot be had: {cause}")]
pub struct KeysUnavailable {
    /// The policy's id of the issuer.
    pub issuer: String,
    /// What went wrong, for the log.
    pub cause: String,
}

/// Why it is not known who is calling.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    /// There are no usable credentials.
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
    /// The token is not good.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// The token could not be checked.
    #[error(transparent)]
    Keys(#[from] KeysUnavailable),
    /// The token is revoked, or it cannot be told whether it is.
    #[error(transparent)]
    DenyList(#[from] DenyListError),
    /// The token is opaque, and its issuer does not vouch for it.
    #[error(transparent)]
    Introspection(#[from] IntrospectionError),
    /// The proof of possession is not good.
    #[error(transparent)]
    Proof(#[from] ProofError),
    /// Whether the proof was used before could not be checked.
    #[error(transparent)]
    Replays(#[from] ReplaysUnreachable),
}

/// Finds out who is calling. What costs least is checked first; keys are only asked for once a token is otherwise good.
///
/// # Errors
/// An [`IdentityError`]; on a public route there is none.
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
    let rules = Rules { demands: policy.edge().proofs, nonces: sources.nonces, now };
    let nonce = &mut seen.nonce;
    let mut show = |binding: Option<&Binding>| possession::shown(scheme, &compact, binding, target, rules, nonce);
    let (issuer, claims, binding, proof) = if let Some((issuer, asked)) = introspection::about(policy, &compact) {
        seen.issuer = Some(issuer.id.clone());
        let claims = introspection::claims(issuer, asked, &compact, now, sources.introspector)?;
        let binding = Binding::of(claims.claim("cnf"))?;
        let proof = show(binding.as_ref())?;
        (issuer, claims, binding, proof)
    } else {
        let token = UnverifiedToken::parse(compact.clone())?;
        seen.key_id = token.key_id().map(str::to_owned);
        let issuer = policy.issuer(token.issuer()).ok_or(TokenError::UnknownIssuer)?;
        seen.issuer = Some(issuer.id.clone());
        token.check(issuer, now)?;
        let binding = token.binding()?;
        let proof = show(binding.as_ref())?;
        (issuer, verify(&token, issuer, now, sources)?, binding, proof)
    };
    deny_list::check(issuer, &claims, now, sources.deny_list)?;
    if let Some(proof) = proof {
        proof.spend(sources.replays)?;
    }
    Ok(Caller::Known(Identity::new(issuer, claims, binding)))
}

/// The claims of a signed token, by the nearest keys of its issuer, or by later ones where the nearest lack its key or have
/// another one under its id.
fn verify(
    token: &UnverifiedToken<'_>,
    issuer: &Issuer,
    now: UnixTime,
    sources: &mut Sources<'_>,
) -> Result<VerifiedClaims, IdentityError> {
    let keys = sources.keys.keys(issuer, Wanted::Nearest)?;
    let missed = match token.verify(issuer, &keys, now, sources.verdicts) {
        Err(missed @ (TokenError::UnknownKey | TokenError::Signature)) => missed,
        verified => return Ok(verified?),
    };
    let later = match sources.keys.keys(issuer, Wanted::Later) {
        Ok(later) => later,
        // The key is known, and the signature is not one of it.
        Err(_) if missed == TokenError::Signature => return Err(missed.into()),
        Err(unavailable) => return Err(unavailable.into()),
    };
    let verified =
        if Arc::ptr_eq(&keys, &later) { Err(missed) } else { token.verify(issuer, &later, now, sources.verdicts) };
    match verified {
        Err(TokenError::UnknownKey) if sources.keys.may_lack(issuer, token.key_id(), token.issued()) => {
            let cause = "the token's key is not known yet, and the issuer was asked a moment ago".to_owned();
            Err(KeysUnavailable { issuer: issuer.id.clone(), cause }.into())
        }
        verified => Ok(verified?),
    }
}

/// The effects in the middle of the walk.
pub struct Sources<'outside> {
    /// Where keys come from.
    pub keys: &'outside mut dyn KeySource,
    /// Where earlier verdicts on signatures are kept.
    pub verdicts: &'outside mut dyn Verdicts,
    /// Where it stands which tokens are revoked.
    pub deny_list: &'outside mut dyn DenyList,
    /// Who asks issuers about opaque tokens.
    pub introspector: &'outside mut dyn Introspector,
    /// Where used proofs of possession are kept.
    pub replays: &'outside mut dyn Replays,
    /// The nonces that proofs of possession carry, where the policy asks for them.
    pub nonces: &'outside Nonces,
}

/// What was seen of a token on the way, verified or not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// The policy's id of the token's issuer, once it is known to the policy.
    pub issuer: Option<String>,
    /// `kid` of the token, as the token says.
    pub key_id: Option<String>,
    /// The nonce that the client is to use from now on, where it used none or an older one.
    pub nonce: Option<String>,
}
