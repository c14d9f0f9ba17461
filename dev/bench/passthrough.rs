//! The least that any gate on Compute costs: a guest that only forwards and that reuses its sandbox.

#[cfg(target_os = "wasi")]
fn main() {
    use fastly::http::serve::Serve;
    use fastly::{Request, Response};

    let forward = |request: Request| match request.with_pass(true).send("origin") {
        Ok(response) => response,
        Err(_) => Response::from_status(502),
    };
    Serve::new().with_timeout(std::time::Duration::from_secs(2)).run(forward);
}

#[cfg(not(target_os = "wasi"))]
fn main() {}
