//! An origin whose behavior is a closure. It records the bytes that it receives.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// A received request: the bytes of its head as text, and its body without framing.
#[derive(Clone, Debug)]
pub(crate) struct Received {
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Received {
    pub(crate) fn request_line(&self) -> &str {
        self.head.lines().next().unwrap_or_default()
    }

    /// Every value of a field, in order.
    pub(crate) fn all(&self, name: &str) -> Vec<&str> {
        self.fields().filter(|(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| value).collect()
    }

    pub(crate) fn fields(&self) -> impl Iterator<Item = (&str, &str)> {
        self.head.lines().skip(1).filter_map(|line| line.split_once(':')).map(|(name, value)| (name, value.trim()))
    }
}

/// A running origin.
pub(crate) struct Origin {
    pub(crate) address: SocketAddr,
    received: Arc<Mutex<Vec<Received>>>,
}

impl Origin {
    /// Starts an origin. `response` writes to the connection, which is closed afterwards.
    pub(crate) fn start(response: impl Fn(&Received, &mut TcpStream) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let received = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&received);
        let response = Arc::new(response);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (seen, response) = (Arc::clone(&seen), Arc::clone(&response));
                thread::spawn(move || {
                    if let Some(request) = read(&stream) {
                        seen.lock().unwrap().push(request.clone());
                        let mut stream = stream;
                        response(&request, &mut stream);
                    }
                });
            }
        });
        Self { address, received }
    }

    /// An origin that responds to every request with these bytes.
    pub(crate) fn responding(response: impl Into<Vec<u8>>) -> Self {
        let response = response.into();
        Self::start(move |_, stream| drop(stream.write_all(&response)))
    }

    /// The requests with this `x-test`.
    pub(crate) fn received(&self, test: &str) -> Vec<Received> {
        self.received.lock().unwrap().iter().filter(|request| request.all("x-test").contains(&test)).cloned().collect()
    }

    /// All requests.
    pub(crate) fn everything(&self) -> Vec<Received> {
        self.received.lock().unwrap().clone()
    }
}

/// An HTTP/1.1 response with a length, after which the connection is closed.
pub(crate) fn response(status: &str, fields: &[(&str, &str)], body: &str) -> Vec<u8> {
    let fields = fields.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect::<Vec<_>>().concat();
    let length = body.len();
    format!("HTTP/1.1 {status}\r\n{fields}content-length: {length}\r\nconnection: close\r\n\r\n{body}").into_bytes()
}

fn read(stream: &TcpStream) -> Option<Received> {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    loop {
        let mut line = Vec::new();
        if reader.read_until(b'\n', &mut line).ok()? == 0 {
            return None;
        }
        if line == b"\r\n" {
            break;
        }
        head.push_str(&String::from_utf8_lossy(&line));
    }
    let mut request = Received { head, body: Vec::new() };
    if let Some(length) = request.all("content-length").first().and_then(|length| length.parse().ok()) {
        request.body = vec![0; length];
        reader.read_exact(&mut request.body).ok()?;
    } else if request.all("transfer-encoding") == ["chunked"] {
        loop {
            let mut size = String::new();
            reader.read_line(&mut size).ok()?;
            let size = usize::from_str_radix(size.trim(), 16).ok()?;
            let mut chunk = vec![0; size + 2];
            reader.read_exact(&mut chunk).ok()?;
            if size == 0 {
                break;
            }
            request.body.extend_from_slice(&chunk[..size]);
        }
    }
    Some(request)
}
