//! One fake for each port. It records its calls, and it can be broken.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use fastgate::backend::{Health, Outcome};
use fastgate::caching::{CacheKey, Insertion, ResponseCache, Selection};
use fastgate::content::{Body, ContentError};
use fastgate::identity::deny_list::{DenyList, DenyListUnavailable, Entry, RevocationKey};
use fastgate::identity::dpop::Nonces;
use fastgate::identity::dpop::used::{ProofId, UsedProofs, UsedProofsUnreachable};
use fastgate::identity::introspection::{IntrospectionUnavailable, Introspector};
use fastgate::identity::keys::KeySet;
use fastgate::identity::signature_cache::NoSignatureCache;
use fastgate::identity::{KeySource, KeysUnavailable, Sources, Wanted};
use fastgate::place::{AclAction, AclUnavailable, Acls};
use fastgate::policy::limits::Limit;
use fastgate::policy::{Backend, Backends, Introspection, Issuer};
use fastgate::respond::{Files, FilesError, OpenFile};
use fastgate::secret::Secret;
use fastgate::throttle::{BudgetWindow, Counter, CounterUnreachable, Held, Requested, Reservation, Taken, Window};
use fastgate::time::{Seconds, UnixTime};

/// All ports of a gate except the signature cache: every signature is checked.
pub(crate) struct Fakes {
    pub(crate) keys: FakeKeys,
    pub(crate) deny_list: FakeDenyList,
    pub(crate) introspector: FakeIntrospector,
    pub(crate) used_proofs: FakeUsedProofs,
    pub(crate) acls: FakeAcls,
    pub(crate) counter: FakeCounter,
    pub(crate) body: FakeBody,
    pub(crate) responses: FakeResponses,
    pub(crate) files: FakeFiles,
    signatures: NoSignatureCache,
}

impl Fakes {
    /// Issuers with these keys; the other ports have no entries.
    pub(crate) fn with(keys: FakeKeys) -> Self {
        Self {
            keys,
            deny_list: FakeDenyList::default(),
            introspector: FakeIntrospector::default(),
            used_proofs: FakeUsedProofs::default(),
            acls: FakeAcls::default(),
            counter: FakeCounter::default(),
            body: FakeBody::of(b""),
            responses: FakeResponses::default(),
            files: FakeFiles::default(),
            signatures: NoSignatureCache,
        }
    }

    /// The ports that `identify` uses.
    pub(crate) fn sources<'fakes>(&'fakes mut self, nonces: &'fakes Nonces) -> Sources<'fakes> {
        self.split(nonces).0
    }

    /// The ports that `identify` uses, and the others.
    pub(super) fn split<'fakes>(&'fakes mut self, nonces: &'fakes Nonces) -> (Sources<'fakes>, Others<'fakes>) {
        let sources = Sources {
            keys: &mut self.keys,
            signatures: &mut self.signatures,
            deny_list: &mut self.deny_list,
            introspector: &mut self.introspector,
            used_proofs: &mut self.used_proofs,
            nonces,
        };
        let Self { acls, counter, body, responses, files, .. } = self;
        (sources, Others { acls, counter, body, responses, files })
    }
}

/// The ports of the other steps.
pub(crate) struct Others<'fakes> {
    pub(super) acls: &'fakes mut FakeAcls,
    pub(super) counter: &'fakes mut FakeCounter,
    pub(super) body: &'fakes mut FakeBody,
    pub(super) responses: &'fakes mut FakeResponses,
    pub(super) files: &'fakes mut FakeFiles,
}

/// Files: metadata and content by key.
#[derive(Default)]
pub(crate) struct FakeFiles {
    pub(crate) stored: BTreeMap<String, (String, String)>,
    /// The keys that were looked up.
    pub(crate) looked_up: Vec<String>,
    pub(crate) is_broken: bool,
    opened: String,
}

impl FakeFiles {
    pub(crate) fn store(&mut self, key: &str, metadata: &str, content: &str) {
        self.stored.insert(key.to_owned(), (metadata.to_owned(), content.to_owned()));
    }
}

