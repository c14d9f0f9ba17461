//! Steps *content* and *inference* in the pipeline.

use super::Pipeline;
use crate::content::{self, ReadBody};
use crate::inference::{self, CheckedBody};
use crate::policy::Captures;
use crate::refusal::Refusal;
use crate::rewrite::OriginTarget;
use crate::throttle::Cleared;
use crate::trail::Step;

impl Pipeline<'_, '_> {
    /// The body, read as far as the route requires.
    pub(in crate::gateway) fn content(
        &mut self,
        cleared: &Cleared<'_>,
        target: &OriginTarget,
    ) -> Result<ReadBody, Refusal> {
        let content = target.received().content();
        let body = content::read(cleared, content, self.outside.body)?;
        self.measured_if(content::read_ahead(cleared.route(), content).is_some(), Step::Content);
        Ok(body)
    }

    /// The body as it is sent, after the request was judged if its route is for models.
    pub(in crate::gateway) fn inference(
        &mut self,
        cleared: &Cleared<'_>,
        captures: &Captures,
        target: &OriginTarget,
        read: ReadBody,
    ) -> Result<CheckedBody, Refusal> {
        let body = inference::judge(cleared, captures, target.received(), read, self.outside.body)?;
        if let Some(admission) = body.admission() {
            self.trail.model = Some(admission.model.clone());
            self.trail.note(Step::Inference, || format!("model \"{}\"", admission.model));
            self.timed(Step::Inference);
        } else if cleared.route().inference.is_some() {
            self.trail.note(Step::Inference, || "the body is not known here, so it is not judged".to_owned());
        }
        Ok(body)
    }
}
