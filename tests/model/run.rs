//! One run of a sequence on the simulated platform.

use std::net::IpAddr;
use std::time::Duration;

use fastgate::caching::NoResponses;
use fastgate::client::Client;
use fastgate::gateway::Decision;
use fastgate::headers::Headers;
use fastgate::place::{AclAction, AclUnavailable, Acls};
use fastgate::ports::storage::Clock as _;
use fastgate::request::RequestHead;
use fastgate::respond::AssumedFiles;
use fastgate::sandbox::{ReceivedRequest, Sandbox};
use fastgate::store_keys::{POLICY_KEY, SHADOW_KEY, SWITCH_KEY};
use fastgate::trail::Trail;
use serde_json::json;

use crate::body::ArrivingBody;
use crate::shared::policy::policy;
use crate::shared::reference::{Outcome, Reference, Violation};
use crate::shared::steps::{Arrival, Call, Plan, SIMULATED, Step, SwitchedOff, Token, first_plan};
use crate::shared::tokens::sign;
use crate::world::{BEGIN, World};

/// The sandboxes of one POP, and the outcomes of the requests.
pub(crate) struct Run {
    pub(crate) world: World,
    sandboxes: Vec<(Sandbox, u64)>,
    reference: Reference,
    /// The outcome of each request, as text.
    pub(crate) outcomes: Vec<String>,
}

impl Run {
    /// Begins with this policy in force and no other action.
    pub(crate) fn with(plan: Plan, signing_keys: &str) -> Self {
        let world = World::new(signing_keys);
        let now = world.now.get();
        world.put_value(POLICY_KEY, policy(&[(&world.names, 0, plan)], false));
        Self {
            sandboxes: (0..3).map(|_| (Sandbox::default(), now)).collect(),
            reference: Reference::new(SIMULATED, plan, now),
            outcomes: Vec::new(),
            world,
        }
    }

    /// Runs a sequence.
    ///
    /// # Errors
    /// The first violated invariant.
    pub(crate) fn of(steps: &[Step], signing_keys: &str) -> Result<Self, Violation> {
        let mut run = Self::with(first_plan(&SIMULATED), signing_keys);
        run.take(steps)?;
        Ok(run)
    }

    /// Takes further steps.
    ///
    /// # Errors
    /// The first violated invariant.
    pub(crate) fn take(&mut self, steps: &[Step]) -> Result<(), Violation> {
        for (number, step) in steps.iter().enumerate() {
            self.step(step).map_err(|violation| format!("step {number}, {step:?}: {violation}"))?;
        }
        Ok(())
    }

    fn step(&mut self, step: &Step) -> Result<(), Violation> {
        let world = &self.world;
        let at = world.now.get();
        match step {
            Step::Policy(plan) => {
                let version = self.reference.next_version();
                world.put_value(POLICY_KEY, policy(&[(&world.names, version, *plan)], false));
            }
            Step::Shadow(plan) => self.shadow(plan.as_ref()),
            Step::Publish(source, keys) => world.published.borrow_mut()[*source].clone_from(keys),
            Step::Reachable(source, up) => world.reachable.borrow_mut()[*source] = *up,
            Step::Endpoint(up) => world.endpoint.set(*up),
            Step::Inactive(number) => world.active.borrow_mut()[usize::from(*number)] = false,
            Step::Revoke(iss, mark, who) => {
                let (key, value) = world.names.denied(*iss, *mark, *who, at / 1000);
                world.put_value(&key, value);
            }
            Step::KillSwitch(off) => self.switch(off),
            Step::Store(outage) => world.outage.set(*outage),
            Step::Cache(up) => world.cache_is_up.set(*up),
            Step::Evict => world.evict(),
            Step::Lease(held) => world.held.set(*held),
            Step::NewSandbox(number) => self.sandboxes[*number] = (Sandbox::default(), at),
            Step::Wait(milliseconds) => world.now.set(at + milliseconds),
            Step::Request(call) => return self.request(call),
        }
        self.reference.note(step, (at, at));
        Ok(())
    }

    fn shadow(&self, plan: Option<&Plan>) {
        let text = plan.map(|plan| policy(&[(&self.world.names, 0, *plan)], true));
        self.world.put_value(SHADOW_KEY, text.unwrap_or_default());
    }

