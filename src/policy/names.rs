//! The names that a policy may use, and sections whose entries have names.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::fault::{Fault, Faults};
use super::url::split_port;

/// Whether `text` is an id: 1 to 64 of `a-z`, `0-9`, `-` and `_`, which are allowed in the keys of every store.
pub(super) fn is_id(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_');
    !text.is_empty() && text.len() <= 64 && text.bytes().all(allowed)
}

/// Whether `text` is a `scope-token` (RFC 6749 §3.3).
pub(crate) fn is_scope(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e))
}

/// Whether `host` is a host name, an IPv4 address or an IPv6 address in brackets, with or without a port.
pub(super) fn is_bare_host(host: &str) -> bool {
    let Some((name, _)) = split_port(host) else { return false };
    match name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => {
            !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.'))
        }
    }
}

/// Reads a section whose entries have names: each entry with `read`. A name that is not an id is a fault.
pub(super) fn read_section<D, T>(
    section: &str,
    documents: BTreeMap<String, D>,
    faults: &mut Faults,
    read: impl Fn(&str, D, &str, &mut Faults) -> T,
) -> BTreeMap<String, Arc<T>> {
    let mut entries = BTreeMap::new();
    for (name, document) in documents {
        let at = format!("$.{section}.{name}");
        faults.add_if(!is_id(&name), &at, Fault::NotAnId);
        let entry = read(&name, document, &at, faults);
        entries.insert(name, Arc::new(entry));
    }
    entries
}
