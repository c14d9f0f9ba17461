//! The steps of the journey, a method each: it calls the room of that name and writes down what came of it. Nothing is
//! judged here.

use super::{Decision, Environment, refuse};
use crate::answer::AnswerFields;
use crate::authorize::{Permit, authorize, rehearse};
use crate::content::{self, ContentDigest};
use crate::cors;
use crate::headers::Headers;
use crate::identity::bearer::{self, Scheme};
use crate::identity::{Caller, Seen, identify};
use crate::inspect;
use crate::mint::{About, Grant, Minter};
use crate::opening;
use crate::place;
use crate::policy::limits::Limit;
use crate::policy::{Access, Captures, Edge, Policy, Route};
use crate::refusal::Refusal;
use crate::request::{RequestHead, Target, normalize};
use crate::rewrite::rewrite;
use crate::route;
use crate::throttle::{Asker, Kept, Standing, announce, throttle};
use crate::trail::{Replay, Step, Trail, excerpt};

/// One request under way.
pub(super) struct Walk<'walk, 'outside> {
    edge: &'walk Edge,
    outside: &'walk mut Environment<'outside>,
    trail: &'walk mut Trail,
    /// What the answer gets, whoever gives it.
    answer: AnswerFields,
    /// How a challenge asks for a token.
    scheme: Scheme,
}

impl<'walk, 'outside> Walk<'walk, 'outside> {
    pub(super) fn begin(outside: &'walk mut Environment<'outside>, trail: &'walk mut Trail, edge: &'walk Edge) -> Self {
        Self { edge, outside, trail, answer: AnswerFields::default(), scheme: Scheme::default() }
    }

    pub(super) fn normalize(&mut self, head: RequestHead) -> Result<Target, Refusal> {
        let target = normalize(head, &self.edge.hosts)?;
        self.trail.replay = Some(Replay::of(&target, self.outside.surroundings));
        self.done(Step::Normalize, || format!("{} {} on {}", target.method(), target.path().encoded(), target.host()));
        Ok(target)
    }

    pub(super) fn preflight(&mut self, policy: &Policy, target: &Target) -> Result<Option<Headers>, Refusal> {
        if self.edge.security_headers {
            self.answer.secure();
        }
        let Some((route, fields)) = cors::preflight(policy, target)? else { return Ok(None) };
        self.trail.route = Some(route);
        Ok(Some(fields))
    }

