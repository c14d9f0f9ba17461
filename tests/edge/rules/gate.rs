//! The gate as users run it, for one policy: the real guest on Viceroy, with clients at any address, and an application
//! behind it that records its requests.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use fastgate::mint::new_signing_keys;
use hyper::service::{make_service_fn, service_fn};
use hyper::{Body, Request, Response, Server, StatusCode, body};
use serde_json::Value;
use viceroy_lib::ExecuteCtx;

use crate::support::edge::{Edge, Listener, RUNTIME, Stores};
use crate::support::provider::{self, Provider};
use crate::support::tokens::now;
use crate::support::world::keys_note;

/// A gate, its providers and the application behind it.
pub(crate) struct Gate {
    edge: Edge,
    pub(crate) main: Provider,
    arrived: Arc<Mutex<Vec<Arrival>>>,
}

/// A request that the application received.
#[derive(Clone, Debug)]
pub(crate) struct Arrival {
    pub(crate) path: String,
    pub(crate) fields: Vec<(String, String)>,
    pub(crate) body: Result<Vec<u8>, String>,
}

/// A response of the gate.
#[derive(Debug)]
pub(crate) struct GateResponse {
    pub(crate) status: u16,
    fields: hyper::HeaderMap,
    pub(crate) body: Vec<u8>,
}

/// The settings of a gate besides its policy.
#[derive(Clone, Default)]
pub(crate) struct Setting {
    /// Further keys of the KV store.
    pub(crate) kv: Vec<(String, String)>,
    /// Sections of the manifest, in TOML.
    pub(crate) manifest: String,
}

impl Gate {
    pub(crate) fn new(parts: &Value) -> Self {
        Self::with(parts, &Setting::default())
    }

    pub(crate) fn with(parts: &Value, setting: &Setting) -> Self {
        let main = Provider::new("https://idp.test");
        let arrived = Arc::new(Mutex::new(Vec::new()));
        let application = application(Arc::clone(&arrived));
        let policy = provider::policy(parts);
        let seeds = [("policy", policy.to_string()), ("jwks/main", main.jwks())];
        let mut kv = seeds.map(|(key, value)| (key.to_owned(), value)).to_vec();
        kv.extend_from_slice(&setting.kv);
        let stores = Stores {
            kv: Some(kv),
            kv_notes: vec![("jwks/main".to_owned(), keys_note(&policy, "main", now(), 3600))],
            signing_keys: Some(new_signing_keys().0),
            secrets: Vec::new(),
            backends: Vec::new(),
            manifest: format!("[local_server.backends.origin]\nurl = \"http://{application}\"\n{}", setting.manifest),
        };
        Self { edge: Edge::start(Listener::bind(), &stores), main, arrived }
    }

    pub(crate) fn token(&self, claims: Value) -> String {
        self.main.token(now(), claims)
    }

    /// Sends a request from 198.51.100.7.
    pub(crate) fn send(&self, request: Request<Body>) -> GateResponse {
        self.send_from([198, 51, 100, 7].into(), request)
    }

    /// Sends a request from an address.
    pub(crate) fn send_from(&self, client: IpAddr, request: Request<Body>) -> GateResponse {
        RUNTIME.block_on(send(self.viceroy(), client, request))
    }

    /// Sends requests from one address at the same time and returns their statuses.
    pub(crate) fn send_at_once(&self, requests: Vec<Request<Body>>) -> Vec<StatusCode> {
        RUNTIME.block_on(async {
            let client = [198, 51, 100, 7].into();
            let pending: Vec<_> =
                requests.into_iter().map(|request| RUNTIME.spawn(send(self.viceroy(), client, request))).collect();
            let mut statuses = Vec::new();
            for response in pending {
                statuses.push(StatusCode::from_u16(response.await.unwrap().status).unwrap());
            }
            statuses
        })
    }

    pub(crate) fn viceroy(&self) -> Arc<ExecuteCtx> {
        self.edge.viceroy()
    }