impl Files for FakeFiles {
    fn open(&mut self, keys: &[String]) -> Result<Option<OpenFile>, FilesError> {
        self.looked_up.extend_from_slice(keys);
        if self.is_broken {
            return Err(FilesError("the store is down".to_owned()));
        }
        let found = keys.iter().enumerate().find_map(|(number, key)| Some((number, self.stored.get(key)?)));
        let Some((number, (metadata, content))) = found else { return Ok(None) };
        self.opened.clone_from(content);
        let length = u64::try_from(content.len()).ok();
        Ok(Some(OpenFile { number, metadata: metadata.clone().into_bytes(), length }))
    }

    fn digest(&mut self) -> Result<([u8; 32], u64), FilesError> {
        Ok((hmac_sha256::Hash::hash(self.opened.as_bytes()), self.opened.len() as u64))
    }
}

/// Stored responses. The clock of the cache is set by the tests.
#[derive(Default)]
pub(crate) struct FakeResponses {
    stored: BTreeMap<Vec<u8>, FakeResponse>,
    pub(crate) now: u64,
    /// The keys that were looked up last, and whether requests for them are collapsed.
    pub(crate) looked_up: Vec<(Vec<u8>, bool)>,
    /// The keys that a request fetches at present.
    pub(crate) owed: BTreeSet<Vec<u8>>,
}

struct FakeResponse {
    entry: Vec<u8>,
    length: Option<u64>,
    fresh_until: u64,
    kept_until: u64,
    tags: Vec<String>,
}

impl FakeResponses {
    /// Stores a response under the key that was looked up last.
    pub(crate) fn store(&mut self, insertion: &Insertion) {
        let (key, _) = self.looked_up.last().unwrap().clone();
        let fresh_until = self.now + insertion.fresh.as_u64();
        let stored = FakeResponse {
            entry: insertion.entry.clone(),
            length: insertion.length,
            fresh_until,
            kept_until: fresh_until + insertion.kept.as_u64(),
            tags: insertion.tags.clone(),
        };
        self.owed.remove(&key);
        self.stored.insert(key, stored);
    }

    /// Removes the responses with a surrogate key.
    pub(crate) fn purge(&mut self, tag: &str) {
        self.stored.retain(|_, stored| stored.tags.iter().all(|known| known != tag));
    }
}

impl ResponseCache for FakeResponses {
    fn look_up(&mut self, key: &CacheKey, collapses: bool) -> Selection {
        let (key, now) = (key.bytes(), self.now);
        self.looked_up.push((key.clone(), collapses));
        self.stored.retain(|_, stored| now < stored.kept_until || now < stored.fresh_until);
        let found = self.stored.get(&key);
        let is_due = found.is_none_or(|stored| now >= stored.fresh_until);
        let must_fetch = collapses && is_due && self.owed.insert(key);
        Selection {
            entry: found.map(|stored| stored.entry.clone()),
            length: found.and_then(|stored| stored.length),
            must_fetch,
        }
    }
}

/// The key sets of issuers, by their ids in the policy; an issuer without a key set does not respond.
#[derive(Default)]
pub(crate) struct FakeKeys {
    sets: BTreeMap<String, Arc<KeySet>>,
    /// When the sets were fetched, if the issuers have published keys since then.
    fetched: Option<UnixTime>,
    /// Whether requests for later keys fail.
    cut_off: bool,
    /// The ids of the issuers whose keys were requested.
    pub(crate) requested: Vec<String>,
}

impl FakeKeys {
    /// Without any key set.
    pub(crate) fn none() -> Self {
        Self::default()
    }

    /// With this JWK Set for the issuer of this id.
    pub(crate) fn with_set(self, issuer: &str, set: &str) -> Self {
        self.with_keys(issuer, Arc::new(KeySet::parse(set.as_bytes()).unwrap_or_else(|error| panic!("{error}: {set}"))))
    }

