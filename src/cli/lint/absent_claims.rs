//! Conditions that an absent claim decides: `not` of a role or group holds for a token without the claim, and no caller
//! has a role if the issuer names no claim for roles.

use fastgate::policy::conditions::Condition;
use fastgate::policy::{Access, ClaimPath, Policy, Requirement, Route};

use super::hint::Lint;
use super::required_claims::{Kind, Reader, both};

const ASK_BESIDES: &str =
    "require in addition a role or group that every caller has, or refuse by a claim that is always present";
const READ_ONE: &str = "refuse by a claim that is always present, or have the issuer put them all into one claim, \
                        which \"claims\" of the issuer names alone";
const NAME_CLAIM: &str = "name the claim that holds them in \"claims\" of the issuer, or require something else";

/// `not` of a role or group that an absent claim meets.
struct Absence<'policy> {
    kind: Kind,
    /// The claims from which such names are read; empty if there are none.
    read: Vec<&'policy ClaimPath>,
    issuer: &'policy str,
}

/// The hints about absent claims for a route; `at` is its path in the policy. One hint for each path and kind of name.
pub(super) fn absences(policy: &Policy, route: &Route, at: &str) -> Vec<Lint> {
    let Access::Authenticated { all_callers, by_issuer } = &route.access else { return Vec::new() };
    let accepted = || policy.issuers().filter(|issuer| route.access.accepts(issuer.id.as_str()));
    let mut unmet = Vec::new();
    let mut absences: Vec<(String, Absence<'_>)> = Vec::new();
    for issuer in accepted() {
        let reader = Reader(issuer);
        let own = by_issuer.get(&issuer.id);
        let own_place = format!("{at}.issuers.{}.require", issuer.id);
        // A caller must meet both the requirement for all callers and the one for its issuer: they are one list.
        let requirements = [Some(all_callers), own].into_iter().flatten();
        let Some(present) = both(requirements.map(|requirement| reader.required(requirement))) else {
            let of_all_callers = unread(reader, all_callers).map(|kind| (format!("{at}.require"), kind));
            let found = of_all_callers.or_else(|| unread(reader, own?).map(|kind| (own_place, kind)));
            unmet.extend(found.map(|(place, kind)| (place, kind, issuer.id.as_str())));
            continue;
        };
        let shadow = Some(&route.shadow);
        for (place, requirement) in
            [(format!("{at}.require"), Some(all_callers)), (own_place, own), (format!("{at}.shadow.require"), shadow)]
        {
            let Some(condition) = requirement.and_then(|requirement| requirement.condition.as_ref()) else { continue };
            let mut found = Vec::new();
            collect(reader, condition, false, &present, &mut found);
            absences.extend(found.into_iter().map(|absence| (place.clone(), absence)));
        }
    }
    // A route without a list of issuers is not reported as long as the tokens of one issuer can meet it.
    if by_issuer.is_empty() && unmet.len() < accepted().count() {
        unmet.clear();
    }
    let mut lints: Vec<Lint> = Vec::new();
    let unmet = unmet.into_iter().map(|(place, kind, issuer)| {
        let whose = if by_issuer.is_empty() {
            "that is accepted here".to_owned()
        } else {
            format!("of the issuer \"{issuer}\"")
        };
        let what = format!("requires {}, but no token {whose} can have any: no caller meets it", kind.plural());
        Lint { at: place, what, remedy: NAME_CLAIM }
    });
    lints.extend(unmet);
    // Absences without any claim to read come first.
    absences.sort_by_key(|(_, absence)| !absence.read.is_empty());
    let mut reported: Vec<(String, Kind)> = Vec::new();
    for (place, absence) in absences {
        let about = (place, absence.kind);
        if !reported.contains(&about) {
            lints.push(absence.lint(about.0.clone()));
            reported.push(about);
        }
    }
    lints
}

/// The kind of a required name that is read from no claim of the issuer.
fn unread(reader: Reader<'_>, requirement: &Requirement) -> Option<Kind> {
    fn of(reader: Reader<'_>, condition: &Condition, negated: bool) -> Option<Kind> {
        let kind = match condition {
            Condition::Not(inner) => return of(reader, inner, !negated),
            Condition::Rule(_, inner) => return of(reader, inner, negated),
            Condition::All(list) | Condition::Any(list) => {
                return list.iter().find_map(|part| of(reader, part, negated));
            }
            Condition::Role(_) => Kind::Role,
            Condition::Group(_) => Kind::Group,
            Condition::Scope(_) => Kind::Scope,
            Condition::Claim(..) => return None,
        };
        (!negated && reader.paths(kind).is_empty()).then_some(kind)
    }
    reader
        .required(requirement)
        .is_none()
        .then(|| requirement.condition.as_ref().and_then(|condition| of(reader, condition, false)))?
}

/// Collects the roles and groups under an odd number of `not` whose claims may be absent. Under `not`, `any` requires
/// that none of its parts holds, and `all` that one does not.
fn collect<'policy>(
    reader: Reader<'policy>,
    condition: &'policy Condition,
    negated: bool,
    present: &[&'policy ClaimPath],
    found: &mut Vec<Absence<'policy>>,
) {
    let kind = match condition {
        Condition::Not(inner) => return collect(reader, inner, !negated, present, found),
        Condition::Rule(_, inner) => return collect(reader, inner, negated, present, found),
        Condition::All(list) | Condition::Any(list) => {
            let mut present = present.to_vec();
            if negated == matches!(condition, Condition::Any(_)) {
                let Some(also) = reader.of(condition, negated) else { return };
                present.extend(also);
            }
            for part in list {
                collect(reader, part, negated, &present, found);
            }
            return;
        }
        Condition::Role(_) => Kind::Role,
        Condition::Group(_) => Kind::Group,
        Condition::Scope(_) | Condition::Claim(..) => return,
    };
    let read = reader.paths(kind);
    let is_sure = |claim: &&ClaimPath| present.contains(claim) || reader.requires(claim);
    if negated && (read.is_empty() || !read.iter().all(is_sure)) {
        found.push(Absence { kind, read, issuer: reader.0.id.as_str() });
    }
}

impl Absence<'_> {
    fn lint(self, at: String) -> Lint {
        let kind = self.kind.plural();
        let (what, remedy) = match self.read.as_slice() {
            [] => {
                let issuer = self.issuer;
                let what = format!("but no token of the issuer \"{issuer}\" can have any: it holds for all of them");
                (what, NAME_CLAIM)
            }
            [_] => (
                "which holds for a token without the claim: it may be absent, or left out if there are too many \
                 (\"_claim_names\")"
                    .to_owned(),
                ASK_BESIDES,
            ),
            several => {
                let claims: Vec<_> = several.iter().map(|claim| format!("\"{claim}\"")).collect();
                let claims = claims.join(" and ");
                (
                    format!("which are read from {claims}: it holds for a token without the one that would name it"),
                    READ_ONE,
                )
            }
        };
        Lint { at, what: format!("tests {kind} under \"not\", {what}"), remedy }
    }
}
