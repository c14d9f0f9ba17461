//! Stored responses through the guest: what the clients get, and what the origin sees.

mod invalidation;
mod isolation;
mod load;
mod models;
mod outage;
mod sharing;
mod streaming;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::net::TcpStream;
use std::sync::{Arc, Mutex};
use std::thread::sleep;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::support::edge::{Edge, Listener};
use crate::support::http::{Reply, exchange};
use crate::support::origin::{Origin, Received, response};
use crate::support::tokens::{claims, header, jwks, sign};
use crate::support::world::{issuer, stores};

/// An edge whose origin responds as each path was told to.
struct Gate {
    edge: Edge,
    origin: Origin,
    issuer: Origin,
    told: Arc<Mutex<BTreeMap<String, Told>>>,
}

/// How the origin responds to a path.
#[derive(Clone, Default)]
struct Told {
    status: &'static str,
    fields: Vec<(&'static str, String)>,
    body: String,
    /// How long it takes before it responds.
    takes: Duration,
    /// How much of the body it sends, if it breaks off.
    sends: Option<usize>,
    /// Whether it closes the connection without a response.
    is_down: bool,
    /// The bytes of the response, in place of the others.
    bytes: &'static str,
    /// How long it pauses in the middle of them.
    pauses: Duration,
}

impl Gate {
    /// A gate whose route `/shared/{name}` has this `cache`.
    fn start(access: &str, cache: &Value) -> Self {
        Self::with(&json!({ "access": access, "cache": cache }))
    }

    /// A gate whose route `/shared/{name}` has these members.
    fn with(parts: &Value) -> Self {
        Self::with_budgets(parts, &json!({}))
    }

    /// A gate whose route `/shared/{name}` has these members, and whose policy has these budgets.
    fn with_budgets(parts: &Value, budgets: &Value) -> Self {
        let told: Arc<Mutex<BTreeMap<String, Told>>> = Arc::default();
        let known = Arc::clone(&told);
        let origin = Origin::start(move |request, stream| {
            let told = known.lock().unwrap().get(path(request)).cloned().unwrap_or_default();
            behave(request, &told, stream);
        });
        let mut shared =
            json!({ "id": "shared", "path": "/shared/{name}", "methods": ["GET", "HEAD", "POST", "DELETE"] });
        shared.as_object_mut().unwrap().extend(parts.as_object().cloned().unwrap());
        let other = json!({ "id": "other", "path": "/other/{name}", "methods": ["GET", "POST"], "access": "public" });
        let (edge, issuer) = start_edge(&origin, &json!([shared, other]), budgets);
        Self { edge, origin, issuer, told }
    }

    /// A gate with a public route.
    fn public(ttl: u64) -> Self {
        let cache = json!({
            "audience": "public", "ttl": ttl, "stale_while_revalidate": 1, "stale_if_error": 60, "vary": ["accept-language"]
        });
        Self::start("public", &cache)
    }

    /// Tells the origin how to respond to GET of a path.
    fn tell(&self, path: &str, told: Told) {
        self.told.lock().unwrap().insert(path.to_owned(), told);
    }

    fn responds(&self, path: &str, body: &str, fields: &[(&'static str, &str)]) {
        let fields = fields.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        self.tell(path, Told { status: "200 OK", fields, body: body.to_owned(), ..Told::default() });
    }

    fn token(&self, subject: &str, parts: &Value) -> String {
        let mut claims = claims(&format!("http://{}", self.issuer.address), subject, "");
        claims.as_object_mut().unwrap().extend(parts.as_object().cloned().unwrap());
        sign(&header(), &claims)
    }

    fn send(&self, line: &str, fields: &str) -> Reply {
        self.try_send(line, fields).unwrap_or_else(|| panic!("no response to {line}"))
    }

    fn try_send(&self, line: &str, fields: &str) -> Option<Reply> {
        self.try_send_with(line, fields, "")
    }

    fn try_send_with(&self, line: &str, fields: &str, body: &str) -> Option<Reply> {
        let request = format!("{line} HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n{fields}\r\n{body}");
        exchange(self.edge.address, request.as_bytes())
    }

    fn get(&self, path: &str) -> Reply {
        self.send(&format!("GET {path}"), "")
    }

    /// The requests for a path that reached the origin.
    fn seen(&self, of: &str) -> Vec<Received> {
        self.origin.everything().into_iter().filter(|request| path(request) == of).collect()
    }

    /// The last member of `Cache-Status`, and whether the log has the same request as it.
    fn log_of(&self, reply: &Reply) -> Value {
        self.edge.log_of(reply.header("x-request-id").unwrap())
    }
}

/// An edge with these routes, in front of `origin`, and the issuer that it accepts, whose tokens have tenants and roles.
fn start_edge(origin: &Origin, routes: &Value, budgets: &Value) -> (Edge, Origin) {
    let (issuer, listener) = (issuer(jwks()), Listener::bind());
    let policy = json!({
        "edge": { "issuer": format!("http://{}", listener.address()), "hosts": ["127.0.0.1"] },
        "origins": { "app": { "backend": "app", "audience": "app" } },
        "issuers": { "test": {
            "issuer": format!("http://{}", issuer.address), "backend": "issuer", "audiences": ["https://api.test"],
            "claims": { "tenant": "tid", "roles": ["roles"] }
        } },
        "budgets": budgets,
        "routes": routes
    });
    let stores = stores(&policy, &[("app", origin.address), ("issuer", issuer.address)]);
    (Edge::start(listener, &stores), issuer)
}

/// The claims of the signed header of a request.
fn minted(request: &Received) -> Value {
    let header = request.all("fastgate-identity")[0];
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header.split('.').nth(1).unwrap()).unwrap()).unwrap()
}

fn path(request: &Received) -> &str {
    request.request_line().split(' ').nth(1).unwrap()
}

fn behave(request: &Received, told: &Told, stream: &mut TcpStream) {
    sleep(told.takes);
    if told.is_down {
        return;
    }
    if !told.bytes.is_empty() {
        let (first, rest) = told.bytes.as_bytes().split_at(told.bytes.len() / 2);
        let _ = stream.write_all(first);
        sleep(told.pauses);
        let _ = stream.write_all(rest);
        return;
    }
    let status = if told.status.is_empty() { "200 OK" } else { told.status };
    let mut fields: Vec<_> = told.fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let validator = fields.iter().find(|(name, _)| *name == "etag").map(|(_, value)| *value);
    if validator.is_some() && request.all("if-none-match").first().copied() == validator {
        fields.push(("x-validated", "yes"));
        let _ = stream.write_all(&response("304 Not Modified", &fields, ""));
        return;
    }
    let mut bytes = response(status, &fields, &told.body);
    if let Some(sends) = told.sends {
        bytes.truncate(bytes.len() - told.body.len() + sends);
    }
    let _ = stream.write_all(&bytes);
}

/// Waits for the next second to begin, so that what follows happens within one second.
fn begin_second() {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    sleep(Duration::from_nanos(1_000_000_000 - u64::from(since.subsec_nanos()) + 20_000_000));
}

/// The members of `Cache-Status`.
fn status(reply: &Reply) -> &str {
    reply.header("cache-status").unwrap_or("none")
}
