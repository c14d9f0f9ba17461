//! Measures the decision on a request, with stores in memory: the guest's part of a request without its hostcalls.

use std::hint::black_box;
use std::time::Duration;

use fastgate::caching::NoResponses;
use fastgate::client::Client;
use fastgate::content::{Body, ContentError};
use fastgate::gateway::Decision;
use fastgate::headers::Headers;
use fastgate::place::{AclAction, AclUnavailable, Acls};
use fastgate::policy::limits::{ErlDocument, Limit};
use fastgate::ports::storage::{
    Clock, Incoming, KvStore, Leased, Outgoing, Platform, PlatformBackends, PopCache, Rates, Secrets, StoreError,
    Stored,
};
use fastgate::request::RequestHead;
use fastgate::respond::AssumedFiles;
use fastgate::sandbox::{ReceivedRequest, Sandbox};
use fastgate::secret::Secret;
use fastgate::store_keys::{POLICY_KEY, SIGNING_KEYS};
use fastgate::throttle::{CounterUnreachable, Taken};
use fastgate::time::{Seconds, UnixTime};
use fastgate::trail::Trail;
use jwt_simple::prelude::*;
use serde_json::{Value, json};

use crate::microseconds;
use crate::policy::policy;

/// The stores of an edge with one issuer, whose keys an operator has stored.
struct Stores {
    policy: Vec<u8>,
    keys: Vec<u8>,
    signing_keys: Vec<u8>,
}

impl KvStore for Stores {
    fn lookup(&self, key: &str, _: usize) -> Result<Option<Stored>, StoreError> {
        let value = match key {
            POLICY_KEY => &self.policy,
            "jwks/idp" => &self.keys,
            _ => return Ok(None),
        };
        Ok(Some(Stored { note: Vec::new(), value: value.clone() }))
    }

    fn lookup_all(&self, keys: &[String], max_bytes: usize) -> Result<Vec<Option<Stored>>, StoreError> {
        keys.iter().map(|key| KvStore::lookup(self, key, max_bytes)).collect()
    }

    fn put(&self, _: &str, _: &Stored) -> Result<(), StoreError> {
        Ok(())
    }
}

impl PopCache for Stores {
    fn note(&self, _: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(None)
    }

    fn lookup(&self, _: &[u8], _: usize) -> Result<Option<Stored>, StoreError> {
        Ok(None)
    }

    fn put(&self, _: &[u8], _: &Stored, _: Seconds) -> Result<(), StoreError> {
        Ok(())
    }

    fn lease(&self, _: &[u8], _: Duration, _: usize) -> Result<Leased<'_>, StoreError> {
        Ok(Leased::TimedOut)
    }
}

impl PlatformBackends for Stores {
    fn send(&self, _: &Outgoing<'_>) -> Result<Incoming, String> {
        Err("there is none".to_owned())
    }

    fn is_unhealthy(&self, _: &str) -> bool {
        false
    }
}

impl Secrets for Stores {
    fn secret(&self, name: &str) -> Result<Option<Secret<Vec<u8>>>, StoreError> {
        Ok((name == SIGNING_KEYS).then(|| Secret::new(self.signing_keys.clone())))
    }
}

impl Rates for Stores {
    fn estimate(&self, _: &Limit, _: &ErlDocument, _: &str, _: u64) -> Result<Taken, CounterUnreachable> {
        Err(CounterUnreachable("there is none".to_owned()))
    }
}

impl Clock for Stores {
    fn now(&self) -> UnixTime {
        NOW.with(|now| *now)
    }
}

thread_local! {
    static NOW: UnixTime = UnixTime::from_seconds(std::time::UNIX_EPOCH.elapsed().unwrap().as_secs());
}

struct NoBody;

impl Body for NoBody {
    fn sha256(&mut self, _: u64) -> Result<[u8; 32], ContentError> {
        Ok([0; 32])
    }

    fn hold(&mut self, _: u64) -> Result<(), ContentError> {
        Ok(())
    }

    fn held(&self) -> Option<&[u8]> {
        Some(&[])
    }

    fn replace(&mut self, _: Vec<u8>) {}
}

struct NoAcls;

impl Acls for NoAcls {
    fn action(&mut self, _: &str, _: std::net::IpAddr) -> Result<Option<AclAction>, AclUnavailable> {
        Ok(None)
    }
}

/// The decision on a GET of `path` with this token, and the log line.
fn decide(sandbox: &mut Sandbox, stores: &Stores, path: &str, token: &str) -> String {
    let platform =
        Platform { kv: stores, cache: stores, backends: stores, secrets: stores, rates: stores, clock: stores };
    let authorization = format!("Bearer {token}");
    let fields = [
        ("host", "api.bench.example"),
        ("authorization", authorization.as_str()),
        ("accept", "application/json"),
        ("user-agent", "bench/1"),
    ];
    let mut trail = Trail::new(stores.now(), "0123456789abcdef0123456789abcdef", "GET");
    let received = ReceivedRequest {
        head: RequestHead {
            method: "GET".to_owned(),
            target: format!("http://api.bench.example{path}").into_bytes(),
            headers: fields.into_iter().collect::<Headers>(),
            tls: true,
            certificate: None,
        },
        client: Client { address: Some([192, 0, 2, 7].into()), country: Some("DE".to_owned()), ..Client::default() },
        anonymizers: &|| None,
        body: &mut NoBody,
        responses: &mut NoResponses,
        files: &mut AssumedFiles,
        acls: &mut NoAcls,
        elapsed: &|| 0,
        uptime: Duration::ZERO,
    };
    match sandbox.decide(received, &platform, &mut trail).unwrap() {
        Decision::Forward(grant) => drop(black_box(grant)),
        other => panic!("{other:?}: {}", trail.to_line()),
    }
    trail.to_line()
}

/// Prints a row for each kind of request: in a new sandbox, and in one that has served the same request.
pub(crate) fn run() {
    let pair = RS256KeyPair::from_jwk(include_str!("../../tests/signatures/keys/rsa-2048.json")).unwrap();
    let public: Value = serde_json::from_str(&pair.public_key().to_jwk()).unwrap();
    let iss = "https://idp.bench.example";
    let stores = Stores {
        policy: policy(iss).to_string().into_bytes(),
        keys: json!({ "issuer": iss, "keys": [public] }).to_string().into_bytes(),
        signing_keys: fastgate::mint::new_signing_keys().0.into_bytes(),
    };
    let claims = Claims::with_custom_claims(
        json!({ "client_id": "bench", "scope": "read write" }),
        jwt_simple::prelude::Duration::from_hours(1),
    )
    .with_issuer(iss)
    .with_audience("https://api.bench.example")
    .with_subject("user-1")
    .with_jwt_id("1");
    let header = HeaderOptions { content_type: None, signature_type: Some("at+jwt".to_owned()) };
    let token = pair.sign_with_options(claims, &header).unwrap();
    println!("{:12}{:>12}{:>12}", "µs", "new sandbox", "later");
    for (name, path) in [
        ("public EdDSA", "/open/orders/7"),
        ("public MAC", "/shared/open/orders/7"),
        ("token EdDSA", "/orders/7"),
        ("token MAC", "/shared/orders/7"),
    ] {
        let first = microseconds(10, || drop(black_box(decide(&mut Sandbox::default(), &stores, path, &token))));
        let mut sandbox = Sandbox::default();
        let later = microseconds(200, || drop(black_box(decide(&mut sandbox, &stores, path, &token))));
        println!("{name:12}{first:12.0}{later:12.1}");
    }
}
