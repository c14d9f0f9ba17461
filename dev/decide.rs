//! Prints the edge's decisions on many requests, for tests that compare them with an app in another language.
//!
//! Input: one JSON object a line. Output: one JSON object for each line.
//!
//! - `{"policy": {…}}` sets the policy for the lines that follow. Output: the faults. With `keys`, the JWK Sets of issuers
//!   by their ids in the policy, the output also has `jwks`, the JWK Set of this edge.
//! - `{"method": …, "target": …}` is a request, and with `"websocket": true` the opening handshake of a WebSocket. Only
//!   its route is found. Output: the path that would be forwarded and the route, or the code of the refusal.
//! - `{"method": …, "target": …, "headers": [[name, value], …]}` passes through the whole pipeline; `certificate` is the
//!   client's, as the SHA-256 of its DER in base64url. Output: the request that would be forwarded, or the code of the
//!   refusal and its status. The time is [`offline::NOW`].

#[allow(dead_code, clippy::panic, clippy::unwrap_used, reason = "it belongs to the tests, which use all of it")]
#[path = "../tests/support/offline.rs"]
mod offline;

use std::error::Error;
use std::io::{BufRead as _, BufWriter, Write as _, stdin, stdout};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use fastgate::client::Client;
use fastgate::gateway::Decision;
use fastgate::headers::Headers;
use fastgate::mint::new_signing_keys;
use fastgate::policy::Policy;
use fastgate::refusal::Refusal;
use fastgate::request::{RequestHead, normalize};
use fastgate::route;
use offline::fakes::FakeKeys;
use offline::{Gate, Request};
use serde::Deserialize;
use serde_json::{Map, Value, json};

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
        #[serde(default)]
        keys: Option<Map<String, Value>>,
    },
    Whole {
        method: String,
        target: String,
        headers: Vec<(String, String)>,
        #[serde(default)]
        certificate: Option<String>,
    },
    Route {
        method: String,
        target: String,
        #[serde(default)]
        websocket: bool,
    },
}

fn main() -> Result<(), Box<dyn Error>> {
    let (private, public) = new_signing_keys();
    let public: Value = serde_json::from_str(&public)?;
    let mut edge = None;
    let mut out = BufWriter::new(stdout().lock());
    for line in stdin().lock().lines() {
        let output = match (serde_json::from_str(&line?)?, &edge) {
            (Line::Policy { policy, keys }, _) => match Policy::parse(policy.to_string().as_bytes()) {
                Ok(policy) => {
                    let add = |known: FakeKeys, (id, set): (&String, &Value)| known.with_set(id, &set.to_string());
                    let published = keys.as_ref().map(|_| &public);
                    let keys = keys.iter().flatten().fold(FakeKeys::none(), add);
                    edge = Some(Gate::with_signing_keys(policy, keys, &private));
                    published.map_or_else(|| json!({ "faults": [] }), |jwks| json!({ "faults": [], "jwks": jwks }))
                }
                Err(faults) => json!({ "faults": faults.0.iter().map(ToString::to_string).collect::<Vec<_>>() }),
            },
            (_, None) => return Err("a request before any policy without faults".into()),
            (Line::Route { method, target, websocket }, Some(edge)) => {
                routed(edge.gateway.policy(), method, &target, websocket)
                    .unwrap_or_else(|refusal| json!({ "refusal": refusal.code() }))
            }
            (Line::Whole { method, target, headers, certificate }, Some(edge)) => {
                let headers = headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
                let certificate = certificate.as_deref().map(digest_of).transpose()?;
                decided(edge, RequestHead { method, target: target.into_bytes(), headers, tls: true, certificate })
            }
        };
        writeln!(out, "{output}")?;
    }
    Ok(out.flush()?)
}

fn digest_of(certificate: &str) -> Result<[u8; 32], Box<dyn Error>> {
    URL_SAFE_NO_PAD.decode(certificate)?.try_into().map_err(|_| "a certificate is given by 32 bytes".into())
}

fn routed(policy: &Policy, method: String, target: &str, websocket: bool) -> Result<Value, Refusal> {
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

fn decided(edge: &Gate, head: RequestHead) -> Value {
    let client = Client { country: Some("CH".to_owned()), ..Client::default() };
    let outcome = edge.send(Request { head, client });
    let verdict = outcome.trail.verdict;
    match outcome.decision {
        Decision::Forward(grant) => {
            let headers: Vec<_> =
                grant.headers().iter().map(|(name, value)| (name, String::from_utf8_lossy(value))).collect();
            let route = outcome.trail.route.as_ref().map(ToString::to_string);
            json!({
                "method": grant.method(), "target": grant.path_and_query(), "headers": headers,
                "websocket": grant.opens_websocket(), "route": route,
            })
        }
        Decision::Refuse(problem) => json!({ "refusal": verdict, "status": problem.status() }),
        Decision::Send(..) | Decision::Respond(_) | Decision::Preflight(_) | Decision::Publish(_) => {
            json!({ "refusal": verdict })
        }
    }
}
