//! A policy compared with the live service: what the active version lacks is a fault, what may be meant so is a hint.

use fastgate::store_keys::STORE;
use serde_json::Value;

use super::super::fastly_api::{ApiError, LiveService};
use super::super::finding::Finding;
use super::manifest::named;

/// The name of the log endpoint.
const LOG: &str = "fastgate";

/// The faults and the hints.
pub(super) fn compared(policy: &Value, service: &LiveService<'_>) -> Result<(Vec<Finding>, Vec<Finding>), ApiError> {
    let mut faults = stores(service);
    faults.extend(acls(policy, service));
    let mut hints = Vec::new();
    for (at, name) in named(policy) {
        let Some(backend) = service.backends.iter().find(|backend| backend.name == name) else {
            let what = format!("names the backend \"{name}\", which {} does not have", service.subject);
            let remedy = "add it to a new version (fastly service backend create --version latest --autoclone --use-ssl), and \
                          activate that version";
            faults.push(finding(at, what, remedy));
            continue;
        };
        if !backend.uses_tls {
            let what = format!("the backend \"{name}\" of {} does not use TLS", service.subject);
            let remedy = format!(
                "fastly service backend update --version latest --autoclone --name {name} --use-ssl, and activate that version"
            );
            hints.push(finding(at.clone(), what, &remedy));
        }
        if let (true, Some(host)) = (at.starts_with("$.origins."), &backend.override_host) {
            let what = format!("the backend \"{name}\" sends \"Host: {host}\", which the app must expect");
            hints.push(finding(
                at,
                what,
                &format!("write Settings(backend_host=\"{host}\") in the app, if it is not there"),
            ));
        }
    }
    hints.extend(hosts(policy, service)?);
    if !service.has_log(LOG)? {
        let what = format!("has no log endpoint named \"{LOG}\", so the log is lost");
        hints.push(finding(service.subject.clone(), what, "create one, see docs/reference/log-line.md"));
    }
    Ok((faults, hints))
}

fn finding(at: String, what: String, remedy: &str) -> Finding {
    Finding { at, what, remedy: remedy.to_owned() }
}

/// The stores that the edge opens.
fn stores(service: &LiveService<'_>) -> Vec<Finding> {
    let missing = [("kv-store", "KV store"), ("secret-store", "Secret Store")].into_iter();
    let missing = missing.filter(|(kind, _)| !service.has_store(kind, STORE)).map(|(kind, shown)| {
        let remedy = format!(
            "create one and link it: fastly {kind} create --name {STORE}, then fastly service resource-link create --version \
             latest --autoclone --name {STORE} --resource-id ID, and activate that version"
        );
        finding(service.subject.clone(), format!("is linked to no {shown} by the name \"{STORE}\""), &remedy)
    });
    missing.collect()
}

/// The ACLs that the places name.
fn acls(policy: &Value, service: &LiveService<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for (place, rule) in policy.get("places").and_then(Value::as_object).into_iter().flatten() {
        for member in ["deny", "allow"] {
            let tests = rule.get(member).and_then(Value::as_array).into_iter().flatten();
            for (index, test) in tests.enumerate() {
                let names = test.get("acl").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
                for name in names.filter(|name| !service.has_acl(name)) {
                    let what = format!("names the ACL \"{name}\", to which {} is not linked", service.subject);
                    let remedy = format!(
                        "fastly compute acl create --name {name}, then fastly service resource-link create --version latest \
                         --autoclone --name {name} --resource-id ID, and activate that version"
                    );
                    found.push(finding(format!("$.places.{place}.{member}[{index}].acl"), what, &remedy));
                }
            }
        }
    }
    found
}

/// Hosts that are no domain of the service.
fn hosts(policy: &Value, service: &LiveService<'_>) -> Result<Vec<Finding>, ApiError> {
    let domains = service.domains()?;
    let hosts = policy.pointer("/edge/hosts").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    let other = hosts.enumerate().filter(|(_, host)| !domains.iter().any(|domain| covers(domain, host)));
    let hint = |(index, host): (usize, &str)| {
        let remedy = format!(
            "fastly service domain create --version latest --autoclone --name {host}, and activate that version, or \
             fastly domain create --fqdn {host} --service-id ID"
        );
        finding(format!("$.edge.hosts[{index}]"), format!("is no domain of {}", service.subject), &remedy)
    };
    Ok(other.map(hint).collect())
}

/// Whether a domain, maybe with a wildcard, is the one of a host, maybe with a port.
fn covers(domain: &str, host: &str) -> bool {
    let (domain, host) = (domain.to_ascii_lowercase(), host.to_ascii_lowercase());
    let host = host.split(':').next().unwrap_or_default();
    match domain.strip_prefix('*') {
        Some(end) => host.len() > end.len() && host.ends_with(end),
        None => domain == host,
    }
}

#[cfg(test)]
mod tests {
    use super::covers;

    #[test]
    fn a_domain_covers_its_host() {
        for (domain, host) in [("a.example.com", "A.example.com:8443"), ("*.example.com", "a.example.com")] {
            assert!(covers(domain, host), "{domain} {host}");
        }
        for (domain, host) in [("a.example.com", "example.com"), ("*.example.com", "example.com"), ("", "a")] {
            assert!(!covers(domain, host), "{domain} {host}");
        }
    }
}