    pub(super) fn find<'policy>(
        &mut self,
        policy: &'policy Policy,
        target: &Target,
    ) -> Result<&'policy Route, Refusal> {
        let route = route::find(policy, target)?;
        self.trail.route = Some(route.id.to_string());
        cors::mark(route, target, &mut self.answer);
        cors::handshake(route, target)?;
        self.answer.edit(&route.response_fields);
        if route.require_bound || bearer::tries_proof(target.authorization()) {
            self.scheme = Scheme::DPoP;
        }
        self.done(Step::Match, || format!("route \"{}\", {}", route.id, route.template.as_str()));
        Ok(route)
    }

    pub(super) fn opening(&self, route: &Route) -> Result<(), Refusal> {
        Ok(opening::ask(route, self.outside.switch)?)
    }

    pub(super) fn place(&mut self, route: &Route, target: &Target) -> Result<(), Refusal> {
        for place in &route.from {
            let asked = place::ask(place, target.client(), self.outside.surroundings, self.outside.acls);
            self.unless_tried(asked, place.shadow)?;
            self.trail.note(Step::Place, || format!("place \"{}\" was asked", place.name));
        }
        self.timed(Step::Place);
        Ok(())
    }

    /// The one limit that is kept before a token is looked at. It counts what no route names, preflights and documents of
    /// the edge, too: those together, where it counts by route.
    pub(super) fn flood(&mut self, route: Option<&Route>, target: &Target) -> Result<(), Refusal> {
        if let Some(limit) = &self.edge.flood_limit {
            let route = route.map_or("", |route| route.id.as_str());
            self.keep(limit, &asker(route, &Caller::Anonymous, target))?;
            self.timed(Step::Throttle);
        }
        Ok(())
    }

    pub(super) fn identify(&mut self, policy: &Policy, route: &Route, target: &Target) -> Result<Caller, Refusal> {
        let mut seen = Seen::default();
        let identified = identify(policy, route, target, self.outside.now, &mut self.outside.sources, &mut seen);
        self.trail.issuer = seen.issuer.map(|id| id.to_string());
        self.trail.key_id = seen.key_id.as_deref().map(excerpt);
        if let Some(nonce) = &seen.nonce {
            self.answer.give_nonce(nonce);
        }
        self.timed(Step::Identify);
        let caller = match identified {
            // Who need not say who they are loses nothing by saying it badly; the identity alone is gone.
            Err(error) if route.access == Access::Optional => {
                self.trail.credentials_ignored = Some(Refusal::from(error).code());
                Caller::Anonymous
            }
            caller => caller?,
        };
        if let Caller::Known(identity) = &caller {
            self.trail.identify(identity);
        }
        self.trail.note(Step::Identify, || match &caller {
            Caller::Anonymous => "nobody in particular".to_owned(),
            Caller::Known(identity) => format!("\"{}\" of issuer \"{}\"", identity.subject(), identity.issuer_id()),
        });
        Ok(caller)
    }

    pub(super) fn authorize<'policy>(
        &mut self,
        route: &'policy Route,
        caller: Caller,
        captures: &Captures,
    ) -> Result<Permit<'policy>, Refusal> {
        let permit = authorize(route, caller, captures)?;
        self.unless_tried(rehearse(route, permit.caller(), captures), true)?;
        self.done(Step::Authorize, || "every rule of the route is met".to_owned());
        Ok(permit)
    }

    pub(super) fn inspect(&mut self, route: &Route, target: &Target) -> Result<(), Refusal> {
        inspect::handshake(route, target)?;
        self.unless_tried(inspect::inspect(&route.accepts, target), route.accepts.shadow)?;
        self.timed(Step::Inspect);
        Ok(())
    }

    pub(super) fn throttle(&mut self, permit: &Permit<'_>, target: &Target) -> Result<(), Refusal> {
        let asker = asker(permit.route().id.as_str(), permit.caller(), target);
        let mut standings = Vec::new();
        for limit in &permit.route().limits {
            standings.extend(self.keep(limit, &asker)?);
        }
        for (name, value) in announce(&standings) {
            self.answer.set(name, value);
        }
        self.timed(Step::Throttle);
        Ok(())
    }

    pub(super) fn rewrite(&mut self, route: &Route, target: Target, captures: &Captures) -> Result<Target, Refusal> {
        let target = rewrite(route, target, captures)?;
        if route.origin_template.is_some() {
            self.trail.note(Step::Mint, || format!("the origin knows it as {}", target.path().encoded()));
        }
        Ok(target)
    }

    pub(super) fn content(&mut self, route: &Route) -> Result<Option<ContentDigest>, Refusal> {
        Ok(content::read(route, self.outside.body)?)
    }

    pub(super) fn mint(
        &mut self,
        minter: &Minter,
        permit: &Permit<'_>,
        target: &Target,
        content: Option<&ContentDigest>,
    ) -> Result<Grant, Refusal> {
        let surroundings = self.outside.surroundings;
        let now = (self.outside.clock)();
        let request_id = &self.trail.request_id;
        let grant = minter.mint(&About { edge: self.edge, permit, target, content, surroundings, now, request_id })?;
        let audience = &permit.route().origin.audience;
        self.done(Step::Mint, || format!("for audience \"{audience}\": {}", grant.path_and_query()));
        Ok(grant)
    }

    /// The end of a walk that nothing stopped.
    pub(super) fn arrive(self, decision: Decision) -> Decision {
        let (verdict, decision) = match decision {
            Decision::Forward(grant) => ("forwarded", Decision::Forward(grant.answered_with(self.answer))),
            Decision::Preflight(fields) => ("preflight", Decision::Preflight(self.answer.dress(&fields))),
            Decision::Publish(publication) => ("published", Decision::Publish(publication)),
            Decision::Refuse(problem) => return Decision::Refuse(problem),
        };
        self.trail.verdict = verdict;
        decision
    }

    /// The end of a walk that something stopped.
    pub(super) fn refuse(self, refusal: &Refusal, resource_metadata: &str) -> Decision {
        let problem = refuse(refusal, self.trail).asking_for(self.scheme, resource_metadata);
        Decision::Refuse(problem.dressed(self.answer))
    }

    /// Keeps one limit; nothing comes out where nothing is to be announced.
    fn keep(&mut self, limit: &Limit, asker: &Asker<'_>) -> Result<Option<Standing>, Refusal> {
        let kept = throttle(limit, asker, self.outside.counter, self.outside.now);
        match self.unless_tried(kept.map(Some), limit.shadow)? {
            None => Ok(None),
            Some(Kept::Counted(standing)) => {
                self.trail.note(Step::Throttle, || standing.to_string());
                Ok(Some(standing).filter(|_| !limit.shadow))
            }
            Some(Kept::Uncounted { cause }) => {
                self.trail.uncounted.push(format!("{}: {cause}", limit.name));
                Ok(None)
            }
        }
    }

    /// What a rule that is only tried would refuse is written down and passes.
    fn unless_tried<T: Default, E: Into<Refusal>>(&mut self, judged: Result<T, E>, shadow: bool) -> Result<T, Refusal> {
        match judged.map_err(Into::into) {
            Err(refusal) if shadow => {
                self.trail.shadow.push(format!("would-refuse {}", refusal.code()));
                Ok(T::default())
            }
            judged => judged,
        }
    }

    fn done(&mut self, step: Step, found: impl FnOnce() -> String) {
        self.timed(step);
        self.trail.note(step, found);
    }

    fn timed(&mut self, step: Step) {
        self.trail.step(step, (self.outside.elapsed)());
    }
}

const fn asker<'request>(route: &'request str, caller: &'request Caller, target: &'request Target) -> Asker<'request> {
    Asker { route, caller, client: target.client(), headers: target.headers() }
}
