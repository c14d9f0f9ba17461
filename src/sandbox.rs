//! The state that a sandbox keeps between requests, and its decision on a request. Step *configure*: reads the policy,
//! the signing keys and the kill switch. The live policy decides; then the trail records the verdict of the shadow
//! policy. Each has ports of its own. The module is pure except for the [`Platform`] that is passed in.

mod key_texts;

use std::time::Duration;

use crate::availability::KillSwitch;
use crate::budget::{Charge, Spent};
use crate::caching::{Generations, NoResponses, ResponseCache};
use crate::client::{Anonymizer, Client, Fact};
use crate::content::Body;
use crate::gateway::{Decision, Delivery, Environment, Gateway};
use crate::identity::dpop::Nonces;
use crate::mint::{Grant, SigningKeys, new_signing_keys};
use crate::place::Acls;
use crate::policy::Policy;
use crate::ports::polled::Polled;
use crate::ports::storage::{Platform, StoreError, Stored};
use crate::ports::unread_body::UnreadBody;
use crate::ports::{Ports, Role};
use crate::refusal::ClosedError;
use crate::request::{Content, RequestHead};
use crate::respond::{AssumedFiles, Files};
use crate::store_keys::{KEY_RECORD, MAX_RECORD_BYTES, POLICY_KEY, PURGE_KEY, SHADOW_KEY, STORE, SWITCH_KEY};
use crate::trail::{Step, Trail};
use key_texts::KeyTexts;

/// The longest policy that is read, in bytes.
pub const MAX_POLICY_BYTES: usize = 8 * 1024 * 1024;

/// How long a sandbox waits for its next request at most. It ends then, so no request finds a value due that was read
/// again so long ahead.
pub const LONGEST_WAIT: Duration = Duration::from_secs(2);

/// The state that a sandbox keeps between requests.
#[derive(Default)]
pub struct Sandbox {
    live: Polled<Result<Texts, ClosedError>, Result<LoadedPolicy, ClosedError>>,
    shadow: Polled<Option<Stored>, Option<Result<LoadedPolicy, String>>>,
    kill_switch: Polled<Option<Stored>, KillSwitch>,
    generations: Polled<Option<Stored>, Option<Generations>>,
}

/// The texts from which the live policy is loaded.
#[derive(PartialEq, Eq)]
struct Texts {
    policy: Vec<u8>,
    keys: KeyTexts,
}

/// A policy in one role, with its ports.
struct LoadedPolicy {
    gateway: Gateway,
    ports: Ports,
    /// Whether a route tests the client's anonymizers.
    tests_anonymizers: bool,
}

/// One request, and the platform's facts about it.
pub struct ReceivedRequest<'request> {
    /// The request.
    pub head: RequestHead,
    /// The facts that the platform knows about the client, without its anonymizers.
    pub client: Client,
    /// Asks the platform for the client's anonymizers. It is called only if a policy has a place that tests them.
    pub anonymizers: &'request dyn Fn() -> Option<Vec<Anonymizer>>,
    /// The body, which only the live policy may read.
    pub body: &'request mut dyn Body,
    /// The stored responses, of which only the live policy knows.
    pub responses: &'request mut dyn ResponseCache,
    /// The files that the edge responds with, which only the live policy reads.
    pub files: &'request mut dyn Files,
    /// The Compute ACLs.
    pub acls: &'request mut dyn Acls,
    /// Microseconds since the request received.
    pub elapsed: &'request dyn Fn() -> u64,
    /// The time on a monotonic clock that started no later than the sandbox.
    pub uptime: Duration,
}

