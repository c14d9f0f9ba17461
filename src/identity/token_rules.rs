//! The rules for the claims of a token that need no key. Input: the claims and the [`Issuer`]. Output: `Ok` or a
//! [`TokenError`]. They are checked on every request, even if the signature was verified before.

use serde_json::Value;

use super::claims::Claims;
use super::token_error::TokenError;
use crate::policy::{Audience, Issuer, TokenKind};
use crate::time::UnixTime;

/// Checks the claims of a token of `issuer`: times, audience, subject, kind, client, tenant.
///
/// # Errors
/// The first [`TokenError`] found.
pub(super) fn check(claims: &Claims, issuer: &Issuer, now: UnixTime) -> Result<(), TokenError> {
    check_times(claims, issuer, now)?;
    check_audience(claims, issuer)?;
    claims.subject()?;
    check_kind(claims, issuer)?;
    check_client(claims, issuer)?;
    check_tenant(claims, issuer)
}

/// Checks the tenant. If the issuer has `{tenant}`, `iss` must contain the tenant that the claim names.
fn check_tenant(claims: &Claims, issuer: &Issuer) -> Result<(), TokenError> {
    if issuer.rules.tenants.is_empty() && issuer.templates.is_none() {
        return Ok(());
    }
    let tenant = claims.tenant(&issuer.shape).ok_or(TokenError::Tenant)?;
    let iss = claims.issuer()?;
    let is_named = issuer.templates.as_ref().is_none_or(|templates| templates.names(iss, tenant));
    if is_named && issuer.rules.accepts_tenant(tenant) { Ok(()) } else { Err(TokenError::Tenant) }
}

fn check_times(claims: &Claims, issuer: &Issuer, now: UnixTime) -> Result<(), TokenError> {
    let leeway = issuer.leeway;
    let expires = claims.time("exp")?.ok_or(TokenError::Missing { claim: "exp" })?;
    if expires.plus(leeway) <= now {
        return Err(TokenError::Expired { by: now.since(expires) });
    }
    for claim in ["nbf", "iat"] {
        if claims.time(claim)?.is_some_and(|starts| starts > now.plus(leeway)) {
            return Err(TokenError::NotYetValid { claim });
        }
    }
    let (max_age, max_lifetime) = (issuer.rules.max_age, issuer.rules.max_lifetime);
    // OpenID Connect Core §2 requires `iat` of every ID token.
    if max_age.is_none() && max_lifetime.is_none() && issuer.shape.tokens != TokenKind::Id {
        return Ok(());
    }
    let issued_at = claims.time("iat")?.ok_or(TokenError::Missing { claim: "iat" })?;
    if max_age.is_some_and(|most| issued_at.plus(most).plus(leeway) < now) {
        return Err(TokenError::TooOld { age: now.since(issued_at) });
    }
    // The clock of the provider sets both, so there is no leeway.
    if max_lifetime.is_some_and(|most| expires.since(issued_at) > most) {
        return Err(TokenError::LivesTooLong { lifetime: expires.since(issued_at) });
    }
    Ok(())
}

/// Checks the audience. An access token passes if any of its audiences is accepted (RFC 7519 §4.1.3), an ID token if
/// all of them are (OpenID Connect Core §3.1.3.7, point 3). If the policy lists none, the token must not name any: it
/// would be for another application.
fn check_audience(claims: &Claims, issuer: &Issuer) -> Result<(), TokenError> {
    if issuer.audiences.is_empty() {
        return if claims.has_audience(&issuer.shape) { Err(TokenError::Audience) } else { Ok(()) };
    }
    let audiences = claims.audiences(&issuer.shape)?;
    let mut accepted = audiences.iter().map(|audience| issuer.audiences.iter().any(|accepted| accepted == audience));
    let passes = match issuer.shape.tokens {
        TokenKind::Access | TokenKind::Other => accepted.any(|is_accepted| is_accepted),
        TokenKind::Id => !audiences.is_empty() && accepted.all(|is_accepted| is_accepted),
    };
    if passes { Ok(()) } else { Err(TokenError::Audience) }
}

/// Checks that the token names one of the audiences of the route, `accepted`; if there are none, one that is not in
/// `foreign`, the resources of other origins. Of an issuer without audiences, a token passes that need not name one.
pub(super) fn check_resource(
    claims: &Claims,
    issuer: &Issuer,
    accepted: &[Audience],
    foreign: &[Audience],
) -> Result<(), TokenError> {
    if accepted.is_empty() && (foreign.is_empty() || issuer.audiences.is_empty()) {
        return Ok(());
    }
    if issuer.audiences.is_empty() {
        return Err(TokenError::Audience);
    }
    let named = claims.audiences(&issuer.shape)?;
    let occurs = |audience: &&Audience| named.contains(&audience.as_str());
    let passes = if accepted.is_empty() {
        issuer.audiences.iter().filter(occurs).any(|audience| !foreign.contains(audience))
    } else {
        accepted.iter().any(|audience| occurs(&audience))
    };
    if passes { Ok(()) } else { Err(TokenError::Audience) }
}

/// Refuses tokens of another kind that the same keys sign (RFC 8725 §3.12).
fn check_kind(claims: &Claims, issuer: &Issuer) -> Result<(), TokenError> {
    for (claim, values) in &issuer.rules.required {
        let found = claims.top(claim).unwrap_or(&Value::Null);
        let passes = if values.is_empty() { !found.is_null() } else { values.contains(found) };
        if !passes {
            return Err(TokenError::Required { claim: claim.clone() });
        }
    }
    match issuer.rules.refused.iter().find(|claim| claims.top(claim).is_some()) {
        Some(claim) => Err(TokenError::OtherKind { claim: claim.clone() }),
        None => Ok(()),
    }
}

fn check_client(claims: &Claims, issuer: &Issuer) -> Result<(), TokenError> {
    let accepted = &issuer.rules.clients;
    match claims.client(&issuer.shape)? {
        Some(client) if accepted.is_empty() || accepted.iter().any(|known| known == client) => Ok(()),
        Some(_) => Err(TokenError::Client),
        None if accepted.is_empty() && !issuer.rules.require_client => Ok(()),
        None => Err(TokenError::Missing { claim: "client_id" }),
    }
}
