//! Step *cache* in the pipeline.

use super::Pipeline;
use crate::backend::Assignment;
use crate::caching::{Choice, Plan, choose};
use crate::mcp_request::JudgedBody;
use crate::policy::Origin;
use crate::rewrite::OriginTarget;
use crate::throttle::Cleared;
use crate::trail::Step;

impl Pipeline<'_, '_> {
    /// The choice between a stored response and the origin, if responses are stored.
    pub(in crate::gateway) fn cache(
        &mut self,
        cleared: &Cleared<'_>,
        origin: &Origin,
        target: &OriginTarget,
        assignment: &Assignment,
        body: &JudgedBody,
    ) -> Option<Choice> {
        let generation = self.outside.generations.map(|known| known.of(origin));
        let plan = Plan::of(cleared, target, assignment, generation, body)?;
        self.trail.note(Step::Cache, || plan.to_string());
        let choice = choose(plan, self.outside.responses, self.outside.now);
        self.trail.cache = Some(choice.outcome());
        self.trail.note(Step::Cache, || choice.to_string());
        self.timed(Step::Cache);
        Some(choice)
    }
}
