//! Conditions that an absent claim meets: `not` of a role or group holds for a token that says nothing of them.

use fastgate::policy::conditions::Condition;
use fastgate::policy::{Access, Issuer, Policy, Requirement, Route};

/// What a caller is asked to lack.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Role,
    Group,
}

const BOTH: [Kind; 2] = [Kind::Role, Kind::Group];

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
    let mut look = |at: String, asked: &Requirement, present: &[Kind], issuers: &[&Issuer]| {
        let mut kinds = Vec::new();
        if let Some(condition) = &asked.condition {
            collect(condition, false, present, &mut kinds);
        }
        for kind in BOTH.into_iter().filter(|kind| kinds.contains(kind)) {
            found.push((at.clone(), explained(kind, issuers)));
        }
    };
    // What is asked of everybody and of the holders of one issuer's tokens must hold both: it is one list.
    let of_everybody = asked_for(everybody);
    let of_each = BOTH
        .into_iter()
        .filter(|kind| !by_issuer.is_empty() && by_issuer.values().all(|asked| asked_for(asked).contains(kind)));
    let always: Vec<Kind> = of_everybody.iter().copied().chain(of_each).collect();
    look(".require".to_owned(), everybody, &always, &all);
    look(".trial.require".to_owned(), &route.trial, &always, &all);
    for (id, asked) in by_issuer {
        let own: Vec<&Issuer> = all.iter().copied().filter(|issuer| issuer.id == *id).collect();
        look(format!(".issuers.{id}.require"), asked, &of_everybody, &own);
    }
    found
}

/// The kinds that a requirement asks every caller for.
fn asked_for(asked: &Requirement) -> Vec<Kind> {
    asked.condition.as_ref().map(|condition| required(condition, false)).unwrap_or_default()
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

/// Collects what stands under an odd number of `not`, unless something of its kind must hold as well: a caller who has one
/// role has the claim. Under `not`, `any` asks that none of its parts holds, and `all` that one does not.
fn collect(condition: &Condition, negated: bool, present: &[Kind], found: &mut Vec<Kind>) {
    match condition {
        Condition::Not(inner) => collect(inner, !negated, present, found),
        Condition::Rule(_, inner) => collect(inner, negated, present, found),
        Condition::All(list) | Condition::Any(list) => {
            let mut present = present.to_vec();
            if negated == matches!(condition, Condition::Any(_)) {
                present.extend(list.iter().flat_map(|part| required(part, negated)));
            }
            for part in list {
                collect(part, negated, &present, found);
            }
        }
        Condition::Role(_) if negated && !present.contains(&Kind::Role) => found.push(Kind::Role),
        Condition::Group(_) if negated && !present.contains(&Kind::Group) => found.push(Kind::Group),
        Condition::Role(_) | Condition::Group(_) | Condition::Scope(_) | Condition::Claim(..) => {}
    }
}

/// The kinds that a part, or with `negated` its contrary, asks every caller for.
fn required(part: &Condition, negated: bool) -> Vec<Kind> {
    match part {
        Condition::Role(_) if !negated => vec![Kind::Role],
        Condition::Group(_) if !negated => vec![Kind::Group],
        Condition::Not(inner) => required(inner, !negated),
        Condition::Rule(_, inner) => required(inner, negated),
        Condition::All(list) | Condition::Any(list) => {
            let each: Vec<_> = list.iter().map(|part| required(part, negated)).collect();
            let all_hold = negated == matches!(part, Condition::Any(_));
            let asks = |kind: &Kind| {
                let mut asking = each.iter().map(|kinds| kinds.contains(kind));
                if all_hold { asking.any(|asks| asks) } else { asking.all(|asks| asks) }
            };
            BOTH.into_iter().filter(asks).collect()
        }
        Condition::Role(_) | Condition::Group(_) | Condition::Scope(_) | Condition::Claim(..) => Vec::new(),
    }
}
