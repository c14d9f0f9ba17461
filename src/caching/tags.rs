//! Surrogate keys, by which stored responses are purged. Each belongs to one origin: the key in the cache is a digest with
//! the audience of the origin, so no origin can purge the responses of another.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};

use super::key::CacheKey;
use crate::digest::add_parts;
use crate::headers::Headers;
use crate::policy::Origin;
use crate::request::CanonicalPath;
use crate::rewrite::OriginTarget;

/// The response field in which an origin names the surrogate keys of a response, with spaces between them.
pub const TAG_FIELD: &str = "surrogate-key";
/// The response field in which an origin names the surrogate keys whose responses are purged.
pub const PURGE_FIELD: &str = "fastgate-purge";

/// The most keys in one field.
const MAX_TAGS: usize = 64;
/// The longest key, in bytes.
const MAX_TAG_BYTES: usize = 256;

/// The surrogate keys of one origin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tags {
    audience: String,
}

impl Tags {
    /// Those of `origin`.
    #[must_use]
    pub fn of(origin: &Origin) -> Self {
        Self { audience: origin.audience.as_str().to_owned() }
    }

    /// The key of all responses to requests for one URL, whoever gets them.
    pub(super) fn url(&self, target: &OriginTarget) -> String {
        let received = target.received();
        self.digest("url", &[received.scheme(), received.host(), target.path().encoded(), received.query()])
    }

    /// The key of the URL that a response to `target` refers to (RFC 3986 §5.2); `None` if it is on another host or
    /// cannot be the URL of a stored response.
    pub(super) fn linked(&self, (scheme, host): (&str, &str), base: &str, reference: &str) -> Option<String> {
        let rest = match reference.split_once("://") {
            Some((other, rest)) if other.eq_ignore_ascii_case(scheme) => Some(rest),
            Some(_) => return None,
            None => reference.strip_prefix("//"),
        };
        let reference = match rest {
            Some(rest) => {
                let (authority, _) = rest.split_once(['/', '?', '#']).unwrap_or((rest, ""));
                let path = rest.get(authority.len()..).filter(|_| authority.eq_ignore_ascii_case(host))?;
                if path.starts_with('/') { path.to_owned() } else { format!("/{path}") }
            }
            None if reference.starts_with('/') => reference.to_owned(),
            None => format!("{}/{reference}", base.rsplit_once('/')?.0),
        };
        let (reference, _) = reference.split_once('#').unwrap_or((&reference, ""));
        let (path, query) = reference.split_once('?').unwrap_or((reference, ""));
        let path = CanonicalPath::parse(path.as_bytes()).ok()?;
        Some(self.digest("url", &[scheme, host, path.encoded(), query]))
    }

    /// The key of one entry, by which it is removed if it cannot be completed.
    pub(super) fn entry(&self, key: &CacheKey) -> String {
        self.digest("entry", &[&URL_SAFE_NO_PAD.encode(key.bytes())])
    }

    /// The keys that a field of a response names; `None` if there are too many, or if one is too long or not printable
    /// ASCII.
    #[must_use]
    pub fn named(&self, fields: &Headers, field: &str) -> Option<Vec<String>> {
        let names = fields.all(field).flat_map(|value| value.split(|byte| matches!(byte, b' ' | b'\t')));
        let mut found = Vec::new();
        for name in names.filter(|name| !name.is_empty()) {
            let is_name = name.len() <= MAX_TAG_BYTES && name.iter().all(u8::is_ascii_graphic);
            if !is_name || found.len() == MAX_TAGS {
                return None;
            }
            found.push(self.digest("name", &[std::str::from_utf8(name).ok()?]));
        }
        Some(found)
    }

    fn digest(&self, kind: &str, parts: &[&str]) -> String {
        let mut hash = Sha256::new();
        add_parts(&mut hash, ["fastgate tag", kind, &self.audience]);
        add_parts(&mut hash, parts);
        URL_SAFE_NO_PAD.encode(hash.finalize())
    }
}
