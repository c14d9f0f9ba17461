//! The processes that are measured: one Viceroy for each guest, in front of one origin.

use std::io::{BufRead as _, BufReader};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use fastgate::identity::key_life::FetchedAt;
use fastgate::time::{Seconds, UnixTime};
use serde_json::Value;

use crate::requests::{ISSUER, Requests};
use crate::{origin, process};

/// The root of the repository.
pub(crate) const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// A guest that is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Guest {
    /// Only forwards, by the SDK.
    PassThrough,
    /// Only forwards, by the ABI.
    PassThroughRaw,
    Fastgate,
    /// The same, compiled with wide arithmetic.
    FastgateWide,
}

impl Guest {
    pub(crate) const ALL: [Self; 4] = [Self::PassThrough, Self::PassThroughRaw, Self::Fastgate, Self::FastgateWide];

    const fn file(self) -> &'static str {
        match self {
            Self::PassThrough => "wasm32-wasip1/release/examples/passthrough.wasm",
            Self::PassThroughRaw => "wasm32-wasip1/release/examples/passthrough_raw.wasm",
            Self::Fastgate => "wasm32-wasip1/release/fastgate.wasm",
            Self::FastgateWide => "wide/wasm32-wasip1/release/fastgate.wasm",
        }
    }
}

/// The manifest that guests read, with an origin that is running.
pub(crate) struct Machine {
    manifest: PathBuf,
}

/// Viceroy with one guest, in a process of its own.
pub(crate) struct Edge {
    pub(crate) address: SocketAddr,
    process: Child,
    /// Where to read what was counted.
    counts: Option<SocketAddr>,
}

/// What a process counted since it was asked before.
pub(crate) struct Counts {
    pub(crate) hostcalls: u64,
    /// The linear memory of the sandbox that ended last, in bytes; Viceroy rounds it to a tenth of a mebibyte.
    pub(crate) memory: f64,
}

impl Drop for Edge {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Machine {
    /// What its guests read is kept in the folder `name`.
    pub(crate) fn start(name: &str, policy: &Value, requests: &Requests) -> Self {
        let folder = Path::new(ROOT).join("target/bench").join(name);
        std::fs::create_dir_all(&folder).unwrap();
        Self { manifest: manifest(&folder, policy, origin::start(), &requests.jwks()) }
    }

    /// An edge for measuring time. It is stopped.
    pub(crate) fn edge(&self, guest: Guest) -> Edge {
        let edge = self.start_edge(guest, false);
        process::stop(&edge.process);
        edge
    }

    /// An edge that counts, which costs time.
    pub(crate) fn counting_edge(&self, guest: Guest) -> Edge {
        self.start_edge(guest, true)
    }

    fn start_edge(&self, guest: Guest, counting: bool) -> Edge {
        // The server that `make bench` built: this program is in the folder `examples` beside it.
        let program = std::env::current_exe().unwrap();
        let mut command = Command::new(program.ancestors().nth(2).unwrap().join("fastgate-edge"));
        command.current_dir(ROOT).args(["--listen", "127.0.0.1:0", "--config"]).arg(&self.manifest);
        command.arg("--wasm").arg(Path::new(ROOT).join("target").join(guest.file()));
        command.arg("--compiled").arg(Path::new(ROOT).join("target").join("compiled"));
        if counting {
            command.args(["--hostcalls-listen", "127.0.0.1:0"]);
        }
        process::ends_with_this_program(&mut command);
        let mut process = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut output = BufReader::new(process.stdout.take().unwrap());
        let mut address = || {
            let mut line = String::new();
            output.read_line(&mut line).unwrap();
            line.trim().rsplit(' ').next().unwrap().parse().unwrap_or_else(|_| panic!("no edge: {line}"))
        };
        let counts = counting.then(&mut address);
        let address = address();
        thread::spawn(move || std::io::copy(&mut output, &mut std::io::sink()));
        Edge { address, process, counts }
    }
}

impl Edge {
    /// Calls `work` while the process may run, and stops it again.
    pub(crate) fn running<Result>(&self, work: impl FnOnce() -> Result) -> Result {
        process::resume(&self.process);
        let result = work();
        process::stop(&self.process);
        result
    }

    /// The CPU time that the process took until now.
    pub(crate) fn cpu_time(&self) -> Duration {
        process::cpu_time(&self.process)
    }

    /// What was counted since the last call.
    pub(crate) fn counts(&self) -> Counts {
        let stream = TcpStream::connect(self.counts.unwrap()).unwrap();
        let counts: Value = serde_json::from_reader(stream).unwrap();
        let hostcalls = counts["hostcalls"].as_object().unwrap();
        Counts {
            hostcalls: hostcalls.values().map(|count| count.as_u64().unwrap()).sum(),
            memory: counts["memory"].as_f64().unwrap_or(0.0),
        }
    }
}

/// All guests read the same manifest.
fn manifest(folder: &Path, policy: &Value, origin: SocketAddr, jwks: &str) -> PathBuf {
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
         [local_server.backends.origin_us]\nurl = \"http://{origin}\"\n\
         [[local_server.kv_stores.fastgate]]\nkey = \"policy\"\nfile = \"{policy}\"\n\
         [[local_server.kv_stores.fastgate]]\nkey = \"jwks/idp\"\nfile = \"{jwks}\"\nmetadata = \"{note}\"\n\
         [[local_server.secret_stores.fastgate]]\nkey = \"signing-keys\"\nfile = \"{keys}\"\n"
    );
    folder.join(write("fastly.toml", &manifest))
}
