//! The issuers of a policy, by the `iss` of their tokens. No `iss` belongs to two of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Issuer;
use crate::policy::fault::{Fault, Faults};

/// The issuers of a policy.
#[derive(Clone, Debug, Default)]
pub(in crate::policy) struct Issuers {
    /// In the order of `issuer`.
    all: Vec<Arc<Issuer>>,
    /// Those without a tenant in `iss`, by every spelling of it.
    exact: BTreeMap<String, Arc<Issuer>>,
    /// Those with a tenant in `iss`.
    of_tenants: Vec<Arc<Issuer>>,
}

impl Issuers {
    /// The issuer of the tokens with this `iss`. A whole `iss` is looked up before templates.
    pub(in crate::policy) fn find(&self, iss: &str) -> Option<&Arc<Issuer>> {
        self.exact.get(iss).or_else(|| self.of_tenants.iter().find(|issuer| issuer.is_spelling(iss)))
    }

    /// All issuers, in the order of `issuer`.
    pub(in crate::policy) fn all(&self) -> &[Arc<Issuer>] {
        &self.all
    }

    /// Adds an issuer, which is at `at` in the policy.
    pub(super) fn add(&mut self, issuer: Arc<Issuer>, at: &str, faults: &mut Faults) {
        match &issuer.templates {
            Some(templates) => {
                let overlaps =
                    |other: &&Arc<Issuer>| other.templates.as_ref().is_some_and(|others| templates.overlap(others));
                if let Some(other) = self.of_tenants.iter().find(overlaps) {
                    faults.add(format!("{at}.issuer"), Fault::TakenIssuer { other: other.id.to_string() });
                }
                self.of_tenants.push(Arc::clone(&issuer));
            }
            None => self.add_exact(&issuer, at, faults),
        }
        self.all.push(issuer);
        self.all.sort_by(|one, other| one.issuer.cmp(&other.issuer));
    }

    fn add_exact(&mut self, issuer: &Arc<Issuer>, at: &str, faults: &mut Faults) {
        for (member, spelling) in members(issuer) {
            match self.exact.get(spelling) {
                Some(earlier) => {
                    faults.add(format!("{at}.{member}"), Fault::TakenIssuer { other: earlier.id.to_string() });
                }
                None => drop(self.exact.insert(spelling.to_owned(), Arc::clone(issuer))),
            }
        }
    }

    /// Adds a fault for each `iss` that also belongs to an accepted tenant of a template.
    pub(super) fn check_templates(&self, faults: &mut Faults) {
        for issuer in self.all.iter().filter(|issuer| issuer.templates.is_none()) {
            for (member, spelling) in members(issuer) {
                if let Some(other) = self.of_tenants.iter().find(|other| other.accepts_tenant_in(spelling)) {
                    let fault = Fault::CoveredIssuer { other: other.id.to_string() };
                    faults.add(format!("$.issuers.{}.{member}", issuer.id), fault);
                }
            }
        }
    }
}

/// The spellings of `iss`, each with the member that contains it.
fn members(issuer: &Issuer) -> impl Iterator<Item = (&'static str, &str)> {
    let aliases = issuer.aliases.iter().map(|alias| ("issuer_aliases", alias.as_str()));
    std::iter::once(("issuer", issuer.issuer.as_str())).chain(aliases)
}
