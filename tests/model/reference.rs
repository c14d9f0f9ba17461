//! The reference: a record of all actions, and the permitted outcomes of a request. It models no cache, lease or
//! memory, only the bounds of `docs/concepts/threat-model.md`. Times are in milliseconds; an uncertain time is an
//! interval.

use std::collections::BTreeMap;

use super::policy::bytes;
use super::steps::{
    Arrival, Call, Held, Key, Mark, Outage, Pace, Plan, Route, SOURCES, Step, SwitchedOff, Token, first_keys, iss_of,
};
use super::timeline::{Time, Timeline};

/// How long a policy and the kill switch are used before they are read again.
const POLLED: u64 = 10_000;
/// How long a source is not read again after a failure.
const RETRY: u64 = 1000;
/// The error of a comparison of whole seconds.
const ROUNDING: u64 = 1000;
/// How long a stale key set is used from memory, and an issuer gets no request after a failure.
const LOOK_AGAIN: u64 = 5000;
/// A request that takes this long on the real clock was delayed by a busy machine: it proves nothing about
/// availability.
const SLOW: u64 = 1500;

/// The outcome of a request.
#[derive(Clone, Debug)]
pub(crate) struct Outcome {
    pub(crate) at: Time,
    /// The version of the policy that was used.
    pub(crate) version: Option<usize>,
    pub(crate) verdict: String,
    pub(crate) status: u16,
    pub(crate) forwarded: bool,
    /// The body at the origin; `None` if the origin saw that it was incomplete.
    pub(crate) delivered: Option<Vec<u8>>,
}

/// The state of one sandbox.
#[derive(Clone, Default)]
struct Known {
    born: u64,
    /// The last time at which it certainly held a policy and a kill switch that were at most ten seconds old.
    current: Option<u64>,
    /// Whether it can have read a policy and a kill switch at all.
    can_have_read: bool,
    /// Requests whose keys were looked up: the time, the version of the policy, and whether the sandbox renewed keys
    /// after the response.
    lookups: Vec<(u64, usize, bool)>,
}

/// The window of a limit: the interval in which it was opened, and the least and the most that was taken since.
#[derive(Clone, Copy)]
struct Window {
    opened: Time,
    least: u64,
    most: u64,
}

/// All actions so far.
pub(crate) struct Reference {
    pace: Pace,
    plans: Vec<Plan>,
    policy: Timeline<usize>,
    switch: Timeline<SwitchedOff>,
    store: Timeline<Option<Outage>>,
    cache: Timeline<bool>,
    held: Timeline<Held>,
    published: Vec<Timeline<Vec<Key>>>,
    reachable: Vec<Timeline<bool>>,
    endpoint: Timeline<bool>,
    inactive: [Option<u64>; 3],
    revoked: Vec<(usize, Mark, u8, u64)>,
    sandboxes: Vec<Known>,
    windows: BTreeMap<u64, Window>,
}

/// A violated invariant, with the reason.
pub(crate) type Violation = String;

impl Reference {
    pub(crate) fn new(pace: Pace, plan: Plan, now: u64) -> Self {
        let known = Known { born: now, ..Known::default() };
        Self {
            pace,
            plans: vec![plan],
            policy: Timeline::new(now, 0),
            switch: Timeline::new(now, SwitchedOff::default()),
            store: Timeline::new(now, None),
            cache: Timeline::new(now, true),
            held: Timeline::new(now, Held::Nothing),
            published: (0..SOURCES).map(|source| Timeline::new(now, first_keys(source))).collect(),
            reachable: (0..SOURCES).map(|_| Timeline::new(now, true)).collect(),
            endpoint: Timeline::new(now, true),
            inactive: [None, None, Some(0)],
            revoked: Vec::new(),
            sandboxes: vec![known; 3],
            windows: BTreeMap::new(),
        }
    }

    /// The version of the next policy.
    pub(crate) const fn next_version(&self) -> usize {
        self.plans.len()
    }

    #[allow(dead_code, reason = "of the real guest alone")]
    pub(crate) fn plan(&self) -> (usize, Plan) {
        let version = *self.policy.last();
        (version, self.plans[version])
    }

