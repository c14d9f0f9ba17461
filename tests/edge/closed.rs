//! Section L and row A14 of `docs/attacks.md`: a gate without policy, keys or issuer forwards nothing and gives the
//! reason only in the log.

use serde_json::json;

use crate::support::edge::{Edge, Listener, Stores};
use crate::support::http::{Reply, exchange};
use crate::support::origin::{Origin, response};
use crate::support::tokens::{claims, header, jwks, sign};
use crate::support::world::{issuer, policy, signing_keys};

/// An edge with these stores, in front of an origin that no request may reach.
fn edge(change: impl FnOnce(&mut Stores, &mut serde_json::Value)) -> (Edge, Origin) {
    let origin = Origin::responding(response("200 OK", &[], "reached"));
    let listener = Listener::bind();
    let mut policy = policy(listener.address(), "http://127.0.0.1:1");
    let mut stores = Stores {
        kv: Some(vec![]),
        signing_keys: Some(signing_keys()),
        backends: [
            ("origin", origin.address.to_string()),
            ("echo", origin.address.to_string()),
            ("issuer", "127.0.0.1:1".to_owned()),
        ]
        .map(|(name, address)| (name.to_owned(), address))
        .to_vec(),
        ..Stores::default()
    };
    change(&mut stores, &mut policy);
    if let Some(kv) = stores.kv.as_mut().filter(|kv| !kv.iter().any(|(key, _)| key == "policy")) {
        kv.push(("policy".to_owned(), policy.to_string()));
    }
    stores.kv.iter_mut().for_each(|kv| kv.retain(|(_, value)| value != "absent"));
    (Edge::start(listener, &stores), origin)
}

fn get(edge: &Edge, target: &str, fields: &str) -> Reply {
    let request = format!("GET {target} HTTP/1.1\r\nhost: 127.0.0.1\r\n{fields}connection: close\r\n\r\n");
    exchange(edge.address, request.as_bytes()).unwrap()
}

#[track_caller]
fn assert_closed(edge: &Edge, origin: &Origin, code: &str, cause: &[&str]) {
    for target in ["/", "/open/x", "/me", "/nothing", "/.well-known/fastgate/jwks.json"] {
        let reply = get(edge, target, "");
        assert_eq!(reply.status, 503, "{target}: {}", reply.text());
        assert_eq!(reply.problem(), "unavailable");
        assert_eq!(reply.header("retry-after"), Some("5"));
        let line = edge.log_of(reply.header("x-request-id").unwrap());
        assert_eq!(line["verdict"], code);
        for part in cause {
            assert!(line["cause"].as_str().unwrap().contains(part), "{part}: {line}");
            assert!(!reply.text().contains(part), "the response does not reveal the cause");
        }
    }
    assert!(origin.everything().is_empty(), "a closed gate forwards nothing");
}

#[test]
fn without_a_policy_the_gate_is_closed() {
    let (edge, origin) = edge(|stores, _| stores.kv = None);
    assert_closed(&edge, &origin, "policy-unusable", &["KV store \"fastgate\""]);
    let (edge, origin) = self::edge(|stores, _| {
        stores.kv = Some(vec![("policy".to_owned(), "absent".to_owned()), ("x".to_owned(), "y".to_owned())]);
    });
    assert_closed(&edge, &origin, "policy-unusable", &["holds no key \"policy\"", "`fastgate push`"]);
}

