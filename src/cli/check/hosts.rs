//! Hosts that are not on the internet, in every spelling: those of this machine and of private networks, and those that
//! nobody can have.

use std::net::{Ipv4Addr, Ipv6Addr};

use url::Host;

/// Ends of names of this machine and of private networks: RFC 6761 §6.3, RFC 6762 (§3 and appendix G), RFC 8375, and the
/// domain that ICANN reserved for private use.
const LOCAL: [&str; 9] = ["localhost", "local", "internal", "lan", "home.arpa", "intranet", "private", "corp", "home"];
/// Ends of names that the DNS never has: RFC 6761 §6.2, §6.4 and §6.5, RFC 7686, RFC 9476.
const RESERVED: [&str; 5] = ["test", "invalid", "example", "onion", "alt"];
/// Domains for documentation, which exist (RFC 6761 §6.5) and never belong to who writes them.
const DOCUMENTATION: [&str; 3] = ["example.com", "example.net", "example.org"];

/// Why a host is not on the internet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Elsewhere {
    /// It is on this machine or in a private network.
    Local,
    /// The name or the address is reserved: no host on the internet has it.
    Reserved,
    /// It is no host.
    Malformed,
}

impl Elsewhere {
    /// What is wrong with it.
    pub(super) const fn what(self) -> &'static str {
        match self {
            Self::Local => "is a host that Fastly cannot reach, nor clients through it",
            Self::Reserved => "is a reserved host, which nobody on the internet has",
            Self::Malformed => "is neither a host name nor an address",
        }
    }
}

/// Why a host, maybe with a port, is not on the internet; `None` if it may be.
pub(super) fn elsewhere(host: &str) -> Option<Elsewhere> {
    let parsed = match host.parse() {
        Ok(address) => Ok(Host::Ipv6(address)), // without brackets, as a manifest writes it
        Err(_) => Host::parse(without_port(host)),
    };
    match parsed {
        Ok(Host::Ipv4(address)) => elsewhere_v4(address),
        Ok(Host::Ipv6(address)) => elsewhere_v6(address),
        Ok(Host::Domain(name)) => {
            let name = name.trim_end_matches('.');
            if !name.contains('.') || LOCAL.iter().any(|end| is_below(name, end)) {
                return Some(Elsewhere::Local);
            }
            RESERVED.iter().any(|end| is_below(name, end)).then_some(Elsewhere::Reserved)
        }
        Err(_) => Some(Elsewhere::Malformed),
    }
}

/// Whether a host, maybe with a port, is of a domain for documentation.
pub(super) fn is_of_documentation(host: &str) -> bool {
    let name = without_port(host).trim_end_matches('.').to_ascii_lowercase();
    DOCUMENTATION.iter().any(|domain| is_below(&name, domain))
}

fn is_below(name: &str, domain: &str) -> bool {
    name.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    }
}

/// See IANA's registry of special-purpose IPv4 addresses.
fn elsewhere_v4(address: Ipv4Addr) -> Option<Elsewhere> {
    let is_local = address.is_private() || address.is_loopback() || address.is_link_local();
    match address.octets() {
        _ if is_local => Some(Elsewhere::Local),
        [0, ..] | [100, 64..=127, ..] => Some(Elsewhere::Local), // this host; RFC 6598
        [192, 0, 0, _] | [198, 18 | 19, ..] | [224..=255, ..] => Some(Elsewhere::Reserved), // RFC 6890, RFC 2544; multicast, class E
        _ if address.is_documentation() => Some(Elsewhere::Reserved),
        _ => None,
    }
}

