//! Scheme and host of a request, and the URLs on them.

use crate::digest::of_parts;
use crate::request::CanonicalPath;

/// Scheme and host of a request.
pub(super) struct Site<'request> {
    pub(super) scheme: &'request str,
    /// With a port, if the request has one.
    pub(super) host: &'request str,
}

impl Site<'_> {
    /// The surrogate key of all responses to requests for a URL of this site.
    pub(super) fn requested(&self, path: &str, query: &str) -> String {
        of_parts(&["fastgate tag", "requested", self.scheme, self.host_without_default(), path, query])
    }

    /// The host without the default port of the scheme (RFC 3986 §6.2.3).
    pub(super) fn host_without_default(&self) -> &str {
        without_default(self.scheme, self.host)
    }

    /// The path and the query of the URL that `reference` refers to from `base` (RFC 3986 §5.2); `None` if it is on another
    /// site or has no canonical path.
    pub(super) fn resolve(&self, base: &str, reference: &str) -> Option<(CanonicalPath, String)> {
        let rest = match reference.split_once("://") {
            Some((other, rest)) if other.eq_ignore_ascii_case(self.scheme) => Some(rest),
            Some(_) => return None,
            None => reference.strip_prefix("//"),
        };
        let reference = match rest {
            Some(rest) => {
                let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
                let host = without_default(self.scheme, authority);
                let path =
                    rest.get(authority.len()..).filter(|_| host.eq_ignore_ascii_case(self.host_without_default()))?;
                if path.starts_with('/') { path.to_owned() } else { format!("/{path}") }
            }
            None if reference.starts_with('/') => reference.to_owned(),
            None => format!("{}/{reference}", base.rsplit_once('/')?.0),
        };
        let reference = reference.split('#').next().unwrap_or_default();
        let (path, query) = reference.split_once('?').unwrap_or((reference, ""));
        let path = CanonicalPath::parse(encoded(&without_dots(path)).as_bytes()).ok()?;
        Some((path, query.to_owned()))
    }
}

fn without_default<'host>(scheme: &str, host: &'host str) -> &'host str {
    host.strip_suffix(if scheme == "https" { ":443" } else { ":80" }).unwrap_or(host)
}

/// A path without dot segments (RFC 3986 §5.2.4).
fn without_dots(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    for segment in path.split('/').skip(1) {
        match segment {
            "." => {}
            ".." => drop(kept.pop()),
            _ => kept.push(segment),
        }
    }
    let ends_in_dots = path.ends_with("/.") || path.ends_with("/..");
    format!("/{}{}", kept.join("/"), if ends_in_dots && !kept.is_empty() { "/" } else { "" })
}

/// A path whose bytes are graphic ASCII: others are percent-encoded, as clients do.
fn encoded(path: &str) -> String {
    let one = |byte: u8| if byte.is_ascii_graphic() { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    path.bytes().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::Site;

    #[test]
    fn references_are_resolved_as_clients_do() {
        let site = Site { scheme: "https", host: "api.test:443" };
        for (reference, expected) in [
            ("/b", Some("/b?")),
            ("b?x=1", Some("/a/b?x=1")),
            ("../b", Some("/b?")),
            ("../../../b", Some("/b?")),
            ("/p/./b/", Some("/p/b/?")),
            ("/b/..", Some("/?")),
            ("/é b", Some("/%C3%A9%20b?")),
            ("https://api.test/b#x", Some("/b?")),
            ("HTTPS://API.test:443/b", Some("/b?")),
            ("//api.test", Some("/?")),
            ("https://api.test:8443/b", None),
            ("http://api.test/b", None),
            ("https://other.test/b", None),
            ("https://api.test@other.test/b", None),
            ("/b//c", None),
            ("/%2e%2e/b", None),
        ] {
            let found = site.resolve("/a/x", reference).map(|(path, query)| format!("{}?{query}", path.encoded()));
            assert_eq!(found.as_deref(), expected, "{reference}");
        }
    }
}
