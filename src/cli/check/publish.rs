//! What a policy cannot have if it is to work on Fastly: names of this machine and of private networks, plain HTTP, and
//! backends that the service does not have.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde_json::{Map, Value};

use super::super::finding::Finding;

/// What is wrong with a host that only this machine or a private network has.
const LOCAL: &str = "is a host that Fastly cannot reach, nor clients through it";

/// The faults of a policy that is to be published, its backends apart.
pub(super) fn findings(policy: &Value) -> Vec<Finding> {
    let mut found = Found(Vec::new());
    let hosts = policy.pointer("/edge/hosts").and_then(Value::as_array);
    for (index, host) in hosts.into_iter().flatten().filter_map(Value::as_str).enumerate() {
        if is_local(host) {
            let remedy = "write a domain of the service, such as shop.edgecompute.app";
            found.add(format!("$.edge.hosts[{index}]"), LOCAL, remedy);
        }
    }
    for member in ["issuer", "resource"] {
        let url = policy.pointer(&format!("/edge/{member}"));
        found.url(format!("$.edge.{member}"), url, "write the https URL of a domain of the service");
    }
    for (id, issuer) in members(policy, "issuers") {
        let at = format!("$.issuers.{id}");
        found.url(format!("{at}.issuer"), issuer.get("issuer"), "write the https URL of the provider");
        found.url(format!("{at}.jwks_uri"), issuer.get("jwks_uri"), "write an https URL on a public host");
        let endpoint = issuer.pointer("/introspection/url");
        found.url(format!("{at}.introspection.url"), endpoint, "write an https URL on a public host");
    }
    found.0
}

/// Hints: what cannot be checked from here.
pub(super) fn hints(policy: &Value) -> Vec<Finding> {
    let uses_erl = |limit: &&(String, &Value)| limit.1.pointer("/counter/erl").is_some();
    let hint = |(name, _): (String, &Value)| Finding {
        at: format!("$.limits.{name}.counter"),
        what: "needs the product Edge Rate Limiting, and whether the service has it cannot be checked".to_owned(),
        remedy: "enable it for the service, or use the counter \"exact\"".to_owned(),
    };
    members(policy, "limits").iter().filter(uses_erl).cloned().map(hint).collect()
}

struct Found(Vec<Finding>);

impl Found {
    fn add(&mut self, at: String, what: &str, remedy: &str) {
        self.0.push(Finding { at, what: what.to_owned(), remedy: remedy.to_owned() });
    }

    /// Checks a URL, if it is one.
    fn url(&mut self, at: String, url: Option<&Value>, remedy: &str) {
        let Some((scheme, rest)) = url.and_then(Value::as_str).and_then(|url| url.split_once("://")) else { return };
        if scheme.eq_ignore_ascii_case("http") {
            self.add(at, "is a plain http URL, which is for this machine only", remedy);
        } else if is_local(rest.split('/').next().unwrap_or_default()) {
            self.add(at, LOCAL, remedy);
        }
    }
}

/// The entries of a section.
fn members<'policy>(policy: &'policy Value, section: &str) -> Vec<(String, &'policy Value)> {
    let entries = policy.get(section).and_then(Value::as_object).into_iter().flat_map(Map::iter);
    entries.map(|(name, entry)| (name.clone(), entry)).collect()
}

/// Whether a host, maybe with a port, is of this machine or of a private network.
fn is_local(host: &str) -> bool {
    let host = host.to_ascii_lowercase();
    if let Some((address, _)) = host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        return address.parse().is_ok_and(is_local_v6);
    }
    let name = host.split(':').next().unwrap_or_default().trim_end_matches('.');
    match name.parse::<IpAddr>() {
        Ok(IpAddr::V4(address)) => is_local_v4(address),
        Ok(IpAddr::V6(address)) => is_local_v6(address),
        Err(_) => {
            let private = ["localhost", "local", "internal", "lan", "home.arpa"];
            !name.contains('.')
                || private.iter().any(|end| name.strip_suffix(end).is_some_and(|rest| rest.ends_with('.')))
        }
    }
}

fn is_local_v4(address: Ipv4Addr) -> bool {
    let shared = matches!(address.octets(), [100, 64..=127, ..]); // RFC 6598
    address.is_loopback() || address.is_private() || address.is_link_local() || address.is_unspecified() || shared
}

fn is_local_v6(address: Ipv6Addr) -> bool {
    let mapped = address.to_ipv4_mapped().is_some_and(is_local_v4);
    let local = address.is_unique_local() || address.is_unicast_link_local();
    address.is_loopback() || address.is_unspecified() || local || mapped
}

#[cfg(test)]
mod tests {
    use super::{findings, hints, is_local};
    use serde_json::json;

    #[test]
    fn hosts_of_this_machine_and_of_private_networks_are_local() {
        for host in [
            "localhost",
            "LOCALHOST:7676",
            "app.localhost",
            "127.0.0.1",
            "127.9.9.9:1",
            "10.1.2.3",
            "172.31.0.1",
            "192.168.1.1",
            "169.254.1.1",
            "100.64.0.1",
            "0.0.0.0",
            "[::1]",
            "[::1]:8443",
            "[fd00::1]",
            "[fe80::1]",
            "[::ffff:10.0.0.1]",
            "gate",
            "gate:80",
            "printer.local",
            "db.internal.",
            "x.lan",
            "",
        ] {
            assert!(is_local(host), "{host}");
        }
        for host in
            ["shop.edgecompute.app", "api.example.com:8443", "8.8.8.8", "172.32.0.1", "[2606:4700::1]", "local.com"]
        {
            assert!(!is_local(host), "{host}");
        }
    }

    #[test]
    fn each_finding_has_its_place() {
        let policy = json!({
            "edge": { "issuer": "http://127.0.0.1:7676", "hosts": ["shop.example.com", "localhost"], "resource": "https://gate/" },
            "issuers": {
                "a": { "issuer": "http://127.0.0.1:9080", "jwks_uri": "https://127.0.0.1/keys" },
                "b": { "issuer": "https://idp.example.com", "introspection": { "url": "https://10.0.0.1/i" } },
                "c": { "issuer": "kubernetes/serviceaccount", "jwks_uri": "https://idp.example.com/keys" },
            },
            "limits": { "l": { "counter": { "erl": {} } }, "m": { "counter": "exact" } },
        });
        let places: Vec<String> = findings(&policy).into_iter().map(|found| found.at).collect();
        assert_eq!(
            places,
            [
                "$.edge.hosts[1]",
                "$.edge.issuer",
                "$.edge.resource",
                "$.issuers.a.issuer",
                "$.issuers.a.jwks_uri",
                "$.issuers.b.introspection.url",
            ]
        );
        assert_eq!(hints(&policy).into_iter().map(|found| found.at).collect::<Vec<_>>(), ["$.limits.l.counter"]);
    }
}
