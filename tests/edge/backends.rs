//! Several backends through the guest: which of them receives a request, what happens when one fails, and what the log
//! says. Rows M2, M3, M11 to M13 and M15 of `docs/attacks.md`.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::net::TcpStream;
use std::sync::{Arc, Mutex};
use std::thread::sleep;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::support::edge::{Edge, Listener, Stores};
use crate::support::http::{Reply, exchange};
use crate::support::origin::{Origin, Received, response};
use crate::support::tokens::{claims, header, jwks, sign};
use crate::support::world::{issuer, stores};

/// What a backend does with a request.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Does {
    /// Responds 200 with its name.
    Respond,
    /// Closes the connection without a response.
    Close,
    /// Responds with this status.
    Status(&'static str),
    /// Responds after this many milliseconds.
    Wait(u64),
}

/// An edge with several backends.
struct Gate {
    edge: Edge,
    issuer: Origin,
    backends: BTreeMap<String, (Origin, Arc<Mutex<Does>>)>,
}

impl Gate {
    /// A gate whose origin has these members besides `audience`; the routes are `/a` for every method (callers may be
    /// anonymous), `/signed` with a signed body, `/quick` with a timeout, `/eu` for the region `eu`, and `/stored`.
    fn start(origin: &Value) -> Self {
        Self::with_unhealthy(origin, "")
    }

    /// The same; the platform's checks say that this backend is unhealthy.
    fn with_unhealthy(origin: &Value, unhealthy: &str) -> Self {
        let mut backends = BTreeMap::new();
        for name in origin["backends"].as_object().unwrap().keys() {
            let does = Arc::new(Mutex::new(Does::Respond));
            let (told, own) = (Arc::clone(&does), name.clone());
            let behave = move |_: &Received, stream: &mut TcpStream| {
                let does = *told.lock().unwrap();
                let _ = match does {
                    Does::Respond => stream.write_all(&response("200 OK", &[], &own)),
                    Does::Close => Ok(()),
                    Does::Status(status) => stream.write_all(&response(status, &[], &own)),
                    Does::Wait(time) => {
                        sleep(Duration::from_millis(time));
                        stream.write_all(&response("200 OK", &[], &own))
                    }
                };
            };
            backends.insert(name.clone(), (Origin::start(behave), does));
        }
        let (listener, issuer) = (Listener::bind(), issuer(jwks()));
        let mut document = origin.clone();
        document["audience"] = json!("app");
        let methods = ["GET", "HEAD", "POST", "PUT", "DELETE"];
        let mut routes = vec![
            json!({ "id": "a", "path": "/a", "methods": methods, "access": "optional" }),
            json!({ "id": "socket", "path": "/socket", "methods": ["GET"], "access": "public", "websocket": true }),
            json!({ "id": "signed", "path": "/signed", "methods": ["PUT"], "access": "public", "sign_body": true }),
            json!({ "id": "quick", "path": "/quick", "methods": methods, "access": "public", "timeout": 1 }),
            json!({ "id": "stored", "path": "/stored/{name}", "methods": ["GET"], "access": "public",
                    "cache": { "audience": "public", "ttl": 1, "stale_if_error": 600 } }),
        ];
        if origin.get("regions").is_some() {
            routes.push(
                json!({ "id": "eu", "path": "/eu", "methods": ["GET"], "access": "optional", "regions": ["eu"] }),
            );
        }
        let policy = json!({
            "edge": { "issuer": format!("http://{}", listener.address()), "hosts": ["127.0.0.1"] },
            "origins": { "app": document },
            "issuers": { "test": {
                "issuer": format!("http://{}", issuer.address), "backend": "issuer", "audiences": ["https://api.test"],
                "claims": { "tenant": "tid" }
            } },
            "routes": routes
        });
        let named = backends.iter().map(|(name, (origin, _))| (name.as_str(), origin.address));
        let healthy = named.clone().filter(|(name, _)| *name != unhealthy);
        let declared: Vec<_> = healthy.chain([("issuer", issuer.address)]).collect();
        let manifest = named.filter(|(name, _)| *name == unhealthy).map(|(name, address)| {
            format!("[local_server.backends.{name}]\nurl = \"http://{address}\"\nhealth = \"unhealthy\"\n")
        });
        let stores = Stores { manifest: manifest.collect(), ..stores(&policy, &declared) };
        let edge = Edge::start(listener, &stores);
        Self { edge, issuer, backends }
    }

