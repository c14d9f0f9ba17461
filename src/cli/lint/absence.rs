//! Conditions that an absent claim decides: `not` of a role or group holds for a token that says nothing of them, and a
//! role that is read from no claim is nobody's.

use fastgate::policy::conditions::Condition;
use fastgate::policy::{Access, ClaimPath, Policy, Requirement, Route};

use super::Lint;
use super::presence::{Kind, Reader, both};

const ASK_BESIDES: &str =
    "ask for a role or group that every caller has besides, or refuse by a claim that is always there";
const READ_ONE: &str = "refuse by a claim that is always there, or have the provider put them all into one claim, which \
                        \"claims\" of the issuer names alone";
const NAME_CLAIM: &str = "name the claim that holds them in \"claims\" of the issuer, or ask for something else";

/// `not` of a role or group that an absent claim meets.
struct Absence<'policy> {
    kind: Kind,
    /// Where such names are read from; nowhere, where this is empty.
    read: Vec<&'policy ClaimPath>,
    issuer: &'policy str,
}

/// What an absent claim decides at a route; `at` is its place. One hint for each place and kind of name.
pub(super) fn absences(policy: &Policy, route: &Route, at: &str) -> Vec<Lint> {
    let Access::Authenticated { everybody, by_issuer } = &route.access else { return Vec::new() };
    let accepted = || policy.issuers().filter(|issuer| by_issuer.is_empty() || by_issuer.contains_key(&issuer.id));
    let mut unmet = Vec::new();
    let mut absences: Vec<(String, Absence<'_>)> = Vec::new();
    for issuer in accepted() {
        let reader = Reader(issuer);
        let own = by_issuer.get(&issuer.id);
        let own_place = format!("{at}.issuers.{}.require", issuer.id);
        // What is asked of everybody and of the holders of one issuer's tokens must hold both: it is one list.
        let asked = [Some(everybody), own].into_iter().flatten();
        let Some(present) = both(asked.map(|asked| reader.asked(asked))) else {
            let of_everybody = unread(reader, everybody).map(|kind| (format!("{at}.require"), kind));
            let found = of_everybody.or_else(|| unread(reader, own?).map(|kind| (own_place, kind)));
            unmet.extend(found.map(|(place, kind)| (place, kind, issuer.id.as_str())));
            continue;
        };
        let tried = Some(&route.shadow);
        for (place, asked) in
            [(format!("{at}.require"), Some(everybody)), (own_place, own), (format!("{at}.shadow.require"), tried)]
        {
            let Some(condition) = asked.and_then(|asked| asked.condition.as_ref()) else { continue };
            let mut found = Vec::new();
            collect(reader, condition, false, &present, &mut found);
            absences.extend(found.into_iter().map(|absence| (place.clone(), absence)));
        }
    }
    // Issuers that a route does not list may well be other callers', as long as somebody meets what it asks.
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
        let what = format!("asks for {}, and no token {whose} can have any: nobody meets it", kind.plural());
        Lint { at: place, what, remedy: NAME_CLAIM }
    });
    lints.extend(unmet);
    // Where nothing is read at all goes first.
    absences.sort_by_key(|(_, absence)| !absence.read.is_empty());
    let mut said: Vec<(String, Kind)> = Vec::new();
    for (place, absence) in absences {
        let about = (place, absence.kind);
        if !said.contains(&about) {
            lints.push(absence.lint(about.0.clone()));
            said.push(about);
        }
    }
    lints
}

/// What a requirement asks for that no claim of the issuer is read for.
fn unread(reader: Reader<'_>, asked: &Requirement) -> Option<Kind> {
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
        .asked(asked)
        .is_none()
        .then(|| asked.condition.as_ref().and_then(|condition| of(reader, condition, false)))?
}

/// Collects the roles and groups under an odd number of `not` of which the claims may be absent. Under `not`, `any` asks
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
    let is_sure = |claim: &&ClaimPath| present.contains(claim) || reader.demands(claim);
    if negated && (read.is_empty() || !read.iter().all(is_sure)) {
        found.push(Absence { kind, read, issuer: &reader.0.id });
    }
}

impl Absence<'_> {
    fn lint(self, at: String) -> Lint {
        let kind = self.kind.plural();
        let (what, remedy) = match self.read.as_slice() {
            [] => {
                let issuer = self.issuer;
                let what = format!("and no token of the issuer \"{issuer}\" can have any: it holds for all of them");
                (what, NAME_CLAIM)
            }
            [_] => (
                "which holds for a token without the claim: it may be absent, or left out where there are too many \
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
        Lint { at, what: format!("asks under \"not\" for {kind}, {what}"), remedy }
    }
}
