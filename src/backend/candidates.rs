//! The backends that may serve a request, in the order in which they are tried.

use std::sync::Arc;

use super::assignment::{Assignment, Wanted};
use super::health::Health;
use super::rendezvous::cost;
use super::retry::Outcome;
use crate::policy::{Backend, Backends, Origin};
use crate::throttle::Counter;
use crate::time::UnixTime;

/// The backends that may serve one request. The first is tried first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidates {
    /// Never empty.
    ranked: Vec<Arc<Backend>>,
    /// The position of the one that is tried now.
    current: usize,
    /// Whether all of them are skipped at present. A request then tries them all the same: a wrong suspicion must not make
    /// an outage.
    all_skipped: bool,
    /// How often the request was sent again.
    retries: u32,
    /// Whether fewer of them may serve the request, because its model is not known here.
    by_unknown_model: bool,
}

impl Candidates {
    /// The backends of `origin` for a request with this assignment: region by region, then the version that was chosen
    /// before the others, by priority, and among equals by rendezvous hashing.
    #[must_use]
    pub fn of(origin: &Origin, assignment: &Assignment, health: &mut dyn Health) -> Self {
        let backends = &origin.backends;
        let by_unknown_model =
            matches!(assignment.model, Wanted::OneOf(_)) && backends.all.iter().any(|backend| backend.models.is_some());
        if !backends.are_chosen() {
            return Self { ranked: backends.all.clone(), current: 0, all_skipped: false, retries: 0, by_unknown_model };
        }
        let ranked = ranked(backends, assignment);
        let mut pauses = Vec::new();
        for backend in &ranked {
            let Some(end) = health.skipped_until(backends, backend) else {
                let current = pauses.len();
                return Self { current, ranked, all_skipped: false, retries: 0, by_unknown_model };
            };
            pauses.push((end, Arc::clone(backend)));
        }
        // The one whose pause ends first has failed least recently, so different ones are tried in turn.
        pauses.sort_by_key(|(end, _)| *end);
        let ranked = pauses.into_iter().map(|(_, backend)| backend).collect();
        Self { ranked, current: 0, all_skipped: true, retries: 0, by_unknown_model }
    }

    /// Whether another backend may get the request: that depends on its model, which is not known here.
    #[must_use]
    pub const fn depend_on_model(&self) -> bool {
        self.by_unknown_model
    }

    /// The backend that is tried now.
    #[must_use]
    pub fn current(&self) -> Option<&Backend> {
        self.ranked.get(self.current).map(Arc::as_ref)
    }

    /// The backends that were passed over because they are skipped.
    pub fn passed_over(&self) -> impl Iterator<Item = &str> {
        let count = if self.all_skipped { self.ranked.len() } else { self.current };
        self.ranked.iter().take(count).map(|backend| backend.name.as_str())
    }

    /// Whether all of them are skipped at present.
    #[must_use]
    pub const fn all_skipped(&self) -> bool {
        self.all_skipped
    }

    /// Whether a retry can follow: one is left, and there is a backend after this one. That backend may turn out to be
    /// skipped, or to have no budget left.
    #[must_use]
    pub fn has_next(&self, backends: &Backends) -> bool {
        let is_last = self.current.saturating_add(1) >= self.ranked.len();
        self.retries < backends.retries && backends.retry_budget.count > 0 && !is_last
    }

    /// The candidates for the next try; `None` if there is none. It counts against no budget yet.
    #[must_use]
    pub fn after_failure(&self, backends: &Backends, health: &mut dyn Health) -> Option<Self> {
        if !self.has_next(backends) {
            return None;
        }
        let rest = self.ranked.iter().enumerate().skip(self.current.saturating_add(1));
        let mut eligible =
            rest.filter(|(_, backend)| self.all_skipped || health.skipped_until(backends, backend).is_none());
        let (next, _) = eligible.next()?;
        Some(Self { current: next, retries: self.retries.saturating_add(1), ..self.clone() })
    }

    /// What `outcome` says about the backend that was tried. A request that fails doubtfully at two backends may be the
    /// cause itself, so it counts only against the first.
    #[must_use]
    pub const fn judged(&self, outcome: Outcome) -> Outcome {
        match outcome {
            Outcome::Doubtful if self.retries > 0 => Outcome::Unclear,
            other => other,
        }
    }

    /// Counts a retry against the budget of the backend that is tried now; returns whether it is admitted.
    pub fn takes_retry(&self, backends: &Backends, counter: &mut dyn Counter, now: UnixTime) -> bool {
        let Some(backend) = self.current() else { return false };
        // No limit of a policy has a name with a space.
        let key = format!("retries of {}/{}", backends.origin, backend.name);
        counter.take(&backends.retry_budget, &key, 1, now).is_ok_and(|taken| taken.admitted)
    }
}

fn ranked(backends: &Backends, assignment: &Assignment) -> Vec<Arc<Backend>> {
    let rank_of = |backend: &Backend| {
        let region = match &backend.region {
            None => 0,
            Some(region) => assignment.regions.iter().position(|admitted| admitted == region)?,
        };
        let is_other = backend.version.is_some() && backend.version != assignment.version;
        let cost = cost(&assignment.key, &backend.name, backend.weight);
        let rank = (region, assignment.version != backend.version, backend.priority, cost);
        (backend.takes_requests() && assignment.model.is_served_by(backend) && !is_other).then_some(rank)
    };
    let mut ranked: Vec<_> = backends.all.iter().filter_map(|backend| Some((rank_of(backend)?, backend))).collect();
    // Those of one rank have different names, so they have the same cost only by accident; then the first in the policy
    // comes first.
    ranked.sort_by_key(|(rank, _)| *rank);
    ranked.into_iter().map(|(_, backend)| Arc::clone(backend)).collect()
}
