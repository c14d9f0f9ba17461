//! Measures the normalization of a request with a `Connection` field of any length.

use std::hint::black_box;

use fastgate::headers::Headers;
use fastgate::policy::Policy;
use fastgate::request::{RequestHead, normalize};
use serde_json::json;

use crate::microseconds;

/// Prints a row for each length, in bytes.
pub(crate) fn run() {
    let edge = json!({ "issuer": "https://edge.test", "hosts": ["edge.test"] });
    let origins = json!({ "app": { "backend": "app", "audience": "app" } });
    let route = json!({ "id": "r", "path": "/", "methods": ["GET"], "access": "public" });
    let policy = json!({ "edge": edge, "origins": origins, "routes": [route] }).to_string();
    let policy = Policy::parse(policy.as_bytes()).unwrap();
    println!("{:12}{:>12}", "µs", "Connection");
    for bytes in [10, 65_000, 241_000] {
        let connection = format!("close{}", ",a".repeat(bytes / 2));
        let head = || RequestHead {
            method: "GET".to_owned(),
            target: b"/".to_vec(),
            headers: [("host", "edge.test"), ("connection", &connection)].into_iter().collect::<Headers>(),
            tls: true,
            certificate: None,
        };
        let cost = microseconds(5, || drop(black_box(normalize(head(), &policy.edge().hosts))));
        println!("{:12}{cost:12.0}", format!("{bytes} bytes"));
    }
}
