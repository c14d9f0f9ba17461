//! Networks in CIDR notation (RFC 4632 §3.1, RFC 4291 §2.3).

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// A network: an address and the number of leading bits that its members share with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    first: IpAddr,
    length: u32,
}

/// A text is not a network, or its address has bits set after the prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotANetwork;

impl Network {
    /// Whether `address` is in the network. An IPv4-mapped IPv6 address counts as IPv4 (RFC 4291 §2.5.5.2).
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.first, address.to_canonical()) {
            (IpAddr::V4(first), IpAddr::V4(address)) => {
                self.covers((first.to_bits() ^ address.to_bits()).leading_zeros())
            }
            (IpAddr::V6(first), IpAddr::V6(address)) => {
                self.covers((first.to_bits() ^ address.to_bits()).leading_zeros())
            }
            _ => false,
        }
    }

    const fn covers(&self, shared: u32) -> bool {
        shared >= self.length
    }
}

/// The network of a client: its IPv4 address, or the /64 of its IPv6 address, because providers commonly assign a whole
/// /64 to one customer.
#[must_use]
pub fn client_network(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("{}/64", std::net::Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64))),
    }
}

impl FromStr for Network {
    type Err = NotANetwork;

    /// `198.51.100.0/24`, `2001:db8::/32`, or one address.
    fn from_str(text: &str) -> Result<Self, NotANetwork> {
        let (address, length) = match text.split_once('/') {
            Some((address, length)) => (address, Some(length)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| NotANetwork)?;
        let width: u32 = if address.is_ipv4() { 32 } else { 128 };
        let length = match length {
            None => width,
            Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                digits.parse().ok().filter(|length| *length <= width).ok_or(NotANetwork)?
            }
            Some(_) => return Err(NotANetwork),
        };
        let trailing_zeros = match address {
            IpAddr::V4(address) => address.to_bits().trailing_zeros(),
            IpAddr::V6(address) => address.to_bits().trailing_zeros(),
        };
        if trailing_zeros < width - length {
            return Err(NotANetwork);
        }
        match (address.to_canonical(), address) {
            (first @ IpAddr::V4(_), IpAddr::V6(_)) => {
                Ok(Self { first, length: length.checked_sub(96).ok_or(NotANetwork)? })
            }
            (first, _) => Ok(Self { first, length }),
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.first, self.length)
    }
}

#[cfg(test)]
mod tests {
    use super::{Network, client_network};

    #[test]
    fn a_network_contains_its_addresses_in_either_notation() {
        for (network, inside, outside) in [
            ("198.51.100.0/24", "198.51.100.255", "198.51.101.0"),
            ("198.51.100.7", "::ffff:198.51.100.7", "198.51.100.8"),
            ("::ffff:198.51.100.0/120", "198.51.100.9", "198.51.101.9"),
            ("0.0.0.0/0", "1.2.3.4", "::1"),
            ("2001:db8::/32", "2001:db8:ffff::1", "2001:db9::1"),
            ("::/0", "::1", "1.2.3.4"),
        ] {
            let parsed: Network = network.parse().unwrap_or_else(|_| panic!("{network}"));
            assert!(parsed.contains(inside.parse().unwrap()), "{network} {inside}");
            assert!(!parsed.contains(outside.parse().unwrap()), "{network} {outside}");
        }
    }

    #[test]
    fn a_text_that_is_not_a_network_is_refused() {
        for text in ["", "x", "1.2.3.4/33", "1.2.3.4/24", "1.2.3.0/+24", "1.2.3.0/", "::1/64", "fe80::1%eth0", "::/129"]
        {
            assert!(text.parse::<Network>().is_err(), "{text}");
        }
    }

    #[test]
    fn clients_are_distinguished_by_ipv4_address_or_ipv6_64() {
        let of = |text: &str| client_network(text.parse().unwrap());
        assert_eq!(of("198.51.100.7"), "198.51.100.7");
        assert_eq!(of("::ffff:198.51.100.7"), "198.51.100.7");
        assert_eq!(of("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::/64");
    }
}
