//! `origins.<name>.resource`: the resource identifier of one application.

pub(in crate::policy) mod fault;

pub use fault::ResourceFault;

use crate::policy::edge::Edge;
use crate::policy::fault::{Fault, Faults};
use crate::policy::ids::Audience;
use crate::policy::url::{authority, is_https_url, path, split_port};

/// Reads the identifier at `at`: an https URL on a host of the edge, with a path in its only spelling.
pub(super) fn read(identifier: Option<String>, edge: &Edge, at: &str, faults: &mut Faults) -> Option<Audience> {
    let identifier = identifier?;
    let fault = if !is_https_url(&identifier) {
        Some(Fault::NotHttps)
    } else if !is_served(&identifier, edge) {
        Some(ResourceFault::Foreign.into())
    } else if !has_plain_authority(&identifier) || !is_unambiguous(path(&identifier)) {
        Some(ResourceFault::Ambiguous.into())
    } else if is_same_place(&identifier, &edge.resource) {
        Some(ResourceFault::OfEdge.into())
    } else {
        None
    };
    match fault {
        Some(fault) => faults.add(at, fault),
        None => return Some(identifier.into()),
    }
    None
}

/// Whether two identifiers have the metadata at one host and path. The port is not compared, because a host may be
/// served at several ports.
pub(super) fn is_same_place(one: &str, other: &str) -> bool {
    let host = |url| authority(url).and_then(split_port).map(|(name, _)| name.to_ascii_lowercase());
    // A lone slash is left out of the URL of the metadata (RFC 9728 §3.1); any other one is not.
    let path = |url| Some(path(url)).filter(|path| *path != "/").unwrap_or_default();
    host(one) == host(other) && path(one) == path(other)
}

/// Whether requests may name the host of this URL.
fn is_served(url: &str, edge: &Edge) -> bool {
    let default = if url.starts_with("http:") { 80 } else { 443 };
    let named = authority(url).and_then(split_port);
    named.is_some_and(|(name, port)| edge.hosts.find(name, port, default).is_some())
}

/// Whether the host is in lower case and without the default port of the scheme. Clients compare the identifier with
/// the URL that they use (RFC 9728 §3.3), and write that in its normal form (RFC 3986 §6.2).
fn has_plain_authority(url: &str) -> bool {
    let default = if url.starts_with("http:") { ":80" } else { ":443" };
    authority(url).is_some_and(|host| !host.ends_with(default) && !host.bytes().any(|byte| byte.is_ascii_uppercase()))
}

/// Whether each character is itself in every spelling of the path (unreserved, sub-delims, `:` and `@` of RFC 3986
/// §3.3, none percent-encoded), and no segment is empty or a dot segment. The last one may be empty.
fn is_unambiguous(path: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/".contains(&byte);
    let mut segments = path.split('/').skip(1).peekable();
    let mut are_valid = true;
    while let Some(segment) = segments.next() {
        are_valid &= !matches!(segment, "." | "..") && (!segment.is_empty() || segments.peek().is_none());
    }
    are_valid && path.bytes().all(is_plain)
}
