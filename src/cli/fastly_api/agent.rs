//! One request to Fastly's API, and its repetition: every request that this tool sends can be repeated, because writes
//! are conditional or write the same again, and a secret is created under a name that no other secret can have.

use std::net::IpAddr;
use std::sync::Arc;
use std::thread::sleep;
use std::time::Duration;

use ureq::config::ConfigBuilder;
use ureq::http::uri::{Scheme, Uri};
use ureq::http::{self, Method, header};
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::typestate::AgentScope;

/// The time until a connection must exist.
const CONNECT: Duration = Duration::from_secs(10);
/// The time for a request and its answer: less than a minute with its repetition.
const WHOLE: Duration = Duration::from_secs(25);
/// The same for an upload of up to 25 MB.
const UPLOAD: Duration = Duration::from_mins(2);
/// The shortest content of an upload.
const MIN_UPLOAD: usize = 64 * 1024;
/// The pause before the one repetition.
const PAUSE: Duration = Duration::from_millis(500);
/// The longest answer that is read: values have at most 25 MB.
const MAX_ANSWER: u64 = 26_000_000;

/// A request.
pub(super) struct Request<'a> {
    pub(super) method: Method,
    /// The path with its query, percent-encoded.
    pub(super) path: &'a str,
    pub(super) fields: Vec<(&'static str, &'a str)>,
    pub(super) body: &'a [u8],
    /// Whether only the fields of the answer are wanted.
    pub(super) without_body: bool,
}

impl<'a> Request<'a> {
    pub(super) fn new(method: Method, path: &'a str) -> Self {
        Self { method, path, fields: Vec::new(), body: &[], without_body: false }
    }

    pub(super) fn reading(path: &'a str) -> Self {
        Self::new(Method::GET, path)
    }

    /// The time for this request and its answer.
    fn time(&self) -> Duration {
        if self.body.len() < MIN_UPLOAD { WHOLE } else { UPLOAD }
    }
}

/// The answer to a request, whatever its status.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) fields: http::HeaderMap,
    pub(super) body: Vec<u8>,
}

impl Answer {
    /// The text of a field; empty if there is none.
    pub(super) fn field(&self, name: &str) -> String {
        let value = self.fields.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()));
        value.unwrap_or_default().into_owned()
    }
}

/// An agent for a URL: https, or http to this machine; with `plain`, for what is public and secures nothing, also http to
/// other machines. For http there is no proxy.
///
/// # Errors
/// As those of [`transport`], or a message if the machine has no certificates.
pub(super) fn agent(url: &str, plain: bool) -> Result<ureq::Agent, String> {
    Ok(match transport(url, plain)? {
        Transport::Tls => config().tls_config(tls()?).build().new_agent(),
        Transport::Local | Transport::Plain => config().proxy(None).build().new_agent(),
    })
}

/// How [`agent`] requests a URL.
///
/// # Errors
/// A message that says what to write, if it does not.
pub(super) fn transport(url: &str, plain: bool) -> Result<Transport, String> {
    match Transport::of(url)? {
        Transport::Plain if !plain => Err(format!("{url}: write an https URL")),
        transport => Ok(transport),
    }
}

/// How a URL is requested.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Transport {
    Tls,
    /// http to this machine.
    Local,
    /// http to another machine.
    Plain,
}

impl Transport {
    /// Reads the URL with the parser by which ureq finds the host that it connects to.
    fn of(url: &str) -> Result<Self, String> {
        // Neither message repeats the URL: what is in front of an @ may be a password.
        let uri: Uri = url.parse().map_err(|_| "the address is not a URL: write https://HOST".to_owned())?;
        let authority = uri.authority().map_or("", |authority| authority.as_str());
        if authority.contains('@') {
            return Err(
                "the address has a user name in front of its host (@): write https://HOST without one".to_owned()
            );
        }
        let host = uri.host().unwrap_or_default();
        if authority.len() > host.len() && uri.port().is_none() {
            return Err(format!("{url}: has a port that is no number"));
        }
        match uri.scheme() {
            _ if host.is_empty() => Err(format!("{url}: has no host, write https://HOST")),
            Some(scheme) if *scheme == Scheme::HTTPS => Ok(Self::Tls),
            Some(scheme) if *scheme == Scheme::HTTP => Ok(if is_here(host) { Self::Local } else { Self::Plain }),
            _ => Err(format!("{url}: write an https URL")),
        }
    }
}

/// Whether a host is this machine.
fn is_here(host: &str) -> bool {
    let address = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
    host == "localhost" || address.parse().is_ok_and(|address: IpAddr| address.is_loopback())
}

