//! Conditions that an absent claim meets: `not` of a role or group holds for a token that says nothing of them.

use fastgate::policy::conditions::Condition;
use fastgate::policy::{Access, Issuer, Policy, Requirement, Route};

/// What a caller is asked to lack.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Role,
    Group,
}

impl Kind {
    const fn plural(self) -> &'static str {
        match self {
            Self::Role => "roles",
            Self::Group => "groups",
        }
    }

    fn is_read(self, issuer: &Issuer) -> bool {
        match self {
            Self::Role => !issuer.shape.roles.is_empty(),
            Self::Group => !issuer.shape.groups.is_empty(),
        }
    }
}

/// Each place of the route where an absent claim meets what is asked, behind the route's own, and what is the matter there.
pub(super) fn absences(policy: &Policy, route: &Route) -> Vec<(String, String)> {
    let Access::Authenticated { everybody, by_issuer } = &route.access else { return Vec::new() };
    let accepted = |issuer: &&Issuer| by_issuer.is_empty() || by_issuer.contains_key(&issuer.id);
    let all: Vec<&Issuer> = policy.issuers().filter(accepted).collect();
    let mut found = Vec::new();
    let mut look = |at: String, asked: &Requirement, issuers: &[&Issuer]| {
        let mut kinds = Vec::new();
        if let Some(condition) = &asked.condition {
            collect(condition, false, &[], &mut kinds);
        }
        for kind in [Kind::Role, Kind::Group].into_iter().filter(|kind| kinds.contains(kind)) {
            found.push((at.clone(), explained(kind, issuers)));
        }
    };
    look(".require".to_owned(), everybody, &all);
    look(".trial.require".to_owned(), &route.trial, &all);
    for (id, asked) in by_issuer {
        let own: Vec<&Issuer> = all.iter().copied().filter(|issuer| issuer.id == *id).collect();
        look(format!(".issuers.{id}.require"), asked, &own);
    }
    found
}

fn explained(kind: Kind, issuers: &[&Issuer]) -> String {
    let name = kind.plural();
    match issuers.iter().find(|issuer| !kind.is_read(issuer)) {
        Some(issuer) => format!(
            "asks under \"not\" for {name}, and no claim of the issuer \"{}\" is read for {name}: all of its tokens pass",
            issuer.id
        ),
        None => format!(
            "asks under \"not\" for {name}, which a token without the claim passes: it may be absent, or left out where \
             there are too many (\"_claim_names\")"
        ),
    }
}

/// Collects what stands under an odd number of `not`, unless the same list asks for something of its kind as well: a caller
/// who has one role has the claim.
fn collect(condition: &Condition, negated: bool, present: &[Kind], found: &mut Vec<Kind>) {
    match condition {
        Condition::Not(inner) => collect(inner, !negated, present, found),
        Condition::Rule(_, inner) => collect(inner, negated, present, found),
        Condition::All(list) if !negated => {
            let mut present = present.to_vec();
            present.extend(list.iter().filter_map(required));
            for part in list {
                collect(part, negated, &present, found);
            }
        }
        Condition::All(list) | Condition::Any(list) => {
            for part in list {
                collect(part, negated, present, found);
            }
        }
        Condition::Role(_) if negated && !present.contains(&Kind::Role) => found.push(Kind::Role),
        Condition::Group(_) if negated && !present.contains(&Kind::Group) => found.push(Kind::Group),
        Condition::Role(_) | Condition::Group(_) | Condition::Scope(_) | Condition::Claim(..) => {}
    }
}

/// The kind that a part asks every caller for.
fn required(part: &Condition) -> Option<Kind> {
    match part {
        Condition::Role(_) => Some(Kind::Role),
        Condition::Group(_) => Some(Kind::Group),
        Condition::Rule(_, inner) => required(inner),
        Condition::Any(list) => {
            let mut kinds = list.iter().map(required);
            let first = kinds.next().flatten()?;
            kinds.all(|kind| kind == Some(first)).then_some(first)
        }
        Condition::All(list) => list.iter().find_map(required),
        Condition::Not(_) | Condition::Scope(_) | Condition::Claim(..) => None,
    }
}
