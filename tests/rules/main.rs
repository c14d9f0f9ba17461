//! The rules at the desk: the library's own walk, without a guest.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::too_many_lines,
    clippy::needless_pass_by_value,
    missing_docs,
    reason = "a test says what went wrong by panicking, has clocks, and a table is as long as it is"
)]

mod check;
mod desk;
mod diff;
mod example;
mod explain;
mod limits;
mod overlap;
mod places;
mod requests;
mod terminal;
mod tour;
mod who;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use desk::Provider;
use fastgate::availability::KillSwitch;
use fastgate::client::Client;
use fastgate::gateway::{Decision, Environment, Gateway};
use fastgate::headers::Headers;
use fastgate::identity::deny_list::NoDenyList;
use fastgate::identity::introspection::NoIntrospector;
use fastgate::identity::keys::KeySet;
use fastgate::identity::replay::{ProofId, Replays, ReplaysUnreachable};
use fastgate::identity::verdict::NoVerdicts;
use fastgate::identity::{KeySource, KeysUnavailable, Sources, Wanted};
use fastgate::mint::{Minter, SigningKeys, new_signing_keys};
use fastgate::place::{AclAction, AclUnavailable, Acls};
use fastgate::policy::limits::Limit;
use fastgate::policy::{Issuer, Policy};
use fastgate::request::RequestHead;
use fastgate::throttle::{Counter, CounterUnreachable, Taken, Window};
use fastgate::time::UnixTime;
use fastgate::trail::Trail;
use serde_json::{Value, json};

pub(crate) const NOW: u64 = 1_800_000_000;

/// A gate at the desk, and the two providers that it trusts.
pub(crate) struct Desk {
    gateway: Gateway,
    pub(crate) main: Provider,
    pub(crate) partner: Provider,
    pub(crate) client: Client,
    pub(crate) switch: KillSwitch,
    pub(crate) now: Cell<u64>,
    pub(crate) counter: RefCell<Counts>,
}

/// A request in the making.
pub(crate) struct Ask {
    pub(crate) method: &'static str,
    pub(crate) target: String,
    pub(crate) fields: Vec<(String, String)>,
    pub(crate) client: IpAddr,
}

