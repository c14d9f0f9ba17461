//! The log codes of refusals that other tests know only by their responses. `tests/unit/architecture.rs` checks that
//! some test of this binary names each code.

use std::io::Write as _;
use std::thread::sleep;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::edge::{Edge, Listener, Stores};
use crate::support::http::{Reply, exchange};
use crate::support::origin::{Origin, response};
use crate::support::tokens::{claims, header, jwks, now, sign};
use crate::support::world::{WORLD, keys_note, policy, signing_keys};

const STRICT: &str = "https://strict.test";

#[test]
fn refusals_of_requests_and_credentials_have_codes() {
    let bearer = |token: &str| format!("authorization: Bearer {token}\r\n");
    let plain = bearer(&WORLD.token(""));
    let scopes = (0..1000).map(|number| format!("s{number} ")).collect::<Vec<_>>().concat();
    let mut inexact = claims(&WORLD.iss(), "user-1", "");
    inexact["exact"] = json!(1e300);
    let inexact = sign(&header(), &inexact);
    let long_echo = format!("GET /echo/{}", "a".repeat(2000));
    let long_target = format!("GET /open/{}", "a".repeat(5000));
    for (expected, line, fields) in [
        ("host-malformed", "GET /open/x", "host: 127.0.0.1\r\nhost: localhost\r\n".to_owned()),
        ("host-unknown", "GET /open/x", "host: evil.example\r\n".to_owned()),
        ("target-malformed", "OPTIONS *", String::new()),
        ("target-too-long", &long_target, String::new()),
        ("path-ambiguous", "GET //me", String::new()),
        ("no-route", "GET /nothing", String::new()),
        ("credentials-other-scheme", "GET /echo/x", "authorization: Basic dTpw\r\n".to_owned()),
        ("credentials-repeated", "GET /echo/x", plain.repeat(2)),
        ("token-unbound", "GET /bound/x", plain.clone()),
        ("claim-not-forwardable", "GET /echo/x", bearer(&inexact)),
        ("authentication-insufficient", "GET /strong/x", plain.clone()),
        ("identity-too-long", &long_echo, bearer(&WORLD.token(scopes.trim()))),
        ("head-too-long", "GET /open/x", format!("x-large: {}\r\n", "a".repeat(15_900))),
    ] {
        let outcome = WORLD.send(line, fields);
        outcome.refused();
        let line = WORLD.edge.log_of(outcome.reply().header("x-request-id").unwrap());
        assert_eq!(line["verdict"], expected, "{line}");
    }
}

/// An edge with an issuer that has many requirements, and with origins that fail.
struct Gate {
    edge: Edge,
    _switching: Origin,
    echo: Origin,
}

impl Gate {
    fn start() -> Self {
        let listener = Listener::bind();
        let echo = Origin::responding(response("200 OK", &[], "{}"));
        let switching = Origin::start(|_, stream| {
            let _ =
                stream.write_all(b"HTTP/1.1 101 Switching Protocols\r\nupgrade: h2c\r\nconnection: upgrade\r\n\r\n");
            sleep(Duration::from_millis(200));
        });
        let mut policy = policy(listener.address(), "http://127.0.0.1:1");
        policy["issuers"] = json!({ "strict": {
            "issuer": STRICT, "backend": "issuer", "audiences": ["https://api.test"], "clients": ["test-client"],
            "claims": { "tenant": "tenant" }, "tenants": ["acme"], "max_age": 600, "max_lifetime": 3600,
            "required_claims": { "token_use": "access" },
        } });
        let route = |id: &str, more: Value| {
            let mut route =
                json!({ "id": id, "path": format!("/{id}"), "methods": ["GET"], "origin": id, "access": "public" });
            route.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap());
            route
        };
        let mut routes = policy["routes"].take();
        let list = routes.as_array_mut().unwrap();
        list.push(route("tried", json!({ "origin": "echo", "access": "optional", "shadow": { "scopes": ["x"] } })));
        for name in ["switching", "gone"] {
            list.push(route(name, json!({})));
            policy["origins"][name] = json!({ "backend": name, "audience": format!("{name}-api") });
        }
        policy["routes"] = routes;
        let mut keys: Value = serde_json::from_str(&jwks()).unwrap();
        let mut twin = keys["keys"][0].clone();
        twin["kid"] = json!("twin");
        keys["keys"].as_array_mut().unwrap().push(twin);
        let backends = [
            ("echo", echo.address.to_string()),
            ("switching", switching.address.to_string()),
            ("gone", "127.0.0.1:1".to_owned()),
        ];
        let stores = Stores {
            kv: Some(vec![("policy".to_owned(), policy.to_string()), ("jwks/strict".to_owned(), keys.to_string())]),
            kv_notes: vec![("jwks/strict".to_owned(), keys_note(&policy, "strict", now(), 3600))],
            signing_keys: Some(signing_keys()),
            backends: backends.map(|(name, address)| (name.to_owned(), address)).to_vec(),
            ..Stores::default()
        };
        Self { edge: Edge::start(listener, &stores), _switching: switching, echo }
    }

    fn call(&self, path: &str, fields: &str) -> (Reply, Value) {
        let request = format!("GET {path} HTTP/1.1\r\nhost: 127.0.0.1\r\n{fields}connection: close\r\n\r\n");
        let reply = exchange(self.edge.address, request.as_bytes()).unwrap();
        let line = self.edge.log_of(reply.header("x-request-id").unwrap());
        (reply, line)
    }
}

#[test]
fn refusals_by_issuer_rules_and_origin_failures_have_codes() {
    let gate = Gate::start();
    let mut good = claims(STRICT, "user-1", "");
    good.as_object_mut()
        .unwrap()
        .extend(json!({ "tenant": "acme", "token_use": "access" }).as_object().cloned().unwrap());
    for (expected, claim, value) in [
        ("forwarded", "jti", json!("x")),
        ("token-client", "client_id", json!("other")),
        ("token-tenant", "tenant", json!("other")),
        ("token-claim-required", "token_use", json!("id")),
        ("token-other-kind", "nonce", json!("n")),
        ("token-too-old", "iat", json!(now() - 700)),
        ("token-lives-too-long", "exp", json!(now() + 3700)),
    ] {
        let mut claims = good.clone();
        claims[claim] = value;
        let (reply, line) = gate.call("/echo/x", &format!("authorization: Bearer {}\r\n", sign(&header(), &claims)));
        assert_eq!(line["verdict"], expected, "{line}");
        assert_eq!(reply.status, if expected == "forwarded" { 200 } else { 401 });
    }
    let mut nameless = header();
    nameless.as_object_mut().unwrap().remove("kid");
    let (_, line) = gate.call("/echo/x", &format!("authorization: Bearer {}\r\n", sign(&nameless, &good)));
    assert_eq!(line["verdict"], "token-ambiguous-key", "two keys match");
    assert_eq!(gate.echo.everything().len(), 1);

    let (reply, line) = gate.call("/tried", "");
    assert_eq!((reply.status, &line["shadow"]), (200, &json!(["would-refuse unidentified"])));

    for (expected, path, status) in
        [("origin-unexpected-status", "/switching", 502), ("origin-unreachable", "/gone", 502)]
    {
        let (reply, line) = gate.call(path, "");
        assert_eq!((line["verdict"].as_str(), reply.status), (Some(expected), status), "{line}");
    }
}
