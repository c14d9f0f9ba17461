//! Members of a policy that have no effect. They do no harm at the edge, so only the tool reports them.

use std::collections::BTreeMap;
use std::net::Ipv6Addr;

use fastgate::policy::groups::Cors;
use fastgate::policy::places::{Place, PlaceTest};
use fastgate::policy::{Access, Forward, Policy, Route};

use super::countries::{correction, is_assigned};
use super::hint::Lint;

/// The members of a route that have no effect; `at` is its path in the policy.
pub(super) fn useless(policy: &Policy, route: &Route, at: &str) -> Vec<Lint> {
    let mut found = Vec::new();
    if route.forward_token && route.access == Access::Public {
        found.push(Lint {
            at: format!("{at}.forward_token"),
            what: "forwards no token, since a public route reads none".to_owned(),
            remedy: "remove it, or write \"access\": \"optional\"",
        });
    }
    if route.forward != Forward::default() && route.access == Access::Public {
        found.push(Lint {
            at: format!("{at}.forward"),
            what: "has no effect, since a public route reads no token".to_owned(),
            remedy: "remove it, or write \"access\": \"optional\"",
        });
    }
    let has_affinity = route.inference.as_ref().is_some_and(|inference| inference.affinity.is_some());
    if has_affinity && route.origin().is_some_and(|origin| !origin.backends.are_chosen()) {
        found.push(Lint {
            at: format!("{at}.inference.affinity"),
            what: "has no effect, since the origin has one backend".to_owned(),
            remedy: "remove it, or write several \"backends\" at the origin",
        });
    }
    let flood_limit = policy.edge().flood_limit.as_ref();
    for (index, limit) in route.limits.iter().enumerate() {
        let earlier = route.limits.iter().take(index).any(|earlier| earlier.name == limit.name);
        if earlier || flood_limit.is_some_and(|flood| flood.name == limit.name) {
            found.push(Lint {
                at: format!("{at}.limits[{index}]"),
                what: format!("counts each request against \"{}\" a second time", limit.name),
                remedy: "name it once; \"flood_limit\" counts on every route without being named there",
            });
        }
    }
    found
}

/// The members of places and groups that have no effect, each reported once, however many routes refer to it.
pub(super) fn useless_in_shared(policy: &Policy) -> Vec<Lint> {
    let places: BTreeMap<_, _> =
        policy.routes().iter().flat_map(|route| &route.from).map(|place| (&place.name, place)).collect();
    let groups: BTreeMap<_, _> =
        policy.routes().iter().filter_map(|route| route.group.as_ref()).map(|group| (&group.name, group)).collect();
    let mut found: Vec<Lint> =
        places.values().flat_map(|place| unassigned(place).into_iter().chain(denied(place))).collect();
    for group in groups.values() {
        found.extend(group.cors.iter().flat_map(|cors| never_sent(&group.name, cors)));
    }
    found
}

/// The codes of a place that no country has.
fn unassigned(place: &Place) -> Vec<Lint> {
    let mut found = Vec::new();
    for (member, tests) in [("deny", &place.deny), ("allow", &place.allow)] {
        for (index, test) in tests.iter().enumerate() {
            let (PlaceTest::Country(codes) | PlaceTest::Subdivision(codes)) = test else { continue };
            let country = |code: &str| code.split('-').next().unwrap_or_default().to_owned();
            for code in codes.iter().filter(|code| !is_assigned(&country(code))) {
                found.push(Lint {
                    at: format!("$.places.{}.{member}[{index}]", place.name),
                    what: format!(
                        "\"{code}\" applies to no client: ISO 3166-1 assigns no country \"{}\"",
                        country(code)
                    ),
                    remedy: correction(&country(code)),
                });
            }
        }
    }
    found
}

/// The tests of `allow` that have a value which is also denied.
fn denied(place: &Place) -> Vec<Lint> {
    let both = |one: &PlaceTest, other: &PlaceTest| match (one, other) {
        (PlaceTest::Country(one), PlaceTest::Country(other))
        | (PlaceTest::Subdivision(one), PlaceTest::Subdivision(other)) => one.iter().any(|code| other.contains(code)),
        (PlaceTest::Continent(one), PlaceTest::Continent(other)) => one.iter().any(|code| other.contains(code)),
        (PlaceTest::Asn(one), PlaceTest::Asn(other)) => one.iter().any(|number| other.contains(number)),
        _ => false,
    };
    let allowed = place.allow.iter().enumerate();
    allowed
        .filter(|(_, allowed)| place.deny.iter().any(|denied| both(allowed, denied)))
        .map(|(index, _)| Lint {
            at: format!("$.places.{}.allow[{index}]", place.name),
            what: "names a value that \"deny\" names as well, and refuses".to_owned(),
            remedy: "remove it from one of the two",
        })
        .collect()
}

