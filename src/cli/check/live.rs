//! A policy compared with the live service: what the active version lacks is a fault, what may be meant so is a hint.

use std::collections::BTreeSet;

use fastgate::store_keys::STORE;
use serde_json::Value;

use super::super::fastly_api::{ApiError, LiveService, StoreKind};
use super::super::finding::Finding;
use super::super::shell;
use super::manifest::named;

/// The name of the log endpoint.
const LOG: &str = "fastgate";

/// The faults and the hints. What only hints need and the API does not tell is a hint itself.
pub(super) fn compared(policy: &Value, service: &LiveService<'_>) -> (Vec<Finding>, Vec<Finding>) {
    let mut faults = stores(service);
    faults.extend(acls(policy, service));
    let (missing, mut hints) = backends(policy, service);
    faults.extend(missing);
    hints.extend(hosts(policy, service).unwrap_or_else(|error| vec![unread(service, "its domains", &error)]));
    hints.extend(log(service).unwrap_or_else(|error| Some(unread(service, "its log endpoints", &error))));
    (faults, hints)
}

/// The backends that are missing; and hints about the others, one of each kind for each backend.
fn backends(policy: &Value, service: &LiveService<'_>) -> (Vec<Finding>, Vec<Finding>) {
    let (mut faults, mut hints) = (Vec::new(), Vec::new());
    let (mut plain, mut overriding) = (BTreeSet::new(), BTreeSet::new());
    for (at, name) in named(policy) {
        let Some(backend) = service.backends.iter().find(|backend| backend.name == name) else {
            let what = format!("names the backend \"{name}\", which {} does not have", service.subject);
            let remedy = "add it to a new version (fastly service backend create --version latest --autoclone --use-ssl), and \
                          activate that version";
            faults.push(finding(at, what, remedy));
            continue;
        };
        if !backend.uses_tls && plain.insert(name.clone()) {
            let what = format!("the backend \"{name}\" of {} does not use TLS", service.subject);
            let remedy = format!(
                "fastly service backend update --version latest --autoclone --name {} --use-ssl, and activate that version",
                shell::word(&name)
            );
            hints.push(finding(at.clone(), what, &remedy));
        }
        if let (true, Some(host)) = (at.starts_with("$.origins."), &backend.override_host)
            && overriding.insert(name.clone())
        {
            let what = format!("the backend \"{name}\" sends \"Host: {host}\", which the app must expect");
            let remedy = format!("write Settings(backend_host={host:?}) in the app, if it is not there");
            hints.push(finding(at, what, &remedy));
        }
    }
    (faults, hints)
}

/// That something could not be read.
fn unread(service: &LiveService<'_>, what: &str, error: &ApiError) -> Finding {
    let remedy = "nothing, if that is right; otherwise use a token that may read it";
    finding(service.subject.clone(), format!("{what} cannot be read and are not compared: {error}"), remedy)
}

/// That there is no log endpoint.
fn log(service: &LiveService<'_>) -> Result<Option<Finding>, ApiError> {
    if service.has_log(LOG)? {
        return Ok(None);
    }
    let what = format!("has no log endpoint named \"{LOG}\", so the log is lost");
    let remedy = format!(
        "create one of any kind with this name, such as `fastly service logging https create --name {LOG} --url URL --version \
         latest --autoclone`, and activate that version"
    );
    Ok(Some(finding(service.subject.clone(), what, &remedy)))
}

fn finding(at: String, what: String, remedy: &str) -> Finding {
    Finding { at, what, remedy: remedy.to_owned() }
}

/// The stores that the edge opens.
fn stores(service: &LiveService<'_>) -> Vec<Finding> {
    let missing = [StoreKind::Kv, StoreKind::Secret].into_iter().filter(|kind| !service.active.has_store(*kind, STORE));
    missing.map(|kind| finding(service.subject.clone(), kind.missing(), &kind.remedy())).collect()
}

/// The ACLs that the places name.
fn acls(policy: &Value, service: &LiveService<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for (place, rule) in policy.get("places").and_then(Value::as_object).into_iter().flatten() {
        for member in ["deny", "allow"] {
            let tests = rule.get(member).and_then(Value::as_array).into_iter().flatten();
            for (index, test) in tests.enumerate() {
                let names = test.get("acl").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
                for name in names.filter(|name| !service.active.has_acl(name)) {
                    let what = format!("names the ACL \"{name}\", to which {} is not linked", service.subject);
                    let name = shell::word(name);
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
    let hosts = policy.pointer("/edge/hosts").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    let mut other: Vec<(usize, &str)> = hosts.enumerate().collect();
    for listed in [LiveService::domains, LiveService::domains_without_version] {
        if !other.is_empty() {
            let domains = listed(service)?;
            other.retain(|(_, host)| !domains.iter().any(|domain| covers(domain, host)));
        }
    }
    let hint = |(index, host): (usize, &str)| {
        let host = shell::word(host);
        let remedy = format!(
            "fastly service domain create --version latest --autoclone --name {host}, and activate that version, or \
             fastly domain create --fqdn {host} --service-id ID"
        );
        finding(format!("$.edge.hosts[{index}]"), format!("is no domain of {}", service.subject), &remedy)
    };
    Ok(other.into_iter().map(hint).collect())
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
