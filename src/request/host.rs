//! Which of the policy's hosts a request names.

use super::RequestError;
use crate::headers::Headers;
use crate::policy::Hosts;

/// The policy's spelling of the one `Host` field, with the client's port.
pub(super) fn canonical(headers: &Headers, hosts: &Hosts) -> Result<String, RequestError> {
    let mut values = headers.all("host");
    let (Some(value), None) = (values.next(), values.next()) else {
        return Err(RequestError::HostMalformed);
    };
    let value = std::str::from_utf8(value).map_err(|_| RequestError::HostMalformed)?;
    let (name, port) = split_port(value).ok_or(RequestError::HostMalformed)?;
    let known = hosts.find(name).ok_or(RequestError::HostUnknown)?;
    Ok(port.map_or_else(|| known.to_owned(), |port| format!("{known}:{port}")))
}

/// `name`, `name:port` or `[v6]:port`; a port is a number that fits a port.
fn split_port(authority: &str) -> Option<(&str, Option<u16>)> {
    let name_ends = match authority.strip_prefix('[') {
        Some(rest) => rest.find(']')? + 2,
        None => authority.find(':').unwrap_or(authority.len()),
    };
    let (name, rest) = authority.split_at_checked(name_ends)?;
    let Some(port) = rest.strip_prefix(':') else {
        return rest.is_empty().then_some((name, None));
    };
    if port.is_empty() || !port.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some((name, Some(port.parse().ok()?)))
}

#[cfg(test)]
mod tests {
    use super::split_port;

    #[test]
    fn ports_are_numbers_that_fit() {
        assert_eq!(split_port("edge.test:443"), Some(("edge.test", Some(443))));
        assert_eq!(split_port("[::1]:7676"), Some(("[::1]", Some(7676))));
        assert_eq!(split_port("edge.test"), Some(("edge.test", None)));
        for bad in ["edge.test:", "edge.test:99999", "edge.test:+1", "a:b:1", "[::1", "[::1]x"] {
            assert_eq!(split_port(bad), None, "{bad}");
        }
    }
}
