//! Builders: a policy, requests, key sources, and walks through the gateway. Tokens are made in `support/sign.rs`.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use fastgate::availability::KillSwitch;
use fastgate::client::Client;
use fastgate::content::{Body, NoBody};
use fastgate::gateway::{Decision, Environment, Gateway};
use fastgate::headers::Headers;
use fastgate::identity::deny_list::NoDenyList;
use fastgate::identity::dpop::Nonces;
use fastgate::identity::introspection::NoIntrospector;
use fastgate::identity::keys::KeySet;
use fastgate::identity::replay::{ProofId, Replays, ReplaysUnreachable};
use fastgate::identity::verdict::NoVerdicts;
use fastgate::identity::{KeySource, KeysUnavailable, Sources, Wanted};
use fastgate::mint::{Grant, Minter, SigningKeys};
use fastgate::place::{AclAction, AclUnavailable, Acls};
use fastgate::policy::limits::Limit;
use fastgate::policy::{Issuer, Policy};
use fastgate::problem::Problem;
use fastgate::request::{RequestError, RequestHead, Target, normalize};
use fastgate::throttle::{Counter, CounterUnreachable, Taken};
use fastgate::time::UnixTime;
use fastgate::trail::Trail;
use proptest::strategy::Strategy;
use proptest::test_runner::{Config, RngSeed, TestCaseError, TestRunner};
use serde_json::{Value, json};

#[path = "../support/admitted.rs"]
pub(crate) mod admitted;
pub(crate) mod sign;

/// When all tests take place.
pub(crate) const NOW: u64 = 1_800_000_000;
/// The id of every request.
pub(crate) const REQUEST_ID: &str = "0123456789abcdef0123456789abcdef";

/// The hosts of the policy below.
const HOSTS: [&str; 3] = ["edge.test", "api.edge.test:8443", "[::1]"];

/// The policy that the tests begin with.
pub(crate) fn policy_document() -> Value {
    json!({
        "edge": { "issuer": "https://edge.test", "hosts": HOSTS },
        "origins": {
            "app": { "backend": "app-backend", "audience": "app-audience" },
            "files": { "backend": "files-backend", "audience": "files-audience" }
        },
        "issuers": {
            "alpha": { "issuer": "https://alpha.test", "backend": "alpha", "audiences": ["https://api.test"] },
            "beta": {
                "issuer": "https://beta.test/", "backend": "beta",
                "audiences": ["https://api.test", "other"], "algorithms": ["RS256"], "types": ["JWT"], "leeway": 0
            }
        },
        "routes": [
            { "id": "welcome", "path": "/", "methods": ["GET"], "origin": "app", "access": "public" },
            { "id": "pub", "path": "/pub/{rest:path}", "methods": ["GET", "POST"], "origin": "app", "access": "public" },
            { "id": "me", "path": "/me", "methods": ["GET"], "origin": "app" },
            { "id": "admin", "path": "/admin/{rest:path}", "methods": ["GET"], "origin": "app", "scopes": ["admin"] },
            {
                "id": "order", "path": "/orders/{order_id:int}", "methods": ["GET", "PUT"], "origin": "app",
                "scopes": ["orders:read", "orders:all"]
            },
            { "id": "file", "path": "/files/{name}.txt", "methods": ["GET"], "origin": "files", "forward_token": true }
        ]
    })
}

pub(crate) fn policy_of(document: &Value) -> Policy {
    Policy::parse(document.to_string().as_bytes()).unwrap_or_else(|faults| panic!("{faults}"))
}

pub(crate) fn policy() -> Policy {
    policy_of(&policy_document())
}

/// A policy with nothing but these routes: id (a word `websocket` behind it makes it one), path, methods separated by
/// spaces.
pub(crate) fn policy_with_routes(routes: &[(&str, &str, &str)]) -> Policy {
    let route = |(id, path, methods): &(&str, &str, &str)| {
        let methods: Vec<_> = methods.split(' ').collect();
        let (id, websocket) = id.strip_suffix(" websocket").map_or((*id, false), |id| (id, true));
        json!({ "id": id, "path": path, "methods": methods, "access": "public", "websocket": websocket })
    };
    let mut document = policy_document();
    document["origins"].as_object_mut().unwrap().remove("files");
    document["routes"] = routes.iter().map(route).collect();
    policy_of(&document)
}

