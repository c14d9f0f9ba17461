//! Header fields, and the names that only the edge may set.
//!
//! Names are lower-case; values are bytes, because a client may send any byte. One function, [`fate`](fn@fate), decides which
//! fields pass; no other code removes headers.

mod fate;

use std::collections::BTreeMap;

use fate::response_fate;
pub use fate::{AUTHORIZATION, Fate, PROOF, fate, is_editable_in_responses, is_visible_to_rules};

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

/// Whether a field called `name` (lower case) of an origin's response is sent to the client, unless `Connection` names
/// it.
#[must_use]
pub fn is_response_field(name: &str) -> bool {
    name == "content-length" || response_fate(name) == Fate::Pass
}

/// The fields of an origin's response that are sent to the client: end-to-end fields that are not reserved. Takes time
/// in proportion to the size of the fields, however many names `Connection` has.
#[must_use]
pub fn response_fields(headers: &Headers) -> Headers {
    let mut passing: BTreeMap<&str, bool> = headers.iter().map(|(name, _)| (name, is_response_field(name))).collect();
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
    use super::{Headers, named_by_connection, response_fields};

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
