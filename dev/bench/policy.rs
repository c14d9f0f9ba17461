//! The policy that is measured: routes with and without a token, for an origin whose header is signed and one that has a
//! key.

use serde_json::{Value, json};

/// The policy, with one issuer whose `iss` is this.
pub(crate) fn policy(issuer: &str) -> Value {
    let route = |id: &str, origin: &str, path: &str, access: &str| {
        let scopes: &[&str] = if access == "public" { &[] } else { &["read"] };
        json!({ "id": id, "origin": origin, "path": path, "methods": ["GET"], "access": access, "scopes": scopes })
    };
    let stored = |id: &str, path: &str| {
        let mut route = route(id, "shared", path, "authenticated");
        route["cache"] = json!({ "audience": "caller", "ttl": 3600 });
        route
    };
    json!({
        "edge": { "issuer": "https://api.bench.example", "hosts": ["api.bench.example"] },
        "origins": {
            "app": { "backend": "origin", "audience": "app" },
            // The public key of RFC 7748 §6.1.
            "shared": { "backend": "origin", "audience": "shared", "key": {
                "kty": "OKP", "crv": "X25519", "x": "hSDwCYkwp1R0i33ctD73Wg2_Og0mOBr066SpjqqbTmo",
            } },
        },
        "issuers": { "idp": {
            "issuer": issuer, "backend": "idp", "audiences": ["https://api.bench.example"], "verdict_window": 300,
        } },
        "routes": [
            route("read_order", "app", "/orders/{order_id:int}", "authenticated"),
            route("open", "app", "/open/{path:path}", "public"),
            route("read_shared", "shared", "/shared/orders/{order_id:int}", "authenticated"),
            route("open_shared", "shared", "/shared/open/{path:path}", "public"),
            stored("read_stored", "/stored/orders/{order_id:int}"),
            stored("read_validated", "/validated/orders/{order_id:int}"),
        ],
    })
}
