//! Places: from where a route may be used, as it is written ([`PlaceDocument`]) and as it works ([`Place`]). They are
//! asked in [`place`](crate::place).

use std::fmt;

use serde::Deserialize;

use super::Fault;
use super::document::strict::{list_of_words, objects};
use super::network::Network;
use super::read::Faults;
use crate::client::{Anonymizer, Connection, Continent, Fact, Proxy};

objects!(PlaceDocument);

/// From where something may be used. What `deny` names is refused; where there is an `allow`, only what it names passes.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(not(target_os = "wasi"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, remote = "Self")]
pub struct PlaceDocument {
    /// A client that one of these names is refused, whatever `allow` says.
    #[serde(default)]
    pub deny: Vec<PlaceTestDocument>,
    /// A client must be named by one of these; without this, all but the denied may pass.
    #[serde(default)]
    pub allow: Vec<PlaceTestDocument>,
    /// The facts that may be unknown: tests of them then stand in nobody's way. A client of whom any other fact is asked
    /// and not known is refused.
    #[serde(default, deserialize_with = "list_of_words")]
    pub unknown_passes: Vec<Fact>,
    /// 403, or 451 where the law is the reason (RFC 7725).
    #[serde(default = "default_status")]
    pub status: u16,
    /// Whether the rule is only tried: what it would refuse is logged and passes.
    #[serde(default)]
    pub shadow: bool,
}

const fn default_status() -> u16 {
    403
}

/// A test of one fact: an object with exactly one of these members; it names a client by any of the values.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(not(target_os = "wasi"), derive(schemars::JsonSchema), schemars(rename = "PlaceTestDocument"))]
#[serde(rename_all = "snake_case")]
pub enum PlaceTest<Net = Network> {
    /// ISO 3166-1 alpha-2, `DE`: an assigned code, `GB` and not `UK`.
    Country(Vec<String>),
    /// ISO 3166-2, `US-CA`.
    Subdivision(Vec<String>),
    /// The continent.
    Continent(#[serde(deserialize_with = "list_of_words")] Vec<Continent>),
    /// Numbers of autonomous systems.
    Asn(Vec<u32>),
    /// How the client is connected.
    Connection(#[serde(deserialize_with = "list_of_words")] Vec<Connection>),
    /// The kind of proxy that geolocation knows at the address.
    Proxy(#[serde(deserialize_with = "list_of_words")] Vec<Proxy>),
    /// What hides the client, by Fastly's VPN and proxy data; unknown where the account does not have it.
    Anonymizer(#[serde(deserialize_with = "list_of_words")] Vec<Anonymizer>),
    /// Networks in CIDR notation, or addresses.
    Network(Vec<Net>),
    /// Names of Compute ACLs. In `allow` an entry with the action ALLOW counts, in `deny` one with BLOCK.
    Acl(Vec<String>),
}

/// The same as it is written: networks are texts.
pub type PlaceTestDocument = PlaceTest<String>;

/// From where something may be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Its name in the policy.
    pub name: String,
    /// Whom it refuses.
    pub deny: Vec<PlaceTest>,
    /// Whom it lets pass; everybody where it is empty.
    pub allow: Vec<PlaceTest>,
    /// The facts that may be unknown.
    pub unknown_passes: Vec<Fact>,
    /// Whether the law is the reason.
    pub legal: bool,
    /// Whether it is only tried.
    pub shadow: bool,
}

impl Place {
    pub(super) fn read(name: &str, document: PlaceDocument, faults: &mut Faults) -> Self {
        let at = format!("$.places.{name}");
        faults.add_if(document.deny.is_empty() && document.allow.is_empty(), &at, Fault::Empty);
        faults.add_if(!matches!(document.status, 403 | 451), format_args!("{at}.status"), Fault::NotAPlaceStatus);
        let mut tests = |list: Vec<PlaceTestDocument>, member: &str| {
            let place = |index| format!("{at}.{member}[{index}]");
            list.into_iter().enumerate().map(|(index, test)| PlaceTest::read(test, &place(index), faults)).collect()
        };
        Self {
            deny: tests(document.deny, "deny"),
            allow: tests(document.allow, "allow"),
            name: name.to_owned(),
            unknown_passes: document.unknown_passes,
            legal: document.status == 451,
            shadow: document.shadow,
        }
    }
}

impl PlaceTest {
    /// The fact that is tested.
    #[must_use]
    pub const fn fact(&self) -> Fact {
        match self {
            Self::Country(_) => Fact::Country,
            Self::Subdivision(_) => Fact::Subdivision,
            Self::Continent(_) => Fact::Continent,
            Self::Asn(_) => Fact::Asn,
            Self::Connection(_) => Fact::Connection,
            Self::Proxy(_) => Fact::Proxy,
            Self::Anonymizer(_) => Fact::Anonymizer,
            Self::Network(_) => Fact::Network,
            Self::Acl(_) => Fact::Acl,
        }
    }

    fn read(document: PlaceTestDocument, at: &str, faults: &mut Faults) -> Self {
        let test = match document {
            PlaceTestDocument::Country(codes) => Self::Country(checked(codes, at, faults, is_country)),
            PlaceTestDocument::Subdivision(codes) => Self::Subdivision(checked(codes, at, faults, is_subdivision)),
            PlaceTestDocument::Continent(continents) => Self::Continent(continents),
            PlaceTestDocument::Asn(numbers) => Self::Asn(numbers),
            PlaceTestDocument::Connection(kinds) => Self::Connection(kinds),
            PlaceTestDocument::Proxy(kinds) => Self::Proxy(kinds),
            PlaceTestDocument::Anonymizer(kinds) => Self::Anonymizer(kinds),
            PlaceTestDocument::Acl(names) => Self::Acl(names),
            PlaceTestDocument::Network(texts) => Self::Network(
                texts
                    .iter()
                    .filter_map(|text| text.parse().map_err(|_| faults.add(at, Fault::NotANetwork(text.clone()))).ok())
                    .collect(),
            ),
        };
        faults.add_if(test.is_empty(), at, Fault::Empty);
        test
    }

    fn is_empty(&self) -> bool {
        match self {
            Self::Country(list) | Self::Subdivision(list) | Self::Acl(list) => {
                list.is_empty() || list.iter().any(String::is_empty)
            }
            Self::Continent(list) => list.is_empty(),
            Self::Asn(list) => list.is_empty(),
            Self::Connection(list) => list.is_empty(),
            Self::Proxy(list) => list.is_empty(),
            Self::Anonymizer(list) => list.is_empty(),
            Self::Network(list) => list.is_empty(),
        }
    }
}

fn checked(codes: Vec<String>, at: &str, faults: &mut Faults, sound: fn(&str) -> bool) -> Vec<String> {
    for code in codes.iter().filter(|code| !sound(code)) {
        faults.add(at, Fault::NotAPlaceCode(code.clone()));
    }
    codes
}

fn is_country(code: &str) -> bool {
    code.len() == 2 && code.bytes().all(|byte| byte.is_ascii_uppercase())
}

fn is_subdivision(code: &str) -> bool {
    code.split_once('-').is_some_and(|(country, part)| {
        is_country(country)
            && (1..=3).contains(&part.len())
            && part.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
    })
}

/// The fact alone: values may be many.
impl fmt::Display for PlaceTest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.fact().as_str())
    }
}