    /// With these keys for the issuer of this id.
    pub(crate) fn with_keys(mut self, issuer: &str, keys: Arc<KeySet>) -> Self {
        self.sets.insert(issuer.to_owned(), keys);
        self
    }

    /// The sets were fetched at this time, and the cool-down is not over.
    pub(crate) fn fetched_at(mut self, seconds: u64) -> Self {
        self.fetched = Some(UnixTime::from_seconds(seconds));
        self
    }

    /// Requests for later keys fail.
    pub(crate) fn cut_off(mut self) -> Self {
        self.cut_off = true;
        self
    }
}

impl KeySource for FakeKeys {
    fn keys(&mut self, issuer: &Issuer, wanted: Wanted) -> Result<Arc<KeySet>, KeysUnavailable> {
        self.requested.push(issuer.id.to_string());
        let unavailable = || KeysUnavailable { issuer: issuer.id.clone(), cause: "the line is dead".to_owned() };
        if self.cut_off && wanted == Wanted::Later {
            return Err(unavailable());
        }
        self.sets.get(issuer.id.as_str()).cloned().ok_or_else(unavailable)
    }

    fn may_lack(&self, _: &Issuer, _: Option<&str>, since: Option<UnixTime>) -> bool {
        since.zip(self.fetched).is_some_and(|(since, fetched)| since >= fetched)
    }
}

/// A deny-list in memory, by the keys of the KV store.
#[derive(Default)]
pub(crate) struct FakeDenyList {
    pub(crate) entries: BTreeMap<String, String>,
    pub(crate) broken: bool,
    /// The number of keys in each lookup.
    pub(crate) requested: Vec<usize>,
}

impl DenyList for FakeDenyList {
    fn entries(
        &mut self,
        keys: &[RevocationKey],
        _: Seconds,
    ) -> Result<Vec<(RevocationKey, Entry)>, DenyListUnavailable> {
        self.requested.push(keys.len());
        if self.broken {
            return Err(DenyListUnavailable { cause: "broken".to_owned() });
        }
        let entry = |mark: &RevocationKey| {
            self.entries.get(&mark.store_key()).map(|json| (*mark, Entry::parse(json.as_bytes())))
        };
        Ok(keys.iter().filter_map(entry).collect())
    }
}

/// An introspector with the same response for every opaque token; with `None` it fails.
#[derive(Default)]
pub(crate) struct FakeIntrospector {
    pub(crate) response: Option<Vec<u8>>,
    /// The issuer and the token of each request.
    pub(crate) requested: Vec<(String, String)>,
}

impl Introspector for FakeIntrospector {
    fn ask(
        &mut self,
        issuer: &Issuer,
        _: &Introspection,
        token: &Secret<&str>,
    ) -> Result<Vec<u8>, IntrospectionUnavailable> {
        self.requested.push((issuer.id.to_string(), (*token.expose()).to_owned()));
        let unavailable = || IntrospectionUnavailable { issuer: issuer.id.clone(), cause: "no response".to_owned() };
        self.response.clone().ok_or_else(unavailable)
    }
}

/// Used proofs in memory, each with the window for which it is remembered.
#[derive(Default)]
pub(crate) struct FakeUsedProofs {
    pub(crate) windows: BTreeMap<ProofId, Seconds>,
    pub(crate) broken: bool,
}

impl UsedProofs for FakeUsedProofs {
    fn mark_used(&mut self, proof: &ProofId, window: Seconds) -> Result<bool, UsedProofsUnreachable> {
        if self.broken {
            return Err(UsedProofsUnreachable("broken".to_owned()));
        }
        Ok(self.windows.insert(*proof, window).is_none())
    }
}

/// ACLs, by name and address; no entry covers another address.
#[derive(Default)]
pub(crate) struct FakeAcls {
    pub(crate) entries: BTreeMap<(String, IpAddr), AclAction>,
    pub(crate) broken: bool,
    /// The name and the address of each lookup.
    pub(crate) requested: Vec<(String, IpAddr)>,
}

impl FakeAcls {
    /// Without any readable ACL.
    pub(crate) fn broken() -> Self {
        Self { broken: true, ..Self::default() }
    }
}

