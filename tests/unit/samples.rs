//! The common setup of most tests: a policy of two issuers, their keys, and requests to a gate with both. Tokens are
//! made in `samples/sign.rs`.

use std::fmt::Debug;

use fastgate::headers::Headers;
use fastgate::identity::keys::KeySet;
use fastgate::policy::Policy;
use fastgate::request::{RequestError, Target, normalize};
use fastgate::time::UnixTime;
use proptest::strategy::Strategy;
use proptest::test_runner::{Config, RngSeed, TestCaseError, TestRunner};
use serde_json::{Value, json};

use crate::offline::fakes::{FakeBody, FakeKeys};
use crate::offline::{Gate, NOW, Outcome, Request, policy_of, text};

pub(crate) mod sign;

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

pub(crate) fn policy() -> Policy {
    policy_of(&policy_document())
}

/// A policy with only these routes: id (followed by `websocket` for a WebSocket), path, methods separated by spaces.
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

impl Request {
    pub(crate) fn normalized(self) -> Result<Target, RequestError> {
        normalize(self.head, &HOSTS.into_iter().collect())
    }

    /// Sends the request to a gate with the policy above and the keys of both issuers.
    pub(crate) fn decide(self) -> Outcome {
        self.decide_with(policy(), FakeKeys::of_both())
    }

    pub(crate) fn decide_with(self, policy: Policy, keys: FakeKeys) -> Outcome {
        Gate::with_signing_keys(policy, keys, &sign::edge_keys().to_string()).send(self)
    }

    /// The outcome, and the maximum length of each read of the body.
    pub(crate) fn decide_with_body(self, policy: Policy, body: FakeBody) -> (Outcome, Vec<u64>) {
        let gate = Gate::with_signing_keys(policy, FakeKeys::of_both(), &sign::edge_keys().to_string());
        gate.fakes().body = body;
        let outcome = gate.send(self);
        let requested = gate.fakes().body.requested.clone();
        (outcome, requested)
    }
}

impl FakeKeys {
    /// The keys of both issuers.
    pub(crate) fn of_both() -> Self {
        Self::none()
            .with("alpha", &json!([sign::public("alpha-rsa"), sign::public("alpha-ec")]))
            .with("beta", &json!([sign::public("beta-rsa"), sign::public("beta-ec")]))
    }

    /// With these JWKs for the issuer of this id.
    pub(crate) fn with(self, issuer: &str, jwks: &Value) -> Self {
        self.with_set(issuer, &json!({ "keys": jwks }).to_string())
    }
}

pub(crate) fn key_set(jwks: &Value) -> KeySet {
    KeySet::parse(json!({ "keys": jwks }).to_string().as_bytes()).unwrap_or_else(|error| panic!("{error}: {jwks}"))
}

/// Fields as text, in order.
pub(crate) fn fields(headers: &Headers) -> Vec<(String, String)> {
    headers.iter().map(|(name, value)| (name.to_owned(), text(value))).collect()
}

/// Runs `test` on `cases` values of `strategy`, the same in every run.
pub(crate) fn property<S>(cases: u32, strategy: &S, test: impl Fn(S::Value) -> Result<(), TestCaseError>)
where
    S: Strategy,
    S::Value: Debug,
{
    let config = Config { cases, rng_seed: RngSeed::Fixed(7), failure_persistence: None, ..Config::default() };
    TestRunner::new(config).run(strategy, test).unwrap_or_else(|error| panic!("{error}"));
}