    /// Records an action at `at`; of a request only that it was made.
    pub(crate) fn note(&mut self, step: &Step, at: Time) {
        match step {
            Step::Policy(plan) => {
                self.policy.set(at, self.plans.len());
                self.plans.push(*plan);
            }
            Step::Publish(source, keys) => self.published[*source].set(at, keys.clone()),
            Step::Reachable(source, up) => self.reachable[*source].set(at, *up),
            Step::Endpoint(up) => self.endpoint.set(at, *up),
            Step::Inactive(number) => {
                let inactive = &mut self.inactive[usize::from(*number)];
                *inactive = inactive.or(Some(at.1));
            }
            Step::Revoke(iss, mark, who) => self.revoked.push((*iss, *mark, *who, at.1)),
            Step::KillSwitch(off) => self.switch.set(at, *off),
            Step::Store(outage) => self.store.set(at, *outage),
            Step::Cache(up) => self.cache.set(at, *up),
            Step::Evict => self.windows.clear(),
            Step::Lease(held) => self.held.set(at, *held),
            Step::NewSandbox(number) => self.sandboxes[*number] = Known { born: at.1, ..Known::default() },
            Step::Shadow(_) | Step::Wait(_) | Step::Request(_) => {}
        }
    }

    /// Checks the outcome of a request.
    ///
    /// # Errors
    /// The violated invariant.
    pub(crate) fn judge(&mut self, call: &Call, outcome: &Outcome) -> Result<(), Violation> {
        let at = outcome.at;
        let judged = self.closed(call, outcome).and_then(|()| match outcome.version {
            None => Ok(()),
            Some(version) => {
                let plan = self.plans[version];
                self.is_current(call, version, at)?;
                if !outcome.forwarded {
                    return self.refusal(call, version, outcome);
                }
                self.open(call, at)?;
                match call.route {
                    Route::Limited => self.counted(&plan, outcome),
                    _ => self.identified(call, version, at).and_then(|()| body(call, &plan, outcome)),
                }
            }
        });
        self.remember(call, outcome);
        judged
    }

    /// (e) A sandbox that cannot have read the policy and the kill switch is closed; one that can have is open.
    fn closed(&self, call: &Call, outcome: &Outcome) -> Result<(), Violation> {
        let readable = self.store.during(outcome.at).any(|outage| !hides(*outage));
        let read_before = !self.pace.simulated || self.sandboxes[call.sandbox].can_have_read;
        if !readable && !read_before && outcome.status != 503 {
            return Err(format!("(e) a sandbox that has read nothing is not closed: {outcome:?}"));
        }
        if outcome.version.is_none() && self.pace.simulated && self.sandboxes[call.sandbox].current.is_some() {
            return Err(format!("(e) a sandbox forgets the policy or the switch that it read: {outcome:?}"));
        }
        let lately = (outcome.at.0.saturating_sub(RETRY), outcome.at.1);
        if outcome.version.is_none() && self.store.during(lately).all(|outage| !hides(*outage)) {
            return Err(format!("(f) everything can be read and the gate is closed: {outcome:?}"));
        }
        Ok(())
    }

    /// The earliest time of the values of the policy and the kill switch that a sandbox may use.
    fn read_since(&self, call: &Call, at: Time) -> Time {
        let lately = (at.0.saturating_sub(RETRY), at.1);
        let since = if self.store.during(lately).all(|outage| !hides(*outage)) {
            at.0.saturating_sub(POLLED)
        } else if self.pace.simulated {
            let known = &self.sandboxes[call.sandbox];
            known.current.map_or(known.born - 1, |current| current.saturating_sub(POLLED))
        } else {
            // This sandbox may have read them before the outage began; a sandbox that is idle for two seconds ends.
            self.store.since(|outage| hides(*outage)).unwrap_or(at.0).saturating_sub(POLLED + RETRY + 3000)
        };
        (since, at.1)
    }

    /// (e) A policy is used for at most ten seconds after it was replaced.
    fn is_current(&self, call: &Call, version: usize, at: Time) -> Result<(), Violation> {
        if self.policy.during(self.read_since(call, at)).any(|known| *known == version) {
            return Ok(());
        }
        Err(format!("(e) version {version} of the policy decides, and {} is in force", self.policy.last()))
    }

    /// (e) What is switched off stays off.
    fn open(&self, call: &Call, at: Time) -> Result<(), Violation> {
        if self.switch.during(self.read_since(call, at)).any(|off| !off.group && !off.garbled) {
            return Ok(());
        }
        Err("(e) a group that is switched off is open".to_owned())
    }