impl Acls for FakeAcls {
    fn action(&mut self, acl: &str, address: IpAddr) -> Result<Option<AclAction>, AclUnavailable> {
        let requested = (acl.to_owned(), address);
        let found = self.entries.get(&requested).copied();
        self.requested.push(requested);
        if self.broken { Err(AclUnavailable) } else { Ok(found) }
    }
}

/// An exact counter in memory, by the keys of the store.
#[derive(Default)]
pub(crate) struct FakeCounter {
    pub(crate) windows: BTreeMap<String, Window>,
    pub(crate) budgets: BTreeMap<String, BudgetWindow>,
    pub(crate) broken: bool,
}

impl Counter for FakeCounter {
    fn take(&mut self, limit: &Limit, key: &str, cost: u64, now: UnixTime) -> Result<Taken, CounterUnreachable> {
        if self.broken {
            return Err(CounterUnreachable("broken".to_owned()));
        }
        let (window, taken) = Window::take(self.windows.get(key).copied(), limit, cost, now);
        self.windows.insert(key.to_owned(), Window::from_record(window.to_record().as_bytes()).unwrap());
        Ok(taken)
    }

    fn reserve(&mut self, wanted: &Requested<'_>, now: UnixTime) -> Result<Held, CounterUnreachable> {
        if self.broken {
            return Err(CounterUnreachable("broken".to_owned()));
        }
        let (window, held) = BudgetWindow::reserve(self.budgets.get(wanted.key).copied(), wanted, now);
        let stored = BudgetWindow::from_record(window.to_record().as_bytes()).unwrap();
        self.budgets.insert(wanted.key.to_owned(), stored);
        Ok(held)
    }

    fn settle(&mut self, reservation: &Reservation, actual: u64) -> Result<bool, CounterUnreachable> {
        if self.broken {
            return Err(CounterUnreachable("broken".to_owned()));
        }
        let settled = self.budgets.get(reservation.key()).and_then(|window| window.settle(reservation, actual));
        Ok(settled.map(|window| self.budgets.insert(reservation.key().to_owned(), window)).is_some())
    }
}

/// A body of these bytes, unless it cannot be read.
pub(crate) struct FakeBody {
    pub(crate) bytes: Vec<u8>,
    pub(crate) broken: bool,
    /// The maximum length of each read.
    pub(crate) requested: Vec<u64>,
}

impl FakeBody {
    pub(crate) fn of(bytes: &[u8]) -> Self {
        Self { bytes: bytes.to_vec(), broken: false, requested: Vec::new() }
    }

    /// A body that cannot be read.
    pub(crate) fn broken() -> Self {
        Self { broken: true, ..Self::of(b"") }
    }
}

impl Body for FakeBody {
    fn sha256(&mut self, most: u64) -> Result<[u8; 32], ContentError> {
        self.requested.push(most);
        match &self.bytes {
            _ if self.broken => Err(ContentError::Unreadable),
            bytes if bytes.len() as u64 > most => Err(ContentError::TooLong { most }),
            bytes => Ok(hmac_sha256::Hash::hash(bytes)),
        }
    }

    fn hold(&mut self, most: u64) -> Result<(), ContentError> {
        self.sha256(most).map(drop)
    }

    fn held(&self) -> Option<&[u8]> {
        Some(&self.bytes)
    }

    fn replace(&mut self, content: Vec<u8>) {
        self.bytes = content;
    }
}

/// The health of backends: those with these names are skipped.
pub(crate) struct SkippedBackends<'gate>(pub(crate) &'gate RefCell<Vec<String>>);

impl Health for SkippedBackends<'_> {
    fn skipped_until(&mut self, _: &Backends, backend: &Backend) -> Option<UnixTime> {
        self.0.borrow().contains(&backend.name).then_some(UnixTime::from_seconds(u64::MAX))
    }

    fn tries(&mut self, _: &Backends, _: &Backend) {}

    fn record(&mut self, _: &Backends, _: &Backend, _: Outcome) {}
}
