//! Tokens that are good no longer, and tokens that say nothing themselves: the library's own walk, without a guest.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::needless_pass_by_value,
    reason = "a test that cannot go on has failed, and tests have clocks"
)]

#[path = "../rules/desk.rs"]
mod desk;

mod deny_list;
mod introspection;
mod revoke;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use desk::Provider;
use fastgate::client::Client;
use fastgate::gateway::{Decision, Environment, Gateway};
use fastgate::identity::deny_list::{DenyList, DenyListUnavailable, Entry, Mark};
use fastgate::identity::introspection::{IntrospectionUnavailable, Introspector};
use fastgate::identity::keys::KeySet;
use fastgate::identity::replay::{ProofId, Replays, ReplaysUnreachable};
use fastgate::identity::verdict::NoVerdicts;
use fastgate::identity::{KeySource, KeysUnavailable, Sources, Wanted};
use fastgate::mint::{Minter, SigningKeys, new_signing_keys};
use fastgate::place::{AclAction, AclUnavailable, Acls};
use fastgate::policy::limits::Limit;
use fastgate::policy::{Introspection, Issuer, Policy};
use fastgate::request::RequestHead;
use fastgate::secret::Secret;
use fastgate::throttle::{Counter, CounterUnreachable, Taken};
use fastgate::time::UnixTime;
use fastgate::trail::Trail;
use serde_json::{Value, json};

pub(crate) const NOW: u64 = 1_800_000_000;

/// A gate at the desk with one route for whoever has a good token.
pub(crate) struct Desk {
    gateway: Gateway,
    pub(crate) main: Provider,
    pub(crate) partner: Provider,
    pub(crate) list: RefCell<List>,
    pub(crate) provider: RefCell<Answers>,
}

/// A provider that answers about one token, and who was asked about what.
#[derive(Default)]
pub(crate) struct Answers {
    pub(crate) answer: Option<String>,
    pub(crate) asked: Vec<(String, String)>,
}

impl Introspector for Answers {
    fn ask(
        &mut self,
        issuer: &Issuer,
        _: &Introspection,
        token: &Secret<&str>,
    ) -> Result<Vec<u8>, IntrospectionUnavailable> {
        self.asked.push((issuer.id.clone(), (*token.expose()).to_owned()));
        let unavailable = || IntrospectionUnavailable { issuer: issuer.id.clone(), cause: "no answer".to_owned() };
        self.answer.clone().map(String::into_bytes).ok_or_else(unavailable)
    }
}

/// A deny-list in memory, by the keys of the KV store.
#[derive(Default)]
pub(crate) struct List {
    pub(crate) entries: BTreeMap<String, String>,
    pub(crate) broken: bool,
    /// How many marks each asking was about.
    pub(crate) asked: Vec<usize>,
}

impl DenyList for List {
    fn entries(&mut self, marks: &[Mark], _: u64) -> Result<Vec<(Mark, Entry)>, DenyListUnavailable> {
        self.asked.push(marks.len());
        if self.broken {
            return Err(DenyListUnavailable { cause: "broken".to_owned() });
        }
        let entry =
            |mark: &Mark| self.entries.get(&mark.store_key()).map(|json| (*mark, Entry::parse(json.as_bytes())));
        Ok(marks.iter().filter_map(entry).collect())
    }
}

/// A policy with one route, whose issuer "main" says `main` besides.
pub(crate) fn policy(main: &Value) -> Value {
    let mut policy = desk::policy(&json!({ "routes": [
        { "id": "me", "path": "/me", "methods": ["GET"] },
        { "id": "maybe", "path": "/maybe", "methods": ["GET"], "access": "optional" },
    ]}));
    policy["issuers"]["main"].as_object_mut().unwrap().extend(main.as_object().cloned().unwrap());
    policy
}

impl Desk {
    pub(crate) fn new(main: &Value) -> Self {
        let policy = Policy::parse(policy(main).to_string().as_bytes()).unwrap();
        let keys = SigningKeys::parse(new_signing_keys().0.as_bytes()).unwrap();
        Self {
            gateway: Gateway::new(policy, Minter::new(keys)),
            main: Provider::new("https://idp.test"),
            partner: Provider::new("https://partner.test"),
            list: RefCell::default(),
            provider: RefCell::default(),
        }
    }

    pub(crate) fn decide(&self, path: &str, token: &str) -> (Decision, Value) {
        let fields = [("host", "edge.test".to_owned()), ("authorization", format!("Bearer {token}"))];
        let head = RequestHead {
            method: "GET".to_owned(),
            target: path.as_bytes().to_vec(),
            headers: fields.into_iter().collect(),
            tls: true,
            certificate: None,
        };
        let mut trail = Trail::new(UnixTime::from_seconds(NOW), "id", "GET");
        let mut environment = Environment {
            body: &mut fastgate::content::NoBody,
            kill_switch: &fastgate::availability::KillSwitch::default(),
            now: UnixTime::from_seconds(NOW),
            clock: &|| UnixTime::from_seconds(NOW),
            client: &Client { address: Some(IpAddr::from([198, 51, 100, 7])), ..Client::default() },
            acls: &mut Nobody,
            counter: &mut Nobody,
            sources: Sources {
                keys: &mut Keys(self),
                verdicts: &mut NoVerdicts,
                deny_list: &mut *self.list.borrow_mut(),
                introspector: &mut *self.provider.borrow_mut(),
                replays: &mut Nobody,
                nonces: self.gateway.nonces(),
            },
            elapsed: &|| 0,
        };
        let decision = self.gateway.decide(head, &mut environment, &mut trail);
        (decision, serde_json::from_str(&trail.to_line()).unwrap())
    }

    /// The code of the refusal, or `forwarded`.
    pub(crate) fn verdict(&self, token: &str) -> String {
        self.decide("/me", token).1["verdict"].as_str().unwrap().to_owned()
    }
}

/// Neither ACLs nor counters can be asked, and nobody asks.
struct Nobody;

impl Acls for Nobody {
    fn action(&mut self, _: &str, _: IpAddr) -> Result<Option<AclAction>, AclUnavailable> {
        Err(AclUnavailable)
    }
}

impl Replays for Nobody {
    fn is_first(&mut self, _: &ProofId, _: u64) -> Result<bool, ReplaysUnreachable> {
        Ok(true)
    }
}

impl Counter for Nobody {
    fn take(&mut self, _: &Limit, _: &str, _: u64, _: UnixTime) -> Result<Taken, CounterUnreachable> {
        Err(CounterUnreachable("nobody counts".to_owned()))
    }
}

struct Keys<'desk>(&'desk Desk);

impl KeySource for Keys<'_> {
    fn keys(&mut self, issuer: &Issuer, _: Wanted) -> Result<Arc<KeySet>, KeysUnavailable> {
        let provider = if issuer.id == "main" { &self.0.main } else { &self.0.partner };
        Ok(Arc::new(KeySet::parse(provider.jwks().as_bytes()).unwrap()))
    }
}
