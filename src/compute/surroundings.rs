//! What the platform knows of the client, in the library's words.

use fastgate::surroundings::{Anonymizer, Connection, Continent, Proxy, Surroundings};
use fastly::Request;
use fastly::geo::{self, Geo, geo_lookup};

/// The surroundings of `request`. What the platform does not know, or names in a way that is not known here, is unknown.
pub(super) fn of(request: &Request) -> Surroundings {
    // An IPv4 address in the form of IPv6 is in no database; networks and ACLs are asked in the canonical form, too.
    let client = request.get_client_ip_addr().map(|address| address.to_canonical());
    let located = match client.and_then(geo_lookup) {
        Some(geo) => located(&geo),
        None => Surroundings::default(),
    };
    Surroundings { anonymizers: anonymizers(request), pop: std::env::var("FASTLY_POP").ok(), ..located }
}

fn located(geo: &Geo) -> Surroundings {
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
    Surroundings { continent, connection, proxy, ..Surroundings::default() }.located(
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