/// See IANA's registry of special-purpose IPv6 addresses. Only `2000::/3` is assigned to hosts on the internet.
fn elsewhere_v6(address: Ipv6Addr) -> Option<Elsewhere> {
    if let Some(address) = embedded(address) {
        return elsewhere_v4(address);
    }
    match address.segments() {
        [0xfc00..=0xfdff | 0xfe80..=0xfeff, ..] | [0x64, 0xff9b, 1, ..] => Some(Elsewhere::Local), // the last: RFC 8215
        [0x2001, 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => Some(Elsewhere::Reserved),                // documentation
        [0x2000..=0x3fff, ..] => None,
        _ => Some(Elsewhere::Reserved),
    }
}

/// The IPv4 address that an IPv6 address stands for.
fn embedded(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let [.., a, b, c, d] = address.octets();
    match address.segments() {
        // Compatible (with :: and ::1, which become 0.0.0.0/8), mapped, translated (RFC 2765), NAT64 (RFC 6052).
        [0, 0, 0, 0, 0, 0 | 0xffff, ..] | [0, 0, 0, 0, 0xffff, 0, ..] | [0x64, 0xff9b, 0, 0, 0, 0, ..] => {
            Some(Ipv4Addr::new(a, b, c, d))
        }
        [0x2002, high, low, ..] => Some(Ipv4Addr::from((u32::from(high) << 16) | u32::from(low))), // 6to4 (RFC 3056)
        [0x2001, 0, ..] => Some(Ipv4Addr::new(!a, !b, !c, !d)),                                    // Teredo (RFC 4380)
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{Elsewhere, LOCAL, RESERVED, elsewhere, is_below, is_of_documentation};
    use std::collections::BTreeMap;

    /// Names, and why they are not on the internet. The Python package passes the same cases.
    const CASES: &str = include_str!("../../../tests/data/hosts.json");

    #[test]
    fn each_name_is_where_the_cases_say() {
        let cases: BTreeMap<String, Option<String>> = serde_json::from_str(CASES).unwrap();
        for (host, expected) in &cases {
            let found = elsewhere(host).map(|why| format!("{why:?}").to_lowercase());
            assert_eq!(&found, expected, "{host}");
        }
        for end in LOCAL.iter().chain(&RESERVED) {
            assert!(cases.keys().any(|host| is_below(host, end)), "{end}");
        }
    }

    #[test]
    fn hosts_of_this_machine_and_of_private_networks_are_local() {
        for host in [
            "localhost",
            "LOCALHOST:7676",
            "app.localhost",
            "localhost.",
            "127.0.0.1",
            "127.9.9.9:1",
            "10.1.2.3",
            "172.31.0.1",
            "192.168.1.1",
            "169.254.1.1",
            "100.64.0.1",
            "0.0.0.0",
            "0.1.2.3",
            "[::1]",
            "[::1]:8443",
            "::1",
            "::",
            "[fd00::1]",
            "[fe80::1]",
            "[fec0::1]",
            "[::ffff:10.0.0.1]",
            "[::ffff:7f00:1]",
            "[::127.0.0.1]",
            "[::ffff:0:127.0.0.1]",
            "[64:ff9b::7f00:1]",
            "[64:ff9b::10.0.0.1]",
            "[64:ff9b:1::808:808]",
            "[2002:7f00:1::]",
            "[2001:0:1:1::80ff:fffe]",
            "127.1",
            "127.0.1:443",
            "0177.0.0.1",
            "0x7f.1",
            "0X7F000001",
            "2130706433",
            "127.0.0.1.",
            "127。0。0。1",
            "１２７.0.0.1",
            "%6cocalhost",
            "gate",
            "gate:80",
            "printer.local",
            "db.internal.",
            "x.lan",
            "nas.home.arpa",
            "HOME.ARPA",
            "wiki.corp",
            "wiki.home",
            "wiki.intranet",
            "wiki.private",
        ] {
            assert_eq!(elsewhere(host), Some(Elsewhere::Local), "{host}");
        }
    }

    #[test]
    fn what_nobody_on_the_internet_has_is_reserved() {
        for host in [
            "shop.test",
            "shop.invalid:443",
            "shop.example",
            "shop.TEST.",
            "abc.onion",
            "name.alt",
            "192.0.2.1",
            "198.51.100.1",
            "203.0.113.1",
            "198.18.0.1",
            "192.0.0.1",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "[2001:db8::1]",
            "[3fff::1]",
            "[ff02::1]",
            "[100::1]",
            "[5f00::1]",
            "[4000::1]",
            "[64:ff9b::192.0.2.1]",
        ] {
            assert_eq!(elsewhere(host), Some(Elsewhere::Reserved), "{host}");
        }
        for host in ["", ":443", "a b.com", "[::1", "1.2.3.256", "shop.com/x"] {
            assert_eq!(elsewhere(host), Some(Elsewhere::Malformed), "{host}");
        }
    }

    #[test]
    fn other_hosts_may_be_on_the_internet() {
        for host in [
            "shop.edgecompute.app",
            "api.example.com:8443",
            "8.8.8.8",
            "172.32.0.1",
            "100.128.0.1",
            "[2606:4700::1]",
            "2606:4700::1",
            "[64:ff9b::808:808]",
            "[2002:808:808::]",
            "local.com",
            "localhost.com",
            "test.com",
            "latest.dev",
            "münchen.de",
        ] {
            assert_eq!(elsewhere(host), None, "{host}");
        }
    }

    #[test]
    fn domains_for_documentation_are_known() {
        for host in ["example.com", "shop.EXAMPLE.org:443", "a.b.example.net."] {
            assert!(is_of_documentation(host), "{host}");
        }
        for host in ["myexample.com", "example.dev", "example.com.evil.dev"] {
            assert!(!is_of_documentation(host), "{host}");
        }
    }
}