    fn switch(&self, off: &SwitchedOff) {
        let (group, key) = self.world.names.switched_off(off);
        let text = json!({ "groups": group.as_slice(), "keys": key.as_slice() }).to_string();
        self.world.put_value(SWITCH_KEY, if off.garbled { "{".to_owned() } else { text });
    }

    fn request(&mut self, call: &Call) -> Result<(), Violation> {
        let world = &self.world;
        let now = world.now.get();
        let (sandbox, born) = &mut self.sandboxes[call.sandbox];
        let mut body = ArrivingBody::new(call.body);
        let head = head(call, world);
        let mut trail = Trail::new(world.now(), "0123456789abcdef0123456789abcdef", &head.method);
        let arrived = ReceivedRequest {
            head,
            client: Client { address: Some([192, 0, 2, 7].into()), ..Client::default() },
            anonymizers: &|| None,
            responses: &mut NoResponses,
            files: &mut AssumedFiles,
            body: &mut body,
            acls: &mut NoAcls,
            elapsed: &|| 0,
            uptime: Duration::from_millis(now - *born),
        };
        let decision = sandbox.decide(arrived, &world.platform(), &mut trail);
        let (status, delivered) = match &decision {
            Ok(Decision::Forward(grant)) => (200, body.delivered(grant.max_body())),
            Ok(Decision::Refuse(problem)) => (problem.status(), None),
            Ok(other) => return Err(format!("neither forwarded nor refused: {other:?}")),
            Err(_) => (503, None),
        };
        if call.renews {
            sandbox.renew(&world.platform(), Duration::from_millis(now - *born));
        }
        if world.introspections.borrow().iter().any(|url| url.ends_with("/silent")) {
            return Err("(d) a shadow policy introspects a live opaque token".to_owned());
        }
        let forwarded = matches!(decision, Ok(Decision::Forward(_)));
        let outcome = Outcome {
            at: (now, now),
            version: trail.route.as_ref().and_then(|route| route.as_str().rsplit('-').next()?.parse().ok()),
            verdict: trail.verdict.to_owned(),
            status,
            forwarded,
            delivered: delivered.filter(|_| forwarded),
        };
        let words = (&outcome.version, &outcome.verdict, &trail.cause, &trail.keys, status, &outcome.delivered);
        self.outcomes.push(format!("{call:?}: {words:?} {:?}", trail.uncounted));
        self.reference.judge(call, &outcome).map_err(|violation| format!("{violation}; {:?}", trail.cause))
    }
}

fn head(call: &Call, world: &World) -> RequestHead {
    let (method, path) = call.route.parts();
    let mut headers: Headers = [("host", "edge.test")].into_iter().collect();
    match call.token {
        Some(Token::Signed { iss, key, who }) => {
            let token = sign(&world.names.iss(iss), key, who, BEGIN);
            headers.append("authorization", format!("Bearer {token}"));
        }
        Some(Token::Opaque(number)) => headers.append("authorization", format!("Bearer opaque-{number}")),
        None => {}
    }
    match call.body {
        Some(sent) if sent.arrival == Arrival::Unannounced => headers.append("transfer-encoding", "chunked"),
        Some(sent) => headers.append("content-length", sent.bytes.to_string()),
        None => {}
    }
    RequestHead {
        method: method.to_owned(),
        target: format!("/{}/{path}", world.names.lane).into_bytes(),
        headers,
        tls: true,
        certificate: None,
    }
}

pub(crate) struct NoAcls;

impl Acls for NoAcls {
    fn action(&mut self, _: &str, _: IpAddr) -> Result<Option<AclAction>, AclUnavailable> {
        Err(AclUnavailable)
    }
}

/// Removes each step without which the sequence still fails. Returns the remaining steps and the violated invariant.
pub(crate) fn shortest(
    mut steps: Vec<Step>,
    mut violation: Violation,
    fails: impl Fn(&[Step]) -> Option<Violation>,
) -> (Vec<Step>, Violation) {
    let mut index = steps.len();
    while index > 0 {
        index -= 1;
        let mut fewer = steps.clone();
        fewer.remove(index);
        if let Some(still) = fails(&fewer) {
            (steps, violation) = (fewer, still);
        }
    }
    (steps, violation)
}
