//! The desk: the same walk as at the edge, on a request that somebody describes, with stand-ins for what the platform
//! does there.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use fastgate::content::NoBody;
use fastgate::gateway::{Decision, Environment, Gateway};
use fastgate::headers::Headers;
use fastgate::identity::deny_list::NoDenyList;
use fastgate::identity::introspection::NoIntrospector;
use fastgate::identity::keys::KeySet;
use fastgate::identity::rehearsal::rehearse;
use fastgate::identity::replay::{ProofId, Replays, ReplaysUnreachable};
use fastgate::identity::verdict::NoVerdicts;
use fastgate::identity::{KeySource, KeysUnavailable, Sources, Wanted};
use fastgate::mint::{Minter, SigningKeys, SigningKeysError, new_signing_keys};
use fastgate::opening::Switch;
use fastgate::place::{AclAction, AclUnavailable, Acls};
use fastgate::policy::limits::Limit;
use fastgate::policy::{Issuer, Policy};
use fastgate::request::RequestHead;
use fastgate::surroundings::{Connection, Continent, Proxy, Surroundings};
use fastgate::throttle::{Counter, CounterUnreachable, Taken, Window};
use fastgate::time::UnixTime;
use fastgate::trail::Trail;
use serde::Deserialize;
use serde_json::{Map, Value};

/// A request, described.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Case {
    pub(super) method: Option<String>,
    /// Path and query.
    pub(super) target: String,
    pub(super) headers: Vec<(String, String)>,
    /// Sent as `Authorization: Bearer`.
    pub(super) token: Option<String>,
    /// What the token says, where there is none: one is made for the occasion.
    pub(super) claims: Option<Map<String, Value>>,
    /// The policy's id of the issuer that says it; the only one where there is one.
    pub(super) issuer: Option<String>,
    pub(super) client: Option<IpAddr>,
    pub(super) country: Option<String>,
    /// What the platform knows of the client, as a whole; the single facts below and above are nothing then.
    pub(super) surroundings: Option<Surroundings>,
    /// Without the country: `CA`.
    pub(super) region: Option<String>,
    pub(super) continent: Option<Continent>,
    pub(super) asn: Option<u32>,
    pub(super) connection: Option<Connection>,
    pub(super) proxy: Option<Proxy>,
    /// What ACLs say of the client: `allow`, `block` or `none`, by name.
    pub(super) acls: BTreeMap<String, String>,
}

/// A gateway at the desk, and what is counted and known there.
pub(super) struct Desk {
    gateway: Gateway,
    policy: Policy,
    pub(super) keys: BTreeMap<String, Arc<KeySet>>,
    counts: Counts,
    now: UnixTime,
}

/// What became of a case.
pub(super) struct Outcome {
    pub(super) decision: Decision,
    pub(super) trail: Trail,
}

impl Desk {
    pub(super) fn new(policy: Policy, now: UnixTime) -> Result<Self, SigningKeysError> {
        let keys = SigningKeys::parse(new_signing_keys().0.as_bytes())?;
        let gateway = Gateway::new(policy.clone(), Minter::new(keys));
        Ok(Self { gateway, policy, keys: BTreeMap::new(), counts: Counts::default(), now })
    }

    /// The policy that judges.
    pub(super) const fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Sets the clock.
    pub(super) const fn set_time(&mut self, now: UnixTime) {
        self.now = now;
    }

