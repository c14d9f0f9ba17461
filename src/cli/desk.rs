//! The desk: the same walk as at the edge, on a request that somebody describes, with stand-ins for what the platform
//! does there.

mod platform;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry as Slot;
use std::net::IpAddr;
use std::sync::Arc;

use fastgate::gateway::{Decision, Environment, Gateway};
use fastgate::headers::Headers;
use fastgate::identity::Sources;
use fastgate::identity::introspection::NoIntrospector;
use fastgate::identity::keys::KeySet;
use fastgate::identity::rehearsal::{Rehearsed, StandIn};
use fastgate::identity::verdict::NoVerdicts;
use fastgate::mint::{Minter, SigningKeys, SigningKeysError, new_signing_keys};
use fastgate::opening::Switch;
use fastgate::policy::Policy;
use fastgate::request::RequestHead;
use fastgate::surroundings::{Connection, Continent, Proxy, Surroundings};
use fastgate::time::UnixTime;
use fastgate::trail::{Step, Trail};
use serde::Deserialize;
use serde_json::{Map, Value};

use platform::{AlwaysFirst, Counts, DeclaredBody, DescribedAcls, Keys, NobodyDenied};

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
    /// Who signs for the issuers whose tokens are described by claims.
    stand_ins: BTreeMap<String, StandIn>,
    counts: Counts,
    now: UnixTime,
}

/// How the caller of a case shows who it is.
#[derive(Clone, Default)]
pub(super) struct Credentials {
    token: Option<String>,
    certificate: Option<[u8; 32]>,
    /// The keys that stand in for those of one issuer.
    keys: Option<(String, Arc<KeySet>)>,
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
        let (keys, stand_ins) = (BTreeMap::new(), BTreeMap::new());
        Ok(Self { gateway, policy, keys, stand_ins, counts: Counts::default(), now })
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
        let credentials = self.credentials(case)?;
        Ok(self.judge_with(case, &credentials))
    }

    /// How the caller of `case` shows who it is: with its token, or with one that is made of its claims by the rules of
    /// this policy.
    pub(super) fn credentials(&mut self, case: &Case) -> Result<Credentials, String> {
        let Some(claims) = &case.claims else {
            return Ok(Credentials { token: case.token.clone(), ..Credentials::default() });
        };
        let mut issuers = self.policy.issuers().filter(|issuer| case.issuer.as_ref().is_none_or(|id| *id == issuer.id));
        let (Some(issuer), None) = (issuers.next(), issuers.next()) else {
            return Err("which issuer says that? name one of the policy's issuers with --issuer".to_owned());
        };
        let stand_in = match self.stand_ins.entry(issuer.id.clone()) {
            Slot::Occupied(slot) => slot.into_mut(),
            Slot::Vacant(slot) => slot.insert(StandIn::new(issuer).ok_or("no key pair can be made for this issuer")?),
        };
        let Rehearsed { token, certificate } =
            stand_in.token(issuer, claims, self.now).ok_or("no token can be made of these claims")?;
        Ok(Credentials { token: Some(token), certificate, keys: Some((issuer.id.clone(), stand_in.keys())) })
    }

    /// Judges a case whose caller shows `credentials`.
    pub(super) fn judge_with(&mut self, case: &Case, credentials: &Credentials) -> Outcome {
        let mut keys = Keys(self.keys.clone());
        keys.0.extend(credentials.keys.clone());
        let mut headers: Headers = case.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        if headers.all("host").next().is_none() {
            headers.append("host", self.policy.edge().hosts.first().unwrap_or_default());
        }
        if let Some(token) = &credentials.token {
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
        let mut deny_list = NobodyDenied::default();
        let mut environment = Environment {
            now: self.now,
            clock: &|| self.now,
            surroundings: &surroundings,
            acls: &mut DescribedAcls(&case.acls),
            body: &mut DeclaredBody::of(&headers),
            switch: &Switch::default(),
            counter: &mut self.counts,
            sources: Sources {
                keys: &mut keys,
                verdicts: &mut NoVerdicts,
                deny_list: &mut deny_list,
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
            certificate: credentials.certificate,
        };
        let decision = self.gateway.decide(head, &mut environment, &mut trail);
        if deny_list.asked {
            trail.note(Step::Identify, || "the deny list was not asked: nobody counts as revoked here".to_owned());
        }
        Outcome { decision, trail }
    }
}