impl Sandbox {
    /// Decides on one request and writes its findings into `trail`.
    ///
    /// # Errors
    /// [`ClosedError`] if the policy, the signing keys or the kill switch cannot be read.
    pub fn decide(
        &mut self,
        received: ReceivedRequest<'_>,
        platform: &Platform<'_>,
        trail: &mut Trail,
    ) -> Result<Decision, ClosedError> {
        let ReceivedRequest { head, mut client, anonymizers, body, responses, files, acls, elapsed, uptime } = received;
        let reads = self.live.is_due(uptime) || self.kill_switch.is_due(uptime) || self.shadow.is_due(uptime);
        let live = self.live.read(uptime, || live_texts(platform), load_live)?;
        let live = live.as_mut().map_err(|error| error.clone())?;
        let kill_switch = self.kill_switch.read(uptime, || switch_text(platform), |text| read_switch(text.as_ref()));
        let kill_switch = kill_switch.map_err(|error| ClosedError::KillSwitch(error.to_string()))?;
        trail.switch_unknown = kill_switch.unknown_to(live.gateway.policy());
        let stores = live.gateway.policy().stores_responses();
        let generations = || generations_text(platform);
        let generations =
            stores.then(|| self.generations.read(uptime, generations, |text| read_generations(text.as_ref())));
        let generations = generations.and_then(Result::ok).and_then(|read| read.as_ref());
        let shadow = self.shadow.read(uptime, || shadow_text(platform), |text| load_shadow(text.as_ref()));
        let shadow = shadow.ok().and_then(Option::as_mut).map(|loaded| (loaded, head.clone()));
        if reads {
            trail.step(Step::Configure, elapsed());
        }
        let in_shadow = shadow.as_ref().and_then(|(loaded, _)| loaded.as_ref().ok());
        if live.tests_anonymizers || in_shadow.is_some_and(|loaded| loaded.tests_anonymizers) {
            client.anonymizers = anonymizers();
        }
        let LoadedPolicy { gateway, ports, .. } = live;
        let nonces = gateway.nonces();
        let mut outside =
            Outside { client: &client, kill_switch, elapsed, body, responses, generations, files, acls, nonces };
        let decision = decide(gateway, ports, head, &mut outside, platform, trail);
        if let Some((loaded, head)) = shadow {
            let mut body = UnreadBody { announced: Content::of(&head.headers).length };
            let mut outside =
                Outside { body: &mut body, responses: &mut NoResponses, files: &mut AssumedFiles, ..outside };
            trail.shadow_policy = Some(would_decide(loaded, head, &mut outside, platform, trail));
        }
        Ok(decision)
    }

    /// Records how a request to its backend ended. Returns the request for another backend, if it is to be sent again.
    pub fn delivered(&mut self, delivery: &Delivery<'_>, platform: &Platform<'_>) -> Option<Box<Grant>> {
        if !delivery.grant.backend_is_chosen() {
            return None;
        }
        let Some(Ok(LoadedPolicy { gateway, ports, .. })) = self.live.last() else { return None };
        let now = platform.clock.now();
        let (mut health, mut counter) = ports.delivery(platform, now);
        gateway.delivered(delivery, now, &mut health, &mut counter)
    }

    /// Counts against the budgets of a request what it cost. Call it once for each request whose
    /// [grant](Grant::charge) has a charge, after the response was sent. Returns the budgets whose reservations stand because
    /// their counts cannot be changed, and why, for [`Trail::unsettled`].
    pub fn settle(&mut self, charge: &Charge, spent: Spent, platform: &Platform<'_>) -> Vec<String> {
        let Some(Ok(LoadedPolicy { ports, .. })) = self.live.last() else { return Vec::new() };
        let mut counter = ports.counter(platform, platform.clock.now());
        charge.settle(spent, &mut counter)
    }

    /// Does the work that no request has to wait for: renews key sets, and reads again what is due within
    /// [`LONGEST_WAIT`]. Call it after the response was sent, with the time on the clock of [`ReceivedRequest::uptime`].
    pub fn renew(&mut self, platform: &Platform<'_>, uptime: Duration) {
        // First what these policies have postponed: a new policy has ports of its own.
        if let Some(Ok(loaded)) = self.live.last() {
            loaded.ports.renew(platform);
        }
        if let Some(Some(Ok(loaded))) = self.shadow.last() {
            loaded.ports.renew(platform);
        }
        self.live.renew(uptime, LONGEST_WAIT, || live_texts(platform), load_live);
        self.kill_switch.renew(uptime, LONGEST_WAIT, || switch_text(platform), |text| read_switch(text.as_ref()));
        self.shadow.renew(uptime, LONGEST_WAIT, || shadow_text(platform), |text| load_shadow(text.as_ref()));
        let generations = || generations_text(platform);
        self.generations.renew(uptime, LONGEST_WAIT, generations, |text| read_generations(text.as_ref()));
    }
}

/// The parts of a request for one policy. The live policy gets the body, the shadow policy one that cannot be read.
struct Outside<'request> {
    client: &'request Client,
    kill_switch: &'request KillSwitch,
    elapsed: &'request dyn Fn() -> u64,
    body: &'request mut dyn Body,
    responses: &'request mut dyn ResponseCache,
    generations: Option<&'request Generations>,
    files: &'request mut dyn Files,
    acls: &'request mut dyn Acls,
    /// The live policy's nonces. Clients get them from its responses, so a shadow policy checks proofs against the same
    /// ones.
    nonces: &'request Nonces,
}

impl LoadedPolicy {
    fn new(gateway: Gateway, role: Role) -> Self {
        let tests_anonymizers = gateway.policy().routes().iter().any(|route| route.tests(Fact::Anonymizer));
        Self { gateway, ports: Ports::new(role), tests_anonymizers }
    }
}

