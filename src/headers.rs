//! Header fields, and the names that only the edge may set.
//!
//! Names are lower-case; values are bytes, because a client may send any byte. One function, [`fate`], decides which
//! fields pass; no other code removes headers.

use std::collections::BTreeMap;

/// The header with which the edge tells the origin, signed, who the caller is and what was requested.
pub const IDENTITY: &str = "fastgate-identity";

/// The header that tells the origin which subprotocol of a handshake the edge removed: `bearer`, which the token
/// followed.
pub const SUBPROTOCOL: &str = "fastgate-subprotocol";

/// An ordered list of header fields. Names compare without case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Headers(Vec<(String, Vec<u8>)>);

impl Headers {
    /// Adds a field at the end; the name is put into lower case.
    pub fn append(&mut self, name: &str, value: impl Into<Vec<u8>>) {
        self.0.push((name.to_ascii_lowercase(), value.into()));
    }

    /// Every value of the field `name` (lower case), in the order of arrival.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        self.iter().filter(move |(field, _)| *field == name).map(|(_, value)| value)
    }

    /// Every field in the order of arrival.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_slice()))
    }

    /// Joins the fields called `name` (lower case) into one, at the position of the first: their values in the order of
    /// arrival, with `separator` between them.
    #[must_use]
    pub fn joined(self, name: &str, separator: &[u8]) -> Self {
        let values: Vec<_> = self.all(name).collect();
        if values.len() < 2 {
            return self;
        }
        let value = values.join(separator);
        let mut joined = Self::default();
        let mut pending = Some(value);
        for (field, value) in self.0 {
            if field != name {
                joined.0.push((field, value));
            } else if let Some(value) = pending.take() {
                joined.0.push((field, value));
            }
        }
        joined
    }

    /// How many fields there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// The size in bytes of the field section as HTTP/1.1 writes it: `name: value CR LF` for each field.
    #[must_use]
    pub fn wire_size(&self) -> usize {
        self.iter().map(|(name, value)| name.len() + value.len() + 4).sum()
    }
}

impl<N: AsRef<str>, V: Into<Vec<u8>>> FromIterator<(N, V)> for Headers {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(fields: I) -> Self {
        let mut headers = Self::default();
        for (name, value) in fields {
            headers.append(name.as_ref(), value);
        }
        headers
    }
}

/// Whether `name` can be the name of a field (`token` of RFC 9110 §5.6.2).
#[must_use]
pub fn is_field_name(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !name.is_empty() && name.bytes().all(allowed)
}

/// Whether a field that a client or an origin sent is passed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It passes: it is end-to-end and the edge does not use it.
    Pass,
    /// It belongs to one connection (RFC 9110 §7.6.1) or frames one message (RFC 9112 §6).
    HopByHop,
    /// Only the edge may set it: identity, client address, original URL, method overrides.
    Reserved,
}

/// Fields that belong to one hop. The caller adds those that `Connection` names.
const HOP_BY_HOP: [&str; 13] = [
    "connection",
    "content-length",
    "expect",
    "http2-settings",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "host",
];

/// Fields that commonly tell applications who the caller is or what was requested, matched after [`fold`].
const RESERVED: [&str; 24] = [
    "authenticated-user",
    "cdn-cache-control",
    "cdn-loop",
    "cf-connecting-ip",
    "client-ip",
    "daphne-root-path",
    "forwarded",
    "remote-user",
    "script-name",
    "true-client-ip",
    "x-client-ip",
    "x-cluster-client-ip",
    "x-http-method",
    "x-http-method-override",
    "x-method-override",
    "x-original-host",
    "x-original-method",
    "x-original-uri",
    "x-original-url",
    "x-real-ip",
    "x-remote-user",
    "x-request-id",
    "x-rewrite-url",
    "x-script-name",
];

/// Families of such fields, and of fields by which an origin directs its CDN (`Surrogate-Key`, `Surrogate-Control` of
/// the Edge Architecture Specification; `CDN-Cache-Control` of RFC 9213): they are meant for the edge and not for the
/// client.
const RESERVED_PREFIXES: [&str; 9] = [
    "fastgate-",
    "fastly-",
    "surrogate-",
    "x-auth-request-",
    "x-authenticated-",
    "x-envoy-",
    "x-fastgate-",
    "x-forwarded-",
    "x-surrogate-",
];

/// Decides whether the field `name` (lower case) of a request passes.
///
/// A name with an underscore never passes: servers that follow CGI (RFC 3875 §4.1.18) cannot tell it from the same name
/// with a hyphen. Other punctuation is folded before the comparison, so that `fastgate.identity` is reserved as well.
#[must_use]
pub fn fate(name: &str) -> Fate {
    if name.contains('_') { Fate::Reserved } else { response_fate(name) }
}

/// Decides whether the field `name` (lower case) of an origin's response passes: as in requests, except that an
/// underscore is a character like any other, because clients do not read CGI variables. Reserved names are reserved in
/// either spelling.
#[must_use]
pub fn response_fate(name: &str) -> Fate {
    if HOP_BY_HOP.contains(&name) {
        return Fate::HopByHop;
    }
    let folded = fold(name);
    let reserved =
        RESERVED.contains(&folded.as_str()) || RESERVED_PREFIXES.iter().any(|prefix| folded.starts_with(prefix));
    if reserved { Fate::Reserved } else { Fate::Pass }
}

/// Fields that the edge reads and does not forward. Rules of a policy never see them.
const CREDENTIALS: [&str; 2] = [AUTHORIZATION, PROOF];
/// The field with the token (RFC 9110 §11.6.2).
pub const AUTHORIZATION: &str = "authorization";
/// The field with a proof of possession (RFC 9449 §4.1).
pub const PROOF: &str = "dpop";

