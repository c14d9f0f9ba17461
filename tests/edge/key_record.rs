//! The record of the edge's keys in the KV store, with a secret for each key: what is published, which key signs, what
//! closes the gate, and a rotation while requests arrive.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{scope, sleep};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use fastgate::mint::{Curve, KeyText, RecordedKey, new_edge_key};
use fastgate::secret::Secret;
use hyper::{Body, Request};
use serde_json::{Value, json};

use crate::support::edge::{Edge, Listener, RUNTIME, Stores};
use crate::support::guest;
use crate::support::http::{Reply, exchange};
use crate::support::origin::{Origin, response};
use crate::support::world::{policy, signing_keys, stores};

const KV_WRITER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/edge/model/kv_writer.wat");
const PUBLISHED: &str = "/.well-known/fastgate/jwks.json";

type NewKey = (RecordedKey, KeyText);

fn new(curve: Curve) -> NewKey {
    new_edge_key(curve).unwrap()
}

/// A record of these keys in these states.
fn record(keys: &[(&NewKey, &str)]) -> String {
    let entry = |((key, _), state): &(&NewKey, &str)| {
        let mut entry = serde_json::to_value(key).unwrap();
        entry["state"] = json!(state);
        entry
    };
    json!({ "version": 1, "keys": keys.iter().map(entry).collect::<Vec<_>>() }).to_string()
}

/// An edge with this record and the secrets of these keys.
fn edge(record: &str, with_secret: &[&NewKey], change: impl FnOnce(&mut Stores)) -> (Edge, Origin) {
    let origin = Origin::responding(response("200 OK", &[], "reached"));
    let listener = Listener::bind();
    let policy = policy(listener.address(), "http://127.0.0.1:1");
    let mut stores = stores(&policy, &["origin", "echo", "issuer"].map(|name| (name, origin.address)));
    stores.kv.as_mut().unwrap().push(("edge-keys".to_owned(), record.to_owned()));
    let secret = |(key, secret): &&NewKey| (format!("signing-key.{}", key.kid), secret.expose().to_string());
    stores.secrets = with_secret.iter().map(secret).collect();
    change(&mut stores);
    (Edge::start(listener, &stores), origin)
}

fn get(edge: &Edge, target: &str) -> Reply {
    let request = format!("GET {target} HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n");
    exchange(edge.address, request.as_bytes()).unwrap()
}

fn published(edge: &Edge) -> Vec<String> {
    let reply = get(edge, PUBLISHED);
    assert_eq!(reply.status, 200, "{}", reply.text());
    reply.json()["keys"].as_array().unwrap().iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
}

/// The `kid` of each header that the origin received.
fn signers(origin: &Origin) -> Vec<String> {
    let kid = |token: &str| {
        let header = URL_SAFE_NO_PAD.decode(token.split('.').next().unwrap()).unwrap();
        serde_json::from_slice::<Value>(&header).unwrap()["kid"].as_str().unwrap().to_owned()
    };
    origin.everything().iter().map(|received| kid(received.all("fastgate-identity")[0])).collect()
}

fn ids(keys: &[&NewKey]) -> Vec<String> {
    keys.iter().map(|(key, _)| key.kid.clone()).collect()
}

#[test]
fn the_key_of_the_record_signs_and_its_keys_are_published() {
    let (signing, next, retired, exchange) =
        (new(Curve::Ed25519), new(Curve::Ed25519), new(Curve::Ed25519), new(Curve::X25519));
    let text = record(&[(&retired, "retired"), (&next, "next"), (&signing, "signing"), (&exchange, "signing")]);
    // A key without a place in the record is not published, and neither are those of the former secret.
    let unlisted = new(Curve::Ed25519);
    for former in [Some(signing_keys()), Some("broken".to_owned()), None] {
        let (edge, origin) =
            edge(&text, &[&signing, &next, &retired, &exchange, &unlisted], |stores| stores.signing_keys = former);
        assert_eq!(published(&edge), ids(&[&signing, &exchange, &next, &retired]));
        assert_eq!(get(&edge, "/open/x").status, 200);
        assert_eq!(signers(&origin), ids(&[&signing]));
    }
}

#[test]
fn a_writer_of_the_record_cannot_make_origins_trust_a_key() {
    let (signing, theirs) = (new(Curve::Ed25519), new(Curve::Ed25519));
    for state in ["next", "retired"] {
        let (edge, origin) = edge(&record(&[(&signing, "signing"), (&theirs, state)]), &[&signing], |_| {});
        assert_eq!(published(&edge), ids(&[&signing]), "{state}");
        assert_eq!(get(&edge, "/open/x").status, 200);
        assert_eq!(signers(&origin), ids(&[&signing]));
    }
    let as_signing = record(&[(&theirs, "signing"), (&signing, "retired")]);
    assert_closed(&as_signing, &[&signing], &["signing-key.", "fastgate keys status"]);
}

