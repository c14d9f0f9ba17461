//! A guest that writes into the KV store `fastgate`, so that a soak test can do what an operator does while the gate
//! runs: `PUT /KEY` stores the body under that key, `DELETE /KEY` removes it. Viceroy offers no other way to write to
//! the store.

#[cfg(target_os = "wasi")]
fn main() {
    use fastly::http::{Method, StatusCode};
    use fastly::{KVStore, Request, Response};

    fn store(request: &mut Request) -> Result<StatusCode, String> {
        let key = request.get_path().trim_start_matches('/').to_owned();
        let missing = || "the manifest names no KV store \"fastgate\"".to_owned();
        let store = KVStore::open("fastgate").map_err(|error| error.to_string())?.ok_or_else(missing)?;
        let done = match *request.get_method() {
            Method::PUT => store.insert(&key, request.take_body_bytes()),
            Method::DELETE => store.delete(&key),
            _ => return Ok(StatusCode::METHOD_NOT_ALLOWED),
        };
        done.map(|()| StatusCode::NO_CONTENT).map_err(|error| error.to_string())
    }

    match store(&mut Request::from_client()) {
        Ok(status) => Response::from_status(status).send_to_client(),
        Err(cause) => Response::from_status(StatusCode::INTERNAL_SERVER_ERROR).with_body(cause).send_to_client(),
    }
}

#[cfg(not(target_os = "wasi"))]
fn main() {}
