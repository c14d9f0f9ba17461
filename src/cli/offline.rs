//! The edge's pipeline, run offline on a described request, with fake ports instead of the platform.

mod case;
mod missing_facts;
mod platform;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry as Slot;
use std::sync::Arc;

use fastgate::availability::KillSwitch;
use fastgate::caching::{Generations, NoResponses};
use fastgate::gateway::{Decision, Environment, Gateway};
use fastgate::headers::Headers;
use fastgate::identity::Sources;
use fastgate::identity::keys::KeySet;
use fastgate::identity::sample_token::{SampleIssuer, SampleToken, accepted, put};
use fastgate::identity::signature_cache::NoSignatureCache;
use fastgate::mint::{SigningKeys, SigningKeysError, new_signing_keys};
use fastgate::policy::Policy;
use fastgate::request::RequestHead;
use fastgate::respond::AssumedFiles;
use fastgate::time::UnixTime;
use fastgate::trail::{Step, Trail};

pub(super) use case::{Case, plain};
use platform::{
    Counts, DeclaredBody, DescribedAcls, DescribedHealth, EmptyDenyList, Keys, NoIntrospector, NoUsedProofs,
};

/// A gateway with its counts and key sets.
pub(super) struct Offline {
    gateway: Gateway,
    policy: Policy,
    pub(super) keys: BTreeMap<String, Arc<KeySet>>,
    /// The signers of sample tokens, by issuer.
    signers: BTreeMap<String, SampleIssuer>,
    counts: Counts,
    now: UnixTime,
}

/// The credentials of the caller of a case.
#[derive(Clone, Default)]
pub(super) struct Credentials {
    token: Option<String>,
    certificate: Option<[u8; 32]>,
    /// The key set of the sample token, by issuer.
    keys: Option<(String, Arc<KeySet>)>,
}

/// The decision on a case.
pub(super) struct Outcome {
    pub(super) decision: Decision,
    pub(super) trail: Trail,
    /// The missing fact, if the decision depends on one that only the edge knows and that was not described.
    pub(super) missing: Option<String>,
}

impl Offline {
    pub(super) fn new(policy: Policy, now: UnixTime) -> Result<Self, SigningKeysError> {
        let keys = SigningKeys::parse(new_signing_keys().0.as_bytes())?;
        let gateway = Gateway::new(policy.clone(), keys);
        let (keys, signers) = (BTreeMap::new(), BTreeMap::new());
        Ok(Self { gateway, policy, keys, signers, counts: Counts::default(), now })
    }

    /// The policy that decides.
    pub(super) const fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Sets the clock.
    pub(super) const fn set_time(&mut self, now: UnixTime) {
        self.now = now;
    }

    /// Decides on a case. The error is the reason why there is no outcome.
    pub(super) fn decide(&mut self, case: &Case) -> Result<Outcome, String> {
        case.check()?;
        let credentials = self.credentials(case)?;
        Ok(self.decide_with(case, &credentials))
    }

    /// Why no issuer, or more than one, could have issued the claims.
    fn unclear_issuer(&self, named: Option<&str>) -> String {
        let known: Vec<_> = self.policy.issuers().map(|issuer| format!("\"{}\"", issuer.id)).collect();
        let known = known.join(", ");
        match named {
            Some(id) => format!("\"{id}\" is not an issuer of the policy, which has {known}"),
            None => format!("which issuer do the claims belong to? name one with --issuer: {known}"),
        }
    }

    /// The credentials of the caller of `case`: its token, or a sample token that is made from its claims by the rules
    /// of this policy.
    pub(super) fn credentials(&mut self, case: &Case) -> Result<Credentials, String> {
        let Some(mut claims) = case.claims.clone() else {
            return Ok(Credentials { token: case.token.clone(), ..Credentials::default() });
        };
        let mut issuers =
            self.policy.issuers().filter(|issuer| case.issuer.as_ref().is_none_or(|id| issuer.id == id.as_str()));
        let (Some(issuer), None) = (issuers.next(), issuers.next()) else {
            return Err(self.unclear_issuer(case.issuer.as_deref()));
        };
        let signer = match self.signers.entry(issuer.id.to_string()) {
            Slot::Occupied(slot) => slot.into_mut(),
            Slot::Vacant(slot) => {
                slot.insert(SampleIssuer::new(issuer).ok_or("no key pair can be made for this issuer")?)
            }
        };
        // Of the audiences of the issuer, the route may accept only some.
        let audience = case.route(&self.policy).and_then(|route| route.audiences_of(issuer).first());
        if let Some((path, audience)) = accepted(&issuer.shape.audience, issuer).next().zip(audience) {
            put(&mut claims, path, audience.as_str().into());
        }
        let SampleToken { token, certificate } =
            signer.token(issuer, &claims, self.now).ok_or("no token can be made from these claims")?;
        Ok(Credentials { token: Some(token), certificate, keys: Some((issuer.id.to_string(), signer.keys())) })
    }

    /// Decides on a case whose caller has `credentials`.
    pub(super) fn decide_with(&mut self, case: &Case, credentials: &Credentials) -> Outcome {
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
        let mut trail = Trail::new(self.now, case.request_id.as_deref().unwrap_or("offline"), &method).with_notes();
        let (mut deny_list, mut used_proofs) = (EmptyDenyList::default(), NoUsedProofs::default());
        let mut introspector = NoIntrospector::default();
        let mut environment = Environment {
            now: self.now,
            clock: &|| self.now,
            client: &client,
            acls: &mut DescribedAcls(&case.acls),
            body: &mut DeclaredBody::of(&headers),
            kill_switch: &KillSwitch::default(),
            responses: &mut NoResponses,
            files: &mut AssumedFiles,
            generations: Some(&Generations::default()),
            health: &mut DescribedHealth(&case.skipped),
            counter: &mut self.counts,
            sources: Sources {
                keys: &mut keys,
                signatures: &mut NoSignatureCache,
                deny_list: &mut deny_list,
                introspector: &mut introspector,
                used_proofs: &mut used_proofs,
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
        if deny_list.was_read {
            trail.note(Step::Identify, || {
                "the deny-list was not read: every token counts as not revoked here".to_owned()
            });
        }
        if used_proofs.was_read {
            trail.note(Step::Identify, || {
                "the record of used proofs was not read: the proof counts as new here".to_owned()
            });
        }
        let of_client = missing_facts::of_client(&self.policy, case, &client, &mut trail)
            .or_else(|| missing_facts::of_region(&self.policy, case, &client, &trail));
        let missing =
            of_client.or(keys.missing).or(introspector.missing).or_else(|| missing_facts::of_token(case, &trail));
        Outcome { decision, trail, missing }
    }
}