    /// Two backends in `eu`, one in each of `ch`, which stands in for `eu`, and `us`. The tenant decides.
    fn in_regions(parts: &Value) -> Self {
        let mut origin = json!({
            "backends": {
                "eu_1": { "region": "eu" }, "eu_2": { "region": "eu", "priority": 2 }, "ch_1": { "region": "ch" },
                "us_1": { "region": "us" }
            },
            "regions": { "eu": { "fallback": "ch", "jurisdiction": "europe" }, "ch": { "jurisdiction": "europe" }, "us": {} },
            "selection": { "region_by": [{ "by": "tenant", "regions": { "acme": "eu", "globex": "us" } }] }
        });
        origin.as_object_mut().unwrap().extend(parts.as_object().cloned().unwrap());
        Self::start(&origin)
    }

    fn tell(&self, name: &str, does: Does) {
        *self.backends[name].1.lock().unwrap() = does;
    }

    /// The requests that a backend received.
    fn seen(&self, name: &str) -> Vec<Received> {
        self.backends[name].0.everything()
    }

    fn count(&self, name: &str) -> usize {
        self.seen(name).len()
    }

    fn token(&self, tenant: &str) -> String {
        let mut claims = claims(&format!("http://{}", self.issuer.address), "ada", "");
        claims["tid"] = json!(tenant);
        sign(&header(), &claims)
    }

    fn send(&self, line: &str, fields: &str, body: &str) -> Reply {
        let length = if body.is_empty() { String::new() } else { format!("content-length: {}\r\n", body.len()) };
        let request = format!("{line} HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n{length}{fields}\r\n{body}");
        exchange(self.edge.address, request.as_bytes()).unwrap_or_else(|| panic!("no response to {line}"))
    }

    fn get(&self, path: &str, tenant: &str) -> Reply {
        self.send(&format!("GET {path}"), &format!("authorization: Bearer {}\r\n", self.token(tenant)), "")
    }

    fn log_of(&self, reply: &Reply) -> Value {
        self.edge.log_of(reply.header("x-request-id").unwrap())
    }
}

/// The region that the header of a request names.
fn region(request: &Received) -> Value {
    let token = request.all("fastgate-identity").concat();
    let payload = URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap();
    serde_json::from_slice::<Value>(&payload).unwrap()["rctx"]["region"].clone()
}

#[test]
fn the_tenant_decides_the_region_and_without_one_the_request_is_refused() {
    let gate = Gate::in_regions(&json!({}));
    for (tenant, backend, in_region) in [("acme", "eu_1", "eu"), ("globex", "us_1", "us")] {
        let reply = gate.get("/a", tenant);
        assert_eq!((reply.status, reply.text().as_str()), (200, backend));
        assert_eq!(region(gate.seen(backend).last().unwrap()), in_region);
        let log = gate.log_of(&reply);
        assert_eq!((&log["backend"], &log["region"]), (&json!(backend), &json!(in_region)));
        assert!(log.get("retried").is_none() && log.get("skipped").is_none());
    }
    let unknown = gate.get("/a", "initech");
    assert_eq!((unknown.status, &gate.log_of(&unknown)["verdict"]), (503, &json!("no-region")));
    let elsewhere = gate.get("/eu", "globex");
    assert_eq!((elsewhere.status, &gate.log_of(&elsewhere)["verdict"]), (503, &json!("other-region")));
    assert_eq!(gate.count("us_1"), 1);
}

#[test]
fn a_request_that_failed_is_sent_to_the_next_backend_with_a_header_for_its_region() {
    let gate = Gate::in_regions(&json!({ "retries": { "limit": 2 } }));
    gate.tell("eu_1", Does::Close);
    let reply = gate.get("/a", "acme");
    assert_eq!((reply.status, reply.text().as_str()), (200, "eu_2"));
    assert_eq!(gate.log_of(&reply)["retried"], json!(["eu_1: origin-unreachable"]));
    gate.tell("eu_2", Does::Status("503 Service Unavailable"));
    let reply = gate.get("/a", "acme");
    assert_eq!((reply.status, reply.text().as_str()), (200, "ch_1"));
    let log = gate.log_of(&reply);
    assert_eq!(log["retried"], json!(["eu_1: origin-unreachable", "eu_2: 503"]));
    assert_eq!((&log["backend"], &log["region"]), (&json!("ch_1"), &json!("ch")));
    let (first, last) = (gate.seen("eu_2"), gate.seen("ch_1"));
    assert_eq!((region(&first[1]), region(&last[0])), (json!("eu"), json!("ch")));
    let without = |request: &Received| {
        let fields = request.fields().filter(|(name, _)| !name.eq_ignore_ascii_case("fastgate-identity"));
        fields.map(|(name, value)| format!("{name}: {value}")).collect::<Vec<_>>()
    };
    assert_eq!(without(&first[1]), without(&last[0]), "nothing else changes");
    assert_eq!(gate.count("us_1"), 0);
}

