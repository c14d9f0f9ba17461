//! The gate as users run it, made for one policy: the real guest on Viceroy, asked as from any address; and the
//! application behind it, which writes down what reached it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use fastgate::mint::new_signing_keys;
use hyper::service::{make_service_fn, service_fn};
use hyper::{Body, Request, Response, Server, body};
use serde_json::Value;
use tokio::runtime::Runtime;
use viceroy_lib::ExecuteCtx;
use viceroy_lib::config::FastlyConfig;

use crate::desk::{self, Provider};
use crate::guest;

pub(crate) static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().unwrap());

/// A gate, its providers and the application behind it.
pub(crate) struct Gate {
    viceroy: Arc<ExecuteCtx>,
    pub(crate) main: Provider,
    log: Log,
    arrived: Arc<Mutex<Vec<Arrived>>>,
}

/// A request as the application got it.
#[derive(Clone, Debug)]
pub(crate) struct Arrived {
    pub(crate) path: String,
    pub(crate) fields: Vec<(String, String)>,
    pub(crate) body: Result<Vec<u8>, String>,
}

/// An answer of the gate.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    fields: hyper::HeaderMap,
    pub(crate) body: Vec<u8>,
}

/// What a gate is given besides its policy.
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
        assert!(Path::new(guest::GUEST).exists(), "there is no guest to test; run `make guest` or `make test`");
        let main = Provider::new("https://idp.test");
        let arrived = Arc::new(Mutex::new(Vec::new()));
        let application = application(Arc::clone(&arrived));
        let policy = desk::policy(parts).to_string();
        let seed = |key: &str, value: &str, metadata: &str| {
            format!(
                "[[local_server.kv_stores.fastgate]]\nkey = {key:?}\ndata = '''{value}'''\nmetadata = {metadata:?}\n"
            )
        };
        let mut manifest = format!("manifest_version = 3\n{}\n", setting.manifest);
        writeln!(manifest, "[local_server.backends.origin]\nurl = \"http://{application}\"").unwrap();
        manifest += &seed("policy", &policy, "");
        manifest += &seed("jwks/main", &main.jwks(), &now().to_string());
        for (key, value) in &setting.kv {
            manifest += &seed(key, value, "");
        }
        let keys = new_signing_keys().0;
        writeln!(manifest, "[[local_server.secret_stores.fastgate]]\nkey = \"signing-keys\"\ndata = '''{keys}'''")
            .unwrap();
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("fastgate-rules-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join("fastly.toml");
        std::fs::write(&path, manifest).unwrap();
        let config = FastlyConfig::from_file(&path).unwrap();
        std::fs::remove_dir_all(&folder).unwrap();
        let log = Log::default();
        let writer: Arc<Mutex<dyn Write + Send>> = Arc::new(Mutex::new(log.clone()));
        let viceroy = guest::viceroy(Path::new(guest::GUEST), &config, writer).unwrap();
        Self { viceroy, main, log, arrived }
    }

    pub(crate) fn token(&self, claims: Value) -> String {
        self.main.token(now(), claims)
    }

    /// Asks from 198.51.100.7.
    pub(crate) fn ask(&self, request: Request<Body>) -> Answer {
        self.ask_from([198, 51, 100, 7].into(), request)
    }

    /// Asks from an address.
    pub(crate) fn ask_from(&self, client: IpAddr, request: Request<Body>) -> Answer {
        RUNTIME.block_on(ask(Arc::clone(&self.viceroy), client, request))
    }

    pub(crate) fn viceroy(&self) -> Arc<ExecuteCtx> {
        Arc::clone(&self.viceroy)
    }

    /// By route, the median of the microseconds that forwarded requests spent in a step.
    pub(crate) fn medians(&self, step: &str) -> Vec<(String, u64)> {
        let mut times: BTreeMap<String, Vec<u64>> = BTreeMap::new();
        for line in self.lines().iter().filter(|line| line["verdict"] == "forwarded") {
            let spent = line["steps"].as_array().unwrap().iter().find(|pair| pair[0] == step).unwrap()[1].as_u64();
            times.entry(line["route"].as_str().unwrap().to_owned()).or_default().push(spent.unwrap());
        }
        let median = |mut times: Vec<u64>| {
            times.sort_unstable();
            times[times.len() / 2]
        };
        times.into_iter().map(|(route, times)| (route, median(times))).collect()
    }

    /// Everything that reached the application.
    pub(crate) fn arrived(&self) -> Vec<Arrived> {
        self.arrived.lock().unwrap().clone()
    }

    fn lines(&self) -> Vec<Value> {
        let text = String::from_utf8(self.log.0.lock().unwrap().clone()).unwrap();
        text.lines().filter_map(|line| serde_json::from_str(line.split_once(":: ")?.1).ok()).collect()
    }

    /// The log line of an answer.
    pub(crate) fn line(&self, answer: &Answer) -> Value {
        let id = answer.field("x-request-id").unwrap();
        let patience = Instant::now();
        loop {
            match self.lines().into_iter().find(|line| line["request_id"] == id) {
                Some(line) => return line,
                None if patience.elapsed() > Duration::from_secs(10) => panic!("no log line for {id}"),
                None => std::thread::sleep(Duration::from_millis(2)),
            }
        }
    }

    /// Status, problem type and log code of the answer to a request that is to be refused, and that nothing got through.
    pub(crate) fn refusal(&self, client: &str, request: Request<Body>) -> (u16, String, String) {
        let before = self.arrived().len();
        let answer = self.ask_from(client.parse().unwrap(), request);
        assert_eq!(self.arrived().len(), before, "a refused request reached the application");
        assert_eq!(answer.field("cache-control"), Some("no-store"));
        let line = self.line(&answer);
        let problem = answer.json()["type"].as_str().unwrap_or_default().replace("urn:fastgate:problem:", "");
        (answer.status, problem, line["verdict"].as_str().unwrap().to_owned())
    }
}

