//! The edge on a developer's machine: the real guest on the real Viceroy, as `make demo` starts it.

use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use clap::Parser;
use viceroy_lib::ViceroyService;
use viceroy_lib::config::FastlyConfig;

#[path = "../tests/support/guest.rs"]
mod guest;

/// Serves a guest as Fastly Compute would.
#[derive(Parser)]
struct Arguments {
    /// The manifest with backends and stores.
    #[arg(long, default_value = "fastly.toml")]
    config: PathBuf,
    /// The guest.
    #[arg(long, default_value = guest::GUEST)]
    wasm: PathBuf,
    /// Where to listen.
    #[arg(long, default_value = "127.0.0.1:7676")]
    listen: SocketAddr,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments = Arguments::parse();
    let config = FastlyConfig::from_file(&arguments.config)?;
    let context = guest::viceroy(&arguments.wasm, &config, Arc::new(Mutex::new(std::io::stdout())))?;
    let listener = TcpListener::bind(arguments.listen)?;
    listener.set_nonblocking(true)?;
    println!("listening on {}", listener.local_addr()?);
    hyper::Server::from_tcp(listener)?.serve(ViceroyService::new(context)).await?;
    Ok(())
}
