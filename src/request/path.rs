//! Paths in one canonical form: decoded once, as uvicorn decodes them, and encoded again in exactly one way.

use std::fmt::Write as _;

/// A path that the edge and the origin read alike, in two forms: the one that is forwarded and signed, and the one that
/// is matched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CanonicalPath {
    encoded: String,
    decoded: String,
}

/// Why a path could be read in more than one way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Ambiguity {
    /// It does not begin with `/`.
    #[error("it does not begin with a slash")]
    NotRooted,
    /// A `%` is not followed by two hexadecimal digits (RFC 3986 §2.1).
    #[error("a percent sign is not followed by two hexadecimal digits")]
    BrokenEscape,
    /// It has an encoded `/`, or a `\` or a control character, encoded or not.
    #[error("it has an encoded slash, a backslash or a control character")]
    Disguised,
    /// It has a space, a `#` or a byte beyond ASCII that is not encoded. The characters that browsers leave unencoded
    /// although RFC 3986 §3.3 does not allow them (`[`, `|`, `^` and others) have only one reading and are encoded
    /// here.
    #[error("it has a space, a # or a byte beyond ASCII that is not percent-encoded")]
    Unencoded,
    /// The decoded bytes are not UTF-8; the origin would see U+FFFD for any of them.
    #[error("it is not UTF-8")]
    NotUtf8,
    /// A segment is `.` or `..`, which URL parsers resolve and servers do not.
    #[error("it has a dot segment")]
    DotSegment,
    /// Two slashes follow each other.
    #[error("it has an empty segment")]
    EmptySegment,
}

impl CanonicalPath {
    /// Reads a raw path.
    ///
    /// # Errors
    /// An [`Ambiguity`] for a path that URL parsers, servers and frameworks are known to read differently. Such a path
    /// could be authorized as one resource and served as another.
    pub fn parse(raw: &[u8]) -> Result<Self, Ambiguity> {
        if raw.first() != Some(&b'/') {
            return Err(Ambiguity::NotRooted);
        }
        let decoded = String::from_utf8(decode(raw)?).map_err(|_| Ambiguity::NotUtf8)?;
        if decoded.chars().any(char::is_control) {
            return Err(Ambiguity::Disguised);
        }
        let last = decoded.split('/').count().saturating_sub(1);
        for (index, segment) in decoded.split('/').enumerate() {
            match segment {
                "." | ".." => return Err(Ambiguity::DotSegment),
                "" if index != 0 && index != last => return Err(Ambiguity::EmptySegment),
                _ => {}
            }
        }
        Ok(Self { encoded: encode(&decoded), decoded })
    }

    /// The path that decodes to `decoded`.
    ///
    /// # Errors
    /// An [`Ambiguity`] if there is no such canonical path.
    pub fn of_decoded(decoded: &str) -> Result<Self, Ambiguity> {
        Self::parse(encode(decoded).as_bytes())
    }

    /// The form that is forwarded and signed: `A-Z a-z 0-9 - . _ ~ ! $ & ' ( ) * + , ; = : @ /` unchanged, every other
    /// byte as `%XX` in upper case (RFC 3986 §3.3, §6.2.2).
    #[must_use]
    pub fn encoded(&self) -> &str {
        &self.encoded
    }

    /// The form that is matched, and that the origin's framework routes by.
    #[must_use]
    pub fn decoded(&self) -> &str {
        &self.decoded
    }

    /// The decoded segments after the first slash; `/` has one, which is empty.
    pub fn segments(&self) -> impl Iterator<Item = &str> {
        self.decoded.split('/').skip(1)
    }
}

/// Percent-decodes once.
fn decode(raw: &[u8]) -> Result<Vec<u8>, Ambiguity> {
    let mut decoded = Vec::with_capacity(raw.len());
    let mut bytes = raw.iter().copied();
    while let Some(byte) = bytes.next() {
        let byte = match byte {
            b'%' => {
                let byte = escaped_byte(bytes.next(), bytes.next()).ok_or(Ambiguity::BrokenEscape)?;
                if byte == b'/' {
                    return Err(Ambiguity::Disguised);
                }
                byte
            }
            b'/' | b'\\' => byte,
            _ if is_plain(byte) || is_sent_unencoded(byte) => byte,
            _ => return Err(Ambiguity::Unencoded),
        };
        if byte == b'\\' || byte.is_ascii_control() {
            return Err(Ambiguity::Disguised);
        }
        decoded.push(byte);
    }
    Ok(decoded)
}

