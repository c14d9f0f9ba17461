//! The pipeline as one function: [`Gateway::decide`]. Input: a request as it arrived, and the [`Environment`]. Output:
//! a [`Decision`].

mod decision;
mod delivery;
mod environment;
mod pipeline;
mod record;
mod well_known;

use crate::backend::{Health, Outcome};
use crate::caching::Choice;
use crate::identity::dpop::Nonces;
use crate::mint::{Grant, Minter, SigningKeys};
use crate::policy::{Policy, Responder};
use crate::refusal::Refusal;
use crate::request::RequestHead;
use crate::route;
use crate::throttle::Counter;
use crate::time::UnixTime;
use crate::trail::Trail;
pub use decision::{Decision, Publication, refuse};
pub use delivery::Delivery;
pub use environment::Environment;
use pipeline::Pipeline;
use well_known::Published;
pub use well_known::{KEYS_PATH, metadata_paths};

/// A policy and the keys to sign with: all that is needed to decide on requests.
#[derive(Debug)]
pub struct Gateway {
    policy: Policy,
    minter: Minter,
    published: Published,
}

impl Gateway {
    /// A gateway that decides by `policy` and signs with `keys`.
    #[must_use]
    pub fn new(policy: Policy, keys: SigningKeys) -> Self {
        let minter = Minter::new(keys, policy.origins());
        Self { published: Published::of(&policy), policy, minter }
    }

    /// The policy that decides.
    #[must_use]
    pub const fn policy(&self) -> &Policy {
        &self.policy
    }

    /// The nonces of this edge for proofs of possession.
    #[must_use]
    pub const fn nonces(&self) -> &Nonces {
        self.minter.nonces()
    }

    /// Decides on one request. Writes its findings into `trail`, which carries the request id.
    pub fn decide(&self, head: RequestHead, environment: &mut Environment<'_>, trail: &mut Trail) -> Decision {
        let mut pipeline = Pipeline::new(environment, trail, self.policy.edge());
        match self.run(head, &mut pipeline) {
            Ok(decision) => pipeline.decided(decision),
            Err(refusal) => pipeline.refused(&refusal),
        }
    }

    /// Records how a request to its backend ended, at `now`. Returns the request for another backend, signed for the region of that
    /// one, if it is to be sent again. That counts against the budget of the backend, and nothing else does.
    pub fn delivered(
        &self,
        delivery: &Delivery<'_>,
        now: UnixTime,
        health: &mut dyn Health,
        counter: &mut dyn Counter,
    ) -> Option<Box<Grant>> {
        let &Delivery { grant, outcome, may_resend } = delivery;
        let (backends, candidates) = (&grant.origin().backends, grant.candidates());
        health.record(backends, candidates.current()?, candidates.judged(outcome));
        if outcome == Outcome::Responded || !may_resend {
            return None;
        }
        let next = candidates.after_failure(backends, health)?;
        let again = self.minter.signed_again(grant, next, now, self.policy.edge().identity_lifetime)?;
        if !again.candidates().takes_retry(backends, counter, now) {
            return None;
        }
        health.tries(backends, again.candidates().current()?);
        Some(Box::new(again))
    }

    /// Runs the steps in order. Each takes the evidence of the one before it; the first refusal ends the run.
    fn run<'run>(&'run self, head: RequestHead, pipeline: &mut Pipeline<'run, '_>) -> Result<Decision, Refusal> {
        let target = pipeline.normalize(head)?;
        if let Some(requested) = self.published.at(&target) {
            pipeline.flood(None, &target)?;
            return Ok(requested.respond(&self.minter)?);
        }
        if let Some(preflight) = pipeline.preflight(&self.policy, &target).transpose() {
            pipeline.flood(None, &target)?;
            return preflight.map(Decision::Preflight);
        }
        let checked = match pipeline.find(&self.policy, &target) {
            Ok(checked) => checked,
            // A request for a path without a route is counted as well.
            Err(refusal) => {
                let refusal = self.published.with_methods(&target, refusal);
                return pipeline.flood(None, &target).and(Err(refusal));
            }
        };
        let route = checked.route();
        let available = pipeline.availability(checked)?;
        let admitted = pipeline.place(available)?;
        pipeline.flood(Some(route), &target)?;
        let target = if route.bearer_subprotocol { target.with_token_of_subprotocol()? } else { target };
        let caller = pipeline.identify(&self.policy, admitted, &target)?;
        let captures = route::captures(route, &target);
        let permit = pipeline.authorize(admitted, caller, &captures)?;
        let inspected = pipeline.inspect(permit, &target)?;
        let cleared = pipeline.throttle(inspected, &target)?;
        let origin = match &route.responder {
            Responder::Edge { respond, .. } => return pipeline.respond(respond, &cleared, &target, &captures),
            Responder::Origin(origin) => origin,
        };
        let target = pipeline.rewrite(&cleared, target, &captures)?;
        let read = pipeline.content(&cleared, &target)?;
        let body = pipeline.inference(&cleared, &captures, &target, read)?;
        let (body, session) = pipeline.mcp(&self.minter, &cleared, &captures, &target, body)?;
        let assignment = pipeline.assign(&cleared, origin, &target, &body)?;
        let choice = pipeline.cache(&cleared, origin, &target, &assignment, &body);
        if let Some(Choice::Send(served)) = choice {
            return Ok(Decision::Send(Box::new(served), None));
        }
        let candidates = pipeline.select(origin, &assignment);
        let grant = pipeline.budget(&cleared, &target, &body).and_then(|reserved| {
            let sources = (&self.policy, &self.minter);
            pipeline.mint(sources, &cleared, (origin, candidates), &target, (&body, session.as_ref(), reserved))
        });
        if let Ok(grant) = &grant {
            pipeline.tries(grant);
        }
        Ok(match choice {
            Some(Choice::Fetch(storage)) => Decision::Forward(Box::new(grant?.with_storage(storage))),
            Some(Choice::SendAndRenew(served, storage)) => {
                let renews = grant.ok().map(|grant| Box::new(grant.with_storage(storage)));
                Decision::Send(Box::new(served), renews)
            }
            Some(Choice::Send(_)) | None => Decision::Forward(Box::new(grant?)),
        })
    }
}
