//! What can happen, and the generator of sequences of it.

/// How many key pairs there are; the provider at source `n` uses those that are `n` modulo [`SOURCES`].
pub(crate) const MATERIALS: u8 = 12;
/// Places at which a provider publishes keys; see `Names::source`.
pub(crate) const SOURCES: usize = 4;

/// A key as a provider publishes it: its id and which key pair it is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    pub(crate) kid: u8,
    pub(crate) material: u8,
}

/// A policy, as far as it differs from the others. All know one issuer, by one id.
#[allow(clippy::struct_excessive_bools, reason = "each is a member of the policy")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    /// Where the issuer's keys are.
    pub(crate) source: usize,
    /// The limit `count` in `window` seconds, and whether it is open where it cannot be counted.
    pub(crate) count: u64,
    pub(crate) window: u64,
    pub(crate) open: bool,
    pub(crate) deny_list: bool,
    pub(crate) introspection: bool,
    pub(crate) ask_in_shadow: bool,
    /// `verdict_window`.
    pub(crate) recall: u64,
    pub(crate) life: Life,
    /// The longest body on the routes that take one.
    pub(crate) max_body: u64,
}

/// `key_life`, in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Life {
    pub(crate) min_fresh: u64,
    pub(crate) max_fresh: u64,
    pub(crate) max_stale: u64,
    pub(crate) cool_down: u64,
}

/// What an operator has switched off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct SwitchedOff {
    pub(crate) group: bool,
    /// A switch that cannot be read: everything is off.
    pub(crate) garbled: bool,
    /// Keys of an `iss`: one by its id, or all.
    pub(crate) keys: Option<(usize, Option<u8>)>,
}

/// Which keys of the KV store cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outage {
    All,
    Policy,
    Switch,
    Denied,
    Keys,
}

/// Which leases another request holds for longer than anybody waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Held {
    Nothing,
    Counts,
    Visits,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mark {
    Subject,
    Token,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Token {
    /// `iss` by number.
    Signed {
        iss: usize,
        key: Key,
        who: u8,
    },
    Opaque(u8),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    /// GET, with a token.
    Me,
    /// GET, public, under the limit.
    Limited,
    /// POST, with a token; the body is signed.
    Signed,
    /// POST, with a token; the body is bounded.
    Bounded,
}

/// How a body arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arrival {
    Announced,
    Unannounced,
    /// Fewer bytes than announced.
    Truncated,
    /// Too slowly, from its middle on.
    Slow,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sent {
    pub(crate) bytes: usize,
    pub(crate) arrival: Arrival,
}

/// A request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Call {
    /// The sandbox that gets it, where that can be chosen.
    pub(crate) sandbox: usize,
    pub(crate) route: Route,
    pub(crate) token: Option<Token>,
    pub(crate) body: Option<Sent>,
    /// Whether the sandbox lives long enough to do what is due behind the response.
    pub(crate) renews: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Policy(Plan),
    Shadow(Option<Plan>),
    Publish(usize, Vec<Key>),
    Reachable(usize, bool),
    Endpoint(bool),
    /// The provider says from now on that this opaque token is not active.
    Inactive(u8),
    Revoke(usize, Mark, u8),
    Switch(SwitchedOff),
    Store(Option<Outage>),
    Cache(bool),
    Evict,
    Lease(Held),
    NewSandbox(usize),
    Wait(u64),
    Request(Call),
}

/// How fast everything goes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    pub(crate) waits: &'static [u64],
    pub(crate) lives: &'static [Life],
    pub(crate) recalls: &'static [u64],
    pub(crate) windows: &'static [u64],
    pub(crate) steps: (usize, usize),
    /// Whether what only a simulated platform can do is among the steps.
    pub(crate) simulated: bool,
    /// Milliseconds in which a change at a provider that can be reached is known to everybody who looks for it.
    pub(crate) settled: u64,
}

