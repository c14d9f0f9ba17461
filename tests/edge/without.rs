//! Rows L6 and L8 of `docs/attacks.md`: the guest on a platform without a log endpoint or randomness. One import of the
//! guest is replaced with a function of the same type that fails.

use std::path::{Path, PathBuf};

use crate::support::edge::{Edge, Listener, Stores};
use crate::support::guest::GUEST;
use crate::support::http::{Reply, exchange};
use crate::support::origin::{Origin, response};
use crate::support::world::{policy, signing_keys};

/// An import: its module and its name.
type Import = (&'static str, &'static str);

/// Writes the guest with `by` imported in place of `import` to a file and returns its path.
fn guest_without(import: Import, by: Import) -> PathBuf {
    let guest = std::fs::read(GUEST).unwrap();
    let (from, to) = (encoded(import), encoded(by));
    let mut module = guest[..8].to_vec(); // magic number and version
    let mut rest = &guest[8..];
    let mut replaced = 0;
    while let Some((id, after)) = rest.split_first() {
        let (length, after) = read_number(after);
        let (section, after) = after.split_at(length);
        let mut section = section.to_vec();
        if *id == IMPORTS {
            while let Some(at) = section.windows(from.len()).position(|window| window == from) {
                section.splice(at..at + from.len(), to.iter().copied());
                replaced += 1;
            }
        }
        module.push(*id);
        module.extend(number(section.len()));
        module.extend(section);
        rest = after;
    }
    assert_eq!(replaced, 1, "{import:?}");
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("without-{}-{}.wasm", import.1, std::process::id()));
    std::fs::write(&file, module).unwrap();
    file
}

/// The id of the import section of a module (WebAssembly core specification, 5.5.5).
const IMPORTS: u8 = 2;

/// The encoding of an import: both names, each after its length, and the byte for a function.
fn encoded((module, name): Import) -> Vec<u8> {
    [number(module.len()).as_slice(), module.as_bytes(), &number(name.len()), name.as_bytes(), &[0]].concat()
}

/// Unsigned LEB128.
fn number(mut value: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push(u8::try_from(value & 0x7f).unwrap() | 0x80);
        value >>= 7;
    }
    bytes.push(u8::try_from(value).unwrap());
    bytes
}

fn read_number(bytes: &[u8]) -> (usize, &[u8]) {
    let last = bytes.iter().position(|byte| *byte < 0x80).unwrap();
    let value = bytes[..=last].iter().rev().fold(0, |value, byte| value << 7 | usize::from(byte & 0x7f));
    (value, &bytes[last + 1..])
}

/// An edge whose guest lacks an import, and the origin behind it.
fn edge_without(import: Import, by: Import) -> (Edge, Origin) {
    let origin = Origin::responding(response("200 OK", &[], "reached"));
    let listener = Listener::bind();
    let policy = policy(listener.address(), "http://127.0.0.1:1");
    let stores = Stores {
        kv: Some(vec![("policy".to_owned(), policy.to_string())]),
        signing_keys: Some(signing_keys()),
        backends: vec![("echo".to_owned(), origin.address.to_string())],
        ..Stores::default()
    };
    let guest = guest_without(import, by);
    let edge = Edge::run(&guest, listener, &stores);
    std::fs::remove_file(guest).unwrap();
    (edge, origin)
}

fn get(edge: &Edge, target: &str) -> Reply {
    let request = format!("GET {target} HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n");
    exchange(edge.address, request.as_bytes()).unwrap()
}

#[test]
fn a_log_endpoint_that_is_missing_or_refuses_changes_nothing_for_the_request() {
    for (import, by) in [
        // There is no backend of that name: the error is an invalid argument, as for an invalid endpoint.
        (("fastly_log", "endpoint_get"), ("fastly_backend", "is_ssl")),
        // Viceroy has no HTTP cache.
        (("fastly_log", "write"), ("fastly_http_cache", "get_vary_rule")),
    ] {
        let (edge, origin) = edge_without(import, by);
        for number in 1..4 {
            let reply = get(&edge, "/open/x");
            assert_eq!((reply.status, reply.text().as_str()), (200, "reached"), "{import:?}");
            assert_eq!(origin.everything().len(), number);
            assert_eq!((get(&edge, "/echo/x").status, get(&edge, "/nothing").status), (401, 404), "{import:?}");
        }
        assert_eq!(edge.log_text(), "", "{import:?}");
    }
}

#[test]
fn without_randomness_nothing_is_forwarded() {
    // `random_get` becomes `fd_prestat_get`; its first argument, an address, is then no valid file descriptor.
    let (edge, origin) =
        edge_without(("wasi_snapshot_preview1", "random_get"), ("wasi_snapshot_preview1", "fd_prestat_get"));
    for target in ["/open/x", "/echo/x", "/nothing", "/.well-known/fastgate/jwks.json"] {
        // The SDK ends the sandbox before the guest sees the request, or the guest cannot make a request id and
        // responds with 503.
        let reply = get(&edge, target);
        assert!(matches!(reply.status, 500 | 503), "{target}: {} {}", reply.status, reply.text());
    }
    assert!(origin.everything().is_empty());
}
