//! The usual setup: an edge, the demo application on uvicorn, an origin that echoes, an issuer with one key. Most tests
//! share one; the `x-test` field tells their requests apart.

use std::net::SocketAddr;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use fastgate::identity::key_life::FetchedAt;
use fastgate::ports::KeysDigest;
use fastgate::time::{Seconds, UnixTime};
use serde_json::{Value, json};

use super::child::Uvicorn;
use super::edge::{Edge, Listener, Stores};
use super::http::{Reply, exchange};
use super::origin::{Origin, Received, response};
use super::tokens;

/// The edge and everything around it.
pub(crate) struct World {
    pub(crate) edge: Edge,
    /// The demo application; routes of `policy.json`.
    pub(crate) demo: Uvicorn,
    /// Responds `{}` to anything under `/echo/` (signed in) and `/open/` (public).
    pub(crate) echo: Origin,
    pub(crate) issuer: Origin,
}

/// The world whose application is parsed by httptools, uvicorn's default.
pub(crate) static WORLD: LazyLock<World> = LazyLock::new(|| World::start("httptools"));
/// The same with h11.
pub(crate) static H11_WORLD: LazyLock<World> = LazyLock::new(|| World::start("h11"));

/// The policy of `policy.json`, for this edge and this issuer, with the echoing origin besides the demo. It has no
/// flood limit, because the tests send many requests, and only one issuer, so routes have no requirements for single
/// issuers. The demo has one backend.
pub(crate) fn policy(edge: SocketAddr, issuer: &str) -> Value {
    let mut policy: Value = serde_json::from_str(include_str!("../../policy.json")).unwrap();
    policy["edge"]["issuer"] = json!(format!("http://{edge}"));
    policy["issuers"] = json!({
        "test": {
            "issuer": issuer, "backend": "issuer", "audiences": [
                "https://api.test", "https://api.fastgate.example", format!("http://{edge}/mcp")
            ],
        },
    });
    policy["origins"]["demo"] = json!({ "backend": "origin", "audience": "demo-api" });
    policy["origins"]["echo"] = json!({ "backend": "echo", "audience": "echo-api" });
    policy["origins"]["tools"] =
        json!({ "backend": "echo", "audience": "tools", "resource": format!("http://{edge}/mcp") });
    policy["edge"].as_object_mut().unwrap().remove("flood_limit");
    let routes = policy["routes"].as_array_mut().unwrap();
    for route in routes.iter_mut().filter(|route| route.get("respond").is_none()) {
        route["origin"] = json!("demo");
        for member in ["issuers", "regions"] {
            route.as_object_mut().unwrap().remove(member);
        }
    }
    let methods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
    routes.push(json!({
        "id": "echo", "path": "/echo/{rest:path}", "methods": methods, "origin": "echo", "forward": [{ "claim": "exact" }]
    }));
    routes.push(
        json!({ "id": "open", "path": "/open/{rest:path}", "methods": methods, "origin": "echo", "access": "public" }),
    );
    routes.push(json!({
        "id": "static", "path": "/static/{path:path}", "methods": ["GET", "HEAD"], "origin": "demo", "access": "public"
    }));
    routes.push(json!({
        "id": "bound", "path": "/bound/{rest:path}", "methods": ["GET"], "origin": "echo", "require_bound": true
    }));
    routes.push(json!({
        "id": "strong", "path": "/strong/{rest:path}", "methods": ["GET"], "origin": "echo",
        "authentication": { "acr": ["phr"] }
    }));
    routes.push(json!({
        "id": "mcp", "path": "/mcp", "methods": ["POST"], "origin": "tools", "scopes": ["tools:call"]
    }));
    routes.push(json!({ "id": "token", "path": "/token/{rest:path}", "methods": ["GET"], "origin": "echo", "forward_token": true }));
    policy
}

/// An issuer that serves discovery and these keys.
pub(crate) fn issuer(jwks: String) -> Origin {
    Origin::start(move |request, stream| {
        use std::io::Write as _;
        let host = request.all("host").first().copied().unwrap_or_default().to_owned();
        let body = match request.request_line().split(' ').nth(1) {
            Some("/.well-known/openid-configuration") => {
                json!({ "issuer": format!("http://{host}"), "jwks_uri": format!("http://{host}/jwks") }).to_string()
            }
            _ => jwks.clone(),
        };
        let _ = stream.write_all(&response("200 OK", &[("content-type", "application/json")], &body));
    })
}

/// The note of the key set of issuer `id` in the KV store, for a set that was fetched at `at` and is fresh for `fresh`
/// seconds.
pub(crate) fn keys_note(policy: &Value, id: &str, at: u64, fresh: u64) -> String {
    let issuer = &policy["issuers"][id];
    let digest = KeysDigest::new(
        issuer["issuer"].as_str().unwrap(),
        issuer["jwks_uri"].as_str(),
        issuer["backend"].as_str().unwrap(),
    );
    digest.note(FetchedAt::new(UnixTime::from_seconds(at), Seconds::new(fresh)))
}