fn escaped_byte(high: Option<u8>, low: Option<u8>) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    Some(digit(high?)? * 16 + digit(low?)?)
}

/// `pchar` of RFC 3986 §3.3 without the percent sign.
const fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'-' | b'.'
                | b'_'
                | b'~'
                | b'!'
                | b'$'
                | b'&'
                | b'\''
                | b'('
                | b')'
                | b'*'
                | b'+'
                | b','
                | b';'
                | b'='
                | b':'
                | b'@'
        )
}

/// Bytes that RFC 3986 does not allow in a path and that clients send unencoded all the same: the URL Standard's path
/// percent-encode set leaves out `[ ] | ^`, and some clients leave out more. Every server reads these bytes literally.
const fn is_sent_unencoded(byte: u8) -> bool {
    matches!(byte, b'"' | b'<' | b'>' | b'[' | b']' | b'^' | b'`' | b'{' | b'|' | b'}')
}

fn encode(decoded: &str) -> String {
    let mut encoded = String::with_capacity(decoded.len());
    for byte in decoded.bytes() {
        if byte == b'/' || is_plain(byte) {
            encoded.push(char::from(byte));
        } else {
            push_encoded(&mut encoded, byte);
        }
    }
    encoded
}

/// Appends `%XX`.
pub(super) fn push_encoded(text: &mut String, byte: u8) {
    // Writing to a String cannot fail.
    let _ = write!(text, "%{byte:02X}");
}

#[cfg(test)]
mod tests {
    use super::{Ambiguity, CanonicalPath};

    #[test]
    fn one_resource_has_one_spelling() {
        for (raw, encoded, decoded) in [
            ("/%61dmin/x", "/admin/x", "/admin/x"),
            ("/a%7eb", "/a~b", "/a~b"),
            ("/caf%c3%a9", "/caf%C3%A9", "/café"),
            ("/%252e%252e/x", "/%252e%252e/x", "/%2e%2e/x"),
            ("/pub%23/x", "/pub%23/x", "/pub#/x"),
            ("/a%3fb", "/a%3Fb", "/a?b"),
            ("/admin;a=1/x", "/admin;a=1/x", "/admin;a=1/x"),
            ("/", "/", "/"),
            ("/admin/", "/admin/", "/admin/"),
            ("/admin%2e", "/admin.", "/admin."),
            ("/report[1].pdf", "/report%5B1%5D.pdf", "/report[1].pdf"),
            ("/report%5b1%5D.pdf", "/report%5B1%5D.pdf", "/report[1].pdf"),
            ("/a|b^c`d", "/a%7Cb%5Ec%60d", "/a|b^c`d"),
            ("/{x}\"<>", "/%7Bx%7D%22%3C%3E", "/{x}\"<>"),
        ] {
            let path = CanonicalPath::parse(raw.as_bytes());
            let path = path.as_ref().map(|path| (path.encoded(), path.decoded()));
            assert_eq!(path, Ok((encoded, decoded)), "{raw}");
        }
    }

    #[test]
    fn what_two_parsers_read_differently_is_refused() {
        use Ambiguity::{BrokenEscape, Disguised, DotSegment, EmptySegment, NotRooted, NotUtf8, Unencoded};
        for (raw, ambiguity) in [
            ("", NotRooted),
            ("admin", NotRooted),
            ("/admin/../pub", DotSegment),
            ("/./admin", DotSegment),
            ("/admin/%2e%2e/pub", DotSegment),
            ("/admin/.%2E", DotSegment),
            ("/admin%2fx", Disguised),
            ("/admin%5Cx", Disguised),
            ("/admin\\x", Disguised),
            ("/admin%00", Disguised),
            ("/%0d%0aX:", Disguised),
            ("/%c2%85", Disguised),
            ("//admin", EmptySegment),
            ("/admin//x", EmptySegment),
            ("///", EmptySegment),
            ("/%ff", NotUtf8),
            ("/%c0%ae", NotUtf8),
            ("/%u002e", BrokenEscape),
            ("/%", BrokenEscape),
            ("/%g1", BrokenEscape),
            ("/%2", BrokenEscape),
            ("/a b", Unencoded),
            ("/a#b", Unencoded),
            ("/é", Unencoded),
            ("/[%2e%2e]/..", DotSegment),
            ("/[%2f]", Disguised),
            ("/|\\|", Disguised),
        ] {
            assert_eq!(CanonicalPath::parse(raw.as_bytes()).err(), Some(ambiguity), "{raw}");
        }
    }
}