fn decide(
    gateway: &Gateway,
    ports: &mut Ports,
    head: RequestHead,
    outside: &mut Outside<'_>,
    platform: &Platform<'_>,
    trail: &mut Trail,
) -> Decision {
    let now = trail.time();
    let mut ports = ports.open(platform, outside.kill_switch, now);
    let (sources, counter, health) = ports.parts(outside.nonces);
    let mut environment = Environment {
        now,
        clock: &|| platform.clock.now(),
        client: outside.client,
        sources,
        body: outside.body,
        acls: outside.acls,
        kill_switch: outside.kill_switch,
        responses: outside.responses,
        files: outside.files,
        generations: outside.generations,
        counter,
        health,
        elapsed: outside.elapsed,
    };
    let decision = gateway.decide(head, &mut environment, trail);
    trail.keys = ports.keys_note();
    decision
}

fn live_texts(platform: &Platform<'_>) -> Result<Result<Texts, ClosedError>, ClosedError> {
    let stored = platform.kv.lookup_all(&[POLICY_KEY, KEY_RECORD].map(str::to_owned), MAX_POLICY_BYTES);
    let mut stored = stored.map_err(|error| ClosedError::Policy(error.to_string()))?.into_iter();
    let (policy, record) = (stored.next().flatten(), stored.next().flatten());
    let Some(policy) = policy else {
        let missing =
            format!("the KV store \"{STORE}\" holds no key \"{POLICY_KEY}\"; write a policy with `fastgate push`");
        return Ok(Err(ClosedError::Policy(missing)));
    };
    let keys = KeyTexts::read(record, platform.secrets)?;
    Ok(keys.map(|keys| Texts { policy: policy.value, keys }))
}

fn load_live(texts: &Result<Texts, ClosedError>) -> Result<LoadedPolicy, ClosedError> {
    let Texts { policy, keys } = texts.as_ref().map_err(Clone::clone)?;
    let policy = Policy::parse(policy)
        .map_err(|faults| ClosedError::Policy(format!("KV store \"{STORE}\", key \"{POLICY_KEY}\": {faults}")))?;
    Ok(LoadedPolicy::new(Gateway::new(policy, keys.keys()?), Role::Live))
}

/// A shadow policy signs with new keys that are never published; it checks nonces with the live policy's keys.
fn load_shadow(text: Option<&Stored>) -> Option<Result<LoadedPolicy, String>> {
    let text = text.filter(|text| !text.value.is_empty())?;
    let load = |text: &[u8]| {
        let policy = Policy::parse(text).map_err(|faults| faults.to_string())?;
        let keys = SigningKeys::parse(new_signing_keys().0.as_bytes()).map_err(|error| error.to_string())?;
        Ok(LoadedPolicy::new(Gateway::new(policy, keys), Role::Shadow))
    };
    Some(load(&text.value))
}

/// The verdict of the shadow policy, for the log.
fn would_decide(
    loaded: &mut Result<LoadedPolicy, String>,
    head: RequestHead,
    outside: &mut Outside<'_>,
    platform: &Platform<'_>,
    live: &Trail,
) -> String {
    let loaded = match loaded {
        Ok(loaded) => loaded,
        Err(fault) => return format!("unusable: {fault}"),
    };
    let mut trail = Trail::new(live.time(), &live.request_id, &head.method);
    let LoadedPolicy { gateway, ports, .. } = loaded;
    match decide(gateway, ports, head, outside, platform, &mut trail) {
        Decision::Refuse(_) => format!("would-refuse {}", trail.verdict),
        Decision::Forward(_) => "would-forward".to_owned(),
        Decision::Send(..) | Decision::Respond(_) | Decision::Publish(_) | Decision::Preflight(_) => {
            "would-respond".to_owned()
        }
    }
}

fn shadow_text(platform: &Platform<'_>) -> Result<Option<Stored>, StoreError> {
    platform.kv.lookup(SHADOW_KEY, MAX_POLICY_BYTES)
}

fn switch_text(platform: &Platform<'_>) -> Result<Option<Stored>, StoreError> {
    platform.kv.lookup(SWITCH_KEY, MAX_RECORD_BYTES)
}

/// The record of the purge generations, which is read only if responses are stored.
fn generations_text(platform: &Platform<'_>) -> Result<Option<Stored>, StoreError> {
    platform.kv.lookup(PURGE_KEY, MAX_RECORD_BYTES)
}

fn read_generations(text: Option<&Stored>) -> Option<Generations> {
    text.map_or_else(|| Some(Generations::default()), |text| Generations::parse(&text.value))
}

fn read_switch(text: Option<&Stored>) -> KillSwitch {
    text.map_or_else(KillSwitch::default, |text| KillSwitch::parse(&text.value))
}
