//! HTTP/1.1 over a real socket, without a client library: exactly the given bytes are sent.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// A response.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    /// The only value of a field; `None` if it is absent. Panics if it is repeated.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.iter().filter(|(field, _)| field.eq_ignore_ascii_case(name));
        let first = values.next();
        assert!(values.next().is_none(), "{name} is repeated: {:?}", self.headers);
        first.map(|(_, value)| value.as_str())
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    /// The slug of the problem type.
    pub(crate) fn problem(&self) -> String {
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{}", self.text());
        assert_eq!(self.header("cache-control"), Some("no-store"));
        let document = self.json();
        assert_eq!(document["status"], self.status);
        document["type"].as_str().unwrap().strip_prefix("urn:fastgate:problem:").unwrap().to_owned()
    }
}

/// Sends `request` and reads the response to its end; `None` if the peer closes the connection without one.
pub(crate) fn exchange(to: SocketAddr, request: &[u8]) -> Option<Reply> {
    let mut stream = TcpStream::connect(to).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    stream.write_all(request).unwrap();
    let mut response = Vec::new();
    // A peer that refuses early may reset the connection after its response.
    let _ = stream.read_to_end(&mut response);
    parse_reply(&response)
}

fn parse_reply(response: &[u8]) -> Option<Reply> {
    let ends = find(response, b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(&response[..ends]).into_owned();
    let mut lines = head.split("\r\n");
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let rest = &response[ends + 4..];
    let chunked = headers.iter().any(|(name, value)| name == "transfer-encoding" && value == "chunked");
    let body = if chunked { dechunk(rest) } else { rest.to_vec() };
    Some(Reply { status, headers, body })
}

/// The content of a chunked body (RFC 9112 §7.1), as far as it goes.
pub(crate) fn dechunk(mut rest: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    while let Some(ends) = find(rest, b"\r\n") {
        let size = String::from_utf8_lossy(&rest[..ends]);
        let size = usize::from_str_radix(size.split(';').next().unwrap().trim(), 16).unwrap_or(0);
        let chunk = &rest[ends + 2..];
        if size == 0 || chunk.len() < size + 2 {
            break;
        }
        body.extend_from_slice(&chunk[..size]);
        rest = &chunk[size + 2..];
    }
    body
}

/// The position of `needle` in `haystack`.
pub(crate) fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}
