//! The caller of a request: the output of step *identify*.

use std::sync::Arc;

use serde_json::Value;

use super::binding::Binding;
use super::claims::{Claims, Holder, name};
use super::token::VerifiedClaims;
use crate::policy::{ClaimPath, Forward, Issuer};
use crate::time::{Seconds, UnixTime};

/// The caller of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Caller {
    /// No identity: the route is public, or a token is optional and there is no valid one.
    Anonymous,
    /// The holder of a verified token.
    Known(Identity),
}

/// The identity that a verified token gives its holder. Only [`identify`](super::identify) creates one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    issuer: Arc<Issuer>,
    /// `iss` with the tenant, if the issuer of the policy has `{tenant}`.
    iss_of_tenant: Option<String>,
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

    /// `iss` of the token, as `issuer` of the policy spells it, with the token's tenant in place of `{tenant}`.
    #[must_use]
    pub fn issuer(&self) -> &str {
        self.iss_of_tenant.as_deref().unwrap_or(&self.issuer.issuer)
    }

    /// The policy's id of that issuer.
    #[must_use]
    pub fn issuer_id(&self) -> &str {
        self.issuer.id.as_str()
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

    /// The roles of the token, sorted, from the claims that the issuer's token shape names.
    #[must_use]
    pub fn roles(&self) -> &[String] {
        &self.holder.roles
    }

    /// The groups of the token, sorted, from the claims that the issuer's token shape names.
    #[must_use]
    pub fn groups(&self) -> &[String] {
        &self.holder.groups
    }

    /// The tenant for which the token was issued.
    #[must_use]
    pub fn tenant(&self) -> Option<&str> {
        self.holder.tenant.as_deref()
    }

    /// What origins learn of the tokens of its issuer.
    #[must_use]
    pub fn forward(&self) -> &Forward {
        &self.issuer.forward
    }

    /// The time by which the clock of its issuer may differ.
    #[must_use]
    pub fn leeway(&self) -> Seconds {
        self.issuer.leeway
    }

    /// `auth_time`: when the caller authenticated (OpenID Connect Core §2), in whole seconds.
    #[must_use]
    pub fn authenticated(&self) -> Option<UnixTime> {
        self.claims.time("auth_time").ok().flatten()
    }

    /// `acr`: how the caller authenticated (OpenID Connect Core §2).
    #[must_use]
    pub fn acr(&self) -> Option<&str> {
        self.claims.top("acr").and_then(name)
    }

    /// `sid`: the caller's session at the issuer (OpenID Connect Front-Channel Logout §3).
    #[must_use]
    pub fn session(&self) -> Option<&str> {
        self.claims.top("sid").and_then(name)
    }

    /// The claim at `path`; `None` if there is none, or if a step of the path is not an object.
    #[must_use]
    pub fn claim(&self, path: &ClaimPath) -> Option<&Value> {
        self.claims.find(path)
    }

    /// The key or certificate that the token is bound to. The caller has proven possession of it.
    #[must_use]
    pub fn binding(&self) -> Option<&Binding> {
        self.binding.as_deref()
    }

    pub(super) fn new(issuer: Arc<Issuer>, claims: VerifiedClaims, binding: Option<Binding>) -> Self {
        let (holder, claims) = claims.into_parts();
        let iss_of_tenant = issuer.templates.as_ref().map(|_| issuer.name_for(holder.tenant.as_deref()).into_owned());
        Self { issuer, iss_of_tenant, holder: Box::new(holder), claims, binding: binding.map(Box::new) }
    }
}
