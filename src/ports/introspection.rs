//! Introspects opaque tokens (RFC 7662). The responses are kept in the memory of this sandbox and in the POP's cache,
//! under a digest. A lease lets one request at a time introspect a token. A shadow policy introspects tokens only if it
//! has `ask_in_shadow`, and after the response: tokens of live callers must not be sent to endpoints that are not in
//! use yet.

use std::time::Duration;

use super::cache_space::Space;
use super::role_platform::{Role, RolePlatform, SENT_AFTER_RESPONSE};
use super::storage::{Leased, Outgoing, Stored};
use crate::identity::introspection::{
    IntrospectionKey, IntrospectionMemory, IntrospectionUnavailable, Introspector, MAX_RESPONSE_BYTES, authorization,
    form, keep_for,
};
use crate::policy::{Introspection, Issuer};
use crate::secret::Secret;
use crate::time::{Seconds, UnixTime};

/// How long a request waits for another request that introspects the same token.
const LEASE_TIMEOUT: Duration = Duration::from_secs(8);
/// How long a failure to introspect a token is remembered, in seconds.
const FAILED: Seconds = Seconds::new(1);
/// How many requests of a shadow policy are sent after one response.
const MAX_POSTPONED: usize = 4;

/// The introspection responses in the memory of this sandbox.
#[derive(Default)]
pub(super) struct Introspected {
    memory: IntrospectionMemory,
    /// The requests of a shadow policy that are sent after the response.
    postponed: Vec<(Issuer, Introspection, Secret<String>)>,
}

impl Introspected {
    /// Whether requests were postponed.
    pub(super) const fn has_due(&self) -> bool {
        !self.postponed.is_empty()
    }

    /// Sends the requests that were postponed.
    pub(super) fn renew(&mut self, platform: RolePlatform<'_>) {
        for (issuer, endpoint, token) in std::mem::take(&mut self.postponed) {
            let token = Secret::new(token.expose().as_str());
            let _ = HttpIntrospector { known: self, platform }.introspect(&issuer, &endpoint, &token);
        }
    }
}

/// The introspector of one request.
pub(super) struct HttpIntrospector<'request> {
    pub(super) known: &'request mut Introspected,
    pub(super) platform: RolePlatform<'request>,
}

impl Introspector for HttpIntrospector<'_> {
    fn ask(
        &mut self,
        issuer: &Issuer,
        introspection: &Introspection,
        token: &Secret<&str>,
    ) -> Result<Vec<u8>, IntrospectionUnavailable> {
        let response = match self.platform.role() {
            Role::Shadow if !introspection.ask_in_shadow => {
                Err("a shadow policy introspects tokens only if it has \"ask_in_shadow\"".to_owned())
            }
            Role::Shadow | Role::Live => self.introspect(issuer, introspection, token),
        };
        response.map_err(|cause| IntrospectionUnavailable { issuer: issuer.id.clone(), cause })
    }
}

impl HttpIntrospector<'_> {
    fn introspect(
        &mut self,
        issuer: &Issuer,
        endpoint: &Introspection,
        token: &Secret<&str>,
    ) -> Result<Vec<u8>, String> {
        let window = issuer.verdict_window;
        if window.is_zero() {
            return request(endpoint, token, self.platform);
        }
        let key = IntrospectionKey::new(issuer, endpoint, token);
        if let Some(response) = self.known.memory.recall(&key, self.platform.now()) {
            return usable(response.clone());
        }
        if !self.platform.may_send_to_issuers() {
            return self.cached_or_postponed(issuer, endpoint, token, key);
        }
        let lease = match self.platform.lease(Space::Introspection, key.as_bytes(), LEASE_TIMEOUT, MAX_RESPONSE_BYTES) {
            Ok(Leased::Mine(lease)) => Some(lease),
            Ok(Leased::Found(found)) => match read(&found) {
                Some((until, response)) => return self.found(key, response, until, window),
                None => None,
            },
            Ok(Leased::TimedOut) => {
                return Err("another request to the issuer takes too long".to_owned());
            }
            Err(_) => None,
        };
        let sent_at = self.platform.now();
        let response = request(endpoint, token, self.platform);
        // An empty value records a failure, so that the waiting requests do not send the request again, one after the other.
        let (kept, lifetime) = match &response {
            Ok(json) => (json.clone(), keep_for(json, window, sent_at).unwrap_or(FAILED).max(Seconds::new(1))),
            Err(_) => (Vec::new(), FAILED),
        };
        let until = sent_at.plus(lifetime);
        if let Some(lease) = lease {
            let note = until.seconds().to_string().into_bytes();
            let _ = lease.put(&Stored { note, value: kept.clone() }, lifetime);
        }
        self.known.memory.keep(key, kept, until);
        response
    }

    /// The cached response. If there is none, the request is postponed.
    fn cached_or_postponed(
        &mut self,
        issuer: &Issuer,
        endpoint: &Introspection,
        token: &Secret<&str>,
        key: IntrospectionKey,
    ) -> Result<Vec<u8>, String> {
        let found = self.platform.cached(Space::Introspection, key.as_bytes(), MAX_RESPONSE_BYTES).ok().flatten();
        if let Some((until, response)) = found.as_ref().and_then(read) {
            return self.found(key, response, until, issuer.verdict_window);
        }
        if self.known.postponed.len() < MAX_POSTPONED {
            self.known.postponed.push((issuer.clone(), endpoint.clone(), Secret::new((*token.expose()).to_owned())));
        }
        Err(SENT_AFTER_RESPONSE.to_owned())
    }

    /// Keeps the response that another request got, until `until`, but no longer than the window.
    fn found(
        &mut self,
        key: IntrospectionKey,
        response: Vec<u8>,
        until: UnixTime,
        window: Seconds,
    ) -> Result<Vec<u8>, String> {
        self.known.memory.keep(key, response.clone(), until.min(self.platform.now().plus(window)));
        usable(response)
    }
}

fn usable(response: Vec<u8>) -> Result<Vec<u8>, String> {
    if response.is_empty() { Err("the issuer gave no response a moment ago".to_owned()) } else { Ok(response) }
}

fn read(found: &Stored) -> Option<(UnixTime, Vec<u8>)> {
    let until = std::str::from_utf8(&found.note).ok()?.parse().ok()?;
    Some((UnixTime::from_seconds(until), found.value.clone()))
}

/// One request to the issuer (RFC 7662 §2.1). Redirects are not followed, and a malformed response is an error.
fn request(endpoint: &Introspection, token: &Secret<&str>, platform: RolePlatform<'_>) -> Result<Vec<u8>, String> {
    let client = authorization(&endpoint.client_id, &secret(&endpoint.client_secret, platform)?);
    let outgoing = Outgoing {
        backend: &endpoint.backend,
        url: &endpoint.url,
        form: Some((client, form(token))),
        max_bytes: MAX_RESPONSE_BYTES,
    };
    let response = platform.ask(&outgoing)?;
    match keep_for(&response.body, Seconds::new(0), UnixTime::from_seconds(0)) {
        Ok(_) => Ok(response.body),
        Err(error) => Err(format!("{}: {error}", endpoint.url)),
    }
}

fn secret(name: &str, platform: RolePlatform<'_>) -> Result<Secret<String>, String> {
    let found = platform.secret(name).map_err(|error| error.to_string())?;
    let missing = || format!("the Secret Store holds no usable secret \"{name}\"");
    let found = found.ok_or_else(missing)?;
    String::from_utf8(found.expose().clone()).map(Secret::new).map_err(|_| missing())
}
