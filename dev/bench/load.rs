//! Sends prepared requests over a few persistent connections, each as soon as the response to the one before has
//! arrived.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::thread::scope;

/// How many connections at a time: as many as two cores serve without queueing.
const CONNECTIONS: usize = 2;

/// Sends `requests` to `address`; each response must have `status`.
pub(crate) fn send(address: SocketAddr, requests: &[Vec<u8>], status: &str) {
    scope(|scope| {
        for part in requests.chunks(requests.len().div_ceil(CONNECTIONS)) {
            scope.spawn(move || {
                let mut stream = TcpStream::connect(address).unwrap();
                stream.set_nodelay(true).unwrap();
                for request in part {
                    stream.write_all(request).unwrap();
                    let head = read_response(&mut stream);
                    assert!(head.starts_with(&format!("HTTP/1.1 {status}")), "{head}");
                }
            });
        }
    });
}

/// Reads one response, which must have a `Content-Length`, and returns its head.
fn read_response(stream: &mut TcpStream) -> String {
    let mut seen = Vec::new();
    let mut buffer = [0; 16_384];
    loop {
        let count = stream.read(&mut buffer).unwrap();
        assert!(count > 0, "connection closed: {}", String::from_utf8_lossy(&seen));
        seen.extend_from_slice(&buffer[..count]);
        let Some(ends) = seen.windows(4).position(|window| window == b"\r\n\r\n") else { continue };
        let head = String::from_utf8_lossy(&seen[..ends]).to_ascii_lowercase();
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "))
            .map(|length| length.parse::<usize>().unwrap());
        if seen.len() - ends - 4 >= length.unwrap_or(0) {
            return String::from_utf8_lossy(&seen[..ends]).into_owned();
        }
    }
}
