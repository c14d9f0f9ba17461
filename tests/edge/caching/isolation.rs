//! Rows J2 of `docs/attacks.md`: no response reaches a caller of another audience, whatever happens at the same time.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{minted, start_edge};
use crate::support::edge::Edge;
use crate::support::origin::{Origin, response};
use crate::support::tokens::{claims, header, sign};

/// What a caller is, as the contents of responses name it.
#[derive(Clone)]
struct Caller {
    token: String,
    tenant: String,
    roles: Vec<&'static str>,
    subject: String,
}

/// An edge with one route for each audience. The content of a response is what the signed header says of the caller.
fn start() -> (Edge, Origin, Origin) {
    let origin = Origin::start(|request, stream| {
        let told = minted(request);
        let content = json!({ "sub": told["sub"], "roles": told["rctx"]["roles"], "tenant": told["rctx"]["tenant"] });
        let mut fields = vec![("surrogate-key", "all"), ("etag", "\"1\"")];
        if request.request_line().starts_with("POST") {
            fields.push(("fastgate-purge", "all"));
        }
        let _ = stream.write_all(&response("200 OK", &fields, &content.to_string()));
    });
    let cached = |audience: Value| {
        let id =
            audience.to_string().replace(|letter: char| !letter.is_ascii_lowercase(), "-").trim_matches('-').to_owned();
        json!({
            "id": id, "path": format!("/{id}/{{name}}"), "methods": ["GET"],
            "cache": { "audience": audience, "ttl": 1, "stale_while_revalidate": 1, "stale_if_error": 5 }
        })
    };
    let routes = json!([
        cached(json!("tenant")),
        cached(json!("roles")),
        cached(json!("caller")),
        cached(json!(["tenant", "roles"])),
        { "id": "purge", "path": "/purge", "methods": ["POST"], "access": "public" }
    ]);
    let (edge, issuer) = start_edge(&origin, &routes, &json!({}));
    (edge, origin, issuer)
}

/// Six callers of two tenants, each with two sets of roles.
fn callers(issuer: &Origin) -> Vec<Caller> {
    let sets: [&[&'static str]; 3] = [&["reader"], &["admin", "reader"], &["admin"]];
    let caller = |number: usize| {
        let (tenant, subject) = (format!("tenant-{}", number % 2), format!("caller-{}", number / 2));
        let roles = sets[number % 3].to_vec();
        let mut claims = claims(&format!("http://{}", issuer.address), &subject, "");
        claims["tid"] = json!(tenant);
        claims["roles"] = json!(roles);
        Caller { token: sign(&header(), &claims), tenant, roles, subject }
    };
    (0..12).map(caller).collect()
}

/// Sends a request on a connection that stays open, and returns the content.
fn ask(connection: &mut BufReader<TcpStream>, path: &str, token: &str) -> Value {
    let request = format!("GET {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {token}\r\n\r\n");
    connection.get_mut().write_all(request.as_bytes()).unwrap();
    let (mut head, mut length) = (String::new(), None);
    loop {
        let mut line = String::new();
        assert!(connection.read_line(&mut line).unwrap() > 0, "{path}: the connection was closed: {head}");
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = Some(value.trim().parse().unwrap());
        }
        if line == "\r\n" {
            break;
        }
        head.push_str(&line);
    }
    assert!(head.starts_with("HTTP/1.1 200"), "{path}: {head}");
    let mut content = vec![0; length.unwrap_or_else(|| panic!("{path}: {head}"))];
    connection.read_exact(&mut content).unwrap();
    serde_json::from_slice(&content).unwrap()
}

/// Sends requests for `time`; returns how many there were.
fn run(time: Duration) -> u64 {
    let (edge, origin, issuer) = start();
    let callers = Arc::new(callers(&issuer));
    let (address, count, ends) = (edge.address, Arc::new(AtomicU64::new(0)), Instant::now() + time);
    let workers: Vec<_> = (0..6)
        .map(|worker| {
            let (callers, count) = (Arc::clone(&callers), Arc::clone(&count));
            thread::spawn(move || {
                let mut connection = BufReader::new(TcpStream::connect(address).unwrap());
                let mut number = worker * 7;
                while Instant::now() < ends {
                    number += 5;
                    let caller = &callers[number % callers.len()];
                    let name = number % 3;
                    let (tenant, roles, nobody) = (json!(caller.tenant), json!(caller.roles), Value::Null);
                    for (route, expected) in [
                        ("tenant", [&nobody, &nobody, &tenant]),
                        ("roles", [&nobody, &roles, &nobody]),
                        ("caller", [&json!(caller.subject), &nobody, &nobody]),
                        ("tenant---roles", [&nobody, &roles, &tenant]),
                    ] {
                        let found = ask(&mut connection, &format!("/{route}/{name}"), &caller.token);
                        assert_eq!([&found["sub"], &found["roles"], &found["tenant"]], expected, "{route}");
                        count.fetch_add(1, Ordering::Relaxed);
                    }
                }
            })
        })
        .collect();
    while Instant::now() < ends {
        thread::sleep(Duration::from_millis(150));
        let purge = b"POST /purge HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
        assert_eq!(crate::support::http::exchange(address, purge).unwrap().status, 200);
    }
    for worker in workers {
        worker.join().unwrap();
    }
    let (requests, fetched) = (count.load(Ordering::Relaxed), origin.everything().len());
    println!("{requests} requests, {fetched} of them reached the origin; none got the response of another audience");
    assert!(u64::try_from(fetched).unwrap() < requests / 2, "most responses were stored ones");
    requests
}

#[test]
fn callers_of_several_audiences_get_their_own_responses() {
    assert!(run(Duration::from_secs(2)) > 200);
}

#[test]
#[ignore = "takes a minute: `make isolation`"]
fn isolation() {
    let requests = run(Duration::from_mins(1));
    assert!(requests >= 50_000, "only {requests} requests were sent");
}