/// A private key set for the Secret Store.
pub(crate) fn signing_keys() -> String {
    fastgate::mint::new_signing_keys().0
}

/// The stores of an edge with this policy and new signing keys, and these backends.
pub(crate) fn stores(policy: &Value, backends: &[(&str, SocketAddr)]) -> Stores {
    Stores {
        kv: Some(vec![("policy".to_owned(), policy.to_string())]),
        signing_keys: Some(signing_keys()),
        backends: backends.iter().map(|(name, address)| ((*name).to_owned(), address.to_string())).collect(),
        ..Stores::default()
    }
}

impl World {
    fn start(parser: &str) -> Self {
        let issuer = issuer(tokens::jwks());
        let echo = Origin::responding(response("200 OK", &[("content-type", "application/json")], "{}"));
        let listener = Listener::bind();
        let demo = Uvicorn::start(parser, listener.address());
        let policy = policy(listener.address(), &format!("http://{}", issuer.address));
        let backends = [("origin", demo.address), ("echo", echo.address), ("issuer", issuer.address)];
        let edge = Edge::start(listener, &stores(&policy, &backends));
        Self { edge, demo, echo, issuer }
    }

    /// `iss` of the test issuer.
    pub(crate) fn iss(&self) -> String {
        format!("http://{}", self.issuer.address)
    }

    /// The end of every challenge.
    pub(crate) fn resource_metadata(&self) -> String {
        format!("resource_metadata=\"http://{}/.well-known/oauth-protected-resource\"", self.edge.address)
    }

    /// A good token with these scopes.
    pub(crate) fn token(&self, scope: &str) -> String {
        tokens::sign(&tokens::header(), &tokens::claims(&self.iss(), "user-1", scope))
    }

    /// Sends one request: its line, and its fields as bytes without the empty line at the end. `Host`, `x-test` and
    /// `Connection: close` are added. Returns the response and the requests that the two origins received.
    pub(crate) fn send(&self, line: &str, fields: impl AsRef<[u8]>) -> Outcome {
        self.send_bytes(&[line.as_bytes(), b" HTTP/1.1"].concat(), fields, b"")
    }

    /// A GET of `target` with a good token.
    pub(crate) fn get(&self, target: &str) -> Outcome {
        let token = self.token("orders:read orders:write");
        self.send(&format!("GET {target}"), format!("authorization: Bearer {token}\r\n"))
    }

    /// The same, with all bytes given by the test, including the request line and a body.
    pub(crate) fn send_bytes(&self, line: &[u8], fields: impl AsRef<[u8]>, body: &[u8]) -> Outcome {
        let test = test_id();
        let host = format!("host: {}\r\n", self.edge.address);
        let has_host =
            fields.as_ref().to_ascii_lowercase().split(|byte| *byte == b'\n').any(|line| line.starts_with(b"host:"));
        let own = format!("{}x-test: {test}\r\nconnection: close\r\n\r\n", if has_host { "" } else { &host });
        let request = [line, b"\r\n", fields.as_ref(), own.as_bytes(), body].concat();
        let reply = exchange(self.edge.address, &request);
        Outcome { reply, demo: self.demo.seen(&test), echo: self.echo.received(&test) }
    }
}

/// A value for `x-test` that no other request has.
pub(crate) fn test_id() -> String {
    static NUMBER: AtomicUsize = AtomicUsize::new(0);
    format!("test-{}", NUMBER.fetch_add(1, Ordering::Relaxed))
}

/// The outcome of one request.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// The response; `None` if the server closed the connection.
    pub(crate) reply: Option<Reply>,
    pub(crate) demo: Vec<Value>,
    pub(crate) echo: Vec<Received>,
}

impl Outcome {
    /// The response; the test fails without one.
    #[track_caller]
    pub(crate) fn reply(&self) -> &Reply {
        self.reply.as_ref().unwrap()
    }

    /// The status of a refusal, after a check that no origin received the request.
    #[track_caller]
    pub(crate) fn refused(&self) -> u16 {
        assert!(self.demo.is_empty() && self.echo.is_empty(), "an origin saw a refused request: {self:?}");
        self.reply().status
    }

    /// The request that the echoing origin received. There must be exactly one.
    #[track_caller]
    pub(crate) fn echoed(&self) -> &Received {
        assert_eq!(self.reply().status, 200, "{}", self.reply().text());
        let [received] = self.echo.as_slice() else { panic!("the origin saw {} requests", self.echo.len()) };
        received
    }

    /// The signed header that the echoing origin received.
    #[track_caller]
    pub(crate) fn identity(&self) -> Value {
        use base64::Engine as _;
        let [token] = self.echoed().all("fastgate-identity")[..] else { panic!("not exactly one identity header") };
        let payload = token.split('.').nth(1).unwrap();
        serde_json::from_slice(&base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
    }
}
