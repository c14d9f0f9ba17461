//! Opaque tokens at the edge, with a provider behind a socket that responds or fails.

use std::io::Write as _;
use std::net::TcpStream;
use std::sync::{Arc, Mutex};
use std::thread::{scope, sleep};
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::child::Provider;
use crate::support::edge::{Edge, Listener, Stores};
use crate::support::http::{Reply, exchange};
use crate::support::origin::{Origin, Received, response};
use crate::support::tokens::{claims, header, jwks, now, sign};
use crate::support::world::{issuer, policy, signing_keys};

struct Gate {
    edge: Edge,
    echo: Origin,
    issuer: Origin,
}

impl Gate {
    /// An edge that introspects opaque tokens at `provider`.
    fn start(provider: &Origin, window: u64) -> Self {
        let (issuer, listener) = (issuer(jwks()), Listener::bind());
        let echo = Origin::responding(response("200 OK", &[], "{}"));
        let mut policy = policy(listener.address(), &format!("http://{}", issuer.address));
        policy["issuers"]["test"]["verdict_window"] = json!(window);
        policy["issuers"]["test"]["introspection"] = json!({
            "url": format!("http://{}/introspect", provider.address), "backend": "provider",
            "client_id": "edge:1", "client_secret": "odd-client",
        });
        let backends = [("echo", echo.address), ("issuer", issuer.address), ("provider", provider.address)];
        let edge = Edge::start(listener, &stores(&policy, &backends));
        Self { edge, echo, issuer }
    }

    fn call(&self, token: &str) -> Reply {
        call(&self.edge, token)
    }

    fn verdict(&self, token: &str) -> String {
        let reply = self.call(token);
        self.edge.log_of(reply.header("x-request-id").unwrap())["verdict"].as_str().unwrap().to_owned()
    }
}

fn stores(policy: &Value, backends: &[(&str, std::net::SocketAddr)]) -> Stores {
    Stores {
        kv: Some(vec![("policy".to_owned(), policy.to_string())]),
        signing_keys: Some(signing_keys()),
        backends: backends.iter().map(|(name, address)| ((*name).to_owned(), address.to_string())).collect(),
        ..Stores::default()
    }
}

fn call(edge: &Edge, token: &str) -> Reply {
    let request = format!(
        "GET /echo/x HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {token}\r\nconnection: close\r\n\r\n"
    );
    exchange(edge.address, request.as_bytes()).unwrap()
}

fn good() -> Value {
    json!({
        "active": true, "aud": "https://api.test", "sub": "user-1", "client_id": "shop", "scope": "orders:read",
        "iat": now(), "exp": now() + 300,
    })
}

fn say(body: &str) -> Vec<u8> {
    response("200 OK", &[("content-type", "application/json")], body)
}

/// The token in an introspection request.
fn token_of(request: &Received) -> String {
    let form = String::from_utf8_lossy(&request.body).into_owned();
    form.strip_prefix("token=").and_then(|rest| rest.split('&').next()).unwrap_or_default().to_owned()
}

#[test]
fn a_token_is_introspected_once_in_a_window() {
    let provider = Origin::start(|_, stream| {
        sleep(Duration::from_millis(300));
        let _ = stream.write_all(&say(&good().to_string()));
    });
    let gate = Gate::start(&provider, 300);
    scope(|scope| {
        for _ in 0..20 {
            scope.spawn(|| (0..5).for_each(|_| assert_eq!(gate.call("one/two+three=").status, 200)));
        }
    });
    let introspections = provider.everything();
    let [introspection] = introspections.as_slice() else { panic!("{} introspection requests", introspections.len()) };
    assert_eq!(introspection.request_line(), "POST /introspect HTTP/1.1");
    assert_eq!(String::from_utf8_lossy(&introspection.body), "token=one%2Ftwo%2Bthree%3D&token_type_hint=access_token");
    assert_eq!(introspection.all("content-type"), ["application/x-www-form-urlencoded"]);
    // base64 of "edge%3A1:s+p%2Bc%2Fi%3A%C3%A4l"
    assert_eq!(introspection.all("authorization"), ["Basic ZWRnZSUzQTE6cytwJTJCYyUyRmklM0ElQzMlQTRs"]);
    assert_eq!(gate.echo.everything().len(), 100);
    assert!(gate.issuer.everything().is_empty(), "introspection needs no key");
    for secret in ["one/two", "one%2Ftwo", "s p+c", "ZWRnZSUz"] {
        assert!(!gate.edge.log_text().contains(secret), "{secret}");
    }
    let signed = sign(&header(), &claims(&format!("http://{}", gate.issuer.address), "user-1", ""));
    assert_eq!(gate.verdict(&signed), "forwarded");
    assert_eq!(provider.everything().len(), 1, "a signed token is not introspected");
}

#[test]
fn a_token_that_the_provider_ends_is_refused_within_the_window() {
    let active = Arc::new(Mutex::new(true));
    let shared = Arc::clone(&active);
    let provider = Origin::start(move |_, stream| {
        let body = if *shared.lock().unwrap() { good() } else { json!({ "active": false }) };
        let _ = stream.write_all(&say(&body.to_string()));
    });
    let gate = Gate::start(&provider, 2);
    assert_eq!(gate.verdict("opaque"), "forwarded");
    *active.lock().unwrap() = false;
    sleep(Duration::from_millis(3100));
    for _ in 0..5 {
        assert_eq!(gate.verdict("opaque"), "token-inactive");
    }
    assert!(provider.everything().len() <= 4, "an inactive token is remembered, too");
    let reply = gate.call("opaque");
    assert_eq!((reply.status, reply.problem().as_str()), (401, "invalid-token"));
}

