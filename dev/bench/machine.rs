//! The processes that are measured: one Viceroy for each guest, in front of one origin.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;

use fastgate::identity::key_life::FetchedAt;
use fastgate::time::{Seconds, UnixTime};
use serde_json::json;

use crate::load;
use crate::requests::{ISSUER, Kind, Requests};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// The two guests, each in a process of its own.
pub(crate) struct Machine {
    pass_through: Edge,
    fastgate: Edge,
}

struct Edge {
    address: SocketAddr,
    process: Child,
}

impl Drop for Edge {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Machine {
    pub(crate) fn start(requests: &Requests) -> Self {
        let folder = Path::new(ROOT).join("target/bench");
        std::fs::create_dir_all(&folder).unwrap();
        let manifest = manifest(&folder, origin(), &requests.jwks());
        let guests = Path::new(ROOT).join("target/wasm32-wasip1/release");
        Self {
            pass_through: Edge::start(&manifest, &guests.join("examples/passthrough.wasm")),
            fastgate: Edge::start(&manifest, &guests.join("fastgate.wasm")),
        }
    }

    /// CPU time of the process per request, in microseconds.
    pub(crate) fn measure(&self, kind: Kind, requests: &[Vec<u8>]) -> f64 {
        let edge = if kind == Kind::PassThrough { &self.pass_through } else { &self.fastgate };
        let before = edge.cpu_ticks();
        load::send(edge.address, requests, kind.status());
        let ticks = edge.cpu_ticks() - before;
        // Linux counts in hundredths of a second; a round is long enough for that precision.
        ticks as f64 * 10_000.0 / requests.len() as f64
    }
}

impl Edge {
    fn start(manifest: &Path, guest: &Path) -> Self {
        // The server that `make bench` built: this program is in the folder `examples` beside it.
        let program = std::env::current_exe().unwrap();
        let server = program.ancestors().nth(2).unwrap().join("fastgate-edge");
        let mut process = Command::new(server)
            .current_dir(ROOT)
            .args(["--listen", "127.0.0.1:0", "--config"])
            .arg(manifest)
            .arg("--wasm")
            .arg(guest)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut output = BufReader::new(process.stdout.take().unwrap());
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        let address = line.trim().rsplit(' ').next().unwrap().parse().unwrap_or_else(|_| panic!("no edge: {line}"));
        thread::spawn(move || std::io::copy(&mut output, &mut std::io::sink()));
        Self { address, process }
    }

    /// User and system time of the process, all threads, in clock ticks (proc(5), fields 14 and 15).
    fn cpu_ticks(&self) -> u64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.process.id())).unwrap();
        let fields: Vec<_> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
        fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
    }
}

/// Both guests read the same manifest.
fn manifest(folder: &Path, origin: SocketAddr, jwks: &str) -> PathBuf {
    let route = |id: &str, origin: &str, path: &str, access: &str| {
        let scopes: &[&str] = if access == "public" { &[] } else { &["read"] };
        json!({ "id": id, "origin": origin, "path": path, "methods": ["GET"], "access": access, "scopes": scopes })
    };
    let policy = json!({
        "edge": { "issuer": "https://api.bench.example", "hosts": ["api.bench.example"] },
        "origins": {
            "app": { "backend": "origin", "audience": "app" },
            // The public key of RFC 7748 §6.1.
            "shared": { "backend": "origin", "audience": "shared", "key": {
                "kty": "OKP", "crv": "X25519", "x": "hSDwCYkwp1R0i33ctD73Wg2_Og0mOBr066SpjqqbTmo",
            } },
        },
        "issuers": { "idp": {
            "issuer": ISSUER, "backend": "idp", "audiences": ["https://api.bench.example"], "verdict_window": 300,
        } },
        "routes": [
            route("read_order", "app", "/orders/{order_id:int}", "authenticated"),
            route("open", "app", "/open/{path:path}", "public"),
            route("read_shared", "shared", "/shared/orders/{order_id:int}", "authenticated"),
            route("open_shared", "shared", "/shared/open/{path:path}", "public"),
        ],
    });
    let write = |name: &str, content: &str| {
        let path = folder.join(name);
        std::fs::write(&path, content).unwrap();
        path.display().to_string()
    };
    let (policy, jwks) = (write("policy.json", &policy.to_string()), write("jwks.json", jwks));
    let keys = write("signing-keys.json", &fastgate::mint::new_signing_keys().0);
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs();
    let digest = fastgate::ports::KeysDigest::new(ISSUER, None, "idp");
    let note = digest.note(FetchedAt::new(UnixTime::from_seconds(now), Seconds::new(3600)));
    let manifest = format!(
        "manifest_version = 3\nname = \"bench\"\nlanguage = \"rust\"\n\
         [local_server.backends.origin]\nurl = \"http://{origin}\"\n\
         [[local_server.kv_stores.fastgate]]\nkey = \"policy\"\nfile = \"{policy}\"\n\
         [[local_server.kv_stores.fastgate]]\nkey = \"jwks/idp\"\nfile = \"{jwks}\"\nmetadata = \"{note}\"\n\
         [[local_server.secret_stores.fastgate]]\nkey = \"signing-keys\"\nfile = \"{keys}\"\n"
    );
    folder.join(write("fastly.toml", &manifest))
}

/// An origin that responds to every request at once and keeps its connections open.
fn origin() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || serve(stream));
        }
    });
    address
}

fn serve(mut stream: TcpStream) {
    let response = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}";
    let mut seen = Vec::new();
    let mut buffer = [0; 16_384];
    while let Ok(count @ 1..) = stream.read(&mut buffer) {
        seen.extend_from_slice(&buffer[..count]);
        // The requests that are measured have no bodies: each ends with an empty line or a chunk of length 0.
        if seen.ends_with(b"\r\n\r\n") {
            seen.clear();
            if stream.write_all(response).is_err() {
                return;
            }
        }
    }
}
