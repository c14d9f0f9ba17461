//! Step *select* in the pipeline.

use super::Pipeline;
use crate::backend::{Assignment, Candidates, Subject, region_choice};
use crate::mcp_request::JudgedBody;
use crate::mint::Grant;
use crate::policy::Origin;
use crate::refusal::Refusal;
use crate::rewrite::OriginTarget;
use crate::throttle::Cleared;
use crate::trail::Step;

impl Pipeline<'_, '_> {
    /// The regions and the version for the request.
    pub(in crate::gateway) fn assign(
        &mut self,
        cleared: &Cleared<'_>,
        origin: &Origin,
        target: &OriginTarget,
        body: &JudgedBody,
    ) -> Result<Assignment, Refusal> {
        let request_id = &self.trail.request_id;
        let subject = Subject { caller: cleared.caller(), client: self.outside.client, target, body, request_id };
        let explained = self.trail.takes_notes().then(|| region_choice(&origin.backends, &subject));
        let assignment = Assignment::of(origin, cleared.route(), &subject);
        self.trail.region_choice = explained;
        let assignment = assignment?;
        self.done(Step::Select, || assignment.to_string());
        Ok(assignment)
    }

    /// The backends that are tried.
    pub(in crate::gateway) fn select(&mut self, origin: &Origin, assignment: &Assignment) -> Candidates {
        let candidates = Candidates::of(origin, assignment, self.outside.health);
        if origin.backends.are_chosen() {
            self.trail.skipped = candidates.passed_over().map(str::to_owned).collect();
        }
        if !self.trail.skipped.is_empty() {
            self.trail.note(Step::Select, || {
                let names: Vec<_> = candidates.passed_over().map(|name| format!("\"{name}\"")).collect();
                let why = if candidates.all_skipped() {
                    "all backends that may serve it are skipped, so they are tried in turn all the same"
                } else {
                    "passes over what is skipped"
                };
                format!("{why}: {}", names.join(", "))
            });
        }
        if candidates.depend_on_model() {
            self.trail.note(Step::Select, || {
                "which backend gets it depends on the model, and so on the body, which is not known here".to_owned()
            });
            return candidates;
        }
        if let Some(backend) = candidates.current() {
            if origin.backends.are_chosen() {
                self.trail.sent_to(backend);
            }
            self.trail.note(Step::Select, || format!("backend \"{}\"", backend.name));
        }
        candidates
    }

    /// Notes that the request is about to be sent to its backend.
    pub(in crate::gateway) fn tries(&mut self, grant: &Grant) {
        let backends = &grant.origin().backends;
        if let Some(backend) = grant.candidates().current().filter(|_| backends.are_chosen() && grant.tells_health()) {
            self.outside.health.tries(backends, backend);
        }
    }
}