/// Whether rules of a policy can read the request field `name` (in any case). They cannot read credentials, hop-by-hop
/// fields and reserved fields.
#[must_use]
pub fn is_visible_to_rules(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    !CREDENTIALS.contains(&name.as_str()) && fate(&name) == Fate::Pass
}

/// Whether a policy can edit the field `name` (in any case) of an origin's response.
#[must_use]
pub fn is_editable_in_responses(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    !CREDENTIALS.contains(&name.as_str()) && response_fate(&name) == Fate::Pass
}

/// Lower case, and every character but letters and digits as a hyphen.
fn fold(name: &str) -> String {
    name.trim()
        .chars()
        .map(|letter| if letter.is_ascii_alphanumeric() { letter.to_ascii_lowercase() } else { '-' })
        .collect()
}

/// The most elements of a request's `Connection` that are read, empty ones included (RFC 9110 §5.6.1.2 asks to read "a
/// reasonable number" of those). Real clients name two or three.
pub const MAX_CONNECTION_NAMES: usize = 32;

/// The field names that a request's `Connection` declares to belong to this hop only, in lower case; `None` if there
/// are more than [`MAX_CONNECTION_NAMES`]. Every field of the request is compared with each of them, so this limit
/// bounds the work.
#[must_use]
pub fn named_by_connection(headers: &Headers) -> Option<Vec<String>> {
    let mut elements = connection_elements(headers);
    let named: Vec<_> = elements.by_ref().take(MAX_CONNECTION_NAMES).collect();
    if elements.next().is_some() {
        return None;
    }
    let named = named.into_iter().filter(|name| !name.is_empty());
    Some(named.map(|name| String::from_utf8_lossy(name).to_ascii_lowercase()).collect())
}

/// The elements of every `Connection` field, without the white space around them (RFC 9110 §5.6.1, §7.6.1).
fn connection_elements(headers: &Headers) -> impl Iterator<Item = &[u8]> {
    headers.all("connection").flat_map(|value| value.split(|byte| *byte == b',')).map(<[u8]>::trim_ascii)
}

/// The fields of an origin's response that are sent to the client: end-to-end fields that are not reserved. Takes time
/// in proportion to the size of the fields, however many names `Connection` has.
#[must_use]
pub fn response_fields(headers: &Headers) -> Headers {
    let mut passing: BTreeMap<&str, bool> =
        headers.iter().map(|(name, _)| (name, name == "content-length" || response_fate(name) == Fate::Pass)).collect();
    for name in connection_elements(headers) {
        let name = name.to_ascii_lowercase();
        if let Some(passes) = std::str::from_utf8(&name).ok().and_then(|name| passing.get_mut(name)) {
            *passes = false;
        }
    }
    headers.iter().filter(|(name, _)| passing.get(name) == Some(&true)).collect()
}

#[cfg(test)]
mod tests {
    use super::{Fate, Headers, fate, named_by_connection, response_fields};

    #[test]
    fn every_spelling_of_the_identity_header_is_reserved() {
        for name in
            ["fastgate-identity", "fastgate_identity", "fastgate.identity", "x-fastgate-identity", "fastgate-identity "]
        {
            assert_eq!(fate(name), Fate::Reserved, "{name}");
        }
    }

    #[test]
    fn ordinary_fields_pass() {
        for name in ["accept", "content-type", "cookie", "user-agent", "x-tenant", "if-none-match"] {
            assert_eq!(fate(name), Fate::Pass, "{name}");
        }
    }

    #[test]
    fn connection_names_are_read_from_every_field_and_without_case() {
        let headers: Headers =
            [("Connection", "X-Secret, close"), ("connection", " keep-alive ,")].into_iter().collect();
        assert_eq!(
            named_by_connection(&headers),
            Some(["x-secret", "close", "keep-alive"].map(str::to_owned).to_vec())
        );
    }

    #[test]
    fn connection_names_so_many_fields_and_no_more() {
        let named = |values: &[&str]| {
            named_by_connection(&values.iter().map(|value| ("connection", *value)).collect()).map(|names| names.len())
        };
        assert_eq!(named(&[&["a"; 32].join(",")]), Some(32));
        assert_eq!(named(&[&["a"; 33].join(",")]), None);
        assert_eq!(named(&[&",".repeat(31)]), Some(0));
        assert_eq!(named(&[&",".repeat(32)]), None, "empty elements are work, too");
        assert_eq!(named(&["a"; 32]), Some(32));
        assert_eq!(named(&["a"; 33]), None);
        assert_eq!(named(&[]), Some(0));
    }

    #[test]
    fn an_origins_answer_loses_what_only_the_edge_may_say() {
        let headers: Headers = [
            ("content-type", "text/plain"),
            ("Fastgate-Identity", "x"),
            ("connection", "x-first"),
            ("x-first", "1"),
            ("Connection", &format!("{}, X-Hop ", "a,".repeat(100))),
            ("x-hop", "1"),
            ("content-length", "2"),
            ("x_version", "3"),
            ("fastgate_identity", "x"),
            ("x_forwarded_for", "x"),
            ("Surrogate-Key", "order-7"),
            ("surrogate_key", "order-7"),
            ("surrogate-control", "max-age=60"),
            ("x-surrogate-anything", "x"),
            ("CDN-Cache-Control", "max-age=60"),
            ("cache-control", "no-cache"),
        ]
        .into_iter()
        .collect();
        let kept: Vec<_> = response_fields(&headers).iter().map(|(name, _)| name.to_owned()).collect();
        assert_eq!(kept, ["content-type", "content-length", "x_version", "cache-control"]);
    }
}
