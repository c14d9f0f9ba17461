//! Sends the numbers of hostcalls to the bench.

use std::net::TcpListener;

use crate::hostcalls;

/// Begins to count, and sends what was counted to each client that connects.
///
/// # Errors
/// As for [`hostcalls::count`].
pub(crate) fn report(listener: TcpListener) -> Result<(), Box<dyn std::error::Error>> {
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
