//! `origins.<name>.resource`: the resource identifier of one application.

pub(in crate::policy) mod fault;

pub use fault::ResourceFault;

use crate::policy::edge::Edge;
use crate::policy::fault::{Fault, Faults};
use crate::policy::ids::Audience;
use crate::policy::url::{authority, is_https_url, is_normal, path, split_port};

/// Reads the identifier at `at`: an https URL on a host of the edge, with a path in its only spelling.
pub(super) fn read(identifier: Option<String>, edge: &Edge, at: &str, faults: &mut Faults) -> Option<Audience> {
    let identifier = identifier?;
    let fault = if !is_https_url(&identifier) {
        Some(Fault::NotHttps)
    } else if !edge.hosts.serves(&identifier) {
        Some(ResourceFault::Foreign.into())
    } else if !is_normal(&identifier) {
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
