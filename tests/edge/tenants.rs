//! One entry for the issuers of two tenants, at the edge: each key names its owner, and one key belongs to the other
//! tenant.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use fastgate::identity::deny_list::{Entry, RevocationClaim, RevocationKey};
use fastgate::time::UnixTime;
use jwt_simple::prelude::*;
use serde_json::{Value, json};

use crate::support::edge::{Edge, Listener, Stores};
use crate::support::http::{Reply, exchange};
use crate::support::origin::{Origin, response};
use crate::support::tokens::{claims, now};
use crate::support::world::{issuer, policy, signing_keys};

const A: &str = "aaaabbbb-0000-cccc-1111-dddd2222eeee";
const B: &str = "bbbbcccc-0000-dddd-1111-eeee2222ffff";
/// Not listed in the policy.
const C: &str = "9188040d-6c67-4c5b-b112-36a304b66dad";

struct Gate {
    edge: Edge,
    echo: Origin,
    host: String,
    _issuer: Origin,
    /// The keys: of tenant A, of tenant B, of all tenants.
    keys: [ES256KeyPair; 3],
}

impl Gate {
    fn start() -> Self {
        let keys = ["a", "b", "common"].map(|kid| ES256KeyPair::generate().with_key_id(kid));
        let owners = [A, B, "{tenantid}"].map(|tenant| format!("https://login.microsoftonline.com/{tenant}/v2.0"));
        let listed: Vec<Value> = keys
            .iter()
            .zip(owners)
            .map(|(key, owner)| {
                let mut jwk: Value = serde_json::from_str(&key.public_key().to_jwk()).unwrap();
                jwk["issuer"] = json!(owner);
                jwk
            })
            .collect();
        let (issuer, listener) = (issuer(json!({ "keys": listed }).to_string()), Listener::bind());
        let echo = Origin::responding(response("200 OK", &[], "{}"));
        let host = format!("http://{}", issuer.address);
        let mut policy = policy(listener.address(), &host);
        policy["issuers"]["test"] = json!({
            "preset": "entra", "issuer": format!("{host}/{{tenant}}/v2.0"), "backend": "issuer",
            "audiences": ["https://api.test"], "tenants": [A, B], "jwks_uri": format!("{host}/keys"),
            "deny_list": true, "verdict_window": 300
        });
        let revoked = RevocationKey::new(RevocationClaim::Subject, &format!("{host}/{A}/v2.0"), "gone").store_key();
        let entry = Entry { until: UnixTime::from_seconds(now() + 3600), not_before: None };
        let stores = Stores {
            kv: Some(vec![("policy".to_owned(), policy.to_string()), (revoked, entry.to_json())]),
            signing_keys: Some(signing_keys()),
            backends: [("echo", echo.address), ("issuer", issuer.address)]
                .map(|(name, address)| (name.to_owned(), address.to_string()))
                .to_vec(),
            ..Stores::default()
        };
        Self { edge: Edge::start(listener, &stores), echo, host, _issuer: issuer, keys }
    }

    /// A token of tenant `tid` with the `iss` of tenant `iss`, signed by a key.
    fn token(&self, key: usize, iss: &str, tid: &str, sub: &str) -> String {
        use p256::ecdsa::signature::Signer as _;
        let mut claims = claims(&format!("{}/{iss}/v2.0", self.host), sub, "");
        claims["tid"] = json!(tid);
        claims["azp"] = json!("web");
        let pair = &self.keys[key];
        let kid = ["a", "b", "common"][key];
        let header = json!({ "alg": "ES256", "typ": "JWT", "kid": kid });
        let [header, claims] = [header, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
        let signer = p256::ecdsa::SigningKey::from_slice(&pair.to_bytes()).unwrap();
        let signature: p256::ecdsa::Signature = signer.sign(format!("{header}.{claims}").as_bytes());
        format!("{header}.{claims}.{}", URL_SAFE_NO_PAD.encode(signature.to_bytes()))
    }

    fn call(&self, token: &str) -> (u16, Value) {
        let request = format!(
            "GET /echo/x HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {token}\r\nconnection: close\r\n\r\n"
        );
        let reply: Reply = exchange(self.edge.address, request.as_bytes()).unwrap();
        let verdict = self.edge.log_of(reply.header("x-request-id").unwrap())["verdict"].clone();
        (reply.status, verdict)
    }
}

/// The payload of the signed header in a request.
fn identity(header: &str) -> Value {
    let payload = header.split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
}

#[test]
fn a_token_is_verified_with_the_keys_of_its_own_tenant_only() {
    let gate = Gate::start();
    // Twice each: the second time, the signatures of accepted tokens are remembered.
    for _ in 0..2 {
        for (key, iss, tid, expected) in [
            (0, A, A, (200, "forwarded")),
            (1, B, B, (200, "forwarded")),
            (2, A, A, (200, "forwarded")),
            (2, B, B, (200, "forwarded")),
            (0, B, B, (401, "token-unknown-key")),
            (1, A, A, (401, "token-unknown-key")),
            (2, C, C, (401, "token-tenant")),
            (2, A, B, (401, "token-tenant")),
            (0, A, B, (401, "token-tenant")),
            (2, "{tenant}", A, (401, "token-unknown-issuer")),
            (2, "common", A, (401, "token-unknown-issuer")),
        ] {
            let (status, verdict) = gate.call(&gate.token(key, iss, tid, "ada"));
            assert_eq!((status, verdict.as_str().unwrap()), expected, "key {key}, iss of {iss}, tid {tid}");
        }
    }
    let forwarded = gate.echo.everything();
    assert_eq!(forwarded.len(), 8);
    for (request, tenant) in forwarded.iter().zip([A, B].into_iter().cycle()) {
        let identity = identity(request.all("fastgate-identity")[0]);
        let expected = json!([format!("{}/{tenant}/v2.0", gate.host), tenant]);
        assert_eq!(json!([identity["rctx"]["iss"], identity["rctx"]["tenant"]]), expected, "{identity}");
    }
}

#[test]
fn a_subject_is_revoked_in_its_own_tenant_only() {
    let gate = Gate::start();
    assert_eq!(gate.call(&gate.token(2, A, A, "gone")), (401, json!("token-revoked")));
    assert_eq!(gate.call(&gate.token(2, B, B, "gone")), (200, json!("forwarded")));
}
