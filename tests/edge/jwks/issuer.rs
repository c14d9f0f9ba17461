//! An issuer over a real socket that does what it is told, faults included, and counts who asks.

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
    manner: Arc<Mutex<Manner>>,
}

struct Manner {
    keys: String,
    content_type: Option<&'static str>,
    delay: Duration,
    fault: Option<Fault>,
}

impl Issuer {
    /// One that serves discovery and the key of the tests.
    pub(crate) fn healthy() -> Self {
        let manner = Arc::new(Mutex::new(Manner {
            keys: jwks(),
            content_type: Some("application/json"),
            delay: Duration::ZERO,
            fault: None,
        }));
        let shared = Arc::clone(&manner);
        let origin = Origin::start(move |request, stream| {
            use std::io::Write as _;
            let (keys, content_type, delay, fault) = {
                let manner = shared.lock().unwrap();
                (manner.keys.clone(), manner.content_type, manner.delay, manner.fault)
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
        Self { address: origin.address, origin, manner }
    }

    pub(crate) fn iss(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn serve(&self, keys: &str) {
        keys.clone_into(&mut self.manner.lock().unwrap().keys);
    }

    /// What it says that both documents are; nothing where it does not say.
    pub(crate) fn calls_them(&self, content_type: Option<&'static str>) {
        self.manner.lock().unwrap().content_type = content_type;
    }

    pub(crate) fn slow_by(&self, delay: Duration) {
        self.manner.lock().unwrap().delay = delay;
    }

    pub(crate) fn fail_with(&self, fault: Fault) {
        self.manner.lock().unwrap().fault = Some(fault);
    }

    /// The paths that were asked for, in order.
    pub(crate) fn visits(&self) -> Vec<String> {
        let path = |line: &str| line.split(' ').nth(1).unwrap_or_default().to_owned();
        self.origin.everything().iter().map(|request| path(request.request_line())).collect()
    }
}
