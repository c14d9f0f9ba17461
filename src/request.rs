//! Step *normalize*: brings the request into one canonical form. Input: [`RequestHead`], the request as it arrived.
//! Output: [`Target`], with one canonical path, a host that the policy names, and only those header fields that may be
//! forwarded. A request that can be read in more than one way is refused.
//!
//! The canonical path is matched, signed and forwarded. No later step sees the original bytes.

mod certificate;
mod error;
mod host;
mod path;
mod subprotocol;
mod upgrade;

pub use certificate::certificate_thumbprint;
pub use error::{MAX_FIELDS, MAX_PATH_BYTES, MAX_SUBPROTOCOLS, MAX_TARGET_BYTES, RequestError};
pub use path::{Ambiguity, CanonicalPath};

use crate::headers::{AUTHORIZATION, Fate, Headers, PROOF, fate, named_by_connection};
use crate::policy::Hosts;
use crate::secret::Secret;

/// HTTP/2 and HTTP/3 clients may send each cookie in a field of its own. They are joined into one field (RFC 9113
/// §8.2.3), because frameworks disagree about which of several fields to read.
const COOKIE: &str = "cookie";
/// The origin of the page that sends a request.
const ORIGIN: &str = "origin";

/// A request as it arrived. Nothing in it has been checked.
#[derive(Clone, Debug)]
pub struct RequestHead {
    /// The method, as spelled by the client.
    pub method: String,
    /// The raw request target: `/path?query` or, as Compute gives it, `scheme://authority/path?query`.
    pub target: Vec<u8>,
    /// Every field, in the order of arrival.
    pub headers: Headers,
    /// Whether the client came over TLS.
    pub tls: bool,
    /// SHA-256 of the DER of the client's TLS certificate, if the platform verified it.
    pub certificate: Option<[u8; 32]>,
}

/// A request in canonical form. Only [`normalize`] makes one.
#[derive(Clone, Debug)]
pub struct Target {
    method: String,
    host: String,
    path: CanonicalPath,
    query: String,
    headers: Headers,
    authorization: Vec<Secret<Vec<u8>>>,
    content: Content,
    proofs: Vec<Secret<Vec<u8>>>,
    tls: bool,
    certificate: Option<[u8; 32]>,
    opens_websocket: bool,
    token_in_subprotocol: bool,
}

/// The facts about the body in the head of a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Content {
    /// `Content-Length`, in bytes.
    pub length: Option<u64>,
    /// Whether there is a `Transfer-Encoding`.
    pub chunked: bool,
}

impl Content {
    /// The platform has already framed the message. A `Content-Length` that is still not a number counts as the
    /// greatest one.
    pub(crate) fn of(headers: &Headers) -> Self {
        let length = headers.all("content-length").next();
        let parsed = |value| std::str::from_utf8(value).ok().and_then(|digits| digits.parse().ok()).unwrap_or(u64::MAX);
        Self { length: length.map(parsed), chunked: headers.all("transfer-encoding").next().is_some() }
    }
}

impl Target {
    /// The method: any token. The route matches it.
    #[must_use]
    pub fn method(&self) -> &str {
        &self.method
    }

    /// The host as the policy spells it, with the client's port.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The canonical path.
    #[must_use]
    pub const fn path(&self) -> &CanonicalPath {
        &self.path
    }

    /// The query without its `?`; empty if there is none.
    #[must_use]
    pub fn query(&self) -> &str {
        &self.query
    }

    /// The fields that may be forwarded. Credentials are not among them.
    #[must_use]
    pub const fn headers(&self) -> &Headers {
        &self.headers
    }

    /// The value of each `Authorization` field that arrived.
    #[must_use]
    pub fn authorization(&self) -> &[Secret<Vec<u8>>] {
        &self.authorization
    }

    /// The facts about the body in the head.
    #[must_use]
    pub const fn content(&self) -> Content {
        self.content
    }

    /// The value of each `DPoP` field that arrived (RFC 9449 §4.1). They are for this edge and are not forwarded.
    #[must_use]
    pub fn proofs(&self) -> &[Secret<Vec<u8>>] {
        &self.proofs
    }

    /// SHA-256 of the client's certificate.
    #[must_use]
    pub const fn certificate(&self) -> Option<&[u8; 32]> {
        self.certificate.as_ref()
    }

    /// Whether it is the opening handshake of a WebSocket.
    #[must_use]
    pub const fn opens_websocket(&self) -> bool {
        self.opens_websocket
    }

    /// Moves the token of a handshake from its subprotocols to its credentials. Returns any other request unchanged.
    ///
    /// # Errors
    /// [`RequestError::TooManySubprotocols`] and [`RequestError::BearerSubprotocol`].
    pub(crate) fn with_token_of_subprotocol(mut self) -> Result<Self, RequestError> {
        if self.opens_websocket
            && let Some((credentials, headers)) = subprotocol::take(&self.headers)?
        {
            self.authorization.push(credentials);
            self.headers = headers;
            self.token_in_subprotocol = true;
        }
        Ok(self)
    }

    /// Whether the token came as a subprotocol. The client then expects `bearer` to be chosen if no other subprotocol
    /// is.
    #[must_use]
    pub const fn token_in_subprotocol(&self) -> bool {
        self.token_in_subprotocol
    }

    /// `https` or `http`, as the client used it.
    #[must_use]
    pub const fn scheme(&self) -> &'static str {
        if self.tls { "https" } else { "http" }
    }
}

