//! The library without a platform: a gate whose ports are fakes, a request, and its outcome.

pub(crate) mod admitted;
pub(crate) mod fakes;

use std::cell::{Cell, RefCell, RefMut};
use std::net::{IpAddr, Ipv4Addr};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use fakes::{FakeKeys, Fakes, SkippedBackends};
use fastgate::availability::KillSwitch;
use fastgate::caching::Generations;
use fastgate::client::Client;
use fastgate::gateway::{Decision, Environment, Gateway};
use fastgate::mint::{Grant, SigningKeys, new_signing_keys};
use fastgate::policy::Policy;
use fastgate::problem::Problem;
use fastgate::request::RequestHead;
use fastgate::time::UnixTime;
use fastgate::trail::Trail;
use serde_json::Value;

/// The time of all tests, unless the clock of a gate is set.
pub(crate) const NOW: u64 = 1_800_000_000;
/// The id of every request.
pub(crate) const REQUEST_ID: &str = "0123456789abcdef0123456789abcdef";

/// A policy that is valid.
pub(crate) fn policy_of(document: &Value) -> Policy {
    Policy::parse(document.to_string().as_bytes()).unwrap_or_else(|faults| panic!("{faults}"))
}

/// A gate, its clock, and its ports.
pub(crate) struct Gate {
    pub(crate) gateway: Gateway,
    /// Seconds since the epoch.
    pub(crate) now: Cell<u64>,
    pub(crate) kill_switch: KillSwitch,
    pub(crate) generations: Option<Generations>,
    /// The names of the backends that are skipped.
    pub(crate) skipped: RefCell<Vec<String>>,
    fakes: RefCell<Fakes>,
}

impl Gate {
    /// A gate with signing keys of its own.
    pub(crate) fn new(policy: Policy, keys: FakeKeys) -> Self {
        Self::with_signing_keys(policy, keys, &new_signing_keys().0)
    }

    pub(crate) fn with_signing_keys(policy: Policy, keys: FakeKeys, signing_keys: &str) -> Self {
        Self {
            gateway: Gateway::new(policy, SigningKeys::parse(signing_keys.as_bytes()).unwrap()),
            now: Cell::new(NOW),
            kill_switch: KillSwitch::default(),
            generations: Some(Generations::default()),
            skipped: RefCell::default(),
            fakes: RefCell::new(Fakes::with(keys)),
        }
    }

    /// The ports, for their responses and their recorded calls.
    pub(crate) fn fakes(&self) -> RefMut<'_, Fakes> {
        self.fakes.borrow_mut()
    }

    /// Sends a request through the whole pipeline.
    pub(crate) fn send(&self, request: Request) -> Outcome {
        let now = UnixTime::from_seconds(self.now.get());
        let mut trail = Trail::new(now, REQUEST_ID, &request.head.method);
        let elapsed = Cell::new(0);
        let mut fakes = self.fakes();
        fakes.keys.requested.clear();
        fakes.responses.now = self.now.get();
        let (sources, others) = fakes.split(self.gateway.nonces());
        let mut environment = Environment {
            now,
            clock: &|| now,
            client: &request.client,
            sources,
            body: others.body,
            acls: others.acls,
            kill_switch: &self.kill_switch,
            responses: others.responses,
            files: others.files,
            generations: self.generations.as_ref(),
            health: &mut SkippedBackends(&self.skipped),
            counter: others.counter,
            elapsed: &|| elapsed.replace(elapsed.get() + 10) + 10,
        };
        let decision = self.gateway.decide(request.head, &mut environment, &mut trail);
        Outcome { decision, trail, requested: fakes.keys.requested.clone() }
    }

    /// The code of the refusal, or `forwarded`.
    pub(crate) fn verdict(&self, request: Request) -> &'static str {
        self.send(request).trail.verdict
    }
}

/// A request from the platform.
pub(crate) struct Request {
    pub(crate) head: RequestHead,
    pub(crate) client: Client,
}

/// A request to `edge.test` over TLS from a client in Switzerland.
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

/// The opening handshake of a WebSocket (RFC 6455 §4.1) without its `Connection`.
pub(crate) fn half_handshake(target: &str) -> Request {
    get(target)
        .field("upgrade", "websocket")
        .field("sec-websocket-version", "13")
        .field("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
}

/// The opening handshake of a WebSocket (RFC 6455 §4.1).
pub(crate) fn handshake(target: &str) -> Request {
    half_handshake(target).field("connection", "Upgrade")
}

impl Request {
    /// Adds one field.
    pub(crate) fn field(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.head.headers.append(name, value.as_ref().to_vec());
        self
    }

    pub(crate) fn bearer(self, token: &str) -> Self {
        self.field("authorization", format!("Bearer {token}"))
    }

    /// With these values of `Host`, and no other field.
    pub(crate) fn hosts(mut self, values: &[&[u8]]) -> Self {
        self.head.headers = values.iter().map(|value| ("host", value.to_vec())).collect();
        self
    }

    /// From a client at this address.
    pub(crate) fn from(mut self, address: &str) -> Self {
        self.client.address = Some(address.parse().unwrap());
        self
    }

    /// From a client with a certificate of this text.
    pub(crate) fn certificate(mut self, text: &str) -> Self {
        self.head.certificate = Some(hmac_sha256::Hash::hash(text.as_bytes()));
        self
    }
}

/// The outcome of a request.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) decision: Decision,
    pub(crate) trail: Trail,
    /// The ids of the issuers whose keys were requested.
    pub(crate) requested: Vec<String>,
}

impl Outcome {
    /// The forwarded request.
    #[track_caller]
    pub(crate) fn grant(&self) -> &Grant {
        match &self.decision {
            Decision::Forward(grant) => grant,
            other => panic!("not forwarded: {other:?}, {}", self.trail.to_line()),
        }
    }

    /// The refusal.
    #[track_caller]
    pub(crate) fn problem(&self) -> &Problem {
        match &self.decision {
            Decision::Refuse(problem) => problem,
            other => panic!("not refused: {other:?}"),
        }
    }

    /// The values of one field that the origin receives.
    #[track_caller]
    pub(crate) fn sent(&self, name: &str) -> Vec<String> {
        self.grant().headers().all(name).map(text).collect()
    }

    /// The claims of the identity header that the origin receives.
    #[track_caller]
    pub(crate) fn minted(&self) -> Value {
        let identity = self.sent("fastgate-identity").concat();
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(identity.split('.').nth(1).unwrap()).unwrap()).unwrap()
    }

    /// Status and challenge of the refusal.
    #[track_caller]
    pub(crate) fn refused(&self) -> (u16, Option<String>) {
        let problem = self.problem();
        let headers = problem.headers();
        let mut challenges = headers.all("www-authenticate").map(text);
        let challenge = challenges.next();
        assert_eq!(challenges.next(), None);
        (problem.status(), challenge)
    }

    /// The log line.
    pub(crate) fn line(&self) -> Value {
        serde_json::from_str(&self.trail.to_line()).unwrap()
    }
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