    /// Judges a case, or says why it cannot be put to the gateway.
    pub(super) fn judge(&mut self, case: &Case) -> Result<Outcome, String> {
        let mut keys = Keys(self.keys.clone());
        let mut headers: Headers = case.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        if headers.all("host").next().is_none() {
            headers.append("host", self.policy.edge().hosts.first().unwrap_or_default());
        }
        let token = match &case.claims {
            Some(claims) => {
                let (token, issuer, set) = self.rehearsed(case, claims)?;
                keys.0.insert(issuer, Arc::new(set));
                Some(token)
            }
            None => case.token.clone(),
        };
        if let Some(token) = token {
            headers.append("authorization", format!("Bearer {token}"));
        }
        let method = case.method.clone().unwrap_or_else(|| "GET".to_owned());
        let surroundings = Surroundings {
            continent: case.continent,
            connection: case.connection,
            proxy: case.proxy,
            ..Surroundings::default()
        };
        let country = case.country.as_deref().unwrap_or_default();
        let located = surroundings.located(country, case.region.as_deref(), case.asn.unwrap_or_default());
        let surroundings = case.surroundings.clone().unwrap_or(located);
        let mut trail = Trail::new(self.now, "desk", &method).with_notes();
        let mut environment = Environment {
            now: self.now,
            clock: &|| self.now,
            surroundings: &surroundings,
            acls: &mut DescribedAcls(&case.acls),
            body: &mut NoBody,
            switch: &Switch::default(),
            counter: &mut self.counts,
            sources: Sources {
                keys: &mut keys,
                verdicts: &mut NoVerdicts,
                deny_list: &mut NoDenyList,
                introspector: &mut NoIntrospector,
                replays: &mut AlwaysFirst,
                nonces: self.gateway.nonces(),
            },
            elapsed: &|| 0,
        };
        let head = RequestHead {
            method,
            target: case.target.clone().into(),
            headers,
            client: case.client,
            tls: true,
            certificate: None,
        };
        let decision = self.gateway.decide(head, &mut environment, &mut trail);
        Ok(Outcome { decision, trail })
    }

    fn rehearsed(&self, case: &Case, claims: &Map<String, Value>) -> Result<(String, String, KeySet), String> {
        let mut issuers = self.policy.issuers().filter(|issuer| case.issuer.as_ref().is_none_or(|id| *id == issuer.id));
        let (Some(issuer), None) = (issuers.next(), issuers.next()) else {
            return Err("which issuer says that? name one of the policy's issuers with --issuer".to_owned());
        };
        let (token, keys) = rehearse(issuer, claims, self.now).ok_or("no token can be made of these claims")?;
        Ok((token, issuer.id.clone(), keys))
    }
}

/// At the desk a proof of possession is seen once.
struct AlwaysFirst;

impl Replays for AlwaysFirst {
    fn is_first(&mut self, _: &ProofId, _: u64) -> Result<bool, ReplaysUnreachable> {
        Ok(true)
    }
}

struct Keys(BTreeMap<String, Arc<KeySet>>);

impl KeySource for Keys {
    fn keys(&mut self, issuer: &Issuer, _: Wanted) -> Result<Arc<KeySet>, KeysUnavailable> {
        self.0.get(&issuer.id).cloned().ok_or_else(|| KeysUnavailable {
            issuer: issuer.id.clone(),
            cause: format!("give the issuer's key set with --jwks {}=FILE, or --claims instead of a token", issuer.id),
        })
    }
}

struct DescribedAcls<'case>(&'case BTreeMap<String, String>);

impl Acls for DescribedAcls<'_> {
    fn action(&mut self, acl: &str, _: IpAddr) -> Result<Option<AclAction>, AclUnavailable> {
        match self.0.get(acl).map(String::as_str) {
            Some("allow") => Ok(Some(AclAction::Allow)),
            Some("block") => Ok(Some(AclAction::Block)),
            Some("none") => Ok(None),
            _ => Err(AclUnavailable),
        }
    }
}

/// Exact counts that begin with the call.
#[derive(Default)]
struct Counts(BTreeMap<String, Window>);

impl Counter for Counts {
    fn take(&mut self, limit: &Limit, key: &str, cost: u64, now: UnixTime) -> Result<Taken, CounterUnreachable> {
        let (window, taken) = Window::take(self.0.get(key).copied(), limit, cost, now);
        self.0.insert(key.to_owned(), window);
        Ok(taken)
    }
}
