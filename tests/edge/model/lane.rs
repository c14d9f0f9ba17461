//! One sequence in its lane of an edge.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};
use std::thread::sleep;
use std::time::{Duration, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use fastgate::store_keys::{POLICY_KEY, SHADOW_KEY, SWITCH_KEY};
use hyper::{Body, HeaderMap, Request};
use viceroy_lib::cache::{CacheEntry, CacheKey};

use super::providers::Providers;
use super::shared::policy::bytes;
use super::shared::reference::Outcome;
use super::shared::sequences::sequence;
use super::shared::steps::{Arrival, Call, Held, REAL, Step, Token};
use super::shared::tokens::sign;
use super::{Shared, WITH_INTROSPECTION, WITH_OUTAGES, fitting};
use crate::support::edge::RUNTIME;
use crate::support::tokens::now;

/// The longest time that a sequence may wait in total, in milliseconds.
const LONGEST: u64 = 45_000;

/// Whether a sequence has failed. The others then stop.
static FAILED: AtomicBool = AtomicBool::new(false);
/// The time at which all tokens were issued.
static ISSUED: LazyLock<u64> = LazyLock::new(now);

/// Milliseconds since 1970.
pub(super) fn milliseconds() -> u64 {
    u64::try_from(UNIX_EPOCH.elapsed().unwrap().as_millis()).unwrap()
}

pub(super) struct Lane<'run> {
    shared: &'run Shared,
    providers: &'run Providers,
    number: usize,
    /// Whether this is the only lane, so that it may change shared state.
    alone: bool,
    /// The leases that a simulated other request holds.
    leases: Vec<CacheEntry>,
    waited: u64,
}

impl<'run> Lane<'run> {
    pub(super) const fn new(shared: &'run Shared, providers: &'run Providers, number: usize, alone: bool) -> Self {
        Self { shared, providers, number, alone, leases: Vec::new(), waited: 0 }
    }

    /// Runs a sequence. Returns the number of forwarded requests, or the violated invariant.
    pub(super) fn run(mut self, seed: u64) -> Result<usize, String> {
        let mut forwarded = 0;
        for (number, step) in sequence(seed, &REAL).iter().enumerate() {
            if self.waited > LONGEST || FAILED.load(Ordering::Relaxed) {
                break;
            }
            let taken = self.step(step).map_err(|violation| {
                FAILED.store(true, Ordering::Relaxed);
                format!("step {number}, {step:?}: {violation}")
            })?;
            forwarded += usize::from(taken);
        }
        Ok(forwarded)
    }

    /// Takes a step. Returns whether a request was forwarded.
    fn step(&mut self, step: &Step) -> Result<bool, String> {
        let (shared, number) = (self.shared, self.number);
        let lane = &shared.names[number].lane;
        let begun = milliseconds();
        let mut step = step.clone();
        match &mut step {
            Step::Policy(plan) => {
                *plan = fitting(*plan, number);
                let version = shared.references[number].lock().unwrap().next_version();
                shared.store(POLICY_KEY, |stored| stored.live[number] = (version, *plan));
            }
            Step::Shadow(plan) => {
                *plan = plan.map(|plan| fitting(plan, number));
                shared.store(SHADOW_KEY, |stored| stored.shadow[number] = *plan);
            }
            Step::KillSwitch(off) => shared.store(SWITCH_KEY, |stored| stored.off[number] = *off),
            Step::Store(outage) if number == WITH_OUTAGES || self.alone => {
                shared.store(SWITCH_KEY, |stored| stored.out = outage.is_some());
                let at = (begun, milliseconds());
                shared.references.iter().for_each(|reference| reference.lock().unwrap().note(&step, at));
                return Ok(false);
            }
            Step::Publish(source, keys) => {
                self.providers.change(lane, |manner| manner.published[*source].clone_from(keys));
            }
            Step::Reachable(source, up) => self.providers.change(lane, |manner| manner.reachable[*source] = *up),
            Step::Endpoint(up) => self.providers.change(lane, |manner| manner.endpoint = *up),
            Step::Inactive(number) => {
                self.providers.change(lane, |manner| manner.active[usize::from(*number)] = false);
            }
            Step::Revoke(iss, mark, who) => {
                let (key, value) = shared.names[number].denied(*iss, *mark, *who, now());
                shared.write(&key, &value);
            }
            Step::Lease(held) => self.hold(*held),
            Step::Wait(milliseconds) => {
                sleep(Duration::from_millis(*milliseconds));
                self.waited += *milliseconds;
            }
            Step::Request(call) => return self.request(call),
            Step::Store(_) | Step::Cache(_) | Step::Evict | Step::NewSandbox(_) => return Ok(false),
        }
        shared.references[number].lock().unwrap().note(&step, (begun, milliseconds()));
        Ok(false)
    }

