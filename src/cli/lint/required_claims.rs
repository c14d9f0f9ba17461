//! The claims that a caller who meets a condition certainly has.

use fastgate::identity::sample_token::accepted;
use fastgate::policy::conditions::Condition;
use fastgate::policy::{ClaimPath, Issuer, Requirement};
use serde_json::Value;

/// The claims of one issuer's tokens that conditions read.
#[derive(Clone, Copy)]
pub(super) struct Reader<'policy>(pub(super) &'policy Issuer);

/// A kind of name in claims that a policy names.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Role,
    Group,
    Scope,
}

impl Kind {
    /// The kind, as messages name it.
    pub(super) const fn plural(self) -> &'static str {
        match self {
            Self::Role => "roles",
            Self::Group => "groups",
            Self::Scope => "scopes",
        }
    }
}

/// Claims that are certainly present; `None` if no caller can meet the requirement.
pub(super) type Present<'policy> = Option<Vec<&'policy ClaimPath>>;

impl<'policy> Reader<'policy> {
    /// The claims in which a token of this issuer may have such names. Introspection responses may also have claims
    /// that the issuer's tokens must not have.
    pub(super) fn paths(self, kind: Kind) -> Vec<&'policy ClaimPath> {
        let Issuer { shape, introspection, .. } = self.0;
        let paths = match kind {
            Kind::Role => &shape.roles,
            Kind::Group => &shape.groups,
            Kind::Scope => &shape.scopes,
        };
        if introspection.is_some() {
            paths.iter().map(AsRef::as_ref).collect()
        } else {
            accepted(paths, self.0).map(AsRef::as_ref).collect()
        }
    }

    /// Whether every token of this issuer has this claim.
    pub(super) fn requires(self, claim: &ClaimPath) -> bool {
        let mut steps = claim.steps();
        match (steps.next(), steps.next()) {
            (Some(name), None) => {
                let is_required = |values: &Vec<Value>| !values.contains(&Value::Null);
                self.0.introspection.is_none() && self.0.rules.required.get(name).is_some_and(is_required)
            }
            _ => false,
        }
    }

    /// The claims of a caller who meets a requirement.
    pub(super) fn required(self, requirement: &'policy Requirement) -> Present<'policy> {
        let scopes = requirement.scopes.iter().map(|_| self.named(Kind::Scope));
        both(scopes.chain(requirement.condition.iter().map(|condition| self.of(condition, false))))
    }

    /// The claims of a caller who meets a condition or, with `negated`, does not.
    pub(super) fn of(self, condition: &'policy Condition, negated: bool) -> Present<'policy> {
        match condition {
            Condition::Not(inner) => self.of(inner, !negated),
            Condition::Rule(_, inner) => self.of(inner, negated),
            Condition::All(list) | Condition::Any(list) => {
                let each = list.iter().map(|part| self.of(part, negated));
                if negated == matches!(condition, Condition::Any(_)) { both(each) } else { either(each) }
            }
            _ if negated => Some(Vec::new()),
            Condition::Claim(claim, _) => Some(vec![claim]),
            Condition::Role(_) => self.named(Kind::Role),
            Condition::Group(_) => self.named(Kind::Group),
            Condition::Scope(_) => self.named(Kind::Scope),
        }
    }

    /// The claims of a caller who has a name of this kind, which may be in any of the claims.
    fn named(self, kind: Kind) -> Present<'policy> {
        let paths = self.paths(kind);
        match paths.len() {
            0 => None,
            1 => Some(paths),
            _ => Some(Vec::new()),
        }
    }
}

/// The claims of a caller who meets every part.
pub(super) fn both<'policy>(parts: impl IntoIterator<Item = Present<'policy>>) -> Present<'policy> {
    parts.into_iter().try_fold(Vec::new(), |mut all, part| {
        all.extend(part?);
        Some(all)
    })
}

/// The claims of a caller who meets at least one part.
fn either<'policy>(parts: impl IntoIterator<Item = Present<'policy>>) -> Present<'policy> {
    parts.into_iter().flatten().reduce(|one, other| one.into_iter().filter(|claim| other.contains(claim)).collect())
}
