//! The edge on a developer's machine: the real guest on the real Viceroy, as `make demo` starts it.

use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use clap::Parser;
use viceroy_lib::ViceroyService;
use viceroy_lib::config::FastlyConfig;

#[path = "../tests/support/guest.rs"]
mod guest;
#[path = "../tests/support/hostcalls.rs"]
mod hostcalls;

/// Serves a guest as Fastly Compute would.
#[derive(Parser)]
struct Arguments {
    /// The manifest with backends and stores.
    #[arg(long, default_value = "fastly.toml")]
    config: PathBuf,
    /// The guest.
    #[arg(long, default_value = guest::GUEST)]
    wasm: PathBuf,
    /// Where to keep compiled guests, so that the next start is fast.
    #[arg(long, default_value = guest::COMPILED)]
    compiled: PathBuf,
    /// The address to listen on.
    #[arg(long, default_value = "127.0.0.1:7676")]
    listen: SocketAddr,
    /// A second guest with the same stores, to write to them from outside: `dev/soak/store.rs`.
    #[arg(long, requires = "store_listen")]
    store_wasm: Option<PathBuf>,
    /// The address of the second guest.
    #[arg(long, requires = "store_wasm")]
    store_listen: Option<SocketAddr>,
    /// Count hostcalls. Each connection to this address gets the numbers since the one before, and the memory of the
    /// sandbox that ended last in bytes, as JSON.
    #[arg(long)]
    hostcalls_listen: Option<SocketAddr>,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments = Arguments::parse();
    let config = FastlyConfig::from_file(&arguments.config)?;
    guest::keep_compiled_in(&arguments.compiled)?;
    if let (Some(wasm), Some(listen)) = (&arguments.store_wasm, arguments.store_listen) {
        // Both contexts have the same KV store: a clone of `config.object_stores()` is another handle on it.
        let context = guest::viceroy(wasm, &config, Arc::new(Mutex::new(std::io::stderr())))?;
        let listener = TcpListener::bind(listen)?;
        listener.set_nonblocking(true)?;
        tokio::spawn(hyper::Server::from_tcp(listener)?.serve(ViceroyService::new(context)));
    }
    if let Some(listen) = arguments.hostcalls_listen {
        report_hostcalls(TcpListener::bind(listen)?)?;
    }
    let context = guest::viceroy(&arguments.wasm, &config, Arc::new(Mutex::new(std::io::stdout())))?;
    let listener = TcpListener::bind(arguments.listen)?;
    listener.set_nonblocking(true)?;
    println!("listening on {}", listener.local_addr()?);
    // Head and content of a response are written apart: without this the second part of a short one waits for the
    // client's delayed acknowledgement.
    hyper::Server::from_tcp(listener)?.tcp_nodelay(true).serve(ViceroyService::new(context)).await?;
    Ok(())
}

fn report_hostcalls(listener: TcpListener) -> Result<(), Box<dyn std::error::Error>> {
    hostcalls::count()?;
    println!("counting hostcalls on {}", listener.local_addr()?);
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            // A client that does not read its answer loses it.
            let counts = serde_json::json!({ "hostcalls": hostcalls::take(), "memory": hostcalls::memory() });
            let _ = serde_json::to_writer(&mut stream, &counts);
        }
    });
    Ok(())
}
