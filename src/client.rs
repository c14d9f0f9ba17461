//! The client as the platform sees it: its address, where the address is registered, how it is connected, which proxy
//! it uses. No header field contributes to it, and every fact may be unknown.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

/// The facts about a client. They come only from the platform.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(not(target_os = "wasi"), derive(schemars::JsonSchema))]
#[serde(default)]
pub struct Client {
    /// The address of the peer, as the platform reports it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<IpAddr>,
    /// ISO 3166-1 alpha-2, upper case.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub country: Option<String>,
    /// ISO 3166-2, `US-CA`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subdivision: Option<String>,
    /// The continent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub continent: Option<Continent>,
    /// The number of the autonomous system.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub asn: Option<u32>,
    /// How the client is connected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connection: Option<Connection>,
    /// The kind of proxy that the client uses.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proxy: Option<Proxy>,
    /// The means that hide the client's address, from the platform's VPN and proxy data. Empty if the platform knows
    /// that there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub anonymizers: Option<Vec<Anonymizer>>,
    /// The POP that serves the request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pop: Option<String>,
}

impl Client {
    /// A client about which nothing is known.
    pub const UNKNOWN: Self = Self {
        address: None,
        country: None,
        subdivision: None,
        continent: None,
        asn: None,
        connection: None,
        proxy: None,
        anonymizers: None,
        pop: None,
    };
}

/// The facts that a place rule can test.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[cfg_attr(not(target_os = "wasi"), derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Fact {
    /// The country.
    Country,
    /// The subdivision of a country.
    Subdivision,
    /// The continent.
    Continent,
    /// The autonomous system.
    Asn,
    /// The kind of connection.
    Connection,
    /// The kind of proxy.
    Proxy,
    /// The means that hide the client.
    Anonymizer,
    /// The client's address.
    Network,
    /// The result of a Compute ACL for the address; unknown if the ACL cannot be read.
    Acl,
}

/// Continents, by the codes that geolocation uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(not(target_os = "wasi"), derive(schemars::JsonSchema))]
pub enum Continent {
    /// Africa.
    AF,
    /// Antarctica.
    AN,
    /// Asia.
    AS,
    /// Europe.
    EU,
    /// North America.
    NA,
    /// Oceania.
    OC,
    /// South America.
    SA,
}

/// How a client is connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(not(target_os = "wasi"), derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Connection {
    /// By wire.
    Wired,
    /// By wireless LAN.
    Wifi,
    /// By a mobile network.
    Mobile,
    /// By telephone.
    Dialup,
    /// By satellite.
    Satellite,
}

/// The kinds of proxies that geolocation knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(not(target_os = "wasi"), derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Proxy {
    /// It hides the client's address.
    Anonymous,
    /// AOL.
    Aol,
    /// Blackberry.
    Blackberry,
    /// A company's.
    Corporate,
    /// A school's.
    Edu,
    /// A hosting provider's address.
    Hosting,
    /// Open to the public.
    Public,
    /// It forwards the client's address.
    Transparent,
}

/// The means by which a client can be hidden, from the platform's VPN and proxy data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(not(target_os = "wasi"), derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Anonymizer {
    /// Any of the others.
    Any,
    /// The exit of a VPN.
    Vpn,
    /// A data center of a VPN.
    VpnDatacenter,
    /// A hosting provider.
    Hosting,
    /// A proxy behind a VPN.
    ProxyOverVpn,
    /// An open proxy.
    PublicProxy,
    /// A relay.
    Relay,
    /// A proxy in a private household's network.
    ResidentialProxy,
    /// A resolver that hides where a client is.
    SmartDns,
    /// An exit of Tor.
    Tor,
}

impl Fact {
    /// The fact as policies spell it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Country => "country",
            Self::Subdivision => "subdivision",
            Self::Continent => "continent",
            Self::Asn => "asn",
            Self::Connection => "connection",
            Self::Proxy => "proxy",
            Self::Anonymizer => "anonymizer",
            Self::Network => "network",
            Self::Acl => "acl",
        }
    }
}

impl Continent {
    /// Every continent.
    pub const ALL: [Self; 7] = [Self::AF, Self::AN, Self::AS, Self::EU, Self::NA, Self::OC, Self::SA];

    /// The code, as geolocation spells it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AF => "AF",
            Self::AN => "AN",
            Self::AS => "AS",
            Self::EU => "EU",
            Self::NA => "NA",
            Self::OC => "OC",
            Self::SA => "SA",
        }
    }
}

impl Client {
    /// The address as text; an IPv4-mapped IPv6 address as IPv4.
    #[must_use]
    pub fn address_text(&self) -> Option<String> {
        self.address.map(|address| address.to_canonical().to_string())
    }

    /// Adds what geolocation reports. A malformed code counts as unknown.
    #[must_use]
    pub fn located(mut self, country: &str, region: Option<&str>, asn: u32) -> Self {
        let letters = |code: &&str| code.len() == 2 && code.bytes().all(|byte| byte.is_ascii_alphabetic());
        let sound =
            |code: &&str| (1..=3).contains(&code.len()) && code.bytes().all(|byte| byte.is_ascii_alphanumeric());
        self.country = Some(country).filter(letters).map(str::to_ascii_uppercase);
        let region = region.filter(sound).map(str::to_ascii_uppercase);
        self.subdivision = self.country.as_ref().zip(region).map(|(country, region)| format!("{country}-{region}"));
        self.asn = Some(asn).filter(|number| *number != 0);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::Client;

    #[test]
    fn malformed_codes_count_as_unknown() {
        for nonsense in ["", "?", "??", "**", "D", "DEU", "D1", "é"] {
            let located = Client::default().located(nonsense, Some("BE"), 0);
            assert_eq!((located.country, located.subdivision, located.asn), (None, None, None), "{nonsense}");
        }
        let located = Client::default().located("de", Some("be"), 64500);
        assert_eq!(located.country.as_deref(), Some("DE"));
        assert_eq!((located.subdivision.as_deref(), located.asn), (Some("DE-BE"), Some(64500)));
    }
}
