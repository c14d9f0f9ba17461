//! The policy's host that a request names.

use super::error::RequestError;
use crate::headers::Headers;
use crate::policy::{Hosts, split_port};

/// The host in the policy's spelling, with the client's port. The port must be the scheme's default or one that the
/// policy names, because applications build URLs from it (`X-Forwarded-Host`).
pub(super) fn canonical(headers: &Headers, tls: bool, hosts: &Hosts) -> Result<String, RequestError> {
    let mut values = headers.all("host");
    let (Some(value), None) = (values.next(), values.next()) else {
        return Err(RequestError::HostMalformed);
    };
    let value = std::str::from_utf8(value).map_err(|_| RequestError::HostMalformed)?;
    let (name, port) = split_port(value).ok_or(RequestError::HostMalformed)?;
    let known = hosts.find(name, port, if tls { 443 } else { 80 }).ok_or(RequestError::HostUnknown)?;
    Ok(port.map_or_else(|| known.to_owned(), |port| format!("{known}:{port}")))
}
