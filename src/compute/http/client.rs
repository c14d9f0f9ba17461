//! The facts of the platform about the client, as the library's [`Client`].

use std::net::IpAddr;

use fastgate::client::{Anonymizer, Client, Connection, Continent, Proxy};
use fastly::geo::{self, Geo, geo_lookup};
use fastly::handle::RequestHandle;

/// Where clients are. It keeps the last answer of the platform, because a sandbox often serves several requests of one
/// client; it does so for as long as the sandbox lives.
#[derive(Default)]
pub(in crate::compute) struct Locator {
    last: Option<(IpAddr, Client)>,
}

impl Locator {
    /// The client of `request`, without its anonymizers. A fact that the platform does not report, or reports by an
    /// unknown name, is unknown.
    pub(in crate::compute) fn client(&mut self, request: &RequestHandle) -> Client {
        let address = request.client_ip_addr();
        let pop = std::env::var("FASTLY_POP").ok();
        match address {
            Some(address) => Client { address: Some(address), pop, ..self.located(address) },
            None => Client { pop, ..Client::default() },
        }
    }

    fn located(&mut self, address: IpAddr) -> Client {
        if let Some((_, located)) = self.last.as_ref().filter(|(known, _)| *known == address) {
            return located.clone();
        }
        // Databases do not contain IPv4-mapped IPv6 addresses; networks and ACLs are checked in the canonical form as
        // well.
        let Some(found) = geo_lookup(address.to_canonical()) else { return Client::default() };
        let found = located(&found);
        self.last = Some((address, found.clone()));
        found
    }
}

fn located(geo: &Geo) -> Client {
    let continent = match geo.continent() {
        geo::Continent::Africa => Some(Continent::AF),
        geo::Continent::Antarctica => Some(Continent::AN),
        geo::Continent::Asia => Some(Continent::AS),
        geo::Continent::Europe => Some(Continent::EU),
        geo::Continent::NorthAmerica => Some(Continent::NA),
        geo::Continent::Oceania => Some(Continent::OC),
        geo::Continent::SouthAmerica => Some(Continent::SA),
        geo::Continent::Other(_) => None,
    };
    let connection = match geo.conn_type() {
        geo::ConnType::Wired => Some(Connection::Wired),
        geo::ConnType::Wifi => Some(Connection::Wifi),
        geo::ConnType::Mobile => Some(Connection::Mobile),
        geo::ConnType::Dialup => Some(Connection::Dialup),
        geo::ConnType::Satellite => Some(Connection::Satellite),
        _ => None,
    };
    let proxy = match geo.proxy_type() {
        geo::ProxyType::Anonymous => Some(Proxy::Anonymous),
        geo::ProxyType::Aol => Some(Proxy::Aol),
        geo::ProxyType::Blackberry => Some(Proxy::Blackberry),
        geo::ProxyType::Corporate => Some(Proxy::Corporate),
        geo::ProxyType::Edu => Some(Proxy::Edu),
        geo::ProxyType::Hosting => Some(Proxy::Hosting),
        geo::ProxyType::Public => Some(Proxy::Public),
        geo::ProxyType::Transparent => Some(Proxy::Transparent),
        _ => None,
    };
    Client { continent, connection, proxy, ..Client::default() }.located(
        geo.country_code(),
        geo.region(),
        geo.as_number(),
    )
}

/// The means by which the client of `request` hides its address. Up to ten hostcalls.
pub(in crate::compute) fn anonymizers(request: &RequestHandle) -> Option<Vec<Anonymizer>> {
    type Ask = fn(&RequestHandle) -> Option<bool>;
    let mut found: Vec<_> = request.vpn_proxy_is_anonymous()?.then_some(Anonymizer::Any).into_iter().collect();
    let kinds: [(Ask, Anonymizer); 9] = [
        (RequestHandle::vpn_proxy_is_anonymous_vpn, Anonymizer::Vpn),
        (RequestHandle::vpn_proxy_is_vpn_datacenter, Anonymizer::VpnDatacenter),
        (RequestHandle::vpn_proxy_is_hosting_provider, Anonymizer::Hosting),
        (RequestHandle::vpn_proxy_is_proxy_over_vpn, Anonymizer::ProxyOverVpn),
        (RequestHandle::vpn_proxy_is_public_proxy, Anonymizer::PublicProxy),
        (RequestHandle::vpn_proxy_is_relay_proxy, Anonymizer::Relay),
        (RequestHandle::vpn_proxy_is_residential_proxy, Anonymizer::ResidentialProxy),
        (RequestHandle::vpn_proxy_is_smart_dns_proxy, Anonymizer::SmartDns),
        (RequestHandle::vpn_proxy_is_tor_exit_node, Anonymizer::Tor),
    ];
    for (asked, kind) in kinds {
        if asked(request)? {
            found.push(kind);
        }
    }
    Some(found)
}
