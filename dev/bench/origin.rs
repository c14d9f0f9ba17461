//! The origin of all guests: it responds to every request at once and keeps its connections open. A request to a model
//! gets a stream of events, at the pace of a fast model.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread::{sleep, spawn};
use std::time::Duration;

/// How long after a request to a model the first event comes. Models take longer.
pub(crate) const THOUGHT: Duration = Duration::from_millis(20);
/// The time between two events.
pub(crate) const PAUSE: Duration = Duration::from_millis(1);
/// The events of a stream that have text.
pub(crate) const EVENTS: usize = 100;

/// Starts the origin.
pub(crate) fn start() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    spawn(move || {
        for stream in listener.incoming().flatten() {
            spawn(move || serve(stream));
        }
    });
    address
}

/// What is to be validated has an entity tag, which never changes.
fn serve(mut stream: TcpStream) {
    const PLAIN: &str = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}";
    const VALIDATED: &str = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncache-control: no-cache\r\n\
                             etag: \"1\"\r\ncontent-length: 2\r\n\r\n{}";
    const VALID: &str = "HTTP/1.1 304 Not Modified\r\ncache-control: no-cache\r\netag: \"1\"\r\n\r\n";
    let mut seen = Vec::new();
    let mut buffer = [0; 16_384];
    while let Ok(count @ 1..) = stream.read(&mut buffer) {
        seen.extend_from_slice(&buffer[..count]);
        if !is_whole(&seen) {
            continue;
        }
        let request = String::from_utf8_lossy(&seen).to_ascii_lowercase();
        let sent = if request.starts_with("post ") {
            let _ = stream.set_nodelay(true);
            events(&mut stream, request.contains("\"include_usage\":true"))
        } else {
            let response = match request.starts_with("get /validated/") {
                true if request.contains("if-none-match:") => VALID,
                true => VALIDATED,
                false => PLAIN,
            };
            stream.write_all(response.as_bytes())
        };
        seen.clear();
        if sent.is_err() {
            return;
        }
    }
}

/// Whether all of a request has arrived. Those without a body end with an empty line or a chunk of length 0, and the
/// bodies of the others are objects.
fn is_whole(request: &[u8]) -> bool {
    let Some(end) = request.windows(4).position(|window| window == b"\r\n\r\n") else { return false };
    let body = &request[end + 4..];
    if !request.starts_with(b"POST ") {
        return request.ends_with(b"\r\n\r\n");
    }
    let head = String::from_utf8_lossy(&request[..end]).to_ascii_lowercase();
    match head.lines().find_map(|line| line.strip_prefix("content-length: ")) {
        Some(length) => body.len() >= length.parse().unwrap(),
        None => body.ends_with(b"0\r\n\r\n"),
    }
}

/// Sends a stream as OpenAI's chat completions have them: each event in a write of its own, and the usage at the end if
/// the request asks for it.
fn events(to: &mut TcpStream, with_usage: bool) -> std::io::Result<()> {
    let member = if with_usage { ",\"usage\":null" } else { "" };
    let event = |choices: &str, usage: &str| {
        format!(
            "data: {{\"id\":\"chatcmpl-7\",\"object\":\"chat.completion.chunk\",\"created\":1800000000,\
             \"model\":\"small\",\"system_fingerprint\":\"fp_1\",\"choices\":[{choices}]{usage}}}\n\n"
        )
    };
    let word =
        event("{\"index\":0,\"delta\":{\"content\":\" word\"},\"logprobs\":null,\"finish_reason\":null}", member);
    let chunk = |text: &str| format!("{:x}\r\n{text}\r\n", text.len());
    sleep(THOUGHT);
    to.write_all(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")?;
    for _ in 0..EVENTS {
        to.write_all(chunk(&word).as_bytes())?;
        sleep(PAUSE);
    }
    if with_usage {
        let usage = ",\"usage\":{\"prompt_tokens\":20,\"completion_tokens\":100,\"total_tokens\":120}";
        to.write_all(chunk(&event("", usage)).as_bytes())?;
    }
    to.write_all((chunk("data: [DONE]\n\n") + "0\r\n\r\n").as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_whole_with_its_body() {
        assert!(is_whole(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n") && !is_whole(b"GET / HTTP/1.1\r\nhost: a\r\n"));
        let post = b"POST / HTTP/1.1\r\nContent-Length: 4\r\n\r\n{  }";
        assert!(is_whole(post) && !is_whole(&post[..post.len() - 1]));
        let chunked = b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n";
        assert!(is_whole(chunked) && !is_whole(&chunked[..chunked.len() - 5]));
    }
}
