//! Step *respond* in the pipeline.

use super::Pipeline;
use crate::gateway::decision::Decision;
use crate::policy::{Captures, Respond};
use crate::refusal::Refusal;
use crate::request::Target;
use crate::respond::respond;
use crate::throttle::Cleared;
use crate::trail::Step;

impl Pipeline<'_, '_> {
    /// The response of the edge itself.
    pub(in crate::gateway) fn respond(
        &mut self,
        own: &Respond,
        cleared: &Cleared<'_>,
        target: &Target,
        captures: &Captures,
    ) -> Result<Decision, Refusal> {
        let response = respond(own, cleared, target, captures, self.outside.files)?;
        self.trail.note(Step::Respond, || response.to_string());
        self.measured_if(matches!(own, Respond::File(_) | Respond::Files { .. }), Step::Respond);
        Ok(Decision::Respond(Box::new(response)))
    }
}
