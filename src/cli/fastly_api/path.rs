//! Parts of the paths of the API.

use std::fmt::Write as _;

/// Percent-encodes everything but unreserved characters (RFC 3986 §2.3): a slash in a key is `%2F`.
pub(super) fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}"); // writing to a String cannot fail
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::encoded;

    #[test]
    fn a_key_is_one_segment_of_a_path() {
        assert_eq!(encoded("files/a b/ü.js"), "files%2Fa%20b%2F%C3%BC.js");
        assert_eq!(encoded("policy@0123-._~"), "policy%400123-._~");
    }
}
