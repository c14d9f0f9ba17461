//! The claims of a token. Input: a JSON object and the [`TokenShape`] of its issuer, which names the paths of claims.
//! Output: typed values. A claim of the wrong type counts as absent if it would only grant something, and is an error
//! if a check depends on it.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::jws;
use super::token_error::TokenError;
use crate::policy::{ClaimPath, NamesClaim, NamesForm, TokenKind, TokenShape, is_scope};
use crate::time::UnixTime;

/// The longest `sub` (OpenID Connect Core §2) and the longest client id that are accepted, in bytes.
const MAX_NAME_BYTES: usize = 255;

/// The claims of a token, verified or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Claims(Map<String, Value>);

/// The holder of a token, as its claims describe it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Holder {
    pub(super) subject: String,
    pub(super) client_id: Option<String>,
    pub(super) scopes: Vec<String>,
    pub(super) roles: Vec<String>,
    pub(super) groups: Vec<String>,
    pub(super) tenant: Option<String>,
}

impl Claims {
    pub(super) const fn new(claims: Map<String, Value>) -> Self {
        Self(claims)
    }

    /// `iss`.
    pub(super) fn issuer(&self) -> Result<&str, TokenError> {
        match self.0.get("iss") {
            None => Err(TokenError::Missing { claim: "iss" }),
            Some(Value::String(issuer)) => Ok(issuer),
            Some(_) => Err(TokenError::ClaimMalformed { claim: "iss" }),
        }
    }

