//! The generator of sequences. A seed always gives the same sequence.

use super::steps::{
    Arrival, Call, Held, Key, MATERIALS, Mark, Outage, Pace, Plan, Route, SOURCES, Sent, Step, SwitchedOff, Token,
    first_keys, first_plan, iss_of,
};

/// The sequence that belongs to a seed.
pub(crate) fn sequence(seed: u64, pace: &Pace) -> Vec<Step> {
    let mut writer = Writer {
        random: Random(seed),
        pace: *pace,
        plan: first_plan(pace),
        former: first_plan(pace),
        keys: (0..SOURCES).map(first_keys).collect(),
        outage: None,
        cache: true,
        held: Held::Nothing,
        down: None,
    };
    let (least, most) = pace.steps;
    let length = least + writer.random.below(most - least + 1);
    (0..length).flat_map(|_| writer.step()).collect()
}

/// A generator of pseudo-random numbers: `SplitMix64`.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).unwrap()
    }

    fn digit(&mut self, bound: u8) -> u8 {
        u8::try_from(self.below(bound.into())).unwrap()
    }

    fn one_in(&mut self, number: usize) -> bool {
        self.below(number) == 0
    }

    fn pick<T: Copy>(&mut self, list: &[T]) -> T {
        list[self.below(list.len())]
    }
}

/// The state of the generator, with which most requests become valid ones.
struct Writer {
    random: Random,
    pace: Pace,
    plan: Plan,
    former: Plan,
    keys: Vec<Vec<Key>>,
    outage: Option<Outage>,
    cache: bool,
    held: Held,
    down: Option<usize>,
}

impl Writer {
    fn step(&mut self) -> Vec<Step> {
        let simulated = self.pace.simulated;
        match self.random.below(100) {
            0..40 => vec![Step::Request(self.call())],
            40..46 => self.burst(),
            46..60 => vec![Step::Wait(self.random.pick(self.pace.waits))],
            60..68 => {
                (self.former, self.plan) = (self.plan, self.vary());
                let call = Call { route: Route::Me, token: Some(self.former_token()), body: None, ..self.call() };
                vec![Step::Policy(self.plan), self.poll(), Step::Request(call)]
            }
            68..75 => {
                let plan = (!self.random.one_in(5)).then(|| self.vary());
                let route = self.random.pick(&[Route::Signed, Route::Bounded, Route::Plain]);
                let call = Call { route, token: Some(self.good_token()), body: Some(self.body()), ..self.call() };
                vec![Step::Shadow(plan), self.poll(), Step::Request(call)]
            }
            75..81 => {
                let source = if self.random.one_in(3) { self.random.below(SOURCES) } else { self.plan.source };
                vec![self.rotation(source)]
            }
            81..84 => {
                let (source, up) = self.down.take().map_or_else(|| (self.plan.source, false), |source| (source, true));
                self.down = (!up).then_some(source);
                let mut steps = vec![Step::Reachable(source, up)];
                if !up && self.random.one_in(2) {
                    // A key is withdrawn during an outage that hides it.
                    let call = Call { route: Route::Me, token: Some(self.good_token()), body: None, ..self.call() };
                    let longest = if simulated { Step::Wait(30_000) } else { self.poll() };
                    steps.insert(0, Step::Request(call));
                    steps.extend([self.rotation(source), longest, Step::Request(call)]);
                }
                steps
            }
            84..86 => vec![Step::Revoke(
                self.random.below(2),
                self.random.pick(&[Mark::Subject, Mark::Token]),
                self.random.digit(3),
            )],
            86..87 => vec![if self.random.one_in(2) {
                Step::Inactive(self.random.digit(2))
            } else {
                Step::Endpoint(self.random.one_in(2))
            }],
            87..91 => {
                let off = self.switched_off();
                vec![Step::KillSwitch(off), self.poll()]
            }
            91..94 => {
                let outages = [Outage::KillSwitch, Outage::Denied, Outage::Policy, Outage::All, Outage::Keys];
                let possible = if simulated { &outages[..] } else { &outages[..1] };
                self.outage = if self.outage.is_some() { None } else { Some(self.random.pick(possible)) };
                vec![Step::Store(self.outage)]
            }
            94..97 => {
                let held = if simulated { self.random.pick(&[Held::Counts, Held::Fetches]) } else { Held::Counts };
                self.held = if self.held == Held::Nothing { held } else { Held::Nothing };
                let mut steps = vec![Step::Lease(self.held)];
                steps.extend(self.burst());
                steps
            }
            97..98 if simulated => {
                self.cache = !self.cache;
                vec![Step::Cache(self.cache)]
            }
            98..99 if simulated => vec![Step::Evict],
            _ if simulated => vec![Step::NewSandbox(self.random.below(3))],
            _ => vec![Step::Request(self.call())],
        }
    }