#[test]
fn only_idempotent_requests_whose_body_is_in_hand_are_sent_again() {
    let gate = Gate::start(&json!({
        "backends": { "first": {}, "second": { "priority": 2 } }, "health": { "failures": 100 }
    }));
    gate.tell("first", Does::Close);
    let (longest, long) = ("x".repeat(65_536), "x".repeat(65_537));
    for (line, body, status) in [
        ("PUT /a", long.as_str(), 502),
        ("PUT /a", longest.as_str(), 200),
        ("GET /a", "", 200),
        ("HEAD /a", "", 200),
        ("DELETE /a", "", 200),
        ("PUT /signed", "hello", 200),
        ("POST /a", "", 502),
        ("POST /a", "hello", 502),
        ("PUT /a", "hello", 200),
    ] {
        let (first, second) = (gate.count("first"), gate.count("second"));
        assert_eq!(gate.send(line, "", body).status, status, "{line} {body}");
        let expected = (first + 1, second + usize::from(status == 200));
        assert_eq!((gate.count("first"), gate.count("second")), expected, "{line} {body}");
        if status == 200 {
            assert_eq!(gate.seen("second").last().unwrap().body, body.as_bytes(), "{line}");
        }
    }
}

#[test]
fn a_backend_that_fails_repeatedly_is_skipped_and_then_tried_again() {
    let gate = Gate::start(&json!({
        "backends": { "first": {}, "second": { "priority": 2 } }, "health": { "failures": 3, "pause": 2 }
    }));
    gate.tell("first", Does::Status("502 Bad Gateway"));
    for _ in 0..8 {
        assert_eq!(gate.send("GET /a", "", "").text(), "second");
    }
    assert_eq!(gate.count("first"), 3);
    let log = gate.log_of(&gate.send("GET /a", "", ""));
    assert_eq!(log["skipped"], json!(["first"]));
    gate.tell("first", Does::Respond);
    sleep(Duration::from_millis(2100));
    assert_eq!(gate.send("GET /a", "", "").text(), "first");
    assert_eq!(gate.send("GET /a", "", "").text(), "first");
    // Failures that are not in a row do not add up.
    for does in [Does::Close, Does::Close, Does::Respond].repeat(3) {
        gate.tell("first", does);
        assert_eq!(gate.send("GET /a", "", "").status, 200);
    }
    assert!(gate.log_of(&gate.send("GET /a", "", "")).get("skipped").is_none());
}

#[test]
fn retries_end_with_the_budget_of_the_backend_that_receives_them() {
    let gate = Gate::start(&json!({
        "backends": { "first": {}, "second": { "priority": 2 } },
        "health": { "failures": 100 }, "retries": { "budget": 2, "window": 60 }
    }));
    gate.tell("first", Does::Close);
    let statuses: Vec<u16> = (0..4).map(|_| gate.send("GET /a", "", "").status).collect();
    assert_eq!(statuses, [200, 200, 502, 502]);
    assert_eq!((gate.count("first"), gate.count("second")), (4, 2));
}

#[test]
fn without_a_backend_in_the_jurisdiction_the_client_gets_503_and_no_other_region_a_request() {
    let gate = Gate::in_regions(&json!({ "health": { "failures": 2, "pause": 60 } }));
    for name in ["eu_1", "eu_2", "ch_1"] {
        gate.tell(name, Does::Close);
    }
    let replies: Vec<Reply> = (0..12).map(|_| gate.get("/a", "acme")).collect();
    assert!(replies.iter().all(|reply| [502, 503].contains(&reply.status)));
    let last = replies.last().unwrap();
    assert_eq!((last.status, last.header("retry-after").is_some()), (503, true));
    assert_eq!(gate.log_of(last)["verdict"], "origin-backends-failed");
    assert_eq!(gate.get("/a", "globex").status, 200);
    assert_eq!(gate.count("us_1"), 1);
    // One that is back is found although all are skipped.
    gate.tell("eu_1", Does::Respond);
    assert_eq!(gate.get("/a", "acme").text(), "eu_1");
}