    /// The address at which it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.edge.address
    }

    /// The median of the microseconds that forwarded requests spent in a step, by route.
    pub(crate) fn medians(&self, step: &str) -> Vec<(String, u64)> {
        let mut times: BTreeMap<String, Vec<u64>> = BTreeMap::new();
        for line in self.edge.log_lines().iter().filter(|line| line["verdict"] == "forwarded") {
            let spent = line["steps"].as_array().unwrap().iter().find(|pair| pair[0] == step).unwrap()[1].as_u64();
            times.entry(line["route"].as_str().unwrap().to_owned()).or_default().push(spent.unwrap());
        }
        let median = |mut times: Vec<u64>| {
            times.sort_unstable();
            times[times.len() / 2]
        };
        times.into_iter().map(|(route, times)| (route, median(times))).collect()
    }

    /// Every request that reached the application.
    pub(crate) fn arrived(&self) -> Vec<Arrival> {
        self.arrived.lock().unwrap().clone()
    }

    /// The request at the application that belongs to this response.
    pub(crate) fn arrival(&self, response: &GateResponse) -> Option<Arrival> {
        self.arrived().into_iter().find(|arrived| arrived.field("x-request-id") == response.field("x-request-id"))
    }

    /// Every log line by request id, once there are `count`.
    pub(crate) fn lines_by_id(&self, count: usize) -> BTreeMap<String, Value> {
        let id = |line: &Value| line["request_id"].as_str().unwrap().to_owned();
        self.lines_in_order(count).into_iter().map(|line| (id(&line), line)).collect()
    }

    /// Every log line, once there are `count`.
    pub(crate) fn lines_in_order(&self, count: usize) -> Vec<Value> {
        let patience = Instant::now();
        loop {
            let lines = self.edge.log_lines();
            if lines.len() >= count {
                return lines;
            }
            assert!(patience.elapsed() < Duration::from_secs(10), "{} of {count} log lines", lines.len());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// The log line of a response.
    pub(crate) fn line(&self, response: &GateResponse) -> Value {
        self.edge.log_of(response.field("x-request-id").unwrap())
    }

    /// Sends a request that must be refused. Returns status, problem type and log code of the response, after a check
    /// that the request did not reach the application.
    pub(crate) fn refusal(&self, client: &str, request: Request<Body>) -> (u16, String, String) {
        let response = self.send_from(client.parse().unwrap(), request);
        let mut arrived = self.arrived().into_iter();
        assert!(arrived.all(|arrived| arrived.field("x-request-id").is_some()), "a request arrived without an id");
        assert!(self.arrival(&response).is_none(), "a refused request reached the application");
        assert_eq!(response.field("cache-control"), Some("no-store"));
        let line = self.line(&response);
        let problem = response.json()["type"].as_str().unwrap_or_default().replace("urn:fastgate:problem:", "");
        (response.status, problem, line["verdict"].as_str().unwrap().to_owned())
    }
}

/// Sends a request to a gate from an address.
pub(crate) async fn send(viceroy: Arc<ExecuteCtx>, client: IpAddr, request: Request<Body>) -> GateResponse {
    let local = SocketAddr::from(([127, 0, 0, 1], 443));
    let (response, trap) = viceroy.handle_request(request, local, SocketAddr::new(client, 50_000)).await.unwrap();
    assert!(trap.is_none(), "{trap:?}");
    let (head, body) = response.into_parts();
    GateResponse {
        status: head.status.as_u16(),
        fields: head.headers,
        body: body::to_bytes(body).await.unwrap().to_vec(),
    }
}

impl GateResponse {
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.fields.get(name).map(|value| value.to_str().unwrap())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&self.body)))
    }
}

/// A request for `path` with the fields of a client.
pub(crate) fn request(method: &str, path: &str) -> hyper::http::request::Builder {
    Request::builder().method(method).uri(format!("http://edge.test{path}")).header("host", "edge.test")
}

pub(crate) fn get(path: &str) -> Request<Body> {
    request("GET", path).body(Body::empty()).unwrap()
}

pub(crate) fn get_as(path: &str, token: &str) -> Request<Body> {
    request("GET", path).header("authorization", format!("Bearer {token}")).body(Body::empty()).unwrap()
}

/// The claims of the identity header of a request at the application.
pub(crate) fn minted(arrived: &Arrival) -> Value {
    use base64::Engine as _;
    let token = arrived.field("fastgate-identity").unwrap();
    let payload = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
}

impl Arrival {
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(field, _)| field == name).map(|(_, value)| value.as_str())
    }
}

/// The field of a request with an id of a session that the application gives in its response.
pub(crate) const GIVES_SESSION: &str = "x-gives-session";

/// An application that responds with 200 to every request and records the requests.
fn application(arrived: Arc<Mutex<Vec<Arrival>>>) -> SocketAddr {
    let serve = move |request: Request<Body>| {
        let arrived = Arc::clone(&arrived);
        async move {
            let (head, body) = request.into_parts();
            let text = |value: &hyper::header::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
            let entry = Arrival {
                path: head.uri.path_and_query().unwrap().to_string(),
                fields: head.headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect(),
                body: body::to_bytes(body).await.map(|bytes| bytes.to_vec()).map_err(|error| error.to_string()),
            };
            arrived.lock().unwrap().push(entry);
            let response = Response::builder().header("x-powered-by", "test").header("x-origin", "1");
            let sessions = head.headers.get_all(GIVES_SESSION).iter();
            let response = sessions.fold(response, |response, id| response.header("mcp-session-id", id));
            // The edge reads what an MCP server sends in a stream that the client opens.
            let response =
                if head.uri.path() == "/mcp" { response.header("content-type", "text/event-stream") } else { response };
            Ok::<_, hyper::Error>(response.body(Body::from("{}")).unwrap())
        }
    };
    let _guard = RUNTIME.enter();
    let service = make_service_fn(move |_| {
        let serve = serve.clone();
        async move { Ok::<_, hyper::Error>(service_fn(serve)) }
    });
    let server = Server::bind(&([127, 0, 0, 1], 0).into()).serve(service);
    let address = server.local_addr();
    RUNTIME.spawn(server);
    address
}
