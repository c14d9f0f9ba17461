//! Steps *content*, *inference* and *mcp* in the pipeline.

use super::Pipeline;
use crate::content::{self, ReadBody};
use crate::gateway::record::record_count;
use crate::inference::{self, CheckedBody};
use crate::mcp_request::{self, JudgedBody, RequestId, Session};
use crate::mint::Minter;
use crate::policy::Captures;
use crate::refusal::Refusal;
use crate::rewrite::OriginTarget;
use crate::throttle::{Cleared, ratelimit_fields};
use crate::trail::{Step, excerpt};

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

    /// The body and the session, after the message was judged and counted if its route is for an MCP server.
    pub(in crate::gateway) fn mcp(
        &mut self,
        minter: &Minter,
        cleared: &Cleared<'_>,
        captures: &Captures,
        target: &OriginTarget,
        checked: CheckedBody,
    ) -> Result<(JudgedBody, Option<Session>), Refusal> {
        let headers = target.headers();
        let target = target.received();
        let mut id = RequestId::default();
        let judged = mcp_request::judge(cleared, captures, target, (checked, &*self.outside.body), &mut id);
        let is_judged = self.mcp.is_some();
        self.mcp = self.mcp.is_some().then_some(id);
        let judged = judged?;
        if let Some(operation) = judged.operation() {
            let text = operation.to_string();
            self.trail.mcp = Some(excerpt(&text));
            self.trail.note(Step::Mcp, || text);
            self.timed(Step::Mcp);
        } else if is_judged && target.method() == "POST" {
            self.trail.note(Step::Mcp, || "the body is not known here, so it is not judged".to_owned());
        }
        let session = mcp_request::session(cleared, headers, minter.sessions())?;
        if let Some(session) = &session {
            self.response.edit_session(session.edit().clone());
        }
        let has_limits = judged.has_limits();
        let Self { outside, trail, quotas, .. } = &mut *self;
        let body =
            judged.count(cleared, (target, outside.client), outside.counter, outside.now, &mut |limit, outcome| {
                quotas.extend(record_count(trail, limit, outcome));
            })?;
        if has_limits {
            for (name, value) in ratelimit_fields(&self.quotas) {
                self.response.set(name, value);
            }
        }
        Ok((body, session))
    }
}
