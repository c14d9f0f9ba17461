//! Fake ports, which replace the platform when a request is decided offline.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use fastgate::backend::{Health, Outcome};
use fastgate::content::{Body, ContentError};
use fastgate::headers::Headers;
use fastgate::identity::deny_list::{DenyList, DenyListUnavailable, Entry, RevocationKey};
use fastgate::identity::dpop::used::{ProofId, UsedProofs, UsedProofsUnreachable};
use fastgate::identity::introspection::{IntrospectionUnavailable, Introspector};
use fastgate::identity::keys::KeySet;
use fastgate::identity::{KeySource, KeysUnavailable, Wanted};
use fastgate::place::{AclAction, AclUnavailable, Acls};
use fastgate::policy::limits::Limit;
use fastgate::policy::{Backend, Backends, Introspection, Issuer};
use fastgate::secret::Secret;
use fastgate::throttle::{BudgetWindow, Counter, CounterUnreachable, Held, Requested, Reservation, Taken, Window};
use fastgate::time::{Seconds, UnixTime};
use serde::Deserialize;

/// A body of which only the declared length is known; an empty body if none is declared.
pub(super) struct DeclaredBody(u64);

impl DeclaredBody {
    pub(super) fn of(headers: &Headers) -> Self {
        let declared = headers.all("content-length").next().and_then(|value| std::str::from_utf8(value).ok());
        Self(declared.and_then(|length| length.parse().ok()).unwrap_or_default())
    }
}

impl Body for DeclaredBody {
    fn sha256(&mut self, most: u64) -> Result<[u8; 32], ContentError> {
        self.hold(most).map(|()| [0; 32])
    }

    fn hold(&mut self, most: u64) -> Result<(), ContentError> {
        if self.0 > most { Err(ContentError::TooLong { most }) } else { Ok(()) }
    }

    fn held(&self) -> Option<&[u8]> {
        None
    }

    fn replace(&mut self, _: Vec<u8>) {}
}

/// An empty deny-list, because the real one is at the edge. It records whether it was read.
#[derive(Default)]
pub(super) struct EmptyDenyList {
    pub(super) was_read: bool,
}

impl DenyList for EmptyDenyList {
    fn entries(&mut self, _: &[RevocationKey], _: Seconds) -> Result<Vec<(RevocationKey, Entry)>, DenyListUnavailable> {
        self.was_read = true;
        Ok(Vec::new())
    }
}

/// A record of used proofs that is always empty. It records whether it was read.
#[derive(Default)]
pub(super) struct NoUsedProofs {
    pub(super) was_read: bool,
}

impl UsedProofs for NoUsedProofs {
    fn mark_used(&mut self, _: &ProofId, _: Seconds) -> Result<bool, UsedProofsUnreachable> {
        self.was_read = true;
        Ok(true)
    }
}

/// Key sets by the policy's id of their issuer.
pub(super) struct Keys {
    pub(super) sets: BTreeMap<String, Arc<KeySet>>,
    /// The missing fact, if a key set was needed that was not given.
    pub(super) missing: Option<String>,
}

impl KeySource for Keys {
    fn keys(&mut self, issuer: &Issuer, _: Wanted) -> Result<Arc<KeySet>, KeysUnavailable> {
        let Issuer { id, .. } = issuer;
        self.sets.get(id.as_str()).cloned().ok_or_else(|| {
            let cause = format!("give the issuer's key set with --jwks {id}=FILE, or --claims instead of a token");
            self.missing = Some(format!("the keys of issuer \"{id}\" are missing: {cause}"));
            KeysUnavailable { issuer: id.clone(), cause }
        })
    }
}

/// An introspector that always fails, because only the edge introspects opaque tokens.
#[derive(Default)]
pub(super) struct NoIntrospector {
    /// The missing fact, if a token would have been introspected.
    pub(super) missing: Option<String>,
}

impl Introspector for NoIntrospector {
    fn ask(
        &mut self,
        issuer: &Issuer,
        _: &Introspection,
        _: &Secret<&str>,
    ) -> Result<Vec<u8>, IntrospectionUnavailable> {
        let Issuer { id, .. } = issuer;
        let cause = format!("give --issuer {id} and --claims instead of the token");
        self.missing = Some(format!("only the edge can ask issuer \"{id}\" about this token: {cause}"));
        Err(IntrospectionUnavailable { issuer: id.clone(), cause })
    }
}

/// The result of an ACL for the client: the action of the entry that covers its address.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(in crate::cli) enum AclEntry {
    Allow,
    Block,
    /// No entry covers it.
    None,
}

/// The ACLs that a case describes, by name. Others cannot be read.
pub(super) struct DescribedAcls<'case>(pub(super) &'case BTreeMap<String, AclEntry>);

impl Acls for DescribedAcls<'_> {
    fn action(&mut self, acl: &str, _: IpAddr) -> Result<Option<AclAction>, AclUnavailable> {
        Ok(match self.0.get(acl).ok_or(AclUnavailable)? {
            AclEntry::Allow => Some(AclAction::Allow),
            AclEntry::Block => Some(AclAction::Block),
            AclEntry::None => None,
        })
    }
}

/// The backends that a case describes as skipped. All others are healthy.
pub(super) struct DescribedHealth<'case>(pub(super) &'case [String]);

impl Health for DescribedHealth<'_> {
    fn skipped_until(&mut self, _: &Backends, backend: &Backend) -> Option<UnixTime> {
        self.0.contains(&backend.name).then_some(UnixTime::from_seconds(u64::MAX))
    }

    fn tries(&mut self, _: &Backends, _: &Backend) {}

    fn record(&mut self, _: &Backends, _: &Backend, _: Outcome) {}
}

/// Exact counts, which begin empty.
#[derive(Default)]
pub(super) struct Counts {
    limits: BTreeMap<String, Window>,
    budgets: BTreeMap<String, BudgetWindow>,
}

impl Counter for Counts {
    fn take(&mut self, limit: &Limit, key: &str, cost: u64, now: UnixTime) -> Result<Taken, CounterUnreachable> {
        let (window, taken) = Window::take(self.limits.get(key).copied(), limit, cost, now);
        self.limits.insert(key.to_owned(), window);
        Ok(taken)
    }

    fn reserve(&mut self, wanted: &Requested<'_>, now: UnixTime) -> Result<Held, CounterUnreachable> {
        let (window, held) = BudgetWindow::reserve(self.budgets.get(wanted.key).copied(), wanted, now);
        self.budgets.insert(wanted.key.to_owned(), window);
        Ok(held)
    }

    fn settle(&mut self, reservation: &Reservation, actual: u64) -> Result<bool, CounterUnreachable> {
        let window = self.budgets.get_mut(reservation.key());
        let settled = window.and_then(|window| Some((window.settle(reservation, actual)?, window)));
        Ok(settled.map(|(settled, window)| *window = settled).is_some())
    }
}
