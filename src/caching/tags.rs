//! Surrogate keys, by which stored responses are purged. Each belongs to one origin: the key in the cache is a digest with
//! the audience of the origin, so no origin can purge the responses of another.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::key::CacheKey;
use super::site::Site;
use crate::digest::of_parts;
use crate::headers::Headers;
use crate::policy::Origin;
use crate::rewrite::OriginTarget;

/// The response field in which an origin names the surrogate keys of a response, with spaces between them.
pub(super) const TAG_FIELD: &str = "surrogate-key";
/// The response field in which an origin names the surrogate keys whose responses are purged.
pub const PURGE_FIELD: &str = "fastgate-purge";

/// The most keys in one field.
const MAX_TAGS: usize = 64;
/// The longest key, in bytes.
const MAX_TAG_BYTES: usize = 256;

/// The surrogate keys of one origin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tags {
    origin: Arc<Origin>,
}

impl Tags {
    /// Those of `origin`.
    #[must_use]
    pub fn of(origin: &Arc<Origin>) -> Self {
        Self { origin: Arc::clone(origin) }
    }

    /// The keys of all responses to requests for one URL, whoever gets them: as the client writes it, whichever origin
    /// responds; and for references of this origin, as the client and as the origin write it.
    pub(super) fn of_url(&self, target: &OriginTarget) -> Vec<String> {
        let received = target.received();
        let site = Site { scheme: received.scheme(), host: received.host() };
        let (path, query) = (received.path().encoded(), received.query());
        let mut found = vec![site.requested(path, query), self.referred(&site, path, query)];
        if target.path().encoded() != path {
            found.push(self.referred(&site, target.path().encoded(), query));
        }
        found
    }

    /// The key of the URL that a response of this origin refers to; `None` if it is on another site or cannot be the URL of
    /// a stored response.
    pub(super) fn linked(&self, site: &Site<'_>, base: &str, reference: &str) -> Option<String> {
        let (path, query) = site.resolve(base, reference)?;
        Some(self.referred(site, path.encoded(), &query))
    }

    fn referred(&self, site: &Site<'_>, path: &str, query: &str) -> String {
        self.digest("referred", &[site.scheme, site.host_without_default(), path, query])
    }

    /// The key of one entry, by which it is removed if it cannot be completed.
    pub(super) fn entry(&self, key: &CacheKey) -> String {
        self.digest("entry", &[&URL_SAFE_NO_PAD.encode(key.bytes())])
    }

    /// The keys that a field of a response names, and whether these are all: one that is too long or not printable ASCII is
    /// left out, and so are those beyond the most.
    #[must_use]
    pub fn named(&self, fields: &Headers, field: &str) -> (Vec<String>, bool) {
        let names = fields.all(field).flat_map(|value| value.split(|byte| matches!(byte, b' ' | b'\t')));
        let (mut found, mut are_all) = (Vec::new(), true);
        for name in names.filter(|name| !name.is_empty()) {
            let is_name = name.len() <= MAX_TAG_BYTES && name.iter().all(u8::is_ascii_graphic);
            match std::str::from_utf8(name).ok().filter(|_| is_name && found.len() < MAX_TAGS) {
                Some(name) => found.push(self.digest("name", &[name])),
                None => are_all = false,
            }
        }
        (found, are_all)
    }

    fn digest(&self, kind: &str, parts: &[&str]) -> String {
        of_parts(&[&["fastgate tag", kind, self.origin.audience.as_str()], parts].concat())
    }
}
