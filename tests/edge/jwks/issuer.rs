//! An issuer over a real socket. It produces a fault on demand and records its requests.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::thread::sleep;
use std::time::Duration;

use serde_json::json;

use super::faults::Fault;
use crate::support::origin::{Origin, response};
use crate::support::tokens::jwks;

/// A running issuer.
pub(crate) struct Issuer {
    pub(crate) address: SocketAddr,
    origin: Origin,
    behavior: Arc<Mutex<Behavior>>,
}

struct Behavior {
    keys: String,
    content_type: Option<&'static str>,
    delay: Duration,
    fault: Option<Fault>,
}

impl Issuer {
    /// An issuer that serves discovery and the key of the tests.
    pub(crate) fn healthy() -> Self {
        let behavior = Arc::new(Mutex::new(Behavior {
            keys: jwks(),
            content_type: Some("application/json"),
            delay: Duration::ZERO,
            fault: None,
        }));
        let shared = Arc::clone(&behavior);
        let origin = Origin::start(move |request, stream| {
            use std::io::Write as _;
            let (keys, content_type, delay, fault) = {
                let behavior = shared.lock().unwrap();
                (behavior.keys.clone(), behavior.content_type, behavior.delay, behavior.fault)
            };
            sleep(delay);
            if let Some(fault) = fault {
                return fault.send(request, stream);
            }
            let host = request.all("host")[0].to_owned();
            let body = if request.request_line().contains("/.well-known/") {
                json!({ "issuer": format!("http://{host}"), "jwks_uri": format!("http://{host}/jwks") }).to_string()
            } else {
                keys
            };
            let fields: Vec<_> = content_type.map(|value| ("content-type", value)).into_iter().collect();
            let _ = stream.write_all(&response("200 OK", &fields, &body));
        });
        Self { address: origin.address, origin, behavior }
    }

    pub(crate) fn iss(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn serve(&self, keys: &str) {
        keys.clone_into(&mut self.behavior.lock().unwrap().keys);
    }

    /// The `Content-Type` of both documents; `None` for no such field.
    pub(crate) fn set_content_type(&self, content_type: Option<&'static str>) {
        self.behavior.lock().unwrap().content_type = content_type;
    }

    pub(crate) fn slow_by(&self, delay: Duration) {
        self.behavior.lock().unwrap().delay = delay;
    }

    pub(crate) fn fail_with(&self, fault: Fault) {
        self.behavior.lock().unwrap().fault = Some(fault);
    }

    /// The paths of the requests, in order.
    pub(crate) fn requests(&self) -> Vec<String> {
        let path = |line: &str| line.split(' ').nth(1).unwrap_or_default().to_owned();
        self.origin.everything().iter().map(|request| path(request.request_line())).collect()
    }
}
