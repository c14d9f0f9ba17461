//! Step *budget* in the pipeline.

use super::Pipeline;
use crate::budget::{Reserved, Spender, reserve};
use crate::gateway::record::{add_least, budget_left, record_budget};
use crate::mcp_request::JudgedBody;
use crate::refusal::Refusal;
use crate::rewrite::OriginTarget;
use crate::throttle::{Cleared, KeyParts};
use crate::trail::Step;

impl Pipeline<'_, '_> {
    /// What is reserved of the budgets of the route. The caller is told what is left of them, also if one refuses.
    pub(in crate::gateway) fn budget(
        &mut self,
        cleared: &Cleared<'_>,
        target: &OriginTarget,
        body: &JudgedBody,
    ) -> Result<Reserved, Refusal> {
        let parts = KeyParts {
            route: cleared.route().id.as_str(),
            caller: cleared.caller(),
            client: self.outside.client.address,
            headers: target.received().headers(),
        };
        let request_id = self.trail.request_id.clone();
        let spender = Spender { body, parts: &parts, request_id: &request_id };
        let (trail, now) = (&mut *self.trail, self.outside.now);
        let mut quotas = Vec::new();
        let reserved = reserve(cleared, &spender, self.outside.counter, now, &mut |budget, outcome| {
            if let Some(quota) = record_budget(trail, budget, outcome) {
                add_least(&mut quotas, quota);
            }
        });
        if let Err(error) = &reserved {
            // What the budgets before it had reserved is given back.
            quotas = error.quota().cloned().into_iter().collect();
            self.trail.budgets = vec![budget_left(error.budget(), error.quota())];
        }
        self.quotas.append(&mut quotas);
        self.tell_quotas();
        let reserved = reserved?;
        self.measured_if(reserved.charge().is_some(), Step::Budget);
        Ok(reserved)
    }
}
