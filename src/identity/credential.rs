//! The two kinds of tokens. Input: the token and the policy. Output: [`VerifiedClaims`]. A JWT is read here, and its
//! signature is verified after all other checks. An opaque token is verified by its issuer, which returns the claims
//! (RFC 7662).

use std::sync::Arc;

use super::binding::Binding;
use super::claims::Claims;
use super::error::IdentityError;
use super::introspection;
use super::key_source::{KeysUnavailable, Wanted};
use super::sources::Sources;
use super::token::{CheckedToken, NotVerified, UnverifiedToken, VerifiedClaims};
use super::token_error::TokenError;
use super::token_rules;
use crate::policy::{Issuer, IssuerId, Policy, Route};
use crate::secret::Secret;
use crate::time::UnixTime;

/// Facts about a token and its proof for the log and the response, verified or not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// The policy's id of the token's issuer, if the policy has that issuer.
    pub issuer: Option<IssuerId>,
    /// `kid` of the token; not verified.
    pub key_id: Option<String>,
    /// The nonce for the client's next proof, if its proof has no nonce or an older one.
    pub nonce: Option<String>,
}

/// A token whose claims satisfy the rules of its issuer.
pub(super) enum Credential<'policy, 'request> {
    /// A signed token. Its signature is not verified yet.
    Jwt(&'policy Arc<Issuer>, CheckedToken<'policy, 'request>),
    /// An opaque token. Its issuer has returned these claims.
    Opaque(&'policy Arc<Issuer>, VerifiedClaims),
}

impl<'policy, 'request> Credential<'policy, 'request> {
    /// Reads `compact` and checks the claims, without a key. An opaque token is introspected.
    ///
    /// # Errors
    /// An [`IdentityError`] if the token cannot be read, is not active, or breaks a rule of its issuer.
    pub(super) fn read(
        policy: &'policy Policy,
        compact: &Secret<&'request str>,
        now: UnixTime,
        sources: &mut Sources<'_>,
        seen: &mut Seen,
    ) -> Result<Self, IdentityError> {
        if let Some((issuer, endpoint)) = introspection::endpoint(policy, compact) {
            seen.issuer = Some(issuer.id.clone());
            let claims = introspection::active_claims(issuer, endpoint, compact, sources.introspector)?;
            return Ok(Self::Opaque(issuer, introspection::checked(claims, issuer, now)?));
        }
        let token = UnverifiedToken::parse(compact.clone())?;
        seen.key_id = token.key_id().map(str::to_owned);
        let issuer = policy.issuer(token.issuer()).ok_or(TokenError::UnknownIssuer)?;
        seen.issuer = Some(issuer.id.clone());
        Ok(Self::Jwt(issuer, token.check(issuer, now)?))
    }

    /// The issuer of the token.
    pub(super) const fn issuer(&self) -> &'policy Arc<Issuer> {
        match self {
            Self::Jwt(issuer, _) | Self::Opaque(issuer, _) => issuer,
        }
    }

    /// Checks that the token is for this route.
    ///
    /// # Errors
    /// [`TokenError::Audience`] if it names no audience that the route accepts.
    pub(super) fn check_resource(&self, route: &Route) -> Result<(), TokenError> {
        let (issuer, foreign) = (self.issuer(), route.foreign_resources());
        token_rules::check_resource(self.claims(), issuer, route.audiences_of(issuer), foreign)
    }

    /// The binding of the token; `None` for a bearer token.
    ///
    /// # Errors
    /// [`TokenError::Bound`] if it is bound in a way that is not supported.
    pub(super) fn binding(&self) -> Result<Option<Binding>, TokenError> {
        Binding::of(self.claims().top("cnf"))
    }

    const fn claims(&self) -> &Claims {
        match self {
            Self::Jwt(_, token) => token.claims(),
            Self::Opaque(_, verified) => verified.claims(),
        }
    }

    /// Verifies the signature of a signed token and returns the claims.
    ///
    /// # Errors
    /// An [`IdentityError`] if the issuer has no key for the token, or the signature is not valid.
    pub(super) fn verify(self, sources: &mut Sources<'_>) -> Result<VerifiedClaims, IdentityError> {
        match self {
            Self::Jwt(issuer, token) => verify(token, issuer, sources),
            Self::Opaque(_, claims) => Ok(claims),
        }
    }
}

/// Verifies a signed token with the nearest key set of its issuer. If that set lacks the token's key, or has another
/// key under its id, a later set is used. If the set has the key and it belongs to another tenant, the issuer is not
/// asked again: a client could otherwise cause requests to the issuer, and 503, with a token of its own tenant.
fn verify(
    token: CheckedToken<'_, '_>,
    issuer: &Issuer,
    sources: &mut Sources<'_>,
) -> Result<VerifiedClaims, IdentityError> {
    let keys = sources.keys.keys(issuer, Wanted::Nearest)?;
    let missed = match token.verify(&keys, sources.signatures) {
        Ok(verified) => return Ok(verified),
        Err(missed) => missed,
    };
    let may_be_newer = match missed.error {
        TokenError::UnknownKey => !missed.token.names_key_of_another_tenant(&keys),
        TokenError::Signature => true,
        _ => false,
    };
    if !may_be_newer {
        return Err(missed.error.into());
    }
    let later = match sources.keys.keys(issuer, Wanted::Later) {
        Ok(later) => later,
        // The set has the key, and the signature is not valid for it.
        Err(_) if missed.error == TokenError::Signature => return Err(missed.error.into()),
        Err(unavailable) => return Err(unavailable.into()),
    };
    let is_same = Arc::ptr_eq(&keys, &later);
    let verified = if is_same { Err(missed) } else { missed.token.verify(&later, sources.signatures) };
    verified.map_err(|NotVerified { token, error }| {
        if error == TokenError::UnknownKey && sources.keys.may_lack(issuer, token.key_id(), token.issued()) {
            let cause = "the token's key is not known yet, and the keys were fetched a moment ago".to_owned();
            return KeysUnavailable { issuer: issuer.id.clone(), cause }.into();
        }
        error.into()
    })
}
