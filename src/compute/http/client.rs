//! The facts of the platform about the client, as the library's [`Client`].

use fastgate::client::{Anonymizer, Client, Connection, Continent, Proxy};
use fastly::Request;
use fastly::geo::{self, Geo, geo_lookup};

/// The client of `request`. A fact that the platform does not report, or reports by an unknown name, is unknown.
pub(in crate::compute) fn of(request: &Request) -> Client {
    // Databases do not contain IPv4-mapped IPv6 addresses; networks and ACLs are checked in the canonical form as well.
    let address = request.get_client_ip_addr();
    let located = match address.map(|address| address.to_canonical()).and_then(geo_lookup) {
        Some(geo) => located(&geo),
        None => Client::default(),
    };
    Client { address, anonymizers: anonymizers(request), pop: std::env::var("FASTLY_POP").ok(), ..located }
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

fn anonymizers(request: &Request) -> Option<Vec<Anonymizer>> {
    let flags = request.get_vpn_proxy_data()?;
    let found = [
        (flags.is_anonymous, Anonymizer::Any),
        (flags.is_anonymous_vpn, Anonymizer::Vpn),
        (flags.is_vpn_datacenter, Anonymizer::VpnDatacenter),
        (flags.is_hosting_provider, Anonymizer::Hosting),
        (flags.is_proxy_over_vpn, Anonymizer::ProxyOverVpn),
        (flags.is_public_proxy, Anonymizer::PublicProxy),
        (flags.is_relay_proxy, Anonymizer::Relay),
        (flags.is_residential_proxy, Anonymizer::ResidentialProxy),
        (flags.is_smart_dns_proxy, Anonymizer::SmartDns),
        (flags.is_tor_exit_node, Anonymizer::Tor),
    ];
    Some(found.into_iter().filter(|(set, _)| *set).map(|(_, kind)| kind).collect())
}
