//! The local edge: the real guest on Viceroy, Fastly's local runtime. `fastgate dev`, `make demo` and tests of apps start
//! it.

mod commands;
mod counts;
mod guest;
mod hostcalls;
mod page;
mod server;
mod viceroy;

use std::error::Error;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};

use clap::Parser;

use crate::guest::Guest;
use crate::page::Page;
use crate::server::LocalEdge;

/// Serves a guest as Fastly Compute would.
#[derive(Parser)]
struct Arguments {
    /// The manifest with backends and stores.
    #[arg(long, default_value = "fastly.toml")]
    config: PathBuf,
    /// The guest.
    #[arg(long)]
    wasm: PathBuf,
    /// A folder for compiled guests, so that the next start is fast.
    #[arg(long)]
    compiled: Option<PathBuf>,
    /// The address to listen on.
    #[arg(long, default_value = "127.0.0.1:7676")]
    listen: SocketAddr,
    /// The address that serves the paths below `/__fastgate/`, which the guest never gets.
    #[arg(long)]
    page: Option<SocketAddr>,
    /// Read commands from standard input, one a line, and end when it ends. `reload` reads the manifest, the guest and
    /// everything else again, and serves the following requests with them; all caches are empty then.
    #[arg(long)]
    commands: bool,
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
async fn main() -> ExitCode {
    let Err(error) = run(Arguments::parse()).await else { return ExitCode::SUCCESS };
    eprintln!("fastgate edge: {error}");
    ExitCode::FAILURE
}

async fn run(arguments: Arguments) -> Result<(), Box<dyn Error>> {
    if let Some(folder) = &arguments.compiled {
        viceroy::keep_compiled_in(folder)?;
    }
    if let Some(listen) = arguments.hostcalls_listen {
        counts::report(TcpListener::bind(listen)?)?;
    }
    let guest = Guest { wasm: arguments.wasm, manifest: arguments.config };
    let config = guest.config()?;
    if let (Some(wasm), Some(listen)) = (&arguments.store_wasm, arguments.store_listen) {
        // Both contexts have the same KV store: a clone of `config.object_stores()` is another handle on it.
        let store = LocalEdge::new(viceroy::start(wasm, &config, Arc::new(Mutex::new(std::io::stderr())))?, None);
        tokio::spawn(server::serve(bound(listen)?, store));
    }
    let context = viceroy::start(&guest.wasm, &config, Arc::new(Mutex::new(std::io::stdout())))?;
    let edge = LocalEdge::new(context, arguments.page.map(Page::new));
    let listener = bound(arguments.listen)?;
    println!("listening on {}", listener.local_addr()?);
    if arguments.commands {
        commands::obey(guest, Arc::clone(&edge));
    }
    Ok(server::serve(listener, edge).await?)
}

fn bound(address: SocketAddr) -> std::io::Result<TcpListener> {
    let listener = TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}
