//! `places`: rules about where clients may be. Input: a [`PlaceDocument`]. Output: a [`Place`], which step
//! [`place`](crate::place) applies.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::Deserialize;

use super::fault::{Fault, Faults};
use super::names::read_section;
use super::network::Network;
use crate::client::{Anonymizer, Connection, Continent, Fact, Proxy};
use crate::json_form::{list_of_strings, objects};

objects!(PlaceDocument);

/// A rule about where a client may be. A client that `deny` matches is refused; if there is an `allow`, a client that
/// it does not match is refused, too. At least one of the two is required.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(not(target_os = "wasi"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, remote = "Self")]
pub struct PlaceDocument {
    /// Tests that refuse a client if one of them matches, whatever `allow` says.
    #[serde(default)]
    pub deny: Vec<PlaceTestDocument>,
    /// Tests of which at least one must match. Default: every client that `deny` does not match passes.
    #[serde(default)]
    pub allow: Vec<PlaceTestDocument>,
    /// The facts that may be unknown: a test of such a fact never refuses a client of whom it is unknown. A client of
    /// whom any other tested fact is unknown is refused.
    #[serde(default, deserialize_with = "list_of_strings")]
    pub unknown_passes: Vec<Fact>,
    /// The status of refusals: 403, or 451 for legal reasons (RFC 7725). Default: 403.
    #[serde(default = "default_status")]
    pub status: u16,
    /// Whether the rule is in shadow mode: a request that it would refuse is logged and passes. Default: false.
    #[serde(default)]
    pub shadow: bool,
}

const fn default_status() -> u16 {
    403
}

/// A test of one fact about the client: an object with exactly one of these members. It matches a client of whom the
/// fact is one of the values.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(not(target_os = "wasi"), derive(schemars::JsonSchema), schemars(rename = "PlaceTestDocument"))]
#[serde(rename_all = "snake_case")]
pub enum PlaceTest<Net = Network> {
    /// The country, as an assigned code of ISO 3166-1 alpha-2: `DE`; `GB` and not `UK`.
    Country(Vec<String>),
    /// The subdivision, as a code of ISO 3166-2: `US-CA`.
    Subdivision(Vec<String>),
    /// The continent.
    Continent(#[serde(deserialize_with = "list_of_strings")] Vec<Continent>),
    /// The number of the autonomous system.
    Asn(Vec<u32>),
    /// The kind of connection.
    Connection(#[serde(deserialize_with = "list_of_strings")] Vec<Connection>),
    /// The kind of proxy at the address, by the geolocation data.
    Proxy(#[serde(deserialize_with = "list_of_strings")] Vec<Proxy>),
    /// The kind of anonymizer, by the VPN and proxy data of Fastly; unknown if the account does not have that product.
    Anonymizer(#[serde(deserialize_with = "list_of_strings")] Vec<Anonymizer>),
    /// The network, in CIDR notation or as one address.
    Network(Vec<Net>),
    /// The names of Compute ACLs. In `allow` an entry with the action ALLOW counts, in `deny` an entry with BLOCK.
    Acl(Vec<String>),
}

/// A test in the document, where networks are strings.
pub type PlaceTestDocument = PlaceTest<String>;

/// A rule about where a client may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Its name in the policy.
    pub name: String,
    /// Tests that refuse a client.
    pub deny: Vec<PlaceTest>,
    /// Tests, at least one of which must match; if empty, every client passes.
    pub allow: Vec<PlaceTest>,
    /// The facts that may be unknown.
    pub unknown_passes: Vec<Fact>,
    /// Whether a refusal is for legal reasons (451).
    pub legal: bool,
    /// Whether the rule is in shadow mode.
    pub shadow: bool,
}

/// Reads the section.
pub(super) fn read(documents: BTreeMap<String, PlaceDocument>, faults: &mut Faults) -> BTreeMap<String, Arc<Place>> {
    read_section("places", documents, faults, Place::read)
}

impl Place {
    fn read(name: &str, document: PlaceDocument, at: &str, faults: &mut Faults) -> Self {
        faults.add_if(document.deny.is_empty() && document.allow.is_empty(), at, Fault::Empty);
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

fn checked(codes: Vec<String>, at: &str, faults: &mut Faults, is_valid: fn(&str) -> bool) -> Vec<String> {
    for code in codes.iter().filter(|code| !is_valid(code)) {
        faults.add(at, Fault::NotAPlaceCode(code.clone()));
    }
    codes
}

/// Whether `code` is one that geolocation uses for a continent.
pub(super) fn is_continent(code: &str) -> bool {
    Continent::ALL.iter().any(|continent| continent.as_str() == code)
}

/// Whether `code` has the form of ISO 3166-1 alpha-2, in upper case.
pub(super) fn is_country(code: &str) -> bool {
    code.len() == 2 && code.bytes().all(|byte| byte.is_ascii_uppercase())
}

fn is_subdivision(code: &str) -> bool {
    code.split_once('-').is_some_and(|(country, part)| {
        is_country(country)
            && (1..=3).contains(&part.len())
            && part.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
    })
}

/// Only the fact, because there may be many values.
impl fmt::Display for PlaceTest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.fact().as_str())
    }
}