    /// (c) A limit admits no more than its count in a window, and no request whose wait for the count timed out.
    fn counted(&mut self, plan: &Plan, outcome: &Outcome) -> Result<(), Violation> {
        let at = outcome.at;
        if self.cache.during(at).any(|up| !up) {
            return if plan.open { Ok(()) } else { Err("(c) an uncounted request passes a closed limit".to_owned()) };
        }
        if self.held.during(at).all(|held| *held == Held::Counts) {
            return Err("(c) a request is admitted whose wait for the count timed out".to_owned());
        }
        let length = plan.window * 1000;
        let window = self.windows.get(&plan.window).copied();
        let window = match window {
            Some(Window { opened, least, most }) if at.1 + ROUNDING < opened.0 + length => {
                Window { opened, least: least + 1, most: most + 1 }
            }
            Some(Window { opened, most, .. }) if at.0 <= opened.1 + length + ROUNDING => {
                Window { opened: (opened.0, at.1), least: 1, most: most + 1 }
            }
            _ => Window { opened: at, least: 1, most: 1 },
        };
        self.windows.insert(plan.window, window);
        if window.least > plan.count {
            return Err(format!("(c) a limit of {} admits {} in a window", plan.count, window.least));
        }
        Ok(())
    }

    /// (a) Every accepted caller has a valid token, within the documented bounds.
    fn identified(&self, call: &Call, version: usize, at: Time) -> Result<(), Violation> {
        let plan = &self.plans[version];
        let iss = iss_of(plan.source);
        let who = match call.token {
            Some(Token::Signed { iss: named, key, who }) => {
                if named != iss {
                    return Err("(a) a token of another issuer is accepted".to_owned());
                }
                self.published(call, version, key, at)?;
                let since = at.0.saturating_sub(plan.life.max_stale * 1000 + ROUNDING);
                let is_published =
                    |twin: Key| self.published[plan.source].during((since, at.1)).all(|keys| keys.contains(&twin));
                let withdrawn = |off: &SwitchedOff| withdraws(off, iss, key, is_published);
                if self.switch.during(self.read_since(call, at)).all(withdrawn) {
                    return Err("(e) a key that an operator withdrew is accepted".to_owned());
                }
                who
            }
            Some(Token::Opaque(number)) => {
                let recalled = (plan.recall * 1000).saturating_add(ROUNDING);
                let ended = self.inactive[usize::from(number)].is_some_and(|since| at.0 > since + recalled);
                if !plan.introspection || ended {
                    return Err("(a) an opaque token is accepted that is not active".to_owned());
                }
                number
            }
            None => return Err("(a) a request without a token is accepted".to_owned()),
        };
        let allowance = plan.recall * 1000 + ROUNDING;
        let revoked =
            |(of, _, denied, since): &(usize, Mark, u8, u64)| *of == iss && *denied == who && at.0 > since + allowance;
        if plan.deny_list && self.revoked.iter().any(revoked) {
            return Err("(a) a revoked token is accepted".to_owned());
        }
        Ok(())
    }

    /// A key is valid if this provider published it at this URL within `max_stale`, and did not withdraw it before this
    /// sandbox had to renew its set.
    fn published(&self, call: &Call, version: usize, key: Key, at: Time) -> Result<(), Violation> {
        let plan = &self.plans[version];
        let published = &self.published[plan.source];
        let stale = plan.life.max_stale * 1000 + ROUNDING;
        if !published.during((at.0.saturating_sub(stale), at.1)).any(|keys| keys.contains(&key)) {
            return Err(format!("(a) {key:?} is accepted, and source {} did not publish it", plan.source));
        }
        let withdrawn = published.last_end(|keys| keys.contains(&key));
        let Some(withdrawn) = withdrawn.filter(|_| self.pace.simulated) else { return Ok(()) };
        let since = (withdrawn, at.1);
        if !self.reachable[plan.source].during(since).all(|up| *up)
            || !self.cache.during(since).all(|up| *up)
            || !self.held.during(since).all(|held| *held != Held::Fetches)
        {
            return Ok(());
        }
        let spell = LOOK_AGAIN + plan.life.cool_down.max(5) * 1000 + ROUNDING;
        let mut due = withdrawn + plan.life.max_fresh.max(5) * 1000 + ROUNDING;
        let mut renewals = 0;
        for (when, _, renewed) in self.sandboxes[call.sandbox].lookups.iter().filter(|known| known.1 == version) {
            if *when >= due && *renewed {
                renewals += 1;
                due = when + spell;
            }
        }
        if renewals >= 2 && at.0 >= due {
            return Err(format!("(a) {key:?} is accepted, and was withdrawn {} ms ago", at.0 - withdrawn));
        }
        Ok(())
    }

