//! How many hostcalls a request costs. A process can be counted only as a whole, so the test runs in one of its own.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::thread;
use std::time::Duration;

use serde_json::json;

use crate::support::edge::{Edge, Listener};
use crate::support::hostcalls;
use crate::support::http::find;
use crate::support::tokens::{claims, header, jwks, sign};
use crate::support::world::{issuer, stores};

/// Set in the process that counts.
const COUNTING: &str = "FASTGATE_TEST_COUNTS_HOSTCALLS";
/// How many requests a sandbox serves on Viceroy.
const REQUESTS_OF_A_SANDBOX: u32 = 6;
/// How many sandboxes serve the requests that are counted.
const SANDBOXES: u32 = 10;
/// The first call of a new sandbox.
const STARTS: &str = "fastly_http_req::body_downstream_get";
/// The most hostcalls of a request with a token seen before, in a sandbox that has served requests.
const MOST_WARM: f64 = 36.0;
/// The most additional hostcalls of the first request in a sandbox, which reads the policy, the keys and the kill switch.
const MOST_OF_A_START: f64 = 52.0;
/// The most linear memory of a sandbox at its end, in bytes.
const MOST_MEMORY: u64 = 16 * 1024 * 1024;

#[test]
fn a_request_with_a_token_seen_before_costs_few_hostcalls() {
    let mut test = Command::new(std::env::current_exe().unwrap());
    test.args(["--exact", "hostcalls::counted_in_a_process_of_its_own", "--ignored", "--nocapture"]);
    let output = test.env(COUNTING, "1").output().unwrap();
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success() && printed.contains("hostcalls per request"),
        "{printed}{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
#[ignore = "a part of the test above, which starts it in a process of its own"]
fn counted_in_a_process_of_its_own() {
    if std::env::var_os(COUNTING).is_none() {
        return;
    }
    hostcalls::count().unwrap();
    let listener = Listener::bind();
    let (issuer, app) = (issuer(jwks()), app());
    let iss = format!("http://{}", issuer.address);
    let mut key: serde_json::Value = serde_json::from_str(include_str!("../data/keys/app-exchange.json")).unwrap();
    key.as_object_mut().unwrap().remove("d");
    let policy = json!({
        "edge": { "issuer": format!("http://{}", listener.address()), "hosts": ["127.0.0.1"] },
        "origins": { "app": { "backend": "app", "audience": "app", "key": key } },
        "issuers": { "test": { "issuer": iss, "backend": "issuer", "audiences": ["https://api.test"] } },
        "routes": [{ "id": "orders", "path": "/orders", "methods": ["GET"], "scopes": ["read"] }],
    });
    let backends = [("app", app), ("issuer", issuer.address)];
    let edge = Edge::start(listener, &stores(&policy, &backends));
    let token = sign(&header(), &claims(&iss, "user-1", "read"));
    let request = format!(
        "GET /orders HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {token}\r\naccept: application/json\r\nuser-agent: test/1\r\n\r\n",
        edge.address
    );
    let mut connection = TcpStream::connect(edge.address).unwrap();
    let mut send = |count: u32| {
        for _ in 0..count {
            connection.write_all(request.as_bytes()).unwrap();
            let (mut response, mut buffer) = (Vec::new(), [0; 4096]);
            while find(&response, b"{}").is_none() {
                let read = connection.read(&mut buffer).unwrap();
                assert!(read > 0, "{}", String::from_utf8_lossy(&response));
                response.extend_from_slice(&buffer[..read]);
            }
            assert!(response.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&response));
        }
        // The sandbox asks for its next request after the client has its response.
        thread::sleep(Duration::from_millis(50));
        hostcalls::take()
    };
    send(REQUESTS_OF_A_SANDBOX);
    let all = send(SANDBOXES * REQUESTS_OF_A_SANDBOX);
    assert!(all.contains_key(STARTS), "Viceroy ends a sandbox after some requests");
    // At most every second run of so many requests includes the start of a sandbox.
    let mut runs = std::iter::repeat_with(|| send(REQUESTS_OF_A_SANDBOX / 2)).take(4);
    let warm = runs.find(|counts| !counts.contains_key(STARTS)).unwrap();
    let in_warm = per_request(&warm, REQUESTS_OF_A_SANDBOX / 2);
    let requests = SANDBOXES * REQUESTS_OF_A_SANDBOX;
    let starts = f64::from(u32::try_from(all[STARTS]).unwrap());
    let of_a_start = (per_request(&all, requests) - in_warm) * f64::from(requests) / starts;
    let memory = hostcalls::memory().unwrap();
    println!(
        "{in_warm:.1} hostcalls per request in a sandbox that runs, {of_a_start:.1} more for the first; \
         {memory} bytes of memory"
    );
    assert!(memory <= MOST_MEMORY, "{memory} bytes");
    assert!(in_warm <= MOST_WARM, "{in_warm:.1} hostcalls per request in a sandbox that runs:{}", listed(&warm));
    assert!(of_a_start <= MOST_OF_A_START, "{of_a_start:.1} hostcalls more for the first request:{}", listed(&all));
}

fn per_request(counts: &BTreeMap<String, u64>, requests: u32) -> f64 {
    f64::from(u32::try_from(counts.values().sum::<u64>()).unwrap()) / f64::from(requests)
}

/// The counts, the greatest first.
fn listed(counts: &BTreeMap<String, u64>) -> String {
    let mut counts: Vec<_> = counts.iter().collect();
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    let one = |(name, count): &(&String, &u64)| format!("\n{count:6} {name}");
    counts.iter().map(one).collect()
}

/// An application that keeps its connections open, as uvicorn does.
fn app() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            thread::spawn(move || {
                let (mut request, mut buffer) = (Vec::new(), [0; 4096]);
                while let Ok(read @ 1..) = stream.read(&mut buffer) {
                    request.extend_from_slice(&buffer[..read]);
                    // A GET without a body ends with an empty line, or with the chunk that ends a body.
                    if request.ends_with(b"\r\n\r\n") {
                        request.clear();
                        let fields =
                            "date: Thu, 26 Nov 2026 12:00:00 GMT\r\nserver: uvicorn\r\ncontent-type: application/json";
                        let _ = write!(stream, "HTTP/1.1 200 OK\r\n{fields}\r\ncontent-length: 2\r\n\r\n{{}}");
                    }
                }
            });
        }
    });
    address
}
