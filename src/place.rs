//! Step *place*: may the route be used from where the client is? Input: an [`Available`] route, the [`Client`] and the
//! Compute ACLs. Output: [`Admitted`], which later steps require. The places that the route names are checked in order.
//! A place that tests a fact which the platform does not know refuses the request, unless the policy says that the fact
//! may be unknown.

use std::net::IpAddr;

use crate::availability::Available;
use crate::client::{Anonymizer, Client, Fact};
use crate::policy::Route;
use crate::policy::places::{Place, PlaceTest};

/// A route that is available and may be used from where the client is. Only [`admit`] makes one.
#[derive(Clone, Copy, Debug)]
pub struct Admitted<'policy>(&'policy Route);

impl<'policy> Admitted<'policy> {
    /// The route.
    #[must_use]
    pub const fn route(self) -> &'policy Route {
        self.0
    }
}

/// The result of a Compute ACL for an address: the action of the most specific entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AclAction {
    /// `ALLOW`.
    Allow,
    /// `BLOCK`.
    Block,
}

/// Reads Compute ACLs.
pub trait Acls {
    /// The action of the ACL named `acl` for `address`; `None` if no entry covers it.
    ///
    /// # Errors
    /// [`AclUnavailable`] if the ACL cannot be read.
    fn action(&mut self, acl: &str, address: IpAddr) -> Result<Option<AclAction>, AclUnavailable>;
}

/// The ACL does not exist or cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AclUnavailable;

/// A place refuses the client.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("place \"{place}\": {reason}")]
pub struct PlaceError {
    /// The name of the place in the policy.
    pub place: String,
    /// Whether the refusal has legal reasons (status 451, RFC 7725).
    pub legal: bool,
    /// The reason.
    pub reason: PlaceReason,
}

impl PlaceError {
    /// The code for logs, metrics and tests.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self.reason {
            PlaceReason::Denied(_) => "place-denied",
            PlaceReason::NotAllowed => "place-not-allowed",
            PlaceReason::Unknown(_) => "place-unknown",
        }
    }
}

/// Why a place refuses a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlaceReason {
    /// A test of `deny` matches the client.
    #[error("its {} is denied", .0.as_str())]
    Denied(Fact),
    /// No test of `allow` matches the client.
    #[error("no test of \"allow\" matches the client")]
    NotAllowed,
    /// A fact that a test needs is not known.
    #[error("the client's {} is not known", .0.as_str())]
    Unknown(Fact),
}

/// Whether a test matches a client.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Match {
    Yes,
    No,
    Unknown,
}

/// Checks `client` against every place that the route names. A place in shadow refuses no client. `judged` is called
/// with each place and its refusal, if any; that is how refusals in shadow are recorded.
///
/// # Errors
/// The [`PlaceError`] of the first place that is not in shadow and refuses the client.
pub fn admit<'policy>(
    available: Available<'policy>,
    client: &Client,
    acls: &mut dyn Acls,
    judged: &mut dyn FnMut(&Place, Option<PlaceError>),
) -> Result<Admitted<'policy>, PlaceError> {
    let route = available.route();
    for place in &route.from {
        match check(place, client, acls) {
            Err(error) if !place.shadow => return Err(error),
            found => judged(place, found.err()),
        }
    }
    Ok(Admitted(route))
}

/// Checks `client` against one place.
///
/// # Errors
/// A [`PlaceError`] that names the fact that decided.
pub fn check(place: &Place, client: &Client, acls: &mut dyn Acls) -> Result<(), PlaceError> {
    let refuse = |reason| Err(PlaceError { place: place.name.clone(), legal: place.legal, reason });
    let may_be_unknown = |test: &PlaceTest| place.unknown_passes.contains(&test.fact());
    for test in &place.deny {
        match matches(test, AclAction::Block, client, acls) {
            Match::Yes => return refuse(PlaceReason::Denied(test.fact())),
            Match::Unknown if !may_be_unknown(test) => return refuse(PlaceReason::Unknown(test.fact())),
            Match::Unknown | Match::No => {}
        }
    }
    let mut unknown = None;
    for test in &place.allow {
        match matches(test, AclAction::Allow, client, acls) {
            Match::Yes => return Ok(()),
            Match::Unknown if may_be_unknown(test) => return Ok(()),
            Match::Unknown => unknown = unknown.or(Some(test.fact())),
            Match::No => {}
        }
    }
    match unknown {
        _ if place.allow.is_empty() => Ok(()),
        Some(fact) => refuse(PlaceReason::Unknown(fact)),
        None => refuse(PlaceReason::NotAllowed),
    }
}

fn matches(test: &PlaceTest, counts: AclAction, client: &Client, acls: &mut dyn Acls) -> Match {
    match test {
        PlaceTest::Country(codes) => any(codes, client.country.as_ref()),
        PlaceTest::Subdivision(codes) => any(codes, client.subdivision.as_ref()),
        PlaceTest::Continent(codes) => any(codes, client.continent.as_ref()),
        PlaceTest::Asn(numbers) => any(numbers, client.asn.as_ref()),
        PlaceTest::Connection(kinds) => any(kinds, client.connection.as_ref()),
        PlaceTest::Proxy(kinds) => any(kinds, client.proxy.as_ref()),
        PlaceTest::Anonymizer(kinds) => known(client.anonymizers.as_ref(), |found| {
            kinds.iter().any(|kind| found.contains(kind) || (*kind == Anonymizer::Any && !found.is_empty()))
        }),
        PlaceTest::Network(networks) => {
            known(client.address.as_ref(), |address| networks.iter().any(|network| network.contains(*address)))
        }
        PlaceTest::Acl(names) => {
            let Some(address) = client.address else { return Match::Unknown };
            let mut found = Match::No;
            for name in names {
                match acls.action(name, address.to_canonical()) {
                    Ok(Some(action)) if action == counts => return Match::Yes,
                    Ok(_) => {}
                    Err(AclUnavailable) => found = Match::Unknown,
                }
            }
            found
        }
    }
}

fn any<T: PartialEq>(wanted: &[T], fact: Option<&T>) -> Match {
    known(fact, |fact| wanted.contains(fact))
}

fn known<T>(fact: Option<&T>, holds: impl FnOnce(&T) -> bool) -> Match {
    match fact.map(holds) {
        Some(true) => Match::Yes,
        Some(false) => Match::No,
        None => Match::Unknown,
    }
}
