//! What a policy cannot have if it is to work on Fastly: hosts that are not on the internet, and plain HTTP.

use serde_json::{Map, Value};

use super::super::finding::Finding;
use super::hosts::{elsewhere, is_of_documentation};

/// The remedy for a host of the service.
const OWN_HOST: &str = "write a domain of the service, such as shop.edgecompute.app";
/// The remedy for a URL of the service.
const OWN_URL: &str = "write the https URL of a domain of the service";
/// The remedy for a URL of a provider.
const PROVIDER: &str = "write an https URL on a public host";

/// The faults of a policy that is to be published, its backends apart, and hints.
pub(super) fn findings(policy: &Value) -> (Vec<Finding>, Vec<Finding>) {
    let mut found = Found::default();
    let hosts = policy.pointer("/edge/hosts").and_then(Value::as_array);
    for (index, host) in hosts.into_iter().flatten().filter_map(Value::as_str).enumerate() {
        found.host(format!("$.edge.hosts[{index}]"), host, OWN_HOST);
    }
    for member in ["issuer", "resource"] {
        found.url(format!("$.edge.{member}"), policy.pointer(&format!("/edge/{member}")), OWN_URL);
    }
    for (id, origin) in members(policy, "origins") {
        found.url(format!("$.origins.{id}.resource"), origin.get("resource"), OWN_URL);
    }
    for (id, issuer) in members(policy, "issuers") {
        let at = format!("$.issuers.{id}");
        found.url(format!("{at}.issuer"), issuer.get("issuer"), "write the https URL of the provider");
        found.url(format!("{at}.jwks_uri"), issuer.get("jwks_uri"), PROVIDER);
        found.url(format!("{at}.introspection.url"), issuer.pointer("/introspection/url"), PROVIDER);
    }
    let uses_erl = |limit: &(String, &Value)| limit.1.pointer("/counter/erl").is_some();
    for (name, _) in members(policy, "limits").into_iter().filter(uses_erl) {
        found.hints.push(Finding {
            at: format!("$.limits.{name}.counter"),
            what: "needs the product Edge Rate Limiting, and whether the service has it cannot be checked".to_owned(),
            remedy: "enable it for the service, or use the counter \"exact\"".to_owned(),
        });
    }
    (found.faults, found.hints)
}

#[derive(Default)]
struct Found {
    faults: Vec<Finding>,
    hints: Vec<Finding>,
}

impl Found {
    /// Checks a URL, if it is one.
    fn url(&mut self, at: String, url: Option<&Value>, remedy: &str) {
        let Some((scheme, rest)) = url.and_then(Value::as_str).and_then(|url| url.split_once("://")) else { return };
        if scheme.eq_ignore_ascii_case("http") {
            let what = "is a plain http URL, which is for this machine only".to_owned();
            self.faults.push(Finding { at, what, remedy: remedy.to_owned() });
        } else {
            self.host(at, rest.split('/').next().unwrap_or_default(), remedy);
        }
    }

    /// Checks a host, maybe with a port.
    fn host(&mut self, at: String, host: &str, remedy: &str) {
        let remedy = remedy.to_owned();
        if let Some(elsewhere) = elsewhere(host) {
            self.faults.push(Finding { at, what: elsewhere.what().to_owned(), remedy });
        } else if is_of_documentation(host) {
            let what = "is of a domain for documentation, which belongs to nobody".to_owned();
            self.hints.push(Finding { at, what, remedy });
        }
    }
}

/// The entries of a section.
fn members<'policy>(policy: &'policy Value, section: &str) -> Vec<(String, &'policy Value)> {
    let entries = policy.get(section).and_then(Value::as_object).into_iter().flat_map(Map::iter);
    entries.map(|(name, entry)| (name.clone(), entry)).collect()
}

#[cfg(test)]
mod tests {
    use super::findings;
    use serde_json::json;

    #[test]
    fn each_finding_has_its_place() {
        let policy = json!({
            "edge": { "issuer": "http://127.0.0.1:7676", "hosts": ["shop.example.com", "localhost"], "resource": "https://gate/" },
            "issuers": {
                "a": { "issuer": "http://127.0.0.1:9080", "jwks_uri": "https://127.1/keys" },
                "b": { "issuer": "https://idp.example.com", "introspection": { "url": "https://10.0.0.1/i" } },
                "c": { "issuer": "kubernetes/serviceaccount", "jwks_uri": "https://idp.shop.dev/keys" },
            },
            "origins": { "o": { "resource": "https://shop.test/mcp" }, "p": { "resource": null } },
            "limits": { "l": { "counter": { "erl": {} } }, "m": { "counter": "exact" } },
        });
        let (faults, hints) = findings(&policy);
        assert_eq!(
            faults.into_iter().map(|found| found.at).collect::<Vec<_>>(),
            [
                "$.edge.hosts[1]",
                "$.edge.issuer",
                "$.edge.resource",
                "$.origins.o.resource",
                "$.issuers.a.issuer",
                "$.issuers.a.jwks_uri",
                "$.issuers.b.introspection.url",
            ]
        );
        assert_eq!(
            hints.into_iter().map(|found| found.at).collect::<Vec<_>>(),
            ["$.edge.hosts[0]", "$.issuers.b.issuer", "$.limits.l.counter"]
        );
    }
}