    fn client(&self) -> [u8; 4] {
        [198, 51, 100, u8::try_from(self.number).unwrap() + 1]
    }

    /// Takes the leases of the counts of this lane, or releases them. The keys are those of `src/ports/counter.rs`; a
    /// length has four bytes, as in the guest.
    fn hold(&mut self, held: Held) {
        self.leases.clear();
        if held != Held::Counts {
            return;
        }
        let mut digest = hmac_sha256::Hash::new();
        let [a, b, c, d] = self.client();
        for text in ["network", &format!("{a}.{b}.{c}.{d}")] {
            digest.update(u32::try_from(text.len()).unwrap().to_be_bytes());
            digest.update(text);
        }
        let digits = URL_SAFE_NO_PAD.encode(digest.finalize());
        let limit = self.shared.names[self.number].limit();
        for window in REAL.windows {
            let key = format!("fastgate/live/count-lease/{window}/{limit}/{digits}");
            let key = CacheKey::try_from(key.as_str()).unwrap();
            let viceroy = self.shared.edge.viceroy();
            let taken = RUNTIME.block_on(viceroy.cache().transaction_lookup(&key, &HeaderMap::new(), true));
            assert!(taken.go_get().is_some(), "the lease is free");
            self.leases.push(taken);
        }
    }

    fn request(&self, call: &Call) -> Result<bool, String> {
        let (shared, lane) = (self.shared, &self.shared.names[self.number].lane);
        let is_opaque = matches!(call.token, Some(Token::Opaque(_)));
        if is_opaque && self.number != WITH_INTROSPECTION {
            return Ok(false);
        }
        let request = self.written(call);
        let from = (self.client(), 50_000).into();
        let begun = milliseconds();
        let response = shared.edge.viceroy().handle_request(request, ([127, 0, 0, 1], 443).into(), from);
        let (reply, trap) = RUNTIME.block_on(response).map_err(|error| error.to_string())?;
        let at = (begun, milliseconds());
        if let Some(trap) = trap {
            return Err(format!("the guest ended: {trap}"));
        }
        let id = reply.headers().get("x-request-id").ok_or("a response without an id")?.to_str().unwrap().to_owned();
        let logged = shared.edge.log_of(&id);
        let arrived = shared.origin.everything().into_iter().find(|request| request.all("x-request-id") == [&id]);
        let route = logged["route"].as_str();
        let outcome = Outcome {
            at,
            version: route.and_then(|route| route.rsplit('-').next()?.parse().ok()),
            verdict: logged["verdict"].as_str().unwrap_or_default().to_owned(),
            status: reply.status().as_u16(),
            forwarded: reply.status() == 200 || arrived.is_some(),
            delivered: arrived.map(|request| request.body),
        };
        let judged = shared.references[self.number].lock().unwrap().judge(call, &outcome);
        judged.map_err(|violation| format!("{violation}; {logged}"))?;
        if self.providers.was_asked_silently(lane) {
            return Err("(d) a shadow policy introspects a live opaque token".to_owned());
        }
        Ok(outcome.forwarded)
    }

    fn written(&self, call: &Call) -> Request<Body> {
        let names = &self.shared.names[self.number];
        let (method, path) = call.route.parts();
        let uri = format!("http://edge.test/{}/{path}", names.lane);
        let mut request = Request::builder().method(method).uri(uri).header("host", "edge.test");
        match call.token {
            Some(Token::Signed { iss, key, who }) => {
                let token: Arc<str> = sign(&names.iss(iss), key, who, *ISSUED);
                request = request.header("authorization", format!("Bearer {token}"));
            }
            Some(Token::Opaque(number)) => {
                request = request.header("authorization", format!("Bearer opaque-{number}"));
            }
            None => {}
        }
        let Some(sent) = call.body else { return request.body(Body::empty()).unwrap() };
        let mut body = bytes(&sent);
        if sent.arrival != Arrival::Unannounced {
            request = request.header("content-length", body.len());
        }
        if sent.arrival == Arrival::Truncated {
            body.truncate(sent.bytes / 2);
        }
        request.body(Body::from(body)).unwrap()
    }
}