    fn vary(&mut self) -> Plan {
        let random = &mut self.random;
        let mut plan = Plan { source: random.below(SOURCES), ..self.plan };
        if random.one_in(2) {
            plan.count = random.pick(&[1, 2, 3, 5]);
            plan.window = random.pick(self.pace.windows);
            plan.open = !random.one_in(3);
        }
        if random.one_in(2) {
            plan.deny_list = random.one_in(2);
            plan.introspection = !random.one_in(3);
            plan.ask_in_shadow = random.one_in(3);
        }
        if random.one_in(2) {
            plan.recall = random.pick(self.pace.recalls);
            plan.life = random.pick(self.pace.lives);
            plan.max_body = random.pick(&[8, 64, 64, 200]);
        }
        plan
    }

    /// A new key id, the same key id with another key, or another key beside the old one.
    fn rotation(&mut self, source: usize) -> Step {
        let turns = u8::try_from(usize::from(MATERIALS) / SOURCES).unwrap();
        let material = u8::try_from(source).unwrap() + u8::try_from(SOURCES).unwrap() * self.random.digit(turns);
        let key = Key { kid: 1 + self.random.digit(3), material };
        let keys = &mut self.keys[source];
        if self.random.one_in(3) && keys.iter().all(|known| known.kid != key.kid) {
            keys.truncate(1);
            keys.push(key);
        } else {
            *keys = vec![key];
        }
        Step::Publish(source, keys.clone())
    }

    fn switched_off(&mut self) -> SwitchedOff {
        let random = &mut self.random;
        match random.below(6) {
            0 => SwitchedOff { group: true, ..SwitchedOff::default() },
            1 if self.pace.simulated => SwitchedOff { garbled: true, ..SwitchedOff::default() },
            2 | 3 => {
                let kid = if random.one_in(2) { Some(1 + random.digit(3)) } else { None };
                SwitchedOff { keys: Some((random.below(2), kid)), ..SwitchedOff::default() }
            }
            _ => SwitchedOff::default(),
        }
    }

    fn burst(&mut self) -> Vec<Step> {
        let call = |sandbox| Call { sandbox, route: Route::Limited, token: None, body: None, renews: true };
        (0..=self.random.below(4)).map(|_| Step::Request(call(self.random.below(3)))).collect()
    }

    fn call(&mut self) -> Call {
        let route = self.random.pick(&[
            Route::Me,
            Route::Me,
            Route::Me,
            Route::Signed,
            Route::Bounded,
            Route::Plain,
            Route::Limited,
        ]);
        let body = matches!(route, Route::Signed | Route::Bounded | Route::Plain).then(|| self.body());
        let token = (route != Route::Limited).then(|| self.token());
        Call { sandbox: self.random.below(3), route, token, body, renews: !self.random.one_in(8) }
    }

    fn body(&mut self) -> Sent {
        let arrivals = [Arrival::Announced, Arrival::Announced, Arrival::Unannounced, Arrival::Unannounced];
        let arrival = match self.random.below(8) {
            0 => Arrival::Truncated,
            1 if self.pace.simulated => Arrival::Slow,
            other => arrivals[other % 4],
        };
        Sent { bytes: self.random.pick(&[0, 1, 7, 9, 30, 64, 65, 150, 300]), arrival }
    }

    /// A wait after which every sandbox has read the policy and the kill switch again.
    const fn poll(&self) -> Step {
        Step::Wait(if self.pace.simulated { 10_000 } else { 10_500 })
    }

    fn token(&mut self) -> Token {
        match self.random.below(10) {
            0..6 => self.good_token(),
            6 => self.former_token(),
            7 => Token::Opaque(self.random.digit(3)),
            _ => {
                let key = Key { kid: 1 + self.random.digit(3), material: self.random.digit(MATERIALS) };
                Token::Signed { iss: self.random.below(2), key, who: self.random.digit(3) }
            }
        }
    }

    /// A token of the provider that the policy names.
    fn good_token(&mut self) -> Token {
        self.token_of(self.plan.source)
    }

    /// A token in the name of the provider that the policy names, signed by a key from the URL that the policy named
    /// before.
    fn former_token(&mut self) -> Token {
        self.token_of(self.former.source)
    }

    fn token_of(&mut self, source: usize) -> Token {
        let published = self.keys[source].clone();
        Token::Signed { iss: iss_of(self.plan.source), key: self.random.pick(&published), who: self.random.digit(3) }
    }
}
