//! The gate as users run it: the guest on Viceroy behind a real socket, with stores made for one test.

use std::fmt::Write as _;
use std::io::{self, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;
use viceroy_lib::config::FastlyConfig;
use viceroy_lib::{ExecuteCtx, ViceroyService};

use super::{guest, viceroy};

pub(crate) static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().unwrap());

/// The stores and backends of an edge.
#[derive(Clone, Default)]
pub(crate) struct Stores {
    /// The KV store `fastgate`; `None` if the store does not exist.
    pub(crate) kv: Option<Vec<(String, String)>>,
    /// Metadata of keys in that store.
    pub(crate) kv_notes: Vec<(String, String)>,
    /// The secret `signing-keys`; `None` if the Secret Store does not exist.
    pub(crate) signing_keys: Option<String>,
    /// Further secrets.
    pub(crate) secrets: Vec<(String, String)>,
    /// Backends and their addresses.
    pub(crate) backends: Vec<(String, String)>,
    /// Further sections of the manifest, in TOML.
    pub(crate) manifest: String,
}

/// The secrets beside the signing keys: those of the clients that introspect tokens.
pub(crate) const CLIENT_SECRETS: [(&str, &str); 2] =
    [("provider-client", "demo-edge-secret"), ("odd-client", "s p+c/i:äl")];

/// The socket of an edge that is not started yet: its address is needed to write its policy.
pub(crate) struct Listener(TcpListener);

impl Listener {
    pub(crate) fn bind() -> Self {
        Self(TcpListener::bind("127.0.0.1:0").unwrap())
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.0.local_addr().unwrap()
    }
}

/// An edge that runs until it is dropped. Its clock for the guest wakes every 50 microseconds.
pub(crate) struct Edge {
    pub(crate) address: SocketAddr,
    viceroy: Arc<ExecuteCtx>,
    log: Log,
    server: JoinHandle<()>,
}

impl Drop for Edge {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Edge {
    /// Starts an edge with these stores.
    pub(crate) fn start(listener: Listener, stores: &Stores) -> Self {
        Self::run(Path::new(guest::GUEST), listener, stores)
    }

    /// The same with the guest in another file.
    pub(crate) fn run(wasm: &Path, listener: Listener, stores: &Stores) -> Self {
        assert!(Path::new(guest::GUEST).exists(), "there is no guest to test; run `make guest` or `make test`");
        viceroy::keep_compiled_in(Path::new(guest::COMPILED)).unwrap();
        let log = Log::default();
        let folder = folder();
        let manifest = folder.join("fastly.toml");
        std::fs::write(&manifest, write_manifest(&folder, stores)).unwrap();
        let config = FastlyConfig::from_file(&manifest).unwrap();
        let writer: Arc<Mutex<dyn Write + Send>> = Arc::new(Mutex::new(log.clone()));
        let viceroy = viceroy::start(wasm, &config, writer).unwrap();
        let address = listener.address();
        listener.0.set_nonblocking(true).unwrap();
        let service = ViceroyService::new(Arc::clone(&viceroy));
        let server = RUNTIME.spawn(async move {
            hyper::Server::from_tcp(listener.0).unwrap().tcp_nodelay(true).serve(service).await.unwrap();
        });
        Self { address, viceroy, log, server }
    }

    /// The context in which the guest runs.
    pub(crate) fn viceroy(&self) -> Arc<ExecuteCtx> {
        Arc::clone(&self.viceroy)
    }

    /// The log line of the request with this id. Lines are written before the response leaves, but not before it
    /// arrives.
    pub(crate) fn log_of(&self, request_id: &str) -> Value {
        let patience = Instant::now();
        loop {
            let lines = lines(&self.log_text(), request_id);
            match lines.into_iter().find(|line| line["request_id"] == request_id) {
                Some(line) => return line,
                None if patience.elapsed() > Duration::from_secs(5) => panic!("no log line for {request_id}"),
                None => std::thread::sleep(Duration::from_millis(5)),
            }
        }
    }

    /// Every log line so far.
    pub(crate) fn log_lines(&self) -> Vec<Value> {
        lines(&self.log_text(), "")
    }

    /// Everything that the guest logged or printed.
    pub(crate) fn log_text(&self) -> String {
        String::from_utf8_lossy(&self.log.0.lock().unwrap()).into_owned()
    }
}

/// The log lines that contain `part`.
fn lines(log: &str, part: &str) -> Vec<Value> {
    let lines = log.lines().filter(|line| line.contains(part)).filter_map(|line| line.strip_prefix("fastgate :: "));
    lines.map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn folder() -> PathBuf {
    static NUMBER: AtomicUsize = AtomicUsize::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("edge-{}-{number}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

fn write_manifest(folder: &Path, stores: &Stores) -> String {
    let mut manifest = "manifest_version = 3\nname = \"fastgate\"\nlanguage = \"rust\"\n".to_owned();
    writeln!(manifest, "{}", stores.manifest).unwrap();
    for (name, address) in &stores.backends {
        write!(manifest, "[local_server.backends.{name}]\nurl = \"http://{address}\"\nfirst_byte_timeout_ms = 2000\n")
            .unwrap();
    }
    let file = |name: &str, content: &str| {
        let path = folder.join(name);
        std::fs::write(&path, content).unwrap();
        path.display().to_string()
    };
    for (index, (key, value)) in stores.kv.iter().flatten().enumerate() {
        let path = file(&format!("kv-{index}"), value);
        let note = stores.kv_notes.iter().find(|(noted, _)| noted == key);
        let note = note.map_or_else(String::new, |(_, note)| format!("metadata = {note:?}\n"));
        write!(manifest, "[[local_server.kv_stores.fastgate]]\nkey = \"{key}\"\nfile = \"{path}\"\n{note}").unwrap();
    }
    if stores.kv.as_ref().is_some_and(Vec::is_empty) {
        manifest.push_str("[local_server.kv_stores]\nfastgate = []\n");
    }
    let signing_keys =
        stores.signing_keys.iter().flat_map(|keys| [("signing-keys", &**keys)].into_iter().chain(CLIENT_SECRETS));
    let further = stores.secrets.iter().map(|(name, secret)| (name.as_str(), secret.as_str()));
    for (name, secret) in signing_keys.chain(further) {
        let path = file(name, secret);
        write!(manifest, "[[local_server.secret_stores.fastgate]]\nkey = \"{name}\"\nfile = \"{path}\"\n").unwrap();
    }
    manifest
}