    /// (f) A caller whose token is certainly valid is not refused.
    fn refusal(&self, call: &Call, version: usize, outcome: &Outcome) -> Result<(), Violation> {
        let (plan, at) = (&self.plans[version], outcome.at);
        let settled = (at.0.saturating_sub(self.pace.settled), at.1);
        let healthy = self.store.during((at.0.saturating_sub(RETRY), at.1)).all(Option::is_none)
            && self.cache.during(at).all(|up| *up)
            && self.held.during(at).all(|held| *held == Held::Nothing);
        let switch: Vec<_> = self.switch.during(self.read_since(call, at)).collect();
        let is_slow = at.1 - at.0 > SLOW;
        if is_slow || !healthy || switch.iter().any(|off| off.group || off.garbled) {
            return Ok(());
        }
        let iss = iss_of(plan.source);
        let who = match call.token {
            None if call.route == Route::Limited => {
                let used = match self.windows.get(&plan.window) {
                    Some(window) if at.0 <= window.opened.1 + plan.window * 1000 + ROUNDING => window.most,
                    _ => 0,
                };
                if used < plan.count {
                    return Err(format!("(f) {used} of a limit of {} are used up: {outcome:?}", plan.count));
                }
                return Ok(());
            }
            Some(Token::Signed { iss: named, key, who }) if named == iss => {
                let stood = |twin: Key| self.published[plan.source].during((0, at.1)).any(|keys| keys.contains(&twin));
                let is_off = |off: &&SwitchedOff| withdraws(off, iss, key, stood);
                let is_published = self.published[plan.source].during(settled).all(|keys| keys.contains(&key));
                let is_reachable = self.reachable[plan.source].during(settled).all(|up| *up);
                (is_published && is_reachable && !switch.iter().any(is_off)).then_some(who)
            }
            Some(Token::Opaque(number)) => {
                let is_active = plan.introspection && self.inactive[usize::from(number)].is_none();
                (is_active && self.endpoint.during(settled).all(|up| *up)).then_some(number)
            }
            _ => None,
        };
        let is_denied =
            |who: u8| plan.deny_list && self.revoked.iter().any(|(of, _, denied, _)| *of == iss && *denied == who);
        let fits = call.body.is_none_or(|sent| is_whole(call) && sent.bytes as u64 <= longest(call, plan));
        match who {
            Some(who) if fits && !is_denied(who) => Err(format!("(f) a good request is refused: {outcome:?}")),
            _ => Ok(()),
        }
    }

    fn remember(&mut self, call: &Call, outcome: &Outcome) {
        let at = outcome.at;
        let lately = (at.0.saturating_sub(RETRY), at.1);
        let known = &mut self.sandboxes[call.sandbox];
        known.can_have_read |= self.store.during(at).any(|outage| !hides(*outage));
        if self.store.during(lately).all(|outage| !hides(*outage)) {
            known.current = Some(at.0);
        }
        if let (Some(version), Some(Token::Signed { iss, .. })) = (outcome.version, call.token)
            && iss == iss_of(self.plans[version].source)
            && (outcome.forwarded || outcome.verdict.starts_with("token-"))
        {
            known.lookups.push((at.0, version, call.renews));
        }
    }
}

/// Whether `key` of `iss` is withdrawn: by its id, or by another one under which the same key pair is `listed`.
fn withdraws(off: &SwitchedOff, iss: usize, key: Key, listed: impl Fn(Key) -> bool) -> bool {
    off.keys.is_some_and(|(of, kid)| of == iss && kid.is_none_or(|kid| kid == key.kid || listed(Key { kid, ..key })))
}

/// Whether an outage hides the policy or the kill switch.
const fn hides(outage: Option<Outage>) -> bool {
    matches!(outage, Some(Outage::All | Outage::Policy | Outage::KillSwitch))
}

/// The longest body that the live policy accepts.
const fn longest(call: &Call, plan: &Plan) -> u64 {
    match call.route {
        Route::Plain => u64::MAX,
        _ => plan.max_body,
    }
}

const fn is_whole(call: &Call) -> bool {
    match call.body {
        Some(sent) => match sent.arrival {
            Arrival::Announced | Arrival::Unannounced => true,
            Arrival::Truncated => sent.bytes == 0,
            Arrival::Slow => false,
        },
        None => true,
    }
}

/// (b) The origin gets the bytes that were sent, or sees that the body is incomplete.
fn body(call: &Call, plan: &Plan, outcome: &Outcome) -> Result<(), Violation> {
    let Some(sent) = call.body else { return Ok(()) };
    let fits = is_whole(call) && sent.bytes as u64 <= longest(call, plan);
    match &outcome.delivered {
        None if fits => Err("(b) a whole body did not arrive".to_owned()),
        None => Ok(()),
        Some(delivered) if fits && *delivered == bytes(&sent) => Ok(()),
        Some(delivered) => {
            Err(format!("(b) the origin got {} bytes of {sent:?}, of at most {}", delivered.len(), longest(call, plan)))
        }
    }
}