/// Puts a request into canonical form.
///
/// # Errors
/// A [`RequestError`] for a host that the policy does not name, a target or field section over the limits, and a path
/// that edge and origin could read differently.
pub fn normalize(head: RequestHead, hosts: &Hosts) -> Result<Target, RequestError> {
    if head.headers.count() > MAX_FIELDS {
        return Err(RequestError::TooManyFields { count: head.headers.count() });
    }
    let host = host::canonical(&head.headers, head.tls, hosts)?;
    let (path, query) = split_target(&head.target)?;
    let path = CanonicalPath::parse(path)?;
    if path.encoded().len() > MAX_PATH_BYTES {
        return Err(RequestError::TargetTooLong { bytes: path.encoded().len() });
    }
    let query = canonical_query(query)?;
    let content = Content::of(&head.headers);
    let hops = named_by_connection(&head.headers).ok_or(RequestError::TooManyConnectionNames)?;
    let opens_websocket = upgrade::opens_websocket(&head.method, &head.headers, &hops);
    // Step cors reads `Origin`, so `Connection` cannot remove it: it is an end-to-end field (RFC 9110 §7.6.1).
    let is_forwarded = |name: &str| fate(name) == Fate::Pass && (name == ORIGIN || !hops.iter().any(|hop| hop == name));
    let credentials = |name: &str| -> Vec<_> {
        head.headers.all(name).filter(|_| is_forwarded(name)).map(|value| Secret::new(value.to_vec())).collect()
    };
    let (authorization, proofs) = (credentials(AUTHORIZATION), credentials(PROOF));
    let headers = head
        .headers
        .iter()
        .filter(|(name, value)| {
            ![AUTHORIZATION, PROOF].contains(name) && is_forwarded(name) && is_well_formed(name, value)
        })
        .collect::<Headers>()
        .joined(COOKIE, b"; ");
    let RequestHead { method, tls, certificate, .. } = head;
    Ok(Target {
        method,
        host,
        path,
        query,
        headers,
        authorization,
        content,
        proofs,
        tls,
        certificate,
        opens_websocket,
        token_in_subprotocol: false,
    })
}

/// Trace context passes only in the form of W3C Trace Context §3.2.2, because it is the one identifier made by clients
/// that is written to the logs of other systems.
fn is_well_formed(name: &str, value: &[u8]) -> bool {
    let hex = |part: &[u8], length: usize| part.len() == length && part.iter().all(u8::is_ascii_hexdigit);
    match name {
        "traceparent" if value.len() != 55 => false,
        "traceparent" => match value.split(|byte| *byte == b'-').collect::<Vec<_>>().as_slice() {
            [version, trace, parent, flags] => hex(version, 2) && hex(trace, 32) && hex(parent, 16) && hex(flags, 2),
            _ => false,
        },
        "tracestate" => value.len() <= 512 && value.iter().all(|byte| (0x20..0x7f).contains(byte)),
        _ => true,
    }
}

/// Splits a raw target into path and query. A target that is not in origin-form (RFC 9112 §3.2.1) must have a scheme
/// and an authority, which are dropped: the `Host` field decides the host.
fn split_target(target: &[u8]) -> Result<(&[u8], &[u8]), RequestError> {
    let origin_form = if target.starts_with(b"/") {
        target
    } else {
        let authority = target
            .strip_prefix(b"http://")
            .or_else(|| target.strip_prefix(b"https://"))
            .ok_or(RequestError::TargetMalformed)?;
        let path_starts = authority
            .iter()
            .position(|byte| matches!(byte, b'/' | b'?' | b'#' | b'*'))
            .ok_or(RequestError::TargetMalformed)?;
        authority.get(path_starts..).filter(|rest| rest.starts_with(b"/")).ok_or(RequestError::TargetMalformed)?
    };
    if origin_form.len() > MAX_TARGET_BYTES {
        return Err(RequestError::TargetTooLong { bytes: origin_form.len() });
    }
    let path_ends = origin_form.iter().position(|byte| *byte == b'?').unwrap_or(origin_form.len());
    let (path, query) = origin_form.split_at_checked(path_ends).ok_or(RequestError::TargetMalformed)?;
    if path.len() > MAX_PATH_BYTES {
        return Err(RequestError::TargetTooLong { bytes: path.len() });
    }
    Ok((path, query.strip_prefix(b"?").unwrap_or(query)))
}

/// The query as it is forwarded. Printable ASCII stays; characters that a URL parser would encode later are encoded
/// here, so that the origin receives the bytes that were signed. The query is not interpreted.
fn canonical_query(query: &[u8]) -> Result<String, RequestError> {
    let mut canonical = String::with_capacity(query.len());
    for &byte in query {
        match byte {
            0..0x20 | 0x7f | b'#' => return Err(RequestError::TargetMalformed),
            b' ' | b'"' | b'<' | b'>' | b'\'' | 0x80.. => path::push_encoded(&mut canonical, byte),
            _ => canonical.push(char::from(byte)),
        }
    }
    Ok(canonical)
}

#[cfg(test)]
mod tests {
    use super::split_target;

    #[test]
    fn a_target_without_a_path_is_refused() {
        for bad in
            ["*", "http://edge.test*", "edge.test:443", "http://edge.test", "http://edge.test?x", "ftp://a/b", ""]
        {
            assert!(split_target(bad.as_bytes()).is_err(), "{bad}");
        }
        assert_eq!(split_target(b"http://other/admin?x=/y"), Ok((&b"/admin"[..], &b"x=/y"[..])));
    }
}