/// For a simulated clock.
#[allow(dead_code, reason = "of the simulated platform alone")]
pub(crate) const SIMULATED: Pace = Pace {
    waits: &[500, 1000, 2000, 3000, 5000, 10_000, 11_000, 30_000],
    lives: &[
        Life { min_fresh: 1, max_fresh: 1, max_stale: 10, cool_down: 1 },
        Life { min_fresh: 2, max_fresh: 4, max_stale: 20, cool_down: 2 },
        Life { min_fresh: 5, max_fresh: 5, max_stale: 30, cool_down: 5 },
    ],
    recalls: &[0, 2, 5],
    windows: &[3, 10, 60],
    steps: (10, 22),
    simulated: true,
    settled: 7000,
};

/// For the real clock.
#[allow(dead_code, reason = "of the real guest alone")]
pub(crate) const REAL: Pace = Pace {
    waits: &[300, 1200, 2300, 3500, 10_500],
    lives: &[
        Life { min_fresh: 1, max_fresh: 1, max_stale: 30, cool_down: 1 },
        Life { min_fresh: 1, max_fresh: 1, max_stale: 4, cool_down: 1 },
    ],
    recalls: &[0, 1, 2],
    windows: &[120, 600],
    steps: (14, 20),
    simulated: false,
    settled: 3500,
};

/// A generator of pseudo-random numbers: `SplitMix64`.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
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

/// The number of the `iss` of a source: the second one is another provider, the others are one provider's.
pub(crate) const fn iss_of(source: usize) -> usize {
    if source == 1 { 1 } else { 0 }
}

/// What a source publishes in the beginning.
pub(crate) fn first_keys(source: usize) -> Vec<Key> {
    vec![Key { kid: 1, material: u8::try_from(source).unwrap() }]
}

/// The policy in the beginning.
pub(crate) fn first_plan(pace: &Pace) -> Plan {
    Plan {
        source: 0,
        count: 3,
        window: pace.windows[0],
        open: true,
        deny_list: true,
        introspection: true,
        ask_in_shadow: false,
        recall: pace.recalls[1],
        life: pace.lives[0],
        max_body: 64,
    }
}

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

/// What the generator knows while it writes, so that most requests are good ones.
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
                let route = self.random.pick(&[Route::Signed, Route::Bounded]);
                let call = Call { route, token: Some(self.good_token()), body: Some(self.body()), ..self.call() };
                vec![Step::Shadow(plan), self.poll(), Step::Request(call)]
            }
            75..81 => vec![self.rotation()],
            81..84 => {
                let (source, up) = self.down.take().map_or_else(|| (self.plan.source, false), |source| (source, true));
                self.down = (!up).then_some(source);
                vec![Step::Reachable(source, up)]
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
                vec![Step::Switch(off), self.poll()]
            }
            91..94 => {
                let outages = [Outage::Switch, Outage::Denied, Outage::Policy, Outage::All, Outage::Keys];
                let possible = if simulated { &outages[..] } else { &outages[..1] };
                self.outage = if self.outage.is_some() { None } else { Some(self.random.pick(possible)) };
                vec![Step::Store(self.outage)]
            }
            94..97 => {
                let held = if simulated { self.random.pick(&[Held::Counts, Held::Visits]) } else { Held::Counts };
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
    fn rotation(&mut self) -> Step {
        let source = if self.random.one_in(3) { self.random.below(SOURCES) } else { self.plan.source };
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
        let route = self.random.pick(&[Route::Me, Route::Me, Route::Me, Route::Signed, Route::Bounded, Route::Limited]);
        let body = matches!(route, Route::Signed | Route::Bounded).then(|| self.body());
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

    /// Long enough for every sandbox to have read the policy and the switch again.
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

    /// One of the provider that the policy names.
    fn good_token(&mut self) -> Token {
        self.token_of(self.plan.source)
    }

    /// One in the name of the provider that the policy names, by a key from the place that the policy named before.
    fn former_token(&mut self) -> Token {
        self.token_of(self.former.source)
    }

    fn token_of(&mut self, source: usize) -> Token {
        let published = self.keys[source].clone();
        Token::Signed { iss: iss_of(self.plan.source), key: self.random.pick(&published), who: self.random.digit(3) }
    }
}
