//! Sends prepared requests over a few persistent connections: each as soon as the response to the one before has
//! arrived, or at a fixed rate.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::thread::{scope, sleep};
use std::time::{Duration, Instant};

/// Sends `requests` to `address` over so many connections at a time; each response must have `status`.
pub(crate) fn send(address: SocketAddr, requests: &[Vec<u8>], status: &str, connections: usize) {
    scope(|scope| {
        for part in requests.chunks(requests.len().div_ceil(connections)) {
            scope.spawn(move || {
                let mut stream = connect(address);
                for request in part {
                    exchange(&mut stream, request, status);
                }
            });
        }
    });
}

/// Sends `requests` at `rate` in a second, whether the earlier ones were responded to or not, and returns their
/// latencies in milliseconds. A latency begins when its request was due, so that waiting for a connection counts.
pub(crate) fn send_at_rate(
    address: SocketAddr,
    requests: &[Vec<u8>],
    status: &str,
    connections: usize,
    rate: u32,
) -> Vec<f64> {
    let begin = Instant::now() + Duration::from_millis(100);
    let due = |number: usize| begin + Duration::from_secs(1) / rate * u32::try_from(number).unwrap();
    scope(|scope| {
        let one = |first: usize| {
            let numbers = (first..requests.len()).step_by(connections);
            scope.spawn(move || {
                let mut stream = connect(address);
                let latency = |number: usize| {
                    sleep(due(number).saturating_duration_since(Instant::now()));
                    exchange(&mut stream, &requests[number], status);
                    due(number).elapsed().as_secs_f64() * 1e3
                };
                numbers.map(latency).collect::<Vec<_>>()
            })
        };
        let threads: Vec<_> = (0..connections).map(one).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    })
}

/// Sends `request` so many times over each of so many connections, and reads the whole stream that responds to it. Returns
/// the milliseconds until the first byte of the content of each arrived. Each must have so many events besides the last,
/// and no usage, for which the client did not ask.
pub(crate) fn streams(
    address: SocketAddr,
    request: &[u8],
    times: usize,
    connections: usize,
    events: usize,
) -> Vec<f64> {
    scope(|scope| {
        let one = |_| {
            scope.spawn(move || {
                let mut stream = connect(address);
                (0..times).map(|_| exchange_stream(&mut stream, request, events)).collect::<Vec<_>>()
            })
        };
        let threads: Vec<_> = (0..connections).map(one).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    })
}

fn exchange_stream(stream: &mut TcpStream, request: &[u8], events: usize) -> f64 {
    let begin = Instant::now();
    stream.write_all(request).unwrap();
    let mut first = None;
    let mut seen = Vec::new();
    let mut buffer = [0; 16_384];
    while !seen.ends_with(b"\r\n0\r\n\r\n") {
        let count = stream.read(&mut buffer).unwrap();
        assert!(count > 0, "connection closed: {}", String::from_utf8_lossy(&seen));
        seen.extend_from_slice(&buffer[..count]);
        if first.is_none() && !seen.ends_with(b"\r\n\r\n") {
            first = Some(begin.elapsed().as_secs_f64() * 1e3);
        }
    }
    let text = String::from_utf8(seen).unwrap();
    assert!(text.starts_with("HTTP/1.1 200"), "{text}");
    assert_eq!(text.matches("data: {").count(), events, "{text}");
    assert!(!text.contains("total_tokens") && text.contains("data: [DONE]"), "{text}");
    first.unwrap()
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

fn exchange(stream: &mut TcpStream, request: &[u8], status: &str) {
    stream.write_all(request).unwrap();
    let head = read_response(stream);
    assert!(head.starts_with(&format!("HTTP/1.1 {status}")), "{head}");
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