#[test]
fn a_client_that_breaks_off_its_body_does_not_make_the_backend_look_broken() {
    let gate = Gate::start(&json!({
        "backends": { "first": {}, "second": { "priority": 2 } }, "health": { "failures": 2, "pause": 60 }
    }));
    for _ in 0..5 {
        let mut stream = TcpStream::connect(gate.edge.address).unwrap();
        stream.write_all(b"PUT /a HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 1000\r\n\r\nnot all").unwrap();
        sleep(Duration::from_millis(50));
        drop(stream);
    }
    sleep(Duration::from_millis(200));
    assert_eq!(gate.send("GET /a", "", "").text(), "first");
}

#[test]
fn a_route_waits_no_longer_than_its_timeout() {
    let gate = Gate::start(&json!({ "backends": { "first": {}, "second": { "priority": 2 } } }));
    gate.tell("first", Does::Wait(3000));
    let reply = gate.send("POST /quick", "", "hello");
    assert_eq!((reply.status, &gate.log_of(&reply)["verdict"]), (504, &json!("origin-over-time")));
    assert!(gate.log_of(&reply)["cause"].as_str().unwrap().contains("\"timeout\" of the route, 1 seconds"));
    let reply = gate.send("GET /quick", "", "");
    assert_eq!((reply.status, reply.text().as_str()), (200, "second"));
    assert_eq!(gate.log_of(&reply)["retried"], json!(["first: origin-over-time"]));
    gate.tell("first", Does::Wait(300));
    assert_eq!(gate.send("GET /quick", "", "").text(), "first");
}

#[test]
fn a_stored_response_outlasts_all_backends() {
    let gate = Gate::start(&json!({
        "backends": { "first": {}, "second": {} }, "health": { "failures": 1, "pause": 60 }
    }));
    let stored = gate.send("GET /stored/x", "", "").text();
    gate.tell("first", Does::Close);
    gate.tell("second", Does::Close);
    sleep(Duration::from_millis(1200));
    for _ in 0..4 {
        let reply = gate.send("GET /stored/x", "", "");
        assert_eq!((reply.status, reply.text()), (200, stored.clone()));
    }
    assert_eq!(gate.send("GET /stored/y", "", "").status, 503);
}

#[test]
fn a_backend_that_the_platforms_checks_call_unhealthy_is_skipped() {
    let gate = Gate::with_unhealthy(&json!({ "backends": { "first": {}, "second": { "priority": 2 } } }), "first");
    for _ in 0..3 {
        let reply = gate.send("GET /a", "", "");
        assert_eq!((reply.text().as_str(), &gate.log_of(&reply)["skipped"]), ("second", &json!(["first"])));
    }
    assert_eq!(gate.count("first"), 0);
}

#[test]
fn requests_with_short_bodies_tell_that_a_backend_is_broken_and_those_over_the_time_of_a_route_do_not() {
    let gate = Gate::start(&json!({
        "backends": { "first": {}, "second": { "priority": 2 } }, "health": { "failures": 2, "pause": 60 }
    }));
    gate.tell("first", Does::Wait(1500));
    for _ in 0..3 {
        assert_eq!(gate.send("GET /quick", "", "").text(), "second");
    }
    gate.tell("first", Does::Close);
    let statuses: Vec<u16> = (0..4).map(|_| gate.send("POST /a", "", "{}").status).collect();
    assert_eq!(statuses, [502, 502, 200, 200]);
    assert_eq!(gate.seen("second").last().unwrap().body, b"{}");
}

#[test]
fn a_client_that_opens_sockets_does_not_keep_a_backend_skipped() {
    let gate = Gate::start(&json!({
        "backends": { "first": {}, "second": { "priority": 2 } }, "health": { "failures": 1, "pause": 1 }
    }));
    gate.tell("first", Does::Close);
    assert_eq!(gate.send("GET /a", "", "").text(), "second");
    gate.tell("first", Does::Respond);
    sleep(Duration::from_millis(1200));
    // A handshake is handed over; what becomes of it is not known.
    let handshake =
        "upgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    let request = format!("GET /socket HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: upgrade\r\n{handshake}\r\n");
    let mut stream = TcpStream::connect(gate.edge.address).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    sleep(Duration::from_millis(200));
    assert_eq!(gate.count("first"), 2, "the handshake arrives");
    assert_eq!(gate.send("GET /a", "", "").text(), "first");
}
