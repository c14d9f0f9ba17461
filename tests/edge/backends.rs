//! Several backends through the guest: which of them receives a request, what happens when one fails, and what the log
//! says. Row M15 of `docs/attacks.md`.

mod health;
mod models;
mod retries;
mod stored;

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
    /// Responds 200, and closes the connection after a part of the body.
    BreakOff,
}

/// An edge with several backends.
struct Gate {
    edge: Edge,
    issuer: Origin,
    backends: BTreeMap<String, (Origin, Arc<Mutex<Does>>)>,
}

impl Gate {
    /// A gate whose origin has these members besides `audience`; the routes are `/a` for every method (callers may be
    /// anonymous), `/signed` with a signed body, `/quick` with a timeout, `/eu` for the region `eu`, `/stored` and
    /// `/renewed`. If its backends have models, there is only `/v1/chat/completions` for `small` and `large`.
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
                    Does::BreakOff => {
                        let head = "HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n";
                        stream.write_all(format!("{head}{}", "x".repeat(5000)).as_bytes())
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
            json!({ "id": "renewed", "path": "/renewed/{name}", "methods": ["GET"], "access": "public",
                    "cache": { "audience": "public", "ttl": 1, "stale_while_revalidate": 600 } }),
        ];
        if origin.get("regions").is_some() {
            routes.push(
                json!({ "id": "eu", "path": "/eu", "methods": ["GET"], "access": "optional", "regions": ["eu"] }),
            );
        }
        if origin["backends"].as_object().unwrap().values().any(|backend| backend.get("models").is_some()) {
            routes = vec![json!({
                "id": "chat", "path": "/v1/chat/completions", "methods": ["POST"],
                "inference": {
                    "api": "openai-chat", "affinity": "conversation",
                    "models": { "small": {}, "large": { "name_at_origin": "vendor/large-2026" } }
                }
            })];
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
