//! Whether a request opens a WebSocket.

use crate::headers::Headers;

/// Whether this is the opening handshake of a WebSocket (RFC 6455 §4.2.1): a GET with the fields that only a handshake
/// has. `hops` are the names in its `Connection`.
pub(super) fn opens_websocket(method: &str, headers: &Headers, hops: &[String]) -> bool {
    let only = |name: &str| {
        let mut values = headers.all(name);
        values.next().filter(|_| values.next().is_none()).map(<[u8]>::to_ascii_lowercase)
    };
    method == "GET"
        && hops.iter().any(|hop| hop == "upgrade")
        && only("upgrade").as_deref() == Some(b"websocket")
        && only("sec-websocket-version").as_deref() == Some(b"13")
        && only("sec-websocket-key").is_some_and(|key| key.len() == 24)
}

#[cfg(test)]
mod tests {
    use super::opens_websocket;
    use crate::headers::{Headers, named_by_connection};

    const HANDSHAKE: [(&str, &str); 4] = [
        ("connection", "keep-alive, Upgrade"),
        ("upgrade", "WebSocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ];

    fn opens(method: &str, fields: &[(&str, &str)]) -> bool {
        let headers: Headers = fields.iter().copied().collect();
        opens_websocket(method, &headers, &named_by_connection(&headers).unwrap_or_default())
    }

    #[test]
    fn a_handshake_is_known_by_all_its_fields() {
        assert!(opens("GET", &HANDSHAKE));
        for method in ["POST", "get", "CONNECT"] {
            assert!(!opens(method, &HANDSHAKE), "{method}");
        }
        for field in HANDSHAKE {
            let without: Vec<_> = HANDSHAKE.into_iter().filter(|other| *other != field).collect();
            assert!(!opens("GET", &without), "without {field:?}");
            let twice: Vec<_> = HANDSHAKE.into_iter().chain([field]).collect();
            assert_eq!(opens("GET", &twice), field.0 == "connection", "twice {field:?}");
        }
    }
}
