//! Programs that run beside the edge: uvicorn with the demo application, and the OpenID provider.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// A child process that ends with the tests: it exits when its standard input is closed.
struct ChildProcess(#[expect(dead_code, reason = "holds the child's standard input open")] Child);

fn start(command: &mut Command) -> (ChildProcess, BufReader<ChildStdout>) {
    let mut child = command
        .current_dir(ROOT)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap_or_else(|error| {
            panic!("{command:?}: {error}; run the tests by `make test`, which installs what they need")
        });
    let output = BufReader::new(child.stdout.take().unwrap());
    (ChildProcess(child), output)
}

/// uvicorn with the demo application, behind a middleware that records each request.
pub(crate) struct Uvicorn {
    pub(crate) address: SocketAddr,
    seen: Arc<Mutex<Vec<Value>>>,
    _child: ChildProcess,
}

impl Uvicorn {
    /// Starts it with one of uvicorn's two HTTP parsers, `h11` or `httptools`, trusting the edge at `edge`.
    pub(crate) fn start(parser: &str, edge: SocketAddr) -> Self {
        Self::with_origin_key(parser, edge, "")
    }

    /// The same with a private key of its own, a JWK on X25519: it then trusts headers under MAC keys that it derives with
    /// the edge's published keys, too. An empty text means that it has none.
    pub(crate) fn with_origin_key(parser: &str, edge: SocketAddr, origin_key: &str) -> Self {
        let mut command = Command::new(Path::new(ROOT).join(".venv/bin/python"));
        command
            .args(["tests/support/serve_witness.py", parser])
            .env("PYTHONPATH", "origin")
            .env("FASTGATE_EDGE", format!("http://{edge}"))
            .env("FASTGATE_AUDIENCE", "demo-api")
            .env("FASTGATE_ORIGIN_KEY", origin_key);
        let (child, mut output) = start(&mut command);
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        let ready: Value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("uvicorn did not start: {line:?}"));
        let address = SocketAddr::from(([127, 0, 0, 1], u16::try_from(ready["port"].as_u64().unwrap()).unwrap()));
        // The socket listens already, so this waits until the application is imported.
        super::http::exchange(address, b"GET / HTTP/1.1\r\nhost: ready\r\nconnection: close\r\n\r\n").unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let lines = Arc::clone(&seen);
        thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                lines.lock().unwrap().push(serde_json::from_str(&line).unwrap());
            }
        });
        Self { address, seen, _child: child }
    }

    /// The requests with this `x-test`: `method`, `raw_path`, `query`, `headers` as a list of pairs. A request straight
    /// to uvicorn is sent first: once it is recorded, no earlier one is missing.
    pub(crate) fn seen(&self, test: &str) -> Vec<Value> {
        let fence = format!("after-{test}");
        let request = format!("GET / HTTP/1.1\r\nhost: fence\r\nx-test: {fence}\r\nconnection: close\r\n\r\n");
        super::http::exchange(self.address, request.as_bytes()).unwrap();
        let patience = Instant::now();
        while self.written(&fence).is_empty() {
            assert!(patience.elapsed() < Duration::from_secs(10), "the middleware records no requests");
            thread::sleep(Duration::from_micros(200));
        }
        self.written(test)
    }

    fn written(&self, test: &str) -> Vec<Value> {
        let has = |request: &Value| {
            request["headers"].as_array().unwrap().iter().any(|field| field[0] == "x-test" && field[1] == test)
        };
        self.seen.lock().unwrap().iter().filter(|request| has(request)).cloned().collect()
    }
}

/// The OpenID provider of `dev/idp`.
pub(crate) struct Provider {
    pub(crate) issuer: String,
    _child: ChildProcess,
}

impl Provider {
    pub(crate) fn start() -> Self {
        let mut command = Command::new("node");
        command.args(["dev/idp/provider.mjs", "--port", "0", "--exit-with-stdin"]);
        let (child, mut output) = start(&mut command);
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        let ready: Value =
            serde_json::from_str(&line).unwrap_or_else(|_| panic!("the provider did not start: {line:?}"));
        Self { issuer: ready["issuer"].as_str().unwrap().to_owned(), _child: child }
    }

    /// `host:port`.
    pub(crate) fn address(&self) -> SocketAddr {
        self.issuer.strip_prefix("http://").unwrap().parse().unwrap()
    }

    /// An access token by client credentials (RFC 6749 §4.4).
    pub(crate) fn token(&self, client: &str, form: &str) -> String {
        use base64::Engine as _;
        let credentials = base64::engine::general_purpose::STANDARD.encode(format!("{client}:{client}-secret"));
        let body = format!("grant_type=client_credentials&{form}");
        let request = format!(
            "POST /token HTTP/1.1\r\nhost: {}\r\nauthorization: Basic {credentials}\r\nconnection: close\r\n\
             content-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n{body}",
            self.address(),
            body.len()
        );
        let reply = super::http::exchange(self.address(), request.as_bytes()).unwrap();
        assert_eq!(reply.status, 200, "{}", reply.text());
        reply.json()["access_token"].as_str().unwrap().to_owned()
    }
}
