//! Prints the edge's routing decisions on many requests, for tests that compare them with an app in another language.
//!
//! Input: one JSON object a line. `{"policy": {…}}` sets the policy for the lines that follow; `{"method": …, "target":
//! …}` is a request, and with `"websocket": true` the opening handshake of a WebSocket. Output: one JSON object for
//! each line. For a policy it has the faults; for a request, the path that would be forwarded and the route, or the
//! code of the refusal.

use std::error::Error;
use std::io::{BufRead as _, BufWriter, Write as _, stdin, stdout};

use fastgate::headers::Headers;
use fastgate::policy::Policy;
use fastgate::refusal::Refusal;
use fastgate::request::{RequestHead, normalize};
use fastgate::route;
use serde::Deserialize;
use serde_json::{Value, json};

/// The fields that make a GET an opening handshake (RFC 6455 §1.3).
const HANDSHAKE: [(&str, &str); 4] = [
    ("connection", "Upgrade"),
    ("upgrade", "websocket"),
    ("sec-websocket-version", "13"),
    ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
];

#[derive(Deserialize)]
#[serde(untagged)]
enum Line {
    Policy {
        policy: Value,
    },
    Request {
        method: String,
        target: String,
        #[serde(default)]
        websocket: bool,
    },
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut policy = None;
    let mut out = BufWriter::new(stdout().lock());
    for line in stdin().lock().lines() {
        let output = match (serde_json::from_str(&line?)?, &policy) {
            (Line::Policy { policy: document }, _) => match Policy::parse(document.to_string().as_bytes()) {
                Ok(parsed) => {
                    policy = Some(parsed);
                    json!({ "faults": [] })
                }
                Err(faults) => json!({ "faults": faults.0.iter().map(ToString::to_string).collect::<Vec<_>>() }),
            },
            (Line::Request { .. }, None) => return Err("a request before any policy without faults".into()),
            (Line::Request { method, target, websocket }, Some(policy)) => decided(policy, method, &target, websocket)
                .unwrap_or_else(|refusal| json!({ "refusal": refusal.code() })),
        };
        writeln!(out, "{output}")?;
    }
    Ok(out.flush()?)
}

fn decided(policy: &Policy, method: String, target: &str, websocket: bool) -> Result<Value, Refusal> {
    let fields: &[_] = if websocket { &HANDSHAKE } else { &[] };
    let mut headers: Headers = fields.iter().copied().collect();
    headers.append("host", "edge.example");
    let head = RequestHead { method, target: target.as_bytes().to_vec(), headers, tls: true, certificate: None };
    let target = normalize(head, &policy.edge().hosts)?;
    let route = route::find(policy, &target).map_err(Refusal::from);
    Ok(match route {
        Ok(route) if route.websocket != websocket => {
            json!({ "path": target.path().encoded(), "refusal": "another kind of request" })
        }
        Ok(route) => json!({ "path": target.path().encoded(), "route": route.id, "template": route.template.as_str() }),
        Err(refusal) => json!({ "path": target.path().encoded(), "refusal": refusal.code() }),
    })
}
