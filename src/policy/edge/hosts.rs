//! The hosts that requests may name, and the ports at which they are served.

use crate::policy::url::{authority, split_port};

/// The hosts that requests may name, in lower case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hosts {
    hosts: Vec<Host>,
    /// Ports at which every host without a port is served, in addition to the default port of the scheme.
    ports: Vec<u16>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Host {
    /// The host as the policy writes it, in lower case.
    written: String,
    name: String,
    port: Option<u16>,
}

impl Hosts {
    /// The policy's spelling of `name`, if that host is served at `port`. Hosts are compared case-insensitively (RFC
    /// 9110 §4.2.3). `port` is `None` if the request does not name one; `default` is the port of the scheme (RFC 9110
    /// §4.2). A host that the policy writes with a port is served at that port only.
    #[must_use]
    pub fn find(&self, name: &str, port: Option<u16>, default: u16) -> Option<&str> {
        let port = port.unwrap_or(default);
        let served = |host: &&Host| match host.port {
            Some(only) => only == port,
            None => port == default || self.ports.contains(&port),
        };
        let named = self.hosts.iter().filter(|host| host.name.eq_ignore_ascii_case(name));
        named.filter(served).map(|host| host.name.as_str()).next()
    }

    /// Whether requests may name the host of this URL.
    pub(in crate::policy) fn serves(&self, url: &str) -> bool {
        let default = if url.starts_with("http:") { 80 } else { 443 };
        let named = authority(url).and_then(split_port);
        named.is_some_and(|(name, port)| self.find(name, port, default).is_some())
    }

    /// The first host of the policy, with its port if the policy writes one.
    #[must_use]
    pub fn first(&self) -> Option<&str> {
        self.hosts.first().map(|host| host.written.as_str())
    }

    /// The same hosts, also served at the port of `url`, if it has one.
    pub(in crate::policy) fn with_port_of(mut self, url: &str) -> Self {
        let authority = url.split_once("://").and_then(|(_, rest)| rest.split('/').next()).unwrap_or_default();
        self.ports.extend(split_port(authority).and_then(|(_, port)| port));
        self
    }
}

impl<N: AsRef<str>> FromIterator<N> for Hosts {
    /// Hosts as the policy writes them: `api.example.com`, `[2001:db8::1]`, `api.example.com:8443`. Other texts are
    /// omitted: no request could name them.
    fn from_iter<I: IntoIterator<Item = N>>(names: I) -> Self {
        let read = |name: N| {
            let written = name.as_ref().to_ascii_lowercase();
            let (name, port) = split_port(&written)?;
            Some(Host { name: name.to_owned(), port, written })
        };
        Self { hosts: names.into_iter().filter_map(read).collect(), ports: Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::Hosts;
    use crate::policy::names::is_bare_host;
    use crate::policy::url::split_port;

    #[test]
    fn ports_are_numbers_that_fit() {
        assert_eq!(split_port("edge.test:443"), Some(("edge.test", Some(443))));
        assert_eq!(split_port("[::1]:7676"), Some(("[::1]", Some(7676))));
        assert_eq!(split_port("edge.test"), Some(("edge.test", None)));
        for bad in ["edge.test:", "edge.test:99999", "edge.test:+1", "a:b:1", "[::1", "[::1]x"] {
            assert_eq!(split_port(bad), None, "{bad}");
        }
        assert!(
            is_bare_host("edge.test:8443")
                && is_bare_host("[::1]")
                && is_bare_host("[::1]:1")
                && !is_bare_host("edge.test:99999")
        );
    }

    #[test]
    fn a_host_is_served_at_the_default_port_and_those_that_the_policy_names() {
        let hosts: Hosts = ["edge.test", "Admin.Test:8443", "[::1]"].into_iter().collect();
        let hosts = hosts.with_port_of("http://127.0.0.1:7676/x");
        let hosts = hosts.with_port_of("https://edge.test");
        for (name, port, served) in [
            ("edge.test", None, true),
            ("edge.test", Some(443), true),
            ("EDGE.test", Some(7676), true),
            ("[::1]", Some(7676), true),
            ("edge.test", Some(1), false),
            ("edge.test", Some(80), false),
            ("edge.test", Some(8443), false),
            ("admin.test", Some(8443), true),
            ("admin.test", Some(443), false),
            ("admin.test", Some(7676), false),
            ("admin.test", None, false),
        ] {
            assert_eq!(hosts.find(name, port, 443).is_some(), served, "{name} {port:?}");
        }
        assert_eq!(hosts.find("edge.test", Some(80), 80), Some("edge.test"));
    }
}