fn config() -> ConfigBuilder<AgentScope> {
    ureq::Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .timeout_connect(Some(CONNECT))
        .timeout_global(Some(WHOLE))
        .user_agent(concat!("fastgate/", env!("CARGO_PKG_VERSION")))
}

/// TLS with the certificates that this machine trusts.
fn tls() -> Result<TlsConfig, String> {
    let trusted: Vec<_> = rustls_native_certs::load_native_certs()
        .certs
        .iter()
        .map(|certificate| Certificate::from_der(certificate).to_owned())
        .collect();
    if trusted.is_empty() {
        return Err("this machine trusts no certificates: install ca-certificates, or set SSL_CERT_FILE".to_owned());
    }
    Ok(TlsConfig::builder()
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .root_certs(RootCerts::Specific(Arc::new(trusted)))
        .build())
}

/// Sends a request; once more if the connection failed or the API did (5xx).
pub(super) fn send(
    agent: &ureq::Agent,
    endpoint: &str,
    token: &str,
    request: &Request<'_>,
) -> Result<Answer, ureq::Error> {
    match once(agent, endpoint, token, request) {
        Ok(answer) if answer.status < 500 => Ok(answer),
        Ok(_) | Err(_) => {
            sleep(PAUSE);
            once(agent, endpoint, token, request)
        }
    }
}

fn once(agent: &ureq::Agent, endpoint: &str, token: &str, request: &Request<'_>) -> Result<Answer, ureq::Error> {
    let mut builder = http::Request::builder()
        .method(request.method.clone())
        .uri(format!("{endpoint}{}", request.path))
        .header("Fastly-Key", token)
        .header(header::ACCEPT, "application/json");
    for (name, value) in &request.fields {
        builder = builder.header(*name, *value);
    }
    let kind = match request.method {
        Method::PUT => Some("application/octet-stream"),
        Method::POST => Some("application/json"),
        _ => None,
    };
    let answer = match kind {
        Some(kind) => {
            let sent = builder.header(header::CONTENT_TYPE, kind).body(request.body)?;
            agent.run(agent.configure_request(sent).timeout_global(Some(request.time())).build())?
        }
        None => agent.run(builder.body(())?)?,
    };
    let (head, body) = answer.into_parts();
    let body = if request.without_body && head.status.is_success() {
        Vec::new()
    } else {
        body.into_with_config().limit(MAX_ANSWER).read_to_vec()?
    };
    Ok(Answer { status: head.status.as_u16(), fields: head.headers, body })
}

/// What is wrong if there is no answer: an answer that cannot be read is another fault than none.
pub(super) fn explained(error: &ureq::Error) -> String {
    match error {
        ureq::Error::Io(_)
        | ureq::Error::Timeout(_)
        | ureq::Error::HostNotFound
        | ureq::Error::ConnectionFailed
        | ureq::Error::ConnectProxyFailed(_)
        | ureq::Error::InvalidProxyUrl
        | ureq::Error::Tls(_)
        | ureq::Error::Rustls(_) => format!("cannot be reached: {error}"),
        ureq::Error::BodyExceedsLimit(most) => format!("gave an answer that is longer than {most} octets"),
        error => format!("gave an answer that is not valid HTTP: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::{PAUSE, Transport, WHOLE};

    #[test]
    fn a_request_and_its_repetition_take_less_than_a_minute() {
        assert!((WHOLE * 2 + PAUSE).as_secs() < 60);
    }

    #[test]
    fn the_host_that_is_connected_to_decides() {
        for (url, transport) in [
            ("https://api.fastly.com", Transport::Tls),
            ("HTTPS://api.fastly.com/path", Transport::Tls),
            ("http://localhost:8080", Transport::Local),
            ("http://127.0.0.1", Transport::Local),
            ("http://[::1]:80/x", Transport::Local),
            ("http://localhost.example.com", Transport::Plain),
            ("http://127.0.0.1.example.com", Transport::Plain),
            ("http://api.fastly.com/localhost", Transport::Plain),
        ] {
            assert_eq!(Transport::of(url), Ok(transport), "{url}");
        }
        for url in [
            "http://localhost:x@example.com",
            "http://localhost@example.com",
            "http://localhost:x",
            "http://localhost:",
            "http://user:secret@localhost",
            "https://user:secret@api.fastly.com",
            "https://@api.fastly.com",
            "http://localhost\\@example.com",
            "http:///path",
            "ftp://localhost",
            "localhost",
            "/path",
            "",
        ] {
            let fault = Transport::of(url).unwrap_err();
            assert!(!fault.contains("secret"), "{fault}");
        }
    }
}
