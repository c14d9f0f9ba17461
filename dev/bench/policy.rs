//! The policy that is measured: routes with and without a token, for an origin whose header is signed and one that has a
//! key, and one in two regions.

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
    // The public keys of RFC 7748 §6.1.
    let [key, other] = ["hSDwCYkwp1R0i33ctD73Wg2_Og0mOBr066SpjqqbTmo", "3p7bfXt9wbTTW2HC7OQ1Nz-DQ8hbeGdNrfx-FG-IK08"]
        .map(|x| json!({ "kty": "OKP", "crv": "X25519", "x": x }));
    json!({
        "edge": { "issuer": "https://api.bench.example", "hosts": ["api.bench.example"] },
        "origins": {
            "app": { "backend": "origin", "audience": "app" },
            "shared": { "backend": "origin", "audience": "shared", "key": key },
            "regional": {
                "backends": { "origin": { "region": "eu" }, "origin_us": { "region": "us" } },
                "regions": { "eu": {}, "us": { "fallback": "eu" } },
                "selection": { "region_by": [{ "by": { "claim": "client_id" }, "regions": { "bench": "us" } }] },
                "audience": "regional",
                "key": other,
            },
        },
        "issuers": { "idp": {
            "issuer": issuer, "backend": "idp", "audiences": ["https://api.bench.example"], "verdict_window": 300,
        } },
        "routes": [
            route("read_order", "app", "/orders/{order_id:int}", "authenticated"),
            route("open", "app", "/open/{path:path}", "public"),
            route("read_shared", "shared", "/shared/orders/{order_id:int}", "authenticated"),
            route("open_shared", "shared", "/shared/open/{path:path}", "public"),
            route("read_regional", "regional", "/regional/orders/{order_id:int}", "authenticated"),
            stored("read_stored", "/stored/orders/{order_id:int}"),
            stored("read_validated", "/validated/orders/{order_id:int}"),
        ],
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_policy_is_valid() {
        let text = super::policy("https://idp.bench.example").to_string();
        assert!(fastgate::policy::Policy::parse(text.as_bytes()).is_ok());
    }
}
