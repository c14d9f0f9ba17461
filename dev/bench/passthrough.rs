//! What every gate on Compute costs at least: a guest that forwards and does nothing else, with the sandbox used again.

#[cfg(target_os = "wasi")]
fn main() {
    use fastly::http::serve::Serve;
    use fastly::{Request, Response};

    let forward = |request: Request| match request.with_pass(true).send("origin") {
        Ok(answer) => answer,
        Err(_) => Response::from_status(502),
    };
    Serve::new().with_timeout(std::time::Duration::from_secs(2)).run(forward);
}

#[cfg(not(target_os = "wasi"))]
fn main() {}
