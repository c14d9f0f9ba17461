//! What stands in for the platform where a request is judged off the edge.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use fastgate::content::{Body, ContentError};
use fastgate::headers::Headers;
use fastgate::identity::deny_list::{DenyList, DenyListUnavailable, Entry, Mark};
use fastgate::identity::introspection::{IntrospectionUnavailable, Introspector};
use fastgate::identity::keys::KeySet;
use fastgate::identity::replay::{ProofId, Replays, ReplaysUnreachable};
use fastgate::identity::{KeySource, KeysUnavailable, Wanted};
use fastgate::place::{AclAction, AclUnavailable, Acls};
use fastgate::policy::limits::Limit;
use fastgate::policy::{Introspection, Issuer};
use fastgate::secret::Secret;
use fastgate::throttle::{Counter, CounterUnreachable, Taken, Window};
use fastgate::time::UnixTime;
use serde::Deserialize;

/// A body of the length that is declared, of which nothing else is known; an empty one where none is.
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
}

/// The deny list is at the edge: here it denies nobody, and remembers whether it would have been asked.
#[derive(Default)]
pub(super) struct NobodyDenied {
    pub(super) asked: bool,
}

impl DenyList for NobodyDenied {
    fn entries(&mut self, _: &[Mark], _: u64) -> Result<Vec<(Mark, Entry)>, DenyListUnavailable> {
        self.asked = true;
        Ok(Vec::new())
    }
}

/// Here a proof of possession is seen once; whether it would have been asked is remembered.
#[derive(Default)]
pub(super) struct AlwaysFirst {
    pub(super) asked: bool,
}

impl Replays for AlwaysFirst {
    fn is_first(&mut self, _: &ProofId, _: u64) -> Result<bool, ReplaysUnreachable> {
        self.asked = true;
        Ok(true)
    }
}

/// Key sets by the policy's id of their issuer.
pub(super) struct Keys {
    pub(super) sets: BTreeMap<String, Arc<KeySet>>,
    /// What to give, where a set was asked for that is not here.
    pub(super) missing: Option<String>,
}

impl KeySource for Keys {
    fn keys(&mut self, issuer: &Issuer, _: Wanted) -> Result<Arc<KeySet>, KeysUnavailable> {
        let Issuer { id, .. } = issuer;
        self.sets.get(id).cloned().ok_or_else(|| {
            let cause = format!("give the issuer's key set with --jwks {id}=FILE, or --claims instead of a token");
            self.missing = Some(format!("the keys of issuer \"{id}\" are not here: {cause}"));
            KeysUnavailable { issuer: id.clone(), cause }
        })
    }
}

/// Issuers are asked about opaque tokens by the edge alone.
#[derive(Default)]
pub(super) struct NobodyAsks {
    /// What to give, where one would have been asked.
    pub(super) missing: Option<String>,
}

impl Introspector for NobodyAsks {
    fn ask(
        &mut self,
        issuer: &Issuer,
        _: &Introspection,
        _: &Secret<&str>,
    ) -> Result<Vec<u8>, IntrospectionUnavailable> {
        let Issuer { id, .. } = issuer;
        let cause = format!("give --issuer {id} and --claims instead of the token");
        self.missing = Some(format!("only the edge asks issuer \"{id}\" what this token means: {cause}"));
        Err(IntrospectionUnavailable { issuer: id.clone(), cause })
    }
}

/// What an ACL says of the client: the action of the entry that covers its address.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(in crate::cli) enum AclEntry {
    Allow,
    Block,
    /// No entry covers it.
    None,
}

/// What a case says of ACLs, by name. Others cannot be asked.
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

/// Exact counts that begin with the call.
#[derive(Default)]
pub(super) struct Counts(BTreeMap<String, Window>);

impl Counter for Counts {
    fn take(&mut self, limit: &Limit, key: &str, cost: u64, now: UnixTime) -> Result<Taken, CounterUnreachable> {
        let (window, taken) = Window::take(self.0.get(key).copied(), limit, cost, now);
        self.0.insert(key.to_owned(), window);
        Ok(taken)
    }
}
