//! The key of a stored response: a digest of everything that the response may depend on.

use sha2::{Digest as _, Sha256};

use crate::backend::Assignment;
use crate::digest::add_parts;
use crate::headers::Headers;
use crate::identity::{Caller, Identity};
use crate::inference::Admission;
use crate::policy::{Access, CacheRule, Origin, Route, SharedFact};
use crate::rewrite::OriginTarget;

/// The first part of every digest. It changes if the form of what is stored changes.
const FORM: &str = "fastgate response 3";

/// What a response depends on, besides the caller.
#[derive(Clone, Copy)]
pub(super) struct Source<'request> {
    pub(super) route: &'request Route,
    pub(super) rule: &'request CacheRule,
    /// The request as the origin receives it.
    pub(super) target: &'request OriginTarget,
    pub(super) assignment: &'request Assignment,
    /// The purge generation of the origin.
    pub(super) generation: u64,
    /// The request to a model, if the response depends on its body.
    pub(super) admission: Option<&'request Admission>,
}

/// The key of a stored response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CacheKey([u8; 32]);

impl CacheKey {
    /// The key of the response to a request; `None` if the caller lacks a fact of the audience, and for an anonymous
    /// caller unless the response is for all.
    ///
    /// It consists of what the route's declaration and its origin are, the purge generation, the request in the form that
    /// the origin receives, the declared request fields, and the declared facts about the caller. Every part has its
    /// length before it, and every list its number of elements, so no part can look like another.
    pub(super) fn of(source: &Source<'_>, caller: &Caller) -> Option<Self> {
        let &Source { route, rule, target, assignment, generation, admission } = source;
        let mut parts = Parts(Sha256::new());
        parts.text(FORM);
        parts.route(route, route.origin()?, rule);
        parts.text(&generation.to_string());
        // The signed header names the region, and the version decides what runs.
        parts.list(&assignment.regions);
        parts.list(&assignment.version.iter().collect::<Vec<_>>());
        let received = target.received();
        for part in [received.scheme(), received.host(), target.path().encoded(), received.query()] {
            parts.text(part);
        }
        let bodies: Vec<_> = admission.iter().filter_map(|admission| admission.repeatable).collect();
        parts.list(&bodies);
        if let Some(admission) = admission {
            // The signed header has both names.
            parts.list(&[&admission.model, &admission.model_at_origin]);
            parts.list(&target.headers().all("content-type").collect::<Vec<_>>());
        }
        for name in &rule.vary {
            let values: Vec<_> = target.headers().all(name).map(<[u8]>::trim_ascii).collect();
            parts.list(&values);
        }
        if !rule.audience.is_empty() {
            let Caller::Known(identity) = caller else { return None };
            parts.text(identity.issuer());
            for fact in &rule.audience {
                parts.fact(fact, identity)?;
            }
        }
        Some(Self(parts.0.finalize().into()))
    }

    /// The key under which requests wait for each other that find the response stored at `moment` too old to be sent,
    /// while another request renews it.
    pub(super) fn while_renewed(&self, moment: u64) -> Self {
        let mut parts = Parts(Sha256::new());
        parts.list(&[b"renewed".as_slice(), self.0.as_slice(), moment.to_string().as_bytes()]);
        Self(parts.0.finalize().into())
    }

    /// The key in the cache of the POP.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        [b"fastgate/live/response/".as_slice(), &self.0].concat()
    }
}

struct Parts(Sha256);

impl Parts {
    fn text(&mut self, text: &str) {
        add_parts(&mut self.0, [text]);
    }

    fn list<P: AsRef<[u8]>>(&mut self, parts: &[P]) {
        self.text(&parts.len().to_string());
        add_parts(&mut self.0, parts);
    }

    /// What the response depends on besides the request: another policy has other keys.
    fn route(&mut self, route: &Route, origin: &Origin, rule: &CacheRule) {
        // The signed header names the route, and the scopes that it requires.
        self.text(route.id.as_str());
        let required = match &route.access {
            Access::Authenticated { all_callers, .. } => all_callers.scopes.as_slice(),
            Access::Public | Access::Optional => &[],
        };
        self.list(required);
        self.list(&route.forward.claims.keys().collect::<Vec<_>>());
        self.text(route.template.as_str());
        self.text(route.template_at_origin().as_str());
        self.list(&origin.backends.all.iter().map(|backend| backend.name.as_str()).collect::<Vec<_>>());
        self.text(origin.audience.as_str());
        let edits = &route.request_fields;
        self.fields(&edits.set);
        self.list(&edits.remove);
        let seconds = [rule.ttl, rule.stale_while_revalidate, rule.stale_if_error];
        self.list(&seconds.map(|length| length.to_string()));
        self.list(&rule.vary);
        self.text(&rule.audience.len().to_string());
    }

    fn fields(&mut self, fields: &Headers) {
        self.text(&fields.count().to_string());
        for (name, value) in fields.iter() {
            add_parts(&mut self.0, [name.as_bytes(), value]);
        }
    }

    /// The kind of a fact, and its value for this caller; `None` if there is none.
    fn fact(&mut self, fact: &SharedFact, identity: &Identity) -> Option<()> {
        match fact {
            SharedFact::Tenant => self.list(&["tenant", identity.tenant()?]),
            SharedFact::Caller => self.list(&["caller", identity.subject()]),
            SharedFact::Roles => {
                self.text("roles");
                self.list(identity.roles());
            }
            SharedFact::Groups => {
                self.text("groups");
                self.list(identity.groups());
            }
            SharedFact::Claim(path) => {
                let claim = identity.claim(path).filter(|claim| !claim.is_null())?;
                self.text("claim");
                self.list(&path.steps().collect::<Vec<_>>());
                self.text(&claim.to_string());
            }
        }
        Some(())
    }
}
