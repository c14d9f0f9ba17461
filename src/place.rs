//! *Place*: may this be asked from there? In go the places that a route names and what the platform knows of the client;
//! a fact that is asked and not known refuses, unless the policy says that it may be unknown.

use std::net::IpAddr;

use crate::policy::places::{Place, PlaceTest};
use crate::surroundings::{Anonymizer, Fact, Surroundings};

/// What a Compute ACL says of an address: the action of the most specific entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AclAction {
    /// `ALLOW`.
    Allow,
    /// `BLOCK`.
    Block,
}

/// Asks Compute ACLs.
pub trait Acls {
    /// What the ACL named `acl` says of `address`; nothing where no entry covers it.
    ///
    /// # Errors
    /// [`AclUnavailable`] where it cannot be asked.
    fn action(&mut self, acl: &str, address: IpAddr) -> Result<Option<AclAction>, AclUnavailable>;
}

/// An ACL does not exist or cannot be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AclUnavailable;

/// Why something may not be asked from there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("place \"{place}\": {reason}")]
pub struct PlaceError {
    /// The name of the place in the policy.
    pub place: String,
    /// Whether the law is the reason.
    pub legal: bool,
    /// What was found.
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

/// What was found of a client that may not pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlaceReason {
    /// A test of `deny` names the client.
    #[error("its {} is denied", .0.as_str())]
    Denied(Fact),
    /// No test of `allow` names the client.
    #[error("nothing that is allowed names the client")]
    NotAllowed,
    /// A fact that was asked is not known.
    #[error("the client's {} is not known", .0.as_str())]
    Unknown(Fact),
}

/// What a test says of a client.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Answer {
    Yes,
    No,
    Unknown,
}

/// Asks one place.
///
/// # Errors
/// A [`PlaceError`] that names the fact that decided.
pub fn ask(
    place: &Place,
    client: Option<IpAddr>,
    surroundings: &Surroundings,
    acls: &mut dyn Acls,
) -> Result<(), PlaceError> {
    let refuse = |reason| Err(PlaceError { place: place.name.clone(), legal: place.legal, reason });
    let may_be_unknown = |test: &PlaceTest| place.unknown_passes.contains(&test.fact());
    for test in &place.deny {
        match answer(test, AclAction::Block, client, surroundings, acls) {
            Answer::Yes => return refuse(PlaceReason::Denied(test.fact())),
            Answer::Unknown if !may_be_unknown(test) => return refuse(PlaceReason::Unknown(test.fact())),
            Answer::Unknown | Answer::No => {}
        }
    }
    let mut unknown = None;
    for test in &place.allow {
        match answer(test, AclAction::Allow, client, surroundings, acls) {
            Answer::Yes => return Ok(()),
            Answer::Unknown if may_be_unknown(test) => return Ok(()),
            Answer::Unknown => unknown = unknown.or(Some(test.fact())),
            Answer::No => {}
        }
    }
    match unknown {
        _ if place.allow.is_empty() => Ok(()),
        Some(fact) => refuse(PlaceReason::Unknown(fact)),
        None => refuse(PlaceReason::NotAllowed),
    }
}

fn answer(
    test: &PlaceTest,
    counts: AclAction,
    client: Option<IpAddr>,
    surroundings: &Surroundings,
    acls: &mut dyn Acls,
) -> Answer {
    match test {
        PlaceTest::Country(codes) => any(codes, surroundings.country.as_ref()),
        PlaceTest::Subdivision(codes) => any(codes, surroundings.subdivision.as_ref()),
        PlaceTest::Continent(codes) => any(codes, surroundings.continent.as_ref()),
        PlaceTest::Asn(numbers) => any(numbers, surroundings.asn.as_ref()),
        PlaceTest::Connection(kinds) => any(kinds, surroundings.connection.as_ref()),
        PlaceTest::Proxy(kinds) => any(kinds, surroundings.proxy.as_ref()),
        PlaceTest::Anonymizer(kinds) => known(surroundings.anonymizers.as_ref(), |found| {
            kinds.iter().any(|kind| found.contains(kind) || (*kind == Anonymizer::Any && !found.is_empty()))
        }),
        PlaceTest::Network(networks) => {
            known(client.as_ref(), |client| networks.iter().any(|network| network.contains(*client)))
        }
        PlaceTest::Acl(names) => {
            let Some(client) = client else { return Answer::Unknown };
            let mut answer = Answer::No;
            for name in names {
                match acls.action(name, client.to_canonical()) {
                    Ok(Some(action)) if action == counts => return Answer::Yes,
                    Ok(_) => {}
                    Err(AclUnavailable) => answer = Answer::Unknown,
                }
            }
            answer
        }
    }
}

fn any<T: PartialEq>(wanted: &[T], fact: Option<&T>) -> Answer {
    known(fact, |fact| wanted.contains(fact))
}

fn known<T>(fact: Option<&T>, holds: impl FnOnce(&T) -> bool) -> Answer {
    match fact.map(holds) {
        Some(true) => Answer::Yes,
        Some(false) => Answer::No,
        None => Answer::Unknown,
    }
}
