//! The steps of the pipeline, one method each. A method calls the module of its step and records the outcome; it
//! decides nothing itself.

mod body;
mod budget;
mod cache;
mod mint;
mod respond;
mod select;

use super::decision::{Decision, Publication, refuse};
use super::environment::Environment;
use super::record::{record_count, would_refuse};
use super::well_known::metadata_url;
use crate::authorize::{Permit, authorize, check_shadow};
use crate::availability::{self, Available};
use crate::client::Fact;
use crate::cors::{self, OriginChecked};
use crate::headers::Headers;
use crate::identity::bearer::{self, Scheme};
use crate::identity::{Caller, Seen, identify};
use crate::inspect::{Inspected, inspect};
use crate::mcp_request::RequestId;
use crate::place::{self, Admitted};
use crate::policy::{Access, Api, Captures, Edge, Policy, Route};
use crate::refusal::Refusal;
use crate::request::{RequestHead, Target, normalize};
use crate::response::ResponseFields;
use crate::rewrite::{OriginTarget, rewrite};
use crate::route;
use crate::throttle::{self, Cleared, KeyParts, Quota, ratelimit_fields};
use crate::trail::{Recorded, Step, Trail, excerpt};

/// One request in the pipeline.
pub(super) struct Pipeline<'run, 'outside> {
    edge: &'run Edge,
    outside: &'run mut Environment<'outside>,
    trail: &'run mut Trail,
    /// The edits of the response, whether it comes from the origin or from the edge.
    response: ResponseFields,
    /// The scheme that a challenge names.
    scheme: Scheme,
    /// The scopes that a challenge names: those that the route requires of all callers.
    scopes: &'run [String],
    /// The resource whose metadata a challenge names.
    resource: &'run str,
    /// The API whose clients send the requests of the route, if it is for requests to models.
    api: Option<&'run Api>,
    /// The id of the message, if the route is for an MCP server.
    mcp: Option<RequestId>,
    /// The quotas that the caller is told.
    quotas: Vec<Quota>,
}

impl<'run, 'outside> Pipeline<'run, 'outside> {
    pub(super) fn new(outside: &'run mut Environment<'outside>, trail: &'run mut Trail, edge: &'run Edge) -> Self {
        let mut response = ResponseFields::default();
        if edge.security_headers {
            response.secure();
        }
        Self {
            edge,
            outside,
            trail,
            response,
            scheme: Scheme::default(),
            scopes: &[],
            resource: &edge.resource,
            api: None,
            mcp: None,
            quotas: Vec::new(),
        }
    }

    pub(super) fn normalize(&mut self, head: RequestHead) -> Result<Target, Refusal> {
        let target = normalize(head, &self.edge.hosts)?;
        self.trail.recorded = Some(Recorded::of(&target, self.outside.client));
        self.done(Step::Normalize, || format!("{} {} on {}", target.method(), target.path().encoded(), target.host()));
        Ok(target)
    }

    pub(super) fn preflight(&mut self, policy: &Policy, target: &Target) -> Result<Option<Headers>, Refusal> {
        let Some((route, fields)) = cors::preflight(policy, target)? else { return Ok(None) };
        self.trail.route = Some(route);
        Ok(Some(fields))
    }

