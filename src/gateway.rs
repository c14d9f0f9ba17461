//! The journey of a request, as one function: [`Gateway::decide`].

mod resource;

use crate::answer::AnswerFields;
use crate::authorize::{authorize, rehearse};
use crate::cors;
use crate::headers::Headers;
use crate::identity::bearer::{self, Scheme};
use crate::identity::dpop::Nonces;
use crate::identity::{Caller, Seen, Sources, identify};
use crate::inspect::inspect;
use crate::mint::{Grant, Minter};
use crate::opening::{self, Switch};
use crate::place::{self, Acls};
use crate::policy::limits::Limit;
use crate::policy::{Access, Policy, Route};
use crate::problem::Problem;
use crate::refusal::Refusal;
use crate::request::{RequestHead, Target, normalize};
use crate::rewrite::rewrite;
use crate::route;
use crate::surroundings::Surroundings;
use crate::throttle::{Asker, Counter, Kept, Standing, announce, throttle};
use crate::time::UnixTime;
use crate::trail::{Replay, Step, Trail, excerpt};
use resource::Resource;

/// Where the edge publishes the public halves of its signing keys.
pub const KEYS_PATH: &str = "/.well-known/fastgate/jwks.json";

/// A policy and the keys to sign with: all that is needed to judge requests.
#[derive(Debug)]
pub struct Gateway {
    policy: Policy,
    minter: Minter,
    resource: Resource,
}

/// What becomes of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It is forwarded, in this form.
    Forward(Grant),
    /// The edge answers itself.
    Publish(Publication),
    /// The edge answers itself: a CORS preflight, with these fields.
    Preflight(Headers),
    /// It is refused.
    Refuse(Problem),
}

/// A document that the edge publishes about itself, for everybody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publication {
    /// Its media type.
    pub media_type: &'static str,
    /// Its content.
    pub body: String,
}

/// What the walk needs besides the request: effects and facts from outside, each named.
pub struct Circumstances<'outside> {
    /// The time.
    pub now: UnixTime,
    /// What the platform knows of the client.
    pub surroundings: &'outside Surroundings,
    /// Where keys and earlier verdicts come from.
    pub sources: Sources<'outside>,
    /// What Compute ACLs say.
    pub acls: &'outside mut dyn Acls,
    /// What an operator has switched off.
    pub switch: &'outside Switch,
    /// Who counts.
    pub counter: &'outside mut dyn Counter,
    /// Microseconds since the request arrived, for the trail alone.
    pub elapsed: &'outside dyn Fn() -> u64,
}

impl Gateway {
    /// A gateway that judges by `policy` and signs with `minter`.
    #[must_use]
    pub fn new(policy: Policy, minter: Minter) -> Self {
        Self { resource: Resource::of(&policy), policy, minter }
    }

    /// The nonces of this edge for proofs of possession.
    #[must_use]
    pub const fn nonces(&self) -> &Nonces {
        self.minter.nonces()
    }

    /// Judges one request. Writes what it finds into `trail`, which carries the request id.
    pub fn decide(&self, head: RequestHead, circumstances: &mut Circumstances<'_>, trail: &mut Trail) -> Decision {
        let mut answer = AnswerFields::default();
        let mut scheme = Scheme::default();
        match self.walk(head, circumstances, trail, &mut answer, &mut scheme) {
            Ok(Decision::Forward(grant)) => Decision::Forward(grant.answered_with(answer)),
            Ok(decision) => decision,
            Err(refusal) => {
                let problem = refuse(&refusal, trail).asking_for(scheme, &self.resource.url);
                Decision::Refuse(problem.dressed(answer))
            }
        }
    }