/// The origins of pages that no browser sends.
fn never_sent(group: &str, cors: &Cors) -> Vec<Lint> {
    let mut found = Vec::new();
    for (index, origin) in cors.origins.iter().enumerate().filter(|(_, origin)| !is_sent(origin)) {
        found.push(Lint {
            at: format!("$.groups.{group}.cors.origins[{index}]"),
            what: format!("\"{origin}\" is not an origin that browsers send"),
            remedy: "write it as browsers send it, \"https://app.example.com\": a port only if it is not the scheme's \
                     default, an address in its shortest form",
        });
    }
    found
}

/// Whether browsers serialize an origin like this (RFC 6454 §6.2), or it is `*`: a port only if it is not the default
/// of the scheme, and without leading zeros. `Origin` is compared byte for byte.
fn is_sent(origin: &str) -> bool {
    let (authority, default) = match (origin.strip_prefix("https://"), origin.strip_prefix("http://")) {
        (Some(rest), _) => (rest, 443),
        (None, Some(rest)) => (rest, 80),
        (None, None) => return origin == "*",
    };
    let (name, port) = match authority.rsplit_once(':') {
        Some((name, port)) if !port.contains(']') => (name, Some(port)),
        _ => (authority, None),
    };
    let port_as_sent =
        port.is_none_or(|text| text.parse::<u16>().is_ok_and(|port| port != default && port.to_string() == text));
    let name_as_sent = match name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        // The URL Standard spells IPv4-mapped addresses differently from Rust's standard library.
        Some(text) => text.parse::<Ipv6Addr>().is_ok_and(|ip| ip.to_ipv4_mapped().is_some() || ip.to_string() == text),
        None => !name.is_empty() && !name.starts_with('.') && !name.contains("..") && !name.contains(['[', ']', ':']),
    };
    port_as_sent && name_as_sent
}

#[cfg(test)]
mod tests {
    use fastgate::policy::Policy;

    use super::{is_sent, useless, useless_in_shared};

    #[test]
    fn what_routes_share_is_looked_at_once() {
        let route = |id: &str| {
            format!(r#"{{ "id": "{id}", "path": "/{id}", "methods": ["GET"], "from": ["p"], "group": "g" }}"#)
        };
        let text = format!(
            r#"{{
                "edge": {{ "issuer": "https://edge.test", "hosts": ["edge.test"] }},
                "origins": {{ "o": {{ "backend": "b", "audience": "a" }} }},
                "issuers": {{ "i": {{ "issuer": "https://i.test", "backend": "b", "audiences": ["x"] }} }},
                "places": {{ "p": {{ "deny": [{{ "country": ["UK", "EL"] }}] }} }},
                "groups": {{ "g": {{ "cors": {{ "origins": ["https://a.test:443"] }} }} }},
                "routes": [{}, {}, {}]
            }}"#,
            route("a"),
            route("b"),
            route("c")
        );
        let policy = Policy::parse(text.as_bytes());
        let Ok(policy) = policy else { panic!("{policy:?}") };
        assert_eq!(useless_in_shared(&policy).len(), 3);
        assert!(policy.routes().iter().all(|route| useless(&policy, route, "").is_empty()));
    }

    #[test]
    fn affinity_needs_several_backends() {
        let hints = |backends: &str| {
            let text = format!(
                r#"{{
                    "edge": {{ "issuer": "https://edge.test", "hosts": ["edge.test"] }},
                    "origins": {{ "o": {{ {backends}, "audience": "a" }} }},
                    "issuers": {{ "i": {{ "issuer": "https://i.test", "backend": "b", "audiences": ["x"] }} }},
                    "routes": [{{
                        "id": "r", "path": "/r", "methods": ["POST"],
                        "inference": {{ "api": "openai-chat", "models": {{ "m": {{}} }}, "affinity": "caller" }}
                    }}]
                }}"#
            );
            let policy = Policy::parse(text.as_bytes());
            let Ok(policy) = policy else { panic!("{policy:?}") };
            policy.routes().iter().flat_map(|route| useless(&policy, route, "")).map(|lint| lint.at).collect::<Vec<_>>()
        };
        assert_eq!(hints(r#""backend": "b""#), [".inference.affinity"]);
        assert!(hints(r#""backends": { "b": {}, "c": {} }"#).is_empty());
    }

    #[test]
    fn the_origin_of_a_page_is_written_as_browsers_send_it() {
        for origin in [
            "https://app.test",
            "https://app.test:8443",
            "https://app.test:80",
            "http://app.test:443",
            "http://localhost:3000",
            "http://127.0.0.1:5173",
            "http://[::1]:3000",
            "https://[2001:db8::1]:8443",
            "https://[::ffff:c000:201]",
            "https://[::1]",
            "https://app.test.",
            "*",
        ] {
            assert!(is_sent(origin), "{origin}");
        }
        for origin in [
            "https://app.test:443",
            "http://app.test:80",
            "https://app.test:08443",
            "https://app.test:",
            "https://app.test:99999",
            "https://app..test",
            "https://.test",
            "https://:",
            "https://:8443",
            "https://[",
            "https://[::1",
            "https://a:b:1",
            "https://[0:0:0:0:0:0:0:1]",
        ] {
            assert!(!is_sent(origin), "{origin}");
        }
    }
}
