//! The journey of a request, as one function: [`Gateway::decide`].

mod resource;
mod walk;

use crate::content::Body;
use crate::headers::Headers;
use crate::identity::Sources;
use crate::identity::dpop::Nonces;
use crate::mint::{Grant, Minter};
use crate::opening::Switch;
use crate::place::Acls;
use crate::policy::Policy;
use crate::problem::Problem;
use crate::refusal::Refusal;
use crate::request::{RequestHead, Target};
use crate::route;
use crate::surroundings::Surroundings;
use crate::throttle::Counter;
use crate::time::UnixTime;
use crate::trail::Trail;
use resource::Resource;
pub use resource::metadata_path;
use walk::Walk;

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

/// The documents that the edge publishes.
#[derive(Clone, Copy, Debug)]
enum Document {
    /// The public halves of its signing keys.
    Keys,
    /// The metadata of what is protected here (RFC 9728).
    Resource,
}

/// What the walk needs besides the request: effects and facts from outside, each named.
pub struct Environment<'outside> {
    /// When the request arrived.
    pub now: UnixTime,
    /// The clock, for what is signed: reading a body takes time.
    pub clock: &'outside dyn Fn() -> UnixTime,
    /// What the platform knows of the client.
    pub surroundings: &'outside Surroundings,
    /// Where keys and earlier verdicts come from.
    pub sources: Sources<'outside>,
    /// The body, where a route wants it signed.
    pub body: &'outside mut dyn Body,
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

    /// Judges one request. Writes what it finds into `trail`, which carries the request id.
    pub fn decide(&self, head: RequestHead, environment: &mut Environment<'_>, trail: &mut Trail) -> Decision {
        let mut walk = Walk::begin(environment, trail, self.policy.edge());
        match self.journey(head, &mut walk) {
            Ok(decision) => walk.arrive(decision),
            Err(refusal) => walk.refuse(&refusal, &self.resource.url),
        }
    }

    /// The journey: each step takes the evidence of the one before it, and the first refusal ends it.
    fn journey(&self, head: RequestHead, walk: &mut Walk<'_, '_>) -> Result<Decision, Refusal> {
        let target = walk.normalize(head)?;
        if let Some(document) = self.document(&target) {
            walk.flood(None, &target)?;
            return Ok(Decision::Publish(self.publication(document)?));
        }
        if let Some(answered) = walk.preflight(&self.policy, &target).transpose() {
            walk.flood(None, &target)?;
            return answered.map(Decision::Preflight);
        }
        let route = match walk.find(&self.policy, &target) {
            Ok(route) => route,
            // Whoever looks for what is not there is counted, too.
            Err(refusal) => return walk.flood(None, &target).and(Err(refusal)),
        };
        walk.opening(route)?;
        walk.place(route, &target)?;
        walk.flood(Some(route), &target)?;
        let target = if route.bearer_subprotocol { target.with_token_of_subprotocol()? } else { target };
        let caller = walk.identify(&self.policy, route, &target)?;
        let captures = route::captures(route, &target);
        let permit = walk.authorize(route, caller, &captures)?;
        walk.inspect(route, &target)?;
        walk.throttle(&permit, &target)?;
        let target = walk.rewrite(route, target, &captures)?;
        let content = walk.content(route)?;
        let grant = walk.mint(&self.minter, &permit, &target, content.as_ref())?;
        Ok(Decision::Forward(grant))
    }

    /// Which document the edge publishes under the path of `target`, whatever the routes are.
    fn document(&self, target: &Target) -> Option<Document> {
        match target.path().encoded() {
            _ if target.method() != "GET" => None,
            KEYS_PATH => Some(Document::Keys),
            path if path == self.resource.path => Some(Document::Resource),
            _ => None,
        }
    }

    fn publication(&self, document: Document) -> Result<Publication, Refusal> {
        let (media_type, body) = match document {
            Document::Keys => ("application/jwk-set+json", self.minter.published_keys()?),
            Document::Resource => ("application/json", self.resource.document.clone()),
        };
        Ok(Publication { media_type, body })
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