    fn walk(
        &self,
        head: RequestHead,
        outside: &mut Circumstances<'_>,
        trail: &mut Trail,
        answer: &mut AnswerFields,
        scheme: &mut Scheme,
    ) -> Result<Decision, Refusal> {
        let edge = self.policy.edge();

        let target = normalize(head, &edge.hosts)?;
        trail.step(Step::Normalize, (outside.elapsed)());
        trail.replay = Some(Replay::of(&target, outside.surroundings));
        trail.note(Step::Normalize, || format!("{} {} on {}", target.method(), target.path().encoded(), target.host()));

        if let Some(publication) = self.publication(&target) {
            trail.verdict = "published";
            return Ok(Decision::Publish(publication));
        }

        if edge.security_headers {
            answer.secure();
        }
        if let Some((route, fields)) = cors::preflight(&self.policy, &target)? {
            trail.route = Some(route);
            trail.verdict = "preflight";
            return Ok(Decision::Preflight(answer.dress(&fields)));
        }

        let route = route::find(&self.policy, &target)?;
        trail.route = Some(route.id.clone());
        cors::mark(route, &target, answer);
        answer.edit(&route.answer_fields);
        trail.step(Step::Match, (outside.elapsed)());
        trail.note(Step::Match, || format!("route \"{}\", {}", route.id, route.template.as_str()));
        if route.require_bound || bearer::tries_proof(target.authorization()) {
            *scheme = Scheme::DPoP;
        }

        opening::ask(route, outside.switch)?;

        for place in &route.from {
            let asked = place::ask(place, target.client(), outside.surroundings, outside.acls);
            unless_tried(asked, place.shadow, trail)?;
            trail.note(Step::Place, || format!("place \"{}\" was asked", place.name));
        }
        trail.step(Step::Place, (outside.elapsed)());

        if let Some(limit) = &edge.flood_limit {
            let asker = asker(route, &Caller::Anonymous, &target);
            keep(limit, &asker, outside, trail)?;
            trail.step(Step::Throttle, (outside.elapsed)());
        }

        let mut seen = Seen::default();
        let caller = identify(&self.policy, route, &target, outside.now, &mut outside.sources, &mut seen);
        note(trail, &seen, caller.as_ref().ok());
        if let Some(nonce) = &seen.nonce {
            answer.give_nonce(nonce);
        }
        trail.step(Step::Identify, (outside.elapsed)());

        let caller = match caller {
            // Who need not say who they are loses nothing by saying it badly; the identity alone is gone.
            Err(error) if route.access == Access::Optional => {
                trail.ignored = Some(Refusal::from(error).code());
                Caller::Anonymous
            }
            caller => caller?,
        };
        trail.note(Step::Identify, || match &caller {
            Caller::Anonymous => "nobody in particular".to_owned(),
            Caller::Known(identity) => format!("\"{}\" of issuer \"{}\"", identity.subject(), identity.issuer_id()),
        });
        let segments: Vec<_> = target.path().segments().collect();
        let captures = route.template.captures(&segments).unwrap_or_default();
        let permit = authorize(route, caller, &captures)?;
        unless_tried(rehearse(route, permit.caller(), &captures), true, trail)?;
        trail.step(Step::Authorize, (outside.elapsed)());
        trail.note(Step::Authorize, || "every rule of the route is met".to_owned());

        unless_tried(inspect(&route.accepts, &target), route.accepts.shadow, trail)?;
        trail.step(Step::Inspect, (outside.elapsed)());

        let asker = asker(route, permit.caller(), &target);
        let mut standings = Vec::new();
        for limit in &route.limits {
            standings.extend(keep(limit, &asker, outside, trail)?);
        }
        for (name, value) in announce(&standings) {
            answer.set(name, value);
        }
        trail.step(Step::Throttle, (outside.elapsed)());

        let target = rewrite(route, target, &captures)?;
        let grant = self.minter.mint(edge, &permit, &target, outside.surroundings, outside.now, &trail.request_id)?;
        trail.step(Step::Mint, (outside.elapsed)());
        trail.note(Step::Mint, || format!("for audience \"{}\": {}", route.origin.audience, grant.path_and_query()));

        trail.verdict = "forwarded";
        Ok(Decision::Forward(grant))
    }

    /// What the edge publishes under the path of `target`, whatever the routes are.
    fn publication(&self, target: &Target) -> Option<Publication> {
        match target.path().encoded() {
            _ if target.method() != "GET" => None,
            KEYS_PATH => {
                Some(Publication { media_type: "application/jwk-set+json", body: self.minter.published_keys() })
            }
            path if path == self.resource.path => {
                Some(Publication { media_type: "application/json", body: self.resource.document.clone() })
            }
            _ => None,
        }
    }
}

/// Writes a refusal into the trail and turns it into what the client sees.
pub fn refuse(refusal: &Refusal, trail: &mut Trail) -> Problem {
    let problem = Problem::from(refusal);
    trail.verdict = refusal.code();
    trail.cause = Some(refusal.to_string());
    trail.note(refusal.step(), || refusal.to_string());
    trail.status = problem.status();
    problem
}

const fn asker<'request>(
    route: &'request Route,
    caller: &'request Caller,
    target: &'request Target,
) -> Asker<'request> {
    Asker { route: route.id.as_str(), caller, client: target.client(), headers: target.headers() }
}

/// Keeps one limit; nothing comes out where nothing is to be announced.
fn keep(
    limit: &Limit,
    asker: &Asker<'_>,
    outside: &mut Circumstances<'_>,
    trail: &mut Trail,
) -> Result<Option<Standing>, Refusal> {
    let kept = throttle(limit, asker, outside.counter, outside.now);
    let Some(kept) = unless_tried(kept.map(Some), limit.shadow, trail)? else { return Ok(None) };
    match kept {
        Kept::Counted(standing) => {
            trail.note(Step::Throttle, || standing.to_string());
            Ok(Some(standing).filter(|_| !limit.shadow))
        }
        Kept::Uncounted { cause } => {
            trail.uncounted.push(format!("{}: {cause}", limit.name));
            Ok(None)
        }
    }
}

/// What a rule that is only tried would refuse is written down and passes.
fn unless_tried<T: Default, E: Into<Refusal>>(
    judged: Result<T, E>,
    shadow: bool,
    trail: &mut Trail,
) -> Result<T, Refusal> {
    match judged.map_err(Into::into) {
        Err(refusal) if shadow => {
            trail.shadow.push(format!("would-refuse {}", refusal.code()));
            Ok(T::default())
        }
        judged => judged,
    }
}

fn note(trail: &mut Trail, seen: &Seen, caller: Option<&Caller>) {
    trail.issuer.clone_from(&seen.issuer);
    trail.key_id = seen.key_id.as_deref().map(excerpt);
    if let Some(Caller::Known(identity)) = caller {
        trail.subject = Some(identity.subject().to_owned());
        if let Some(replay) = &mut trail.replay {
            replay.identify(identity);
        }
    }
}