/// The opening handshake of a WebSocket (RFC 6455 §4.1), but for its `Connection`.
pub(crate) fn handshake(target: &str) -> Ask {
    get(target)
        .field("upgrade", "websocket")
        .field("sec-websocket-version", "13")
        .field("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
}

pub(crate) fn get(target: &str) -> Ask {
    let client = IpAddr::from([198, 51, 100, 7]);
    Ask { method: "GET", target: target.to_owned(), fields: vec![("host".into(), "edge.test".into())], client }
}

impl Ask {
    pub(crate) fn field(mut self, name: &str, value: &str) -> Self {
        self.fields.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn bearer(self, token: &str) -> Self {
        self.field("authorization", &format!("Bearer {token}"))
    }
}

impl Desk {
    pub(crate) fn new(parts: &Value) -> Self {
        let policy = Policy::parse(desk::policy(parts).to_string().as_bytes()).unwrap();
        let keys = SigningKeys::parse(new_signing_keys().0.as_bytes()).unwrap();
        Self {
            gateway: Gateway::new(policy, Minter::new(keys)),
            main: Provider::new("https://idp.test"),
            partner: Provider::new("https://partner.test"),
            client: Client::default(),
            switch: KillSwitch::default(),
            now: Cell::new(NOW),
            counter: RefCell::default(),
        }
    }

    pub(crate) fn token(&self, claims: Value) -> String {
        self.main.token(NOW, claims)
    }

    pub(crate) fn decide(&self, ask: Ask) -> (Decision, Value) {
        let head = RequestHead {
            method: ask.method.to_owned(),
            target: ask.target.into_bytes(),
            headers: ask.fields.into_iter().collect::<Headers>(),
            tls: true,
            certificate: None,
        };
        let mut trail = Trail::new(UnixTime::from_seconds(NOW), "id", ask.method);
        let mut environment = Environment {
            body: &mut fastgate::content::NoBody,
            now: UnixTime::from_seconds(self.now.get()),
            clock: &|| UnixTime::from_seconds(self.now.get()),
            client: &Client { address: Some(ask.client), ..self.client.clone() },
            acls: &mut NoAcls,
            kill_switch: &self.switch,
            counter: &mut *self.counter.borrow_mut(),
            sources: Sources {
                keys: &mut Keys(self),
                verdicts: &mut NoVerdicts,
                deny_list: &mut NoDenyList,
                introspector: &mut NoIntrospector,
                replays: &mut NoReplays,
                nonces: self.gateway.nonces(),
            },
            elapsed: &|| 0,
        };
        let decision = self.gateway.decide(head, &mut environment, &mut trail);
        (decision, serde_json::from_str(&trail.to_line()).unwrap())
    }

    /// The code of the refusal, or `forwarded`.
    pub(crate) fn verdict(&self, ask: Ask) -> String {
        self.decide(ask).1["verdict"].as_str().unwrap().to_owned()
    }
}

/// An exact counter in memory; one that cannot be asked once it is broken.
#[derive(Default)]
pub(crate) struct Counts {
    windows: BTreeMap<String, Window>,
    pub(crate) broken: bool,
}

impl Counter for Counts {
    fn take(&mut self, limit: &Limit, key: &str, cost: u64, now: UnixTime) -> Result<Taken, CounterUnreachable> {
        if self.broken {
            return Err(CounterUnreachable("broken".to_owned()));
        }
        let (window, taken) = Window::take(self.windows.get(key).copied(), limit, cost, now);
        self.windows.insert(key.to_owned(), Window::from_record(window.to_record().as_bytes()).unwrap());
        Ok(taken)
    }
}

/// No proof was used before that could be asked for at the desk.
struct NoReplays;

impl Replays for NoReplays {
    fn is_first(&mut self, _: &ProofId, _: u64) -> Result<bool, ReplaysUnreachable> {
        Err(ReplaysUnreachable("nobody remembers".to_owned()))
    }
}

/// No ACL can be asked at the desk.
pub(crate) struct NoAcls;

impl Acls for NoAcls {
    fn action(&mut self, _: &str, _: IpAddr) -> Result<Option<AclAction>, AclUnavailable> {
        Err(AclUnavailable)
    }
}

struct Keys<'desk>(&'desk Desk);

impl KeySource for Keys<'_> {
    fn keys(&mut self, issuer: &Issuer, _: Wanted) -> Result<Arc<KeySet>, KeysUnavailable> {
        let provider = if issuer.id == "main" { &self.0.main } else { &self.0.partner };
        Ok(Arc::new(KeySet::parse(provider.jwks().as_bytes()).unwrap()))
    }
}

/// The claims of the identity header of a forwarded request.
pub(crate) fn minted(decision: &Decision) -> Value {
    use base64::Engine as _;
    let Decision::Forward(grant) = decision else { panic!("not forwarded: {decision:?}") };
    let token = grant.headers().all("fastgate-identity").next().unwrap();
    let payload = token.split(|byte| *byte == b'.').nth(1).unwrap();
    serde_json::from_slice(&base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
}

/// A route for `GET`, and what `parts` adds to it.
pub(crate) fn route(path: &str, parts: &Value) -> Value {
    let mut route = json!({ "id": "route", "path": path, "methods": ["GET"] });
    route.as_object_mut().unwrap().extend(parts.as_object().cloned().unwrap());
    route
}

/// The faults of a policy, `place: fault`.
pub(crate) fn faults(parts: &Value) -> Vec<String> {
    let faults = Policy::parse(desk::policy(parts).to_string().as_bytes()).unwrap_err();
    faults.0.iter().map(ToString::to_string).collect()
}
