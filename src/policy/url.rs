//! Checks of URLs and authorities.

/// Whether `url` is an absolute `https` URL without user, query, fragment, quotes or white space. `http` is accepted
/// for loopback addresses, for development.
pub(crate) fn is_https_url(url: &str) -> bool {
    let is_plain = !url.contains(['?', '#', '@', '\\', '"']) && url.bytes().all(|byte| byte.is_ascii_graphic());
    let host = authority(url);
    let loopback = matches!(host.map(without_port), Some("127.0.0.1" | "[::1]" | "localhost"));
    is_plain
        && host.is_some_and(|host| !host.is_empty())
        && (url.starts_with("https://") || (url.starts_with("http://") && loopback))
}

/// Whether two URLs have the same scheme, host and port.
pub(crate) fn same_host(one: &str, two: &str) -> bool {
    let scheme = |url: &str| url.split_once("://").map(|(scheme, _)| scheme.to_owned());
    scheme(one) == scheme(two) && authority(one) == authority(two)
}

/// Host and port of an absolute URL without user, as the URL writes them.
pub(crate) fn authority(url: &str) -> Option<&str> {
    url.split_once("://").and_then(|(_, rest)| rest.split('/').next())
}

/// The path of an absolute URL without query and fragment; empty if there is none.
pub(crate) fn path(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.find('/').and_then(|at| rest.get(at..)).unwrap_or_default()
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    }
}

/// Splits `name`, `name:port` or `[v6]:port` (RFC 9110 §4.2.1). A port is a decimal number below 65536. The name is not
/// checked.
pub(crate) fn split_port(authority: &str) -> Option<(&str, Option<u16>)> {
    let name_ends = match authority.strip_prefix('[') {
        Some(rest) => rest.find(']')? + 2,
        None => authority.find(':').unwrap_or(authority.len()),
    };
    let (name, rest) = authority.split_at_checked(name_ends)?;
    let Some(port) = rest.strip_prefix(':') else {
        return rest.is_empty().then_some((name, None));
    };
    if port.is_empty() || !port.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some((name, Some(port.parse().ok()?)))
}

/// Whether a URL is written in the only way that it can be: the host in lower case, the port as a plain number and only if
/// it is not the default one (RFC 3986 §6.2), the path of characters that are themselves in every spelling.
pub(super) fn is_normal(url: &str) -> bool {
    let default = if url.starts_with("http:") { 80 } else { 443 };
    let is_plain = |host: &str| {
        let Some((name, port)) = split_port(host) else { return false };
        let shortest = port.filter(|port| *port != default).map_or(name.to_owned(), |port| format!("{name}:{port}"));
        host == shortest && !name.bytes().any(|byte| byte.is_ascii_uppercase())
    };
    authority(url).is_some_and(is_plain) && is_unambiguous(path(url))
}

/// Whether each character is itself in every spelling of the path (unreserved, sub-delims, `:` and `@` of RFC 3986
/// §3.3, none percent-encoded), and no segment is empty or a dot segment. The last one may be empty.
fn is_unambiguous(path: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/".contains(&byte);
    let mut segments = path.split('/').skip(1).peekable();
    let mut are_valid = true;
    while let Some(segment) = segments.next() {
        are_valid &= !matches!(segment, "." | "..") && (!segment.is_empty() || segments.peek().is_none());
    }
    are_valid && path.bytes().all(is_plain)
}
