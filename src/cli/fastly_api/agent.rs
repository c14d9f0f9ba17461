//! One request to Fastly's API, and its repetition: every request that this tool sends can be repeated, because writes
//! are conditional or write the same again, and a secret is created under a name that no other secret can have.

use std::sync::Arc;
use std::thread::sleep;
use std::time::Duration;

use ureq::config::ConfigBuilder;
use ureq::http::{self, Method, header};
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::typestate::AgentScope;

/// The time until a connection must exist.
const CONNECT: Duration = Duration::from_secs(10);
/// The time for a request and its answer. Values have up to 25 MB.
const WHOLE: Duration = Duration::from_mins(2);
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

/// An agent for the API at `endpoint`.
///
/// # Errors
/// A message if a token must not be sent there in plain text, or if the machine has no certificates.
pub(super) fn agent(endpoint: &str) -> Result<ureq::Agent, String> {
    let config = config();
    if endpoint.starts_with("https://") {
        return Ok(config.tls_config(tls()?).build().new_agent());
    }
    let host = endpoint.strip_prefix("http://").and_then(|rest| rest.split(['/', ':']).next());
    match host {
        Some("127.0.0.1" | "localhost") => Ok(plain()),
        _ => Err(format!("{endpoint}: write an https URL")),
    }
}

/// An agent for http, without a proxy: for this machine, and for what is public and secures nothing.
pub(super) fn plain() -> ureq::Agent {
    config().proxy(None).build().new_agent()
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
        Some(kind) => agent.run(builder.header(header::CONTENT_TYPE, kind).body(request.body)?)?,
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
