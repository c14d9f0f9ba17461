//! What stands in for the platform where a request is judged off the edge.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use fastgate::content::{Body, ContentError};
use fastgate::headers::Headers;
use fastgate::identity::deny_list::{DenyList, DenyListUnavailable, Entry, Mark};
use fastgate::identity::keys::KeySet;
use fastgate::identity::replay::{ProofId, Replays, ReplaysUnreachable};
use fastgate::identity::{KeySource, KeysUnavailable, Wanted};
use fastgate::place::{AclAction, AclUnavailable, Acls};
use fastgate::policy::Issuer;
use fastgate::policy::limits::Limit;
use fastgate::throttle::{Counter, CounterUnreachable, Taken, Window};
use fastgate::time::UnixTime;

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

/// Here a proof of possession is seen once.
pub(super) struct AlwaysFirst;

impl Replays for AlwaysFirst {
    fn is_first(&mut self, _: &ProofId, _: u64) -> Result<bool, ReplaysUnreachable> {
        Ok(true)
    }
}

/// Key sets by the policy's id of their issuer.
pub(super) struct Keys(pub(super) BTreeMap<String, Arc<KeySet>>);

impl KeySource for Keys {
    fn keys(&mut self, issuer: &Issuer, _: Wanted) -> Result<Arc<KeySet>, KeysUnavailable> {
        self.0.get(&issuer.id).cloned().ok_or_else(|| KeysUnavailable {
            issuer: issuer.id.clone(),
            cause: format!("give the issuer's key set with --jwks {}=FILE, or --claims instead of a token", issuer.id),
        })
    }
}

/// What a case says of ACLs: `allow`, `block` or `none`, by name.
pub(super) struct DescribedAcls<'case>(pub(super) &'case BTreeMap<String, String>);

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
pub(super) struct Counts(BTreeMap<String, Window>);

impl Counter for Counts {
    fn take(&mut self, limit: &Limit, key: &str, cost: u64, now: UnixTime) -> Result<Taken, CounterUnreachable> {
        let (window, taken) = Window::take(self.0.get(key).copied(), limit, cost, now);
        self.0.insert(key.to_owned(), window);
        Ok(taken)
    }
}
