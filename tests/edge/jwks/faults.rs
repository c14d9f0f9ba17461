//! Faults of an issuer, and the responses to callers with good tokens meanwhile.

use std::fmt::Write as _;
use std::io::Write as _;
use std::net::TcpStream;
use std::thread::{scope, sleep};
use std::time::Duration;

use serde_json::json;

use super::issuer::Issuer;
use super::{edge, good, keys_of};
use crate::support::origin::{Received, response};

/// A fault of an issuer.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fault {
    /// The connection is closed without a response.
    Refuses,
    /// No response is sent.
    Hangs,
    /// The response is sent a byte at a time and never ends.
    Drips,
    /// This status.
    Status(&'static str),
    /// A redirect with this status to a URL that works.
    Redirects(&'static str),
    /// 200 and this body for both documents.
    Says(&'static str),
    /// 200 and ten megabytes.
    Floods,
    /// A key set with 100,000 keys.
    TooManyKeys,
    /// The discovery document is right, and this is the key set.
    Keys(&'static str),
    /// The discovery document names another issuer.
    OtherIssuer,
    /// The discovery document names another host for the keys.
    ForeignKeys,
    /// Arbitrary bytes that are declared as gzip and are shorter than `Content-Length` says.
    Truncates,
}

/// The rows of the table: the name of each fault, and the fault.
pub(crate) const ROWS: [(&str, Fault); 30] = [
    ("closes the connection", Fault::Refuses),
    ("does not respond", Fault::Hangs),
    ("sends a byte now and then, for ever", Fault::Drips),
    ("500", Fault::Status("500 Internal Server Error")),
    ("502", Fault::Status("502 Bad Gateway")),
    ("503 with `Retry-After`", Fault::Status("503 Service Unavailable\r\nretry-after: 600")),
    ("429", Fault::Status("429 Too Many Requests")),
    ("401", Fault::Status("401 Unauthorized")),
    ("403", Fault::Status("403 Forbidden")),
    ("404", Fault::Status("404 Not Found")),
    ("204", Fault::Status("204 No Content")),
    ("301", Fault::Redirects("301 Moved Permanently")),
    ("302", Fault::Redirects("302 Found")),
    ("307", Fault::Redirects("307 Temporary Redirect")),
    ("an HTML page", Fault::Says("<!doctype html><title>Sign in</title>")),
    ("an empty body", Fault::Says("")),
    ("`null`", Fault::Says("null")),
    ("`[]`", Fault::Says("[]")),
    ("`{}`", Fault::Says("{}")),
    ("`{\"keys\":null}`", Fault::Keys("{\"keys\":null}")),
    ("an empty key set", Fault::Keys("{\"keys\":[]}")),
    ("truncated JSON", Fault::Keys("{\"keys\":[{\"kty\":\"EC\",")),
    ("a byte order mark before the JSON", Fault::Keys("\u{feff}{\"keys\":[]}")),
    ("a key set with a private key", Fault::Keys("{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"d\":\"AAAA\"}]}")),
    ("a key set with a symmetric key", Fault::Keys("{\"keys\":[{\"kty\":\"oct\",\"k\":\"AAAA\"}]}")),
    ("100,000 keys", Fault::TooManyKeys),
    ("10 MB", Fault::Floods),
    ("discovery for another issuer", Fault::OtherIssuer),
    ("discovery that points to another host", Fault::ForeignKeys),
    ("nonsense as gzip, shorter than its length says", Fault::Truncates),
];

impl Fault {
    /// Produces the fault.
    pub(crate) fn send(self, request: &Received, stream: &mut TcpStream) {
        let host = request.all("host")[0].to_owned();
        let discovery = request.request_line().contains("/.well-known/");
        let right = json!({ "issuer": format!("http://{host}"), "jwks_uri": format!("http://{host}/jwks") });
        let say = |body: &str| response("200 OK", &[("content-type", "application/json")], body);
        let bytes = match self {
            Self::Refuses => return,
            Self::Hangs => return sleep(Duration::from_secs(20)),
            Self::Drips => return drip(stream),
            Self::Status(status) => response(status, &[], ""),
            Self::Redirects(status) => response(status, &[("location", &format!("http://{host}/elsewhere"))], ""),
            Self::Says(body) => say(body),
            Self::Keys(keys) => say(if discovery { right.to_string() } else { keys.to_owned() }.as_str()),
            Self::TooManyKeys if discovery => say(&right.to_string()),
            Self::TooManyKeys => say(&format!("{{\"keys\":[{}{{}}]}}", "{},".repeat(99_999))),
            Self::Floods => say(&" ".repeat(10_000_000)),
            Self::OtherIssuer => {
                say(&json!({ "issuer": "https://evil.example", "jwks_uri": right["jwks_uri"] }).to_string())
            }
            Self::ForeignKeys => {
                say(&json!({ "issuer": right["issuer"], "jwks_uri": "https://evil.example/jwks" }).to_string())
            }
            Self::Truncates => {
                b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 500\r\n\r\n\x1f\x8b\x08nonsense".to_vec()
            }
        };
        let _ = stream.write_all(&bytes);
    }
}

fn drip(stream: &mut TcpStream) {
    let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n{");
    for _ in 0..60 {
        sleep(Duration::from_millis(250));
        if stream.write_all(b" ").and_then(|()| stream.flush()).is_err() {
            return;
        }
    }
}

/// The outcome of one fault.
struct Row {
    warm: u16,
    cold: u16,
    warm_requests: usize,
    cold_requests: usize,
}

#[test]
fn no_fault_of_an_issuer_removes_keys_or_accepts_a_request() {
    let warm: Vec<_> = ROWS.iter().map(|_| Issuer::healthy()).collect();
    let cold: Vec<_> = ROWS.iter().map(|_| Issuer::healthy()).collect();
    let names: Vec<_> = (0..ROWS.len()).map(|row| (format!("warm-{row}"), format!("cold-{row}"))).collect();
    let issuers: Vec<_> = names
        .iter()
        .zip(warm.iter().zip(&cold))
        .flat_map(|((warm_id, cold_id), (warm, cold))| [(warm_id.as_str(), warm), (cold_id.as_str(), cold)])
        .collect();
    let quick = json!({ "min_fresh": 1, "max_fresh": 1, "max_stale": 3600, "cool_down": 1 });
    // The requests of one edge fill the store of keys; a moment later the sets are stale and the cool-down is over.
    let (edge, echo) = edge(&issuers, &quick, &[]);
    for issuer in &warm {
        assert_eq!(good(&edge, issuer).status, 200);
    }
    sleep(Duration::from_millis(2200));
    for (((_, fault), warm), cold) in ROWS.iter().zip(&warm).zip(&cold) {
        warm.fail_with(*fault);
        cold.fail_with(*fault);
    }
    let served = echo.everything().len();
    let rows: Vec<Row> = scope(|scope| {
        let edge = &edge;
        let rows: Vec<_> = warm
            .iter()
            .zip(&cold)
            .map(|(warm, cold)| {
                scope.spawn(move || {
                    let before = warm.requests().len();
                    let statuses: Vec<u16> = (0..5).map(|_| good(edge, warm).status).collect();
                    assert!(statuses.iter().all(|status| *status == statuses[0]), "{statuses:?}");
                    let cold_status = good(edge, cold).status;
                    let keys = keys_of(edge, &good(edge, warm));
                    assert_eq!(keys["state"], "stale");
                    Row {
                        warm: statuses[0],
                        cold: cold_status,
                        warm_requests: warm.requests().len() - before,
                        cold_requests: cold.requests().len(),
                    }
                })
            })
            .collect();
        rows.into_iter().map(|row| row.join().unwrap()).collect()
    });
    assert_eq!(echo.everything().len() - served, 6 * ROWS.len(), "only callers with usable keys were forwarded");
    for ((name, _), row) in ROWS.iter().zip(&rows) {
        assert_eq!((row.warm, row.cold), (200, 503), "{name}");
        assert!(row.warm_requests >= 1, "{name}: the edge sent the issuer another request");
    }
    publish(&rows);
}

fn publish(rows: &[Row]) {
    let mut table = "\
# Responses during the faults of an issuer

For operators: the responses to callers while the key endpoint of their issuer fails.

Written by the test `no_fault_of_an_issuer_removes_keys_or_accepts_a_request` (`tests/edge/jwks/faults.rs`), in which an
issuer really fails like this over a socket; `FASTGATE_WRITE_DOCS=1 make edge-tests` writes it anew. For each fault, five
callers with good tokens send requests to an edge whose keys are stale, and one caller to an edge without keys. An edge
without keys sends the issuer two requests before it responds with 503 and `Retry-After`.

| fault | with keys | without keys | requests without keys |
| --- | --- | --- | --- |
"
    .to_owned();
    for ((name, _), row) in ROWS.iter().zip(rows) {
        writeln!(table, "| {name} | {} | {} | {} |", row.warm, row.cold, row.cold_requests).unwrap();
    }
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/reference/jwks-faults.md");
    if std::env::var_os("FASTGATE_WRITE_DOCS").is_some() {
        std::fs::write(path, &table).unwrap();
    }
    assert_eq!(
        std::fs::read_to_string(path).unwrap_or_default(),
        table,
        "docs/reference/jwks-faults.md differs from these outcomes"
    );
}

#[test]
fn an_issuer_that_pauses_within_its_response_is_disconnected() {
    use std::io::Read as _;
    use std::sync::mpsc;

    use crate::support::edge::{Edge, Listener, Stores};
    use crate::support::origin::Origin;
    use crate::support::tokens::{claims, header, sign};
    use crate::support::world::{policy, signing_keys};

    let (said, heard) = mpsc::channel();
    let issuer = Origin::start(move |_, stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{");
        // The bound is three seconds; a platform waits ten for the next byte.
        stream.set_read_timeout(Some(Duration::from_secs(8))).unwrap();
        let hung_up = matches!(stream.read(&mut [0]), Ok(0));
        let _ = said.send(hung_up);
    });
    let listener = Listener::bind();
    let mut policy = policy(listener.address(), &format!("http://{}", issuer.address));
    policy["issuers"]["test"]["jwks_uri"] = json!(format!("http://{}/jwks", issuer.address));
    let stores = Stores {
        kv: Some(vec![("policy".to_owned(), policy.to_string())]),
        signing_keys: Some(signing_keys()),
        backends: vec![("issuer".to_owned(), issuer.address.to_string())],
        ..Stores::default()
    };
    let edge = Edge::start(listener, &stores);
    let token = sign(&header(), &claims(&format!("http://{}", issuer.address), "user-1", ""));
    let reply = super::call(&edge, &token);
    let line = edge.log_of(reply.header("x-request-id").unwrap());
    assert_eq!((reply.status, &line["verdict"]), (503, &json!("keys-unavailable")));
    assert!(line["cause"].as_str().unwrap().contains("takes too long"), "{line}");
    let given_up = [(); 2].map(|()| heard.recv_timeout(Duration::from_secs(10)).unwrap());
    assert_eq!(given_up, [true, true], "the edge gave up each of its two requests");
}