#[track_caller]
fn assert_closed(record: &str, with_secret: &[&NewKey], cause: &[&str]) {
    let (edge, origin) = edge(record, with_secret, |_| {});
    for target in ["/open/x", "/nothing", PUBLISHED] {
        let reply = get(&edge, target);
        assert_eq!((reply.status, reply.problem().as_str()), (503, "unavailable"), "{target}: {record}");
        let line = edge.log_of(reply.header("x-request-id").unwrap());
        assert_eq!(line["verdict"], "signing-keys-unusable");
        for part in ["key \"edge-keys\""].iter().chain(cause) {
            assert!(line["cause"].as_str().unwrap().contains(part), "{part}: {line}");
        }
    }
    assert!(origin.everything().is_empty());
    for (_, secret) in with_secret {
        let private: Value = serde_json::from_str(secret.expose()).unwrap();
        assert!(!edge.log_text().contains(private["d"].as_str().unwrap()), "no part of a secret is logged");
    }
}

#[test]
fn with_an_unusable_record_the_gate_is_closed_and_the_former_secret_is_not_read() {
    let (one, two) = (new(Curve::Ed25519), new(Curve::Ed25519));
    let good = record(&[(&one, "signing")]);
    assert_closed("", &[&one], &["JSON"]);
    assert_closed(&good.replace("\"version\"", "\"note\":1,\"version\""), &[&one], &["note"]);
    assert_closed(&good.replace("\"version\":1", "\"version\":2"), &[&one], &["version 2"]);
    assert_closed(&record(&[(&one, "signing"), (&two, "signing")]), &[&one, &two], &["more than one Ed25519"]);
    assert_closed(&record(&[(&one, "next")]), &[&one], &["no Ed25519 key"]);
    assert_closed(&good, &[], &["there is no secret \"signing-key."]);
    let others = (one.0.clone(), Secret::new(two.1.expose().clone()));
    assert_closed(&good, &[&others], &["is not its private key"]);
    assert_closed(&record(&[(&two, "signing"), (&one, "next")]), &[&two, &others], &["is not its private key"]);
    assert_closed(&format!("{good}{}", " ".repeat(64 * 1024)), &[&one], &["longer than"]);
}

#[test]
fn a_rotation_while_requests_arrive_refuses_none() {
    let (old, new) = (new(Curve::Ed25519), new(Curve::Ed25519));
    let (edge, origin) = edge(&record(&[(&old, "signing")]), &[&old, &new], |_| {});
    let writer = guest::kv_writer(&edge.viceroy(), Path::new(KV_WRITER)).unwrap();
    let write = |value: &str| {
        let key = "edge-keys";
        let written = [&[u8::try_from(key.len()).unwrap()], key.as_bytes(), value.as_bytes()].concat();
        let request = Request::post("http://edge.test/").body(Body::from(written)).unwrap();
        let here = ([127, 0, 0, 1], 443).into();
        let (_, trap) = RUNTIME.block_on(std::sync::Arc::clone(&writer).handle_request(request, here, here)).unwrap();
        assert!(trap.is_none(), "{trap:?}");
    };
    // A sandbox reads the record at least every ten seconds.
    let until = |is: &dyn Fn() -> bool| {
        let patience = Instant::now();
        while !is() {
            assert!(patience.elapsed() < Duration::from_secs(20), "the record is not followed");
            sleep(Duration::from_millis(20));
        }
    };
    let ends = AtomicBool::new(false);
    let sent = scope(|scope| {
        let load = || {
            let mut sent = 0;
            while !ends.load(Ordering::Relaxed) {
                let reply = get(&edge, "/open/x");
                assert_eq!(reply.status, 200, "{}", reply.text());
                sent += 1;
            }
            sent
        };
        let threads = [(); 3].map(|()| scope.spawn(load));
        let signs = |key: &NewKey| signers(&origin).iter().rev().take(12).all(|signer| *signer == key.0.kid);
        for (keys, signer) in [
            (vec![(&old, "signing"), (&new, "next")], &old),
            (vec![(&new, "signing"), (&old, "retired")], &new),
            (vec![(&new, "signing")], &new),
        ] {
            write(&record(&keys));
            let expected: Vec<_> = keys.iter().map(|(key, _)| key.0.kid.clone()).collect();
            until(&|| published(&edge) == expected && signs(signer));
        }
        ends.store(true, Ordering::Relaxed);
        threads.map(|thread| thread.join().unwrap()).iter().sum::<usize>()
    });
    let signers = signers(&origin);
    assert_eq!(signers.len(), sent);
    assert_eq!(signers.into_iter().collect::<BTreeSet<_>>(), ids(&[&old, &new]).into_iter().collect());
}