    /// A claim at the top level, unchanged.
    pub(super) fn top(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// The claim at `path`. `None` if a step of the path is not an object, or if the claim is distributed
    /// (`_claim_names`, OpenID Connect Core §5.6.2): the token then holds only a part of it.
    pub(super) fn find(&self, path: &ClaimPath) -> Option<&Value> {
        let mut steps = path.steps();
        let first = steps.next()?;
        if self.is_distributed(first) {
            return None;
        }
        steps.try_fold(self.0.get(first)?, |value, step| value.as_object()?.get(step))
    }

    fn is_distributed(&self, name: &str) -> bool {
        self.0.get("_claim_names").and_then(Value::as_object).is_some_and(|names| names.contains_key(name))
    }

    /// Reads the claims about the caller.
    pub(super) fn holder(&self, shape: &TokenShape) -> Result<Holder, TokenError> {
        Ok(Holder {
            subject: self.subject()?.to_owned(),
            client_id: self.client(shape)?.map(str::to_owned),
            scopes: self.scopes(&shape.scopes),
            roles: self.names(&shape.roles),
            groups: self.names(&shape.groups),
            tenant: self.tenant(shape).map(str::to_owned),
        })
    }

    /// `sub`.
    pub(super) fn subject(&self) -> Result<&str, TokenError> {
        let subject = self.0.get("sub").ok_or(TokenError::Missing { claim: "sub" })?;
        name(subject).ok_or(TokenError::ClaimMalformed { claim: "sub" })
    }

    /// The client to which the token was issued. An ID token may name it as the only member of a list: its audience.
    pub(super) fn client(&self, shape: &TokenShape) -> Result<Option<&str>, TokenError> {
        let mut found = shape.client.iter().filter_map(|path| self.find(path).map(|claim| (path, claim)));
        let Some((path, claim)) = found.next() else {
            return Ok(None);
        };
        let client = match claim.as_array().map(Vec::as_slice) {
            Some([only]) if shape.tokens == TokenKind::Id => name(only),
            _ => name(claim),
        };
        client.map(Some).ok_or(TokenError::ClaimMalformed { claim: client_claim(path) })
    }

    /// The tenant. A claim that is not a name counts as absent.
    pub(super) fn tenant(&self, shape: &TokenShape) -> Option<&str> {
        shape.tenant.as_ref().and_then(|path| self.find(path)).and_then(name)
    }

    /// Whether the token names an audience in any form, even an empty list.
    pub(super) fn has_audience(&self, shape: &TokenShape) -> bool {
        let is_present = |path: &ClaimPath| {
            self.find(path).is_some() || path.steps().next().is_some_and(|first| self.is_distributed(first))
        };
        self.0.contains_key("aud") || self.is_distributed("aud") || shape.audience.iter().any(is_present)
    }

    /// The audiences: one string, or a list of strings (RFC 7519 §4.1.3).
    pub(super) fn audiences(&self, shape: &TokenShape) -> Result<Vec<&str>, TokenError> {
        const MALFORMED: TokenError = TokenError::ClaimMalformed { claim: "aud" };
        match shape.audience.iter().find_map(|path| self.find(path)) {
            None => Err(TokenError::Missing { claim: "aud" }),
            Some(Value::String(audience)) => Ok(vec![audience.as_str()]),
            Some(Value::Array(audiences)) => {
                audiences.iter().map(|audience| audience.as_str().ok_or(MALFORMED)).collect()
            }
            Some(_) => Err(MALFORMED),
        }
    }

    /// A `NumericDate` (RFC 7519 §2); a fraction of a second is cut off.
    pub(super) fn time(&self, claim: &'static str) -> Result<Option<UnixTime>, TokenError> {
        let date = |value| jws::numeric_date(value).ok_or(TokenError::ClaimMalformed { claim });
        self.0.get(claim).map(date).transpose()
    }

    /// The scopes, in the token's order. Each claim is a string of scopes with single spaces between them (RFC 6749
    /// §3.3), or a list, or has the form that the policy names. A claim of any other type counts as absent, and so does
    /// an element that is not a scope.
    fn scopes(&self, claims: &[NamesClaim]) -> Vec<String> {
        let mut scopes: Vec<String> = Vec::new();
        let mut seen = BTreeSet::new(); // a linear search would be slow: a token may list thousands
        for (claim, form) in self.found(claims) {
            let found: Vec<&str> = match claim {
                Value::String(text) if form.is_none() => text.split(' ').collect(),
                _ => names(claim, form),
            };
            for scope in found {
                if is_scope(scope) && seen.insert(scope) {
                    scopes.push(scope.to_owned());
                }
            }
        }
        scopes
    }

    /// Roles or groups, sorted, without duplicates. A string is one name, even with spaces, unless the policy names
    /// another form; other types count as absent.
    fn names(&self, claims: &[NamesClaim]) -> Vec<String> {
        let found = self.found(claims).flat_map(|(claim, form)| names(claim, form));
        let mut names: Vec<String> = found.map(str::to_owned).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// The claims that are present, each with its form.
    fn found<'claims>(
        &'claims self,
        claims: &'claims [NamesClaim],
    ) -> impl Iterator<Item = (&'claims Value, Option<NamesForm>)> {
        claims.iter().filter_map(|claim| Some((self.find(&claim.path)?, claim.form)))
    }
}

/// The names in a claim of this form; none if it has another form. In the forms that a policy names, empty names do not
/// count, nor do members of an object that are `false` or `null`: they deny what the name would grant.
fn names(claim: &Value, form: Option<NamesForm>) -> Vec<&str> {
    let split = |separator: char| claim.as_str().map(|text| text.split(separator).collect()).unwrap_or_default();
    let mut names: Vec<&str> = match form {
        None => return members(claim).iter().filter_map(Value::as_str).collect(),
        Some(NamesForm::Comma) => split(','),
        Some(NamesForm::Space) => split(' '),
        Some(NamesForm::Keys) => {
            let granted = |(_, value): &(&String, &Value)| !matches!(value, Value::Null | Value::Bool(false));
            let members = claim.as_object().into_iter().flatten();
            members.filter(granted).map(|(name, _)| name.as_str()).collect()
        }
    };
    names.retain(|name| !name.is_empty());
    names
}

/// The name of the client claim for an error. A path that only the policy names is described instead.
fn client_claim(path: &ClaimPath) -> &'static str {
    let known = ["client_id", "azp", "cid", "appid", "aud"];
    known.into_iter().find(|name| path.steps().eq([*name])).unwrap_or("of the client")
}

/// The values of a claim: the elements of a list, or the claim itself. Null and objects have no values.
pub(crate) fn members(claim: &Value) -> &[Value] {
    match claim {
        Value::Array(members) => members,
        Value::String(_) | Value::Number(_) | Value::Bool(_) => std::slice::from_ref(claim),
        Value::Null | Value::Object(_) => &[],
    }
}

/// Reads a name: a short string without control characters.
pub(super) fn name(value: &Value) -> Option<&str> {
    let is_name = |name: &&str| !name.is_empty() && name.len() <= MAX_NAME_BYTES && !name.chars().any(char::is_control);
    value.as_str().filter(is_name)
}