/// The faults of a provider. Each is also the name of the token that causes it.
const FAULTS: [&str; 19] = [
    "closes",
    "hangs",
    "drips",
    "500",
    "502",
    "503",
    "429",
    "401",
    "403",
    "404",
    "204",
    "redirects",
    "html",
    "empty",
    "object",
    "text",
    "truncated",
    "twice",
    "floods",
];

fn fail(fault: &str, stream: &mut TcpStream) {
    let body = good().to_string();
    let bytes = match fault {
        "closes" => return,
        "hangs" => return sleep(Duration::from_secs(20)),
        "drips" => {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n{");
            for _ in 0..60 {
                sleep(Duration::from_millis(250));
                if stream.write_all(b" ").is_err() {
                    return;
                }
            }
            return;
        }
        "204" => b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n".to_vec(),
        "redirects" => response("302 Found", &[("location", "/elsewhere")], &body),
        "html" => say("<!doctype html><title>Sign in</title>"),
        "empty" => say(""),
        "object" => say("{}"),
        "text" => say(&body.replace("true", "\"true\"")),
        "truncated" => say(body.trim_end_matches('}')),
        "twice" => say(&body.replacen('{', "{\"active\":true,", 1)),
        "floods" => say(&format!("{}{body}", " ".repeat(10_000_000))),
        status => response(&format!("{status} Something"), &[("content-type", "application/json")], &body),
    };
    let _ = stream.write_all(&bytes);
}

#[test]
fn every_fault_of_a_provider_gives_503() {
    let provider = Origin::start(|request, stream| fail(&token_of(request), stream));
    let gate = Gate::start(&provider, 30);
    scope(|scope| {
        for fault in FAULTS {
            let gate = &gate;
            scope.spawn(move || {
                for _ in 0..2 {
                    let reply = gate.call(fault);
                    assert_eq!((reply.status, reply.problem().as_str()), (503, "unavailable"), "{fault}");
                    assert!(reply.header("retry-after").is_some(), "{fault}");
                    let line = gate.edge.log_of(reply.header("x-request-id").unwrap());
                    assert_eq!(line["verdict"], "introspection-unavailable", "{fault}: {line}");
                }
            });
        }
    });
    assert!(gate.echo.everything().is_empty());
    assert!(provider.everything().iter().all(|request| request.request_line().contains("/introspect")));
}

#[test]
fn a_real_providers_opaque_token_is_accepted_for_its_scopes() {
    let (provider, listener) = (Provider::start(), Listener::bind());
    let echo = Origin::responding(response("200 OK", &[], "{}"));
    let mut policy = policy(listener.address(), &provider.issuer);
    let opaque = "https://opaque.fastgate.example";
    policy["issuers"]["test"]["audiences"] = json!([opaque]);
    policy["issuers"]["test"]["introspection"] = json!({
        "url": format!("{}/token/introspection", provider.issuer), "backend": "issuer",
        "client_id": "demo-edge", "client_secret": "provider-client",
    });
    let routes = policy["routes"].as_array_mut().unwrap();
    for route in routes.iter_mut().filter(|route| route.get("respond").is_none()) {
        route["origin"] = json!("echo");
    }
    let edge = Edge::start(listener, &stores(&policy, &[("echo", echo.address), ("issuer", provider.address())]));
    let token = provider.token("demo-reader", &format!("scope=orders:read&resource={opaque}"));
    assert!(!token.contains('.'), "the token is opaque");
    let reply = call(&edge, &token);
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert_eq!(edge.log_of(reply.header("x-request-id").unwrap())["subject"], "demo-reader");
    assert_eq!(call(&edge, "no-token-of-this-provider").problem(), "invalid-token");
    assert_eq!(call(&edge, &format!("{token}x")).problem(), "invalid-token");
}

#[test]
fn a_shadow_policy_introspects_live_tokens_only_if_it_says_so_and_after_the_response() {
    for allowed in [false, true] {
        let provider = Origin::start(|_, stream| {
            let _ = stream.write_all(&say(&good().to_string()));
        });
        let (issuer, listener) = (issuer(jwks()), Listener::bind());
        let echo = Origin::responding(response("200 OK", &[], "{}"));
        let live = policy(listener.address(), &format!("http://{}", issuer.address));
        let mut tried = live.clone();
        tried["issuers"]["test"]["introspection"] = json!({
            "url": format!("http://{}/introspect", provider.address), "backend": "provider",
            "client_id": "edge:1", "client_secret": "odd-client", "ask_in_shadow": allowed,
        });
        let backends = [("echo", echo.address), ("issuer", issuer.address), ("provider", provider.address)];
        let mut stores = stores(&live, &backends);
        stores.kv.as_mut().unwrap().push(("policy.shadow".to_owned(), tried.to_string()));
        let edge = Edge::start(listener, &stores);
        let shadow_says = || {
            let reply = call(&edge, "opaque-token");
            assert_eq!(reply.status, 401, "the live policy accepts no opaque tokens");
            edge.log_of(reply.header("x-request-id").unwrap())["shadow_policy"].as_str().unwrap().to_owned()
        };
        assert_eq!(shadow_says(), "would-refuse introspection-unavailable");
        let learnt = (0..100).any(|_| {
            sleep(Duration::from_millis(20));
            shadow_says() == "would-forward"
        });
        assert_eq!((learnt, provider.everything().len()), (allowed, usize::from(allowed)));
    }
}
