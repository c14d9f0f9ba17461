//! The desk: the same walk as at the edge, on a request that somebody describes, with stand-ins for what the platform
//! does there.

mod missing;
mod platform;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry as Slot;
use std::net::IpAddr;
use std::sync::Arc;

use fastgate::availability::KillSwitch;
use fastgate::client::{Anonymizer, Client, Connection, Continent, Fact, Proxy};
use fastgate::gateway::{Decision, Environment, Gateway};
use fastgate::headers::Headers;
use fastgate::identity::Sources;
use fastgate::identity::keys::KeySet;
use fastgate::identity::rehearsal::{Rehearsed, StandIn};
use fastgate::identity::verdict::NoVerdicts;
use fastgate::mint::{Minter, SigningKeys, SigningKeysError, new_signing_keys};
use fastgate::policy::Policy;
use fastgate::request::RequestHead;
use fastgate::strict_json::parse_object;
use fastgate::time::UnixTime;
use fastgate::trail::{Step, Trail};
use serde::Deserialize;
use serde_json::{Map, Value};

use platform::{AclEntry, AlwaysFirst, Counts, DeclaredBody, DescribedAcls, Keys, NobodyAsks, NobodyDenied};

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
    pub(super) address: Option<IpAddr>,
    pub(super) country: Option<String>,
    /// Every fact about the client in one object; excludes the single facts beside it.
    pub(super) client: Option<Client>,
    /// Without the country: `CA`.
    pub(super) region: Option<String>,
    pub(super) continent: Option<Continent>,
    pub(super) asn: Option<u32>,
    pub(super) connection: Option<Connection>,
    pub(super) proxy: Option<Proxy>,
    /// What hides the client; nothing does where the list is empty.
    pub(super) anonymizers: Option<Vec<Anonymizer>>,
    /// What ACLs say of the client, by name.
    pub(super) acls: BTreeMap<String, AclEntry>,
    /// What is not said above because the edge does not know it, either. All else that is not said is missing.
    pub(super) unknown: Vec<Fact>,
}

/// A gateway at the desk, and what is counted and known there.
pub(super) struct Offline {
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
    /// Where the decision hangs on what is not known off the edge and was not described: what to give.
    pub(super) missing: Option<String>,
}

impl Case {
    /// Reads a description: a JSON object in which nothing is said twice.
    ///
    /// # Errors
    /// What is wrong with it, in one line.
    pub(super) fn read(text: &[u8]) -> Result<Self, String> {
        parse_object(text)
            .and_then(|members| serde_json::from_value(Value::Object(members)))
            .map_err(|error| plain(&error))
    }

    /// Whether nothing is said but what is known of the client.
    pub(super) fn is_of_client(&self) -> bool {
        let Self { method, target, headers, token, claims, issuer, .. } = self;
        let shown = token.is_some() || claims.is_some() || issuer.is_some();
        method.is_none() && target.is_empty() && headers.is_empty() && !shown
    }

    /// What the platform knows of the client.
    fn facts_of_client(&self) -> Client {
        let known = || {
            let facts = Client {
                address: self.address,
                continent: self.continent,
                connection: self.connection,
                proxy: self.proxy,
                anonymizers: self.anonymizers.clone(),
                ..Client::default()
            };
            let country = self.country.as_deref().unwrap_or_default();
            facts.located(country, self.region.as_deref(), self.asn.unwrap_or_default())
        };
        self.client.clone().unwrap_or_else(known)
    }

    const fn has_single_facts(&self) -> bool {
        let Self { address, country, region, continent, asn, connection, proxy, anonymizers, .. } = self;
        let located =
            address.is_some() || country.is_some() || region.is_some() || continent.is_some() || asn.is_some();
        located || connection.is_some() || proxy.is_some() || anonymizers.is_some()
    }

    /// Whether it can be taken as it is: nothing in it is overruled by something else, and what it says of the client can
    /// be read, which would count as unknown otherwise.
    fn check(&self) -> Result<(), String> {
        if self.token.is_some() && self.claims.is_some() {
            return Err("token and claims: give one of the two".to_owned());
        }
        if self.issuer.is_some() && self.claims.is_none() {
            return Err("issuer: it says whose the claims are; give claims, too, or leave it out".to_owned());
        }
        let Client { country, subdivision, .. } = self.facts_of_client();
        match (&self.country, &self.region) {
            _ if self.client.is_some() && self.has_single_facts() => {
                Err("client: it holds every fact about the client; leave the single facts out".to_owned())
            }
            _ if self.client.is_some() => Ok(()),
            (Some(given), _) if country.is_none() => {
                Err(format!("country \"{given}\": not a code of ISO 3166-1, such as \"DE\""))
            }
            (_, Some(given)) if subdivision.is_none() => Err(format!(
                "region \"{given}\": write it without the country, \"CA\" and not \"US-CA\", and give the country, too"
            )),
            _ => Ok(()),
        }
    }
}

/// What is wrong with JSON that stands in one line.
pub(super) fn plain(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.rsplit_once(" at line 1 column ") {
        Some((what, column)) => format!("{what} at column {column}"),
        None => text,
    }
}

impl Offline {
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
        case.check()?;
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
        let mut keys = Keys { sets: self.keys.clone(), missing: None };
        keys.sets.extend(credentials.keys.clone());
        let mut headers: Headers = case.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        if headers.all("host").next().is_none() {
            headers.append("host", self.policy.edge().hosts.first().unwrap_or_default());
        }
        if let Some(token) = &credentials.token {
            headers.append("authorization", format!("Bearer {token}"));
        }
        let method = case.method.clone().unwrap_or_else(|| "GET".to_owned());
        let client = case.facts_of_client();
        let mut trail = Trail::new(self.now, "offline", &method).with_notes();
        let (mut deny_list, mut replays) = (NobodyDenied::default(), AlwaysFirst::default());
        let mut introspector = NobodyAsks::default();
        let mut environment = Environment {
            now: self.now,
            clock: &|| self.now,
            client: &client,
            acls: &mut DescribedAcls(&case.acls),
            body: &mut DeclaredBody::of(&headers),
            kill_switch: &KillSwitch::default(),
            counter: &mut self.counts,
            sources: Sources {
                keys: &mut keys,
                verdicts: &mut NoVerdicts,
                deny_list: &mut deny_list,
                introspector: &mut introspector,
                replays: &mut replays,
                nonces: self.gateway.nonces(),
            },
            elapsed: &|| 0,
        };
        let head = RequestHead {
            method,
            target: case.target.clone().into(),
            headers,
            tls: true,
            certificate: credentials.certificate,
        };
        let decision = self.gateway.decide(head, &mut environment, &mut trail);
        if deny_list.asked {
            trail.note(Step::Identify, || "the deny list was not asked: nobody counts as revoked here".to_owned());
        }
        if replays.asked {
            trail.note(Step::Identify, || {
                "whether the proof was used before was not asked: it counts as new here".to_owned()
            });
        }
        let of_client = missing::of_client(&self.policy, case, &client, &mut trail);
        let missing = of_client.or(keys.missing).or(introspector.missing).or_else(|| missing::of_token(case, &trail));
        Outcome { decision, trail, missing }
    }
}
