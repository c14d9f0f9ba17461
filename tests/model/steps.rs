//! The steps of a sequence.

/// The number of key pairs. The provider at source `n` uses those that are `n` modulo [`SOURCES`].
pub(crate) const MATERIALS: u8 = 12;
/// The number of sources of keys; see `Names::source`.
pub(crate) const SOURCES: usize = 4;

/// A published key: its id and the number of its key pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    pub(crate) kid: u8,
    pub(crate) material: u8,
}

/// The variable parts of a policy. All policies have one issuer with the same id.
#[allow(clippy::struct_excessive_bools, reason = "each is a member of the policy")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    /// The source of the issuer's keys.
    pub(crate) source: usize,
    /// The limit `count` in `window` seconds, and whether it admits requests that cannot be counted.
    pub(crate) count: u64,
    pub(crate) window: u64,
    pub(crate) open: bool,
    pub(crate) deny_list: bool,
    pub(crate) introspection: bool,
    pub(crate) ask_in_shadow: bool,
    /// `verdict_window`.
    pub(crate) recall: u64,
    pub(crate) life: Life,
    /// The longest body on the routes that accept one.
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

/// The groups and keys that an operator has switched off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct SwitchedOff {
    pub(crate) group: bool,
    /// An unreadable kill switch: all groups are off.
    pub(crate) garbled: bool,
    /// The keys of an `iss`: one by its id, or all.
    pub(crate) keys: Option<(usize, Option<u8>)>,
}

/// The keys of the KV store that cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outage {
    All,
    Policy,
    KillSwitch,
    Denied,
    Keys,
}

/// The leases that another request holds for longer than any request waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Held {
    Nothing,
    Counts,
    Fetches,
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
    /// POST, with a token; the live policy does not read the body.
    Plain,
}

impl Route {
    /// The method, and the path below that of the lane.
    pub(crate) const fn parts(self) -> (&'static str, &'static str) {
        match self {
            Self::Me => ("GET", "me"),
            Self::Limited => ("GET", "limited"),
            Self::Signed => ("POST", "signed"),
            Self::Bounded => ("POST", "bounded"),
            Self::Plain => ("POST", "plain"),
        }
    }
}

/// How a body arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arrival {
    Announced,
    Unannounced,
    /// With fewer bytes than announced.
    Truncated,
    /// Too slowly from the middle on.
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
    /// The sandbox that receives it, if the run can choose one.
    pub(crate) sandbox: usize,
    pub(crate) route: Route,
    pub(crate) token: Option<Token>,
    pub(crate) body: Option<Sent>,
    /// Whether the sandbox continues after the response, to renew keys.
    pub(crate) renews: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Policy(Plan),
    Shadow(Option<Plan>),
    Publish(usize, Vec<Key>),
    Reachable(usize, bool),
    Endpoint(bool),
    /// From now on, the provider reports this opaque token as inactive.
    Inactive(u8),
    Revoke(usize, Mark, u8),
    KillSwitch(SwitchedOff),
    Store(Option<Outage>),
    Cache(bool),
    Evict,
    Lease(Held),
    NewSandbox(usize),
    Wait(u64),
    Request(Call),
}

/// The time scale of a run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    pub(crate) waits: &'static [u64],
    pub(crate) lives: &'static [Life],
    pub(crate) recalls: &'static [u64],
    pub(crate) windows: &'static [u64],
    pub(crate) steps: (usize, usize),
    /// Whether the steps include those that only a simulated platform can take.
    pub(crate) simulated: bool,
    /// The milliseconds after which a change at a reachable provider is visible to every fetch.
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

/// The number of the `iss` of a source: the second one is another provider, the others are one provider's.
pub(crate) const fn iss_of(source: usize) -> usize {
    if source == 1 { 1 } else { 0 }
}

/// The keys that a source publishes in the beginning.
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