pub(crate) fn now() -> UnixTime {
    UnixTime::from_seconds(NOW)
}

/// A request to `edge.test` over TLS, as the platform hands it over.
pub(crate) fn request(method: &str, target: &str) -> Request {
    Request {
        head: RequestHead {
            method: method.to_owned(),
            target: target.as_bytes().to_vec(),
            headers: [("host", "edge.test")].into_iter().collect(),
            tls: true,
            certificate: None,
        },
        client: Client {
            address: Some(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7))),
            country: Some("CH".to_owned()),
            pop: Some("ZRH".to_owned()),
            ..Client::default()
        },
    }
}

pub(crate) fn get(target: &str) -> Request {
    request("GET", target)
}

/// The opening handshake of a WebSocket (RFC 6455 §4.1).
pub(crate) fn handshake(target: &str) -> Request {
    get(target)
        .field("connection", "Upgrade")
        .field("upgrade", "websocket")
        .field("sec-websocket-version", "13")
        .field("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
}

pub(crate) struct Request {
    pub(crate) head: RequestHead,
    pub(crate) client: Client,
}

impl Request {
    pub(crate) fn field(mut self, name: &str, value: impl Into<Vec<u8>>) -> Self {
        self.head.headers.append(name, value);
        self
    }

    pub(crate) fn bearer(self, token: &str) -> Self {
        self.field("authorization", format!("Bearer {token}"))
    }

    pub(crate) fn hosts(mut self, values: &[&[u8]]) -> Self {
        self.head.headers = values.iter().map(|value| ("host", value.to_vec())).collect();
        self
    }

    pub(crate) fn normalized(self) -> Result<Target, RequestError> {
        normalize(self.head, &HOSTS.into_iter().collect())
    }

    /// Walks through the test policy with the keys of both issuers at hand.
    pub(crate) fn walk(self) -> Pipeline {
        self.walk_with(policy(), Keys::of_both())
    }

    pub(crate) fn walk_with(self, policy: Policy, keys: Keys) -> Pipeline {
        self.walk_with_body(policy, keys, &mut NoBody)
    }

    pub(crate) fn walk_with_body(self, policy: Policy, mut keys: Keys, body: &mut dyn Body) -> Pipeline {
        let mut trail = Trail::new(now(), REQUEST_ID, &self.head.method);
        let clock = Cell::new(0);
        let elapsed = || {
            clock.set(clock.get() + 10);
            clock.get()
        };
        let minter = Minter::new(SigningKeys::parse(sign::edge_keys().to_string().as_bytes()).unwrap());
        let sources = Sources {
            keys: &mut keys,
            verdicts: &mut NoVerdicts,
            deny_list: &mut NoDenyList,
            introspector: &mut NoIntrospector,
            replays: &mut Nobody,
            nonces: &Nonces::default(),
        };
        let mut environment = Environment {
            body,
            now: now(),
            clock: &now,
            client: &self.client,
            sources,
            acls: &mut Nobody,
            kill_switch: &KillSwitch::default(),
            counter: &mut Nobody,
            elapsed: &elapsed,
        };
        let decision = Gateway::new(policy, minter).decide(self.head, &mut environment, &mut trail);
        Pipeline { decision, trail, asked: keys.asked }
    }
}

/// How a walk ended.
#[derive(Debug)]
pub(crate) struct Pipeline {
    pub(crate) decision: Decision,
    pub(crate) trail: Trail,
    /// The ids of the issuers whose keys were asked for.
    pub(crate) asked: Vec<String>,
}

impl Pipeline {
    pub(crate) fn grant(&self) -> &Grant {
        match &self.decision {
            Decision::Forward(grant) => grant,
            other => panic!("not forwarded: {other:?}, {}", self.trail.to_line()),
        }
    }

    pub(crate) fn problem(&self) -> &Problem {
        match &self.decision {
            Decision::Refuse(problem) => problem,
            other => panic!("not refused: {other:?}"),
        }
    }

    /// The values of one field that the origin receives.
    pub(crate) fn sent(&self, name: &str) -> Vec<String> {
        self.grant().headers().all(name).map(text).collect()
    }
}

/// Key sets from a fixed place, and who was asked for.
pub(crate) struct Keys {
    sets: BTreeMap<String, Arc<KeySet>>,
    asked: Vec<String>,
    /// When the sets were fetched, if the issuers have published keys since.
    fetched: Option<UnixTime>,
    /// Whether there are no others than those at hand, because the issuers do not answer.
    cut_off: bool,
}

impl Keys {
    /// No key set can be had.
    pub(crate) const fn none() -> Self {
        Self { sets: BTreeMap::new(), asked: Vec::new(), fetched: None, cut_off: false }
    }

    pub(crate) fn of_both() -> Self {
        Self::none()
            .with("alpha", &json!([sign::public("alpha-rsa"), sign::public("alpha-ec")]))
            .with("beta", &json!([sign::public("beta-rsa"), sign::public("beta-ec")]))
    }

    /// With these JWKs for the issuer of this id.
    pub(crate) fn with(mut self, issuer: &str, jwks: &Value) -> Self {
        self.sets.insert(issuer.to_owned(), Arc::new(key_set(jwks)));
        self
    }

    /// Fetched at this time, and the issuers may not be asked again yet.
    pub(crate) fn fetched_at(mut self, seconds: u64) -> Self {
        self.fetched = Some(UnixTime::from_seconds(seconds));
        self
    }

    /// The issuers do not answer when they are asked for later keys.
    pub(crate) fn cut_off(mut self) -> Self {
        self.cut_off = true;
        self
    }
}

pub(crate) fn key_set(jwks: &Value) -> KeySet {
    KeySet::parse(json!({ "keys": jwks }).to_string().as_bytes()).unwrap_or_else(|error| panic!("{error}: {jwks}"))
}

impl KeySource for Keys {
    fn keys(&mut self, issuer: &Issuer, wanted: Wanted) -> Result<Arc<KeySet>, KeysUnavailable> {
        self.asked.push(issuer.id.clone());
        let unavailable = || KeysUnavailable { issuer: issuer.id.clone(), cause: "the line is dead".to_owned() };
        if self.cut_off && wanted == Wanted::Later {
            return Err(unavailable());
        }
        self.sets.get(&issuer.id).cloned().ok_or_else(unavailable)
    }

    fn may_lack(&self, _: &Issuer, _: Option<&str>, since: Option<UnixTime>) -> bool {
        since.zip(self.fetched).is_some_and(|(since, fetched)| since >= fetched)
    }
}

/// Neither ACLs nor counters nor used proofs can be asked.
pub(crate) struct Nobody;

impl Replays for Nobody {
    fn is_first(&mut self, _: &ProofId, _: u64) -> Result<bool, ReplaysUnreachable> {
        Err(ReplaysUnreachable("nobody remembers".to_owned()))
    }
}

impl Acls for Nobody {
    fn action(&mut self, _: &str, _: IpAddr) -> Result<Option<AclAction>, AclUnavailable> {
        Err(AclUnavailable)
    }
}

impl Counter for Nobody {
    fn take(&mut self, _: &Limit, _: &str, _: u64, _: UnixTime) -> Result<Taken, CounterUnreachable> {
        Err(CounterUnreachable("nobody counts".to_owned()))
    }
}

/// Fields as text, in order.
pub(crate) fn fields(headers: &Headers) -> Vec<(String, String)> {
    headers.iter().map(|(name, value)| (name.to_owned(), text(value))).collect()
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Holds `test` against `cases` values of `strategy`, the same ones in every run.
pub(crate) fn property<S>(cases: u32, strategy: &S, test: impl Fn(S::Value) -> Result<(), TestCaseError>)
where
    S: Strategy,
    S::Value: Debug,
{
    let config = Config { cases, rng_seed: RngSeed::Fixed(7), failure_persistence: None, ..Config::default() };
    TestRunner::new(config).run(strategy, test).unwrap_or_else(|error| panic!("{error}"));
}
