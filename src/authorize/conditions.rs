//! Evaluates conditions for an identity. Values compare exactly, by bytes and by type; a condition on a claim that is
//! absent or has another type is not met. Path parameters compare as the value that the application reads.

use crate::identity::{Identity, members};
use crate::policy::conditions::{Condition, Expected};
use crate::policy::{Captures, ClaimPath};

/// The part of `condition` that is not met, in the policy's terms; `None` if all of it is met.
pub(super) fn unmet(condition: &Condition, identity: &Identity, captures: &Captures) -> Option<String> {
    match condition {
        Condition::All(list) => list.iter().find_map(|part| unmet(part, identity, captures)),
        Condition::Rule(name, inner) => {
            unmet(inner, identity, captures).map(|part| format!("{part} (of rule \"{name}\")"))
        }
        _ if holds(condition, identity, captures) => None,
        _ => Some(condition.to_string()),
    }
}

fn holds(condition: &Condition, identity: &Identity, captures: &Captures) -> bool {
    match condition {
        Condition::All(list) => list.iter().all(|part| holds(part, identity, captures)),
        Condition::Any(list) => list.iter().any(|part| holds(part, identity, captures)),
        Condition::Not(inner) => !holds(inner, identity, captures),
        Condition::Rule(_, inner) => holds(inner, identity, captures),
        Condition::Scope(scope) => identity.scopes().contains(scope),
        Condition::Role(role) => identity.roles().contains(role),
        Condition::Group(group) => identity.groups().contains(group),
        Condition::Claim(claim, expected) => claim_is(claim, expected, identity, captures),
    }
}

fn claim_is(claim: &ClaimPath, expected: &Expected, identity: &Identity, captures: &Captures) -> bool {
    let Some(value) = identity.claim(claim) else { return false };
    match expected {
        Expected::Equals(wanted) => value == wanted,
        Expected::OneOf(wanted) => wanted.contains(value),
        Expected::Contains(wanted) => members(value).contains(wanted),
        Expected::EqualsPath(name) => captures.is(name, value),
        Expected::ContainsPath(name) => members(value).iter().any(|member| captures.is(name, member)),
    }
}