/// Asks a gate from an address.
pub(crate) async fn ask(viceroy: Arc<ExecuteCtx>, client: IpAddr, request: Request<Body>) -> Answer {
    let local = SocketAddr::from(([127, 0, 0, 1], 443));
    let (answer, trap) = viceroy.handle_request(request, local, SocketAddr::new(client, 50_000)).await.unwrap();
    assert!(trap.is_none(), "{trap:?}");
    let (head, body) = answer.into_parts();
    Answer { status: head.status.as_u16(), fields: head.headers, body: body::to_bytes(body).await.unwrap().to_vec() }
}

impl Answer {
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.fields.get(name).map(|value| value.to_str().unwrap())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&self.body)))
    }
}

/// A request for `path`, as a client would send it.
pub(crate) fn request(method: &str, path: &str) -> hyper::http::request::Builder {
    Request::builder().method(method).uri(format!("http://edge.test{path}")).header("host", "edge.test")
}

pub(crate) fn get(path: &str) -> Request<Body> {
    request("GET", path).body(Body::empty()).unwrap()
}

pub(crate) fn get_as(path: &str, token: &str) -> Request<Body> {
    request("GET", path).header("authorization", format!("Bearer {token}")).body(Body::empty()).unwrap()
}

pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// The claims of the identity header of what arrived.
pub(crate) fn minted(arrived: &Arrived) -> Value {
    use base64::Engine as _;
    let token = arrived.field("fastgate-identity").unwrap();
    let payload = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
}

impl Arrived {
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(field, _)| field == name).map(|(_, value)| value.as_str())
    }
}

/// An application that answers everything with 200 and writes down what it got.
fn application(arrived: Arc<Mutex<Vec<Arrived>>>) -> SocketAddr {
    let serve = move |request: Request<Body>| {
        let arrived = Arc::clone(&arrived);
        async move {
            let (head, body) = request.into_parts();
            let text = |value: &hyper::header::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
            let entry = Arrived {
                path: head.uri.path_and_query().unwrap().to_string(),
                fields: head.headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect(),
                body: body::to_bytes(body).await.map(|bytes| bytes.to_vec()).map_err(|error| error.to_string()),
            };
            arrived.lock().unwrap().push(entry);
            let answer = Response::builder().header("x-powered-by", "test").header("x-origin", "1");
            Ok::<_, hyper::Error>(answer.body(Body::from("{}")).unwrap())
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

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