#[test]
fn with_an_invalid_policy_the_gate_is_closed_and_the_log_names_the_faults() {
    for (text, cause) in [
        ("", vec!["EOF"]),
        ("\u{0}\u{1}", vec!["$"]),
        ("<html>", vec!["line 1"]),
        (r#"{"edge":{"issuer":"x"}}"#, vec!["$.edge", "hosts"]),
    ] {
        let (edge, origin) = edge(|stores, _| stores.kv = Some(vec![("policy".to_owned(), text.to_owned())]));
        assert_closed(&edge, &origin, "policy-unusable", &cause);
    }
    let (edge, origin) = edge(|_, policy| policy["routes"][1]["path"] = json!("me"));
    assert_closed(&edge, &origin, "policy-unusable", &["$.routes[1].path"]);
}

#[test]
fn without_a_good_signing_key_the_gate_is_closed() {
    let (edge, origin) = edge(|stores, _| stores.signing_keys = None);
    assert_closed(&edge, &origin, "signing-keys-unusable", &["Secret Store \"fastgate\""]);
    let public = fastgate::mint::new_signing_keys().1;
    for keys in ["{}", "x", "{\"keys\":[]}", "{\"keys\":[{\"kty\":\"oct\",\"k\":\"c2VjcmV0\"}]}", &public] {
        let (edge, origin) = self::edge(|stores, _| stores.signing_keys = Some(keys.to_owned()));
        assert_closed(&edge, &origin, "signing-keys-unusable", &["secret \"signing-keys\""]);
        assert!(!edge.log_text().contains("c2VjcmV0"), "no part of a key is logged");
    }
}

#[test]
fn a_signing_key_made_of_halves_of_two_keys_signs_nothing_and_is_not_published() {
    let [mut key, other] =
        [(); 2].map(|()| serde_json::from_str::<serde_json::Value>(&fastgate::mint::new_signing_keys().0).unwrap());
    key["keys"][0]["x"] = other["keys"][0]["x"].clone();
    key["keys"][0].as_object_mut().unwrap().remove("kid");
    let (edge, origin) = edge(|stores, _| stores.signing_keys = Some(key.to_string()));
    for path in ["/open/x", "/.well-known/fastgate/jwks.json"] {
        let reply = get(&edge, path, "");
        assert_eq!((reply.status, reply.problem().as_str()), (503, "unavailable"), "{path}");
        assert_eq!(edge.log_of(reply.header("x-request-id").unwrap())["verdict"], "signing-failed");
    }
    assert!(origin.everything().is_empty());
}

#[test]
fn an_origin_with_a_key_is_closed_if_the_edge_has_no_x25519_key() {
    let mut keys: serde_json::Value = serde_json::from_str(&fastgate::mint::new_signing_keys().0).unwrap();
    keys["keys"].as_array_mut().unwrap().truncate(1);
    let (edge, origin) = edge(|stores, policy| {
        stores.signing_keys = Some(keys.to_string());
        policy["origins"]["echo"]["key"] =
            json!({ "kty": "OKP", "crv": "X25519", "x": "hSDwCYkwp1R0i33ctD73Wg2_Og0mOBr066SpjqqbTmo" });
    });
    let reply = get(&edge, "/open/x", "");
    assert_eq!((reply.status, reply.problem().as_str()), (503, "unavailable"));
    let line = edge.log_of(reply.header("x-request-id").unwrap());
    assert_eq!(line["verdict"], "no-exchange-key");
    assert!(line["cause"].as_str().unwrap().contains("no X25519 key"), "{line}");
    assert_eq!(get(&edge, "/.well-known/fastgate/jwks.json", "").status, 200);
    assert!(origin.everything().is_empty());
}

#[test]
fn unavailable_keys_give_503_and_neither_access_nor_401() {
    let (edge, origin) = edge(|_, _| {});
    let token = sign(&header(), &claims("http://127.0.0.1:1", "user-1", ""));
    let reply = get(&edge, "/echo/x", &format!("authorization: Bearer {token}\r\n"));
    assert_eq!((reply.status, reply.problem().as_str(), reply.header("retry-after")), (503, "unavailable", Some("5")));
    assert_eq!(edge.log_of(reply.header("x-request-id").unwrap())["verdict"], "keys-unavailable");
    assert_eq!(get(&edge, "/open/x", "").status, 200, "public routes need no keys");
    assert_eq!(origin.everything().len(), 1);
}

#[test]
fn repeated_credentials_do_not_contact_an_issuer_that_is_down() {
    let provider = Origin::start(|_, _| {});
    let iss = format!("http://{}", provider.address);
    let (edge, origin) = edge(|stores, policy| {
        policy["issuers"]["test"]["issuer"] = json!(iss);
        stores.backends.retain(|(name, _)| name != "issuer");
        stores.backends.push(("issuer".to_owned(), provider.address.to_string()));
    });
    let good = format!("authorization: Bearer {}\r\n", sign(&header(), &claims(&iss, "user-1", "")));
    let bad = "authorization: Bearer x\r\n";
    for fields in [good.repeat(2), good.repeat(3), format!("{good}{bad}"), format!("{bad}{good}")] {
        assert_eq!(get(&edge, "/echo/x", &fields).status, 400);
    }
    assert!(provider.everything().is_empty());
    assert_eq!(get(&edge, "/echo/x", &good).status, 503);
    assert!(!provider.everything().is_empty(), "a valid token causes a fetch");
    assert!(origin.everything().is_empty());
}

#[test]
fn seeded_keys_are_used_while_the_issuer_is_down() {
    let (edge, _origin) = edge(|stores, _| {
        let mut seeded: serde_json::Value = serde_json::from_str(&jwks()).unwrap();
        seeded["issuer"] = json!("http://127.0.0.1:1");
        stores.kv = Some(vec![("jwks/test".to_owned(), seeded.to_string())]);
    });
    let token = sign(&header(), &claims("http://127.0.0.1:1", "user-1", ""));
    let reply = get(&edge, "/echo/x", &format!("authorization: Bearer {token}\r\n"));
    assert_eq!(reply.status, 200, "{}", reply.text());
}

#[test]
fn a_key_set_is_fetched_once_and_then_cached() {
    let provider = issuer(jwks());
    let iss = format!("http://{}", provider.address);
    let (edge, _origin) = edge(|stores, policy| {
        policy["issuers"]["test"]["issuer"] = json!(iss);
        stores
            .backends
            .iter_mut()
            .filter(|(name, _)| name == "issuer")
            .for_each(|(_, address)| *address = provider.address.to_string());
    });
    let token = sign(&header(), &claims(&iss, "user-1", ""));
    for _ in 0..20 {
        assert_eq!(get(&edge, "/echo/x", &format!("authorization: Bearer {token}\r\n")).status, 200);
    }
    let fetched: Vec<_> = provider.everything().iter().map(|request| request.request_line().to_owned()).collect();
    assert_eq!(fetched, ["GET /.well-known/openid-configuration HTTP/1.1", "GET /jwks HTTP/1.1"]);
}

#[test]
fn a_route_whose_backend_does_not_exist_is_a_502() {
    let (edge, origin) = edge(|_, policy| policy["origins"]["echo"]["backend"] = json!("nowhere"));
    let reply = get(&edge, "/open/x", "");
    assert_eq!((reply.status, reply.problem().as_str()), (502, "bad-gateway"));
    assert!(origin.everything().is_empty());
}

#[test]
fn an_unreadable_kill_switch_closes_the_gate() {
    // A value that can be read only in part counts as unreadable.
    let (edge, origin) = edge(|stores, _| stores.kv = Some(vec![("switch".to_owned(), " ".repeat(100_000))]));
    assert_closed(&edge, &origin, "switch-unreadable", &["KV store \"fastgate\"", "too long"]);
}