    pub(super) fn find(&mut self, policy: &'run Policy, target: &Target) -> Result<OriginChecked<'run>, Refusal> {
        let route = route::find(policy, target)?;
        self.trail.route = Some(route.id.clone());
        cors::set_fields(route, target, &mut self.response);
        let checked = cors::check_origin(route, target)?;
        self.response.edit(&route.response_fields);
        self.resource = route.resource().unwrap_or(self.resource);
        self.api = route.inference.as_ref().map(|inference| &inference.api);
        self.mcp = route.mcp.is_some().then(RequestId::default);
        if let Access::Authenticated { all_callers, .. } = &route.access {
            self.scopes = &all_callers.scopes;
        }
        if route.require_bound || bearer::tries_proof(target.authorization()) {
            self.scheme = Scheme::DPoP;
        }
        self.done(Step::Match, || format!("route \"{}\", {}", route.id, route.template.as_str()));
        Ok(checked)
    }

    pub(super) fn availability<'policy>(&self, checked: OriginChecked<'policy>) -> Result<Available<'policy>, Refusal> {
        Ok(availability::check(checked, self.outside.kill_switch)?)
    }

    pub(super) fn place<'policy>(&mut self, available: Available<'policy>) -> Result<Admitted<'policy>, Refusal> {
        let Environment { client, acls, .. } = &mut *self.outside;
        let trail = &mut *self.trail;
        let admitted = place::admit(available, client, *acls, &mut |place, refused| {
            if let Some(error) = refused {
                would_refuse(trail, error);
            }
            trail.note(Step::Place, || format!("place \"{}\" was checked", place.name));
        })?;
        self.measured_if(admitted.route().tests(Fact::Acl), Step::Place);
        Ok(admitted)
    }

    /// The flood limit, which is counted before a token is read. It counts preflights, documents of the edge and
    /// requests without a route as well: together, if it counts by route.
    pub(super) fn flood(&mut self, route: Option<&Route>, target: &Target) -> Result<(), Refusal> {
        let Some(limit) = &self.edge.flood_limit else { return Ok(()) };
        let parts = KeyParts {
            route: route.map_or("", |route| route.id.as_str()),
            caller: &Caller::Anonymous,
            client: self.outside.client.address,
            headers: target.headers(),
        };
        throttle::count(limit, &parts, self.outside.counter, self.outside.now, &mut |limit, outcome| {
            record_count(self.trail, limit, outcome);
        })?;
        self.timed(Step::Throttle);
        Ok(())
    }

    pub(super) fn identify(
        &mut self,
        policy: &Policy,
        admitted: Admitted<'_>,
        target: &Target,
    ) -> Result<Caller, Refusal> {
        let mut seen = Seen::default();
        let identified = identify(policy, admitted, target, self.outside.now, &mut self.outside.sources, &mut seen);
        self.trail.issuer = seen.issuer;
        self.trail.key_id = seen.key_id.as_deref().map(excerpt);
        if let Some(nonce) = &seen.nonce {
            self.response.give_nonce(nonce);
        }
        let caller = match identified {
            // A bad token on a route where a token is optional makes the caller anonymous and has no other effect.
            Err(error) if admitted.route().access == Access::Optional => {
                self.trail.credentials_ignored = Some(error.code());
                Caller::Anonymous
            }
            caller => caller?,
        };
        self.measured_if(admitted.route().access != Access::Public, Step::Identify);
        if let Caller::Known(identity) = &caller {
            self.trail.identify(identity);
        }
        self.trail.note(Step::Identify, || match &caller {
            Caller::Anonymous => "an anonymous caller".to_owned(),
            Caller::Known(identity) => format!("\"{}\" of issuer \"{}\"", identity.subject(), identity.issuer_id()),
        });
        Ok(caller)
    }

    pub(super) fn authorize<'policy>(
        &mut self,
        admitted: Admitted<'policy>,
        caller: Caller,
        captures: &Captures,
    ) -> Result<Permit<'policy>, Refusal> {
        let now = self.outside.now;
        let permit = authorize(admitted, caller, captures, now)?;
        if let Err(error) = check_shadow(&permit, captures, now) {
            would_refuse(self.trail, error);
        }
        self.done(Step::Authorize, || "every rule of the route is met".to_owned());
        Ok(permit)
    }

    pub(super) fn inspect<'policy>(
        &mut self,
        permit: Permit<'policy>,
        target: &Target,
    ) -> Result<Inspected<'policy>, Refusal> {
        let inspected = inspect(permit, target, &mut |error| would_refuse(self.trail, error))?;
        self.trail.end(Step::Inspect);
        Ok(inspected)
    }

    pub(super) fn throttle<'policy>(
        &mut self,
        inspected: Inspected<'policy>,
        target: &Target,
    ) -> Result<Cleared<'policy>, Refusal> {
        let Environment { client, counter, now, .. } = &mut *self.outside;
        let trail = &mut *self.trail;
        let quotas = &mut self.quotas;
        let cleared = throttle::clear(inspected, target, client, *counter, *now, &mut |limit, outcome| {
            quotas.extend(record_count(trail, limit, outcome));
        })?;
        self.tell_quotas();
        self.measured_if(!cleared.route().limits.is_empty(), Step::Throttle);
        Ok(cleared)
    }

    pub(super) fn rewrite(
        &mut self,
        cleared: &Cleared<'_>,
        target: Target,
        captures: &Captures,
    ) -> Result<OriginTarget, Refusal> {
        let target = rewrite(cleared, target, captures)?;
        if cleared.route().origin_template.is_some() {
            self.done(Step::Rewrite, || format!("the origin knows it as {}", target.path().encoded()));
        }
        Ok(target)
    }

    /// The end of a pipeline in which no step refused.
    pub(super) fn decided(self, decision: Decision) -> Decision {
        let (verdict, decision) = match decision {
            Decision::Forward(grant) => ("forwarded", Decision::Forward(grant.with_response(self.response))),
            Decision::Send(mut served, renews) => {
                served.fields = self.response.apply_to_origin(&served.fields);
                ("served", Decision::Send(served, renews))
            }
            Decision::Respond(mut own) => {
                own.fields = self.response.apply_to_origin(&own.fields);
                ("responded", Decision::Respond(own))
            }
            Decision::Preflight(fields) => ("preflight", Decision::Preflight(self.response.apply(&fields))),
            Decision::Publish(Publication { fields, body }) => {
                ("published", Decision::Publish(Publication { fields: self.response.apply(&fields), body }))
            }
            Decision::Refuse(problem) => return Decision::Refuse(problem),
        };
        self.trail.verdict = verdict;
        decision
    }

    /// The end of a pipeline in which a step refused.
    pub(super) fn refused(mut self, refusal: &Refusal) -> Decision {
        self.timed(refusal.step());
        let problem = refuse(refusal, self.trail).asking_for(self.scheme, self.scopes, &metadata_url(self.resource));
        let problem = problem.for_clients_of(self.api).for_mcp_clients(self.mcp.as_ref());
        Decision::Refuse(Box::new(problem.with_fields(self.response)))
    }

    /// Sets the fields that tell the caller its quotas.
    fn tell_quotas(&mut self) {
        for (name, value) in ratelimit_fields(&self.quotas) {
            self.response.set(name, value);
        }
    }

    fn done(&mut self, step: Step, found: impl FnOnce() -> String) {
        self.trail.end(step);
        self.trail.note(step, found);
    }

    fn measured_if(&mut self, is_measured: bool, step: Step) {
        if is_measured {
            self.timed(step);
        } else {
            self.trail.end(step);
        }
    }

    fn timed(&mut self, step: Step) {
        self.trail.step(step, (self.outside.elapsed)());
    }
}
