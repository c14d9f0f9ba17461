//! The little that has to be known about URLs to compare and accept them.

/// An absolute `https` URL without user, query, fragment, quotes or white space; `http` for loopback, where developers run things.
pub(crate) fn is_https_url(url: &str) -> bool {
    let clean = !url.contains(['?', '#', '@', '\\', '"']) && url.bytes().all(|byte| byte.is_ascii_graphic());
    let host = host_of(url);
    let loopback = matches!(host.map(without_port), Some("127.0.0.1" | "[::1]" | "localhost"));
    clean
        && host.is_some_and(|host| !host.is_empty())
        && (url.starts_with("https://") || (url.starts_with("http://") && loopback))
}

/// Whether two URLs have scheme, host and port in common.
pub(crate) fn same_host(one: &str, two: &str) -> bool {
    let scheme = |url: &str| url.split_once("://").map(|(scheme, _)| scheme.to_owned());
    scheme(one) == scheme(two) && host_of(one) == host_of(two)
}

fn host_of(url: &str) -> Option<&str> {
    url.split_once("://").and_then(|(_, rest)| rest.split('/').next())
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    }
}
