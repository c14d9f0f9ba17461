//! Rows J10, J13 of `docs/attacks.md`: purges: by the origin's responses and by unsafe requests, never by clients.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use super::{Gate, Told, begin_second, status};

fn is_hit(gate: &Gate, path: &str) -> bool {
    status(&gate.get(path)).contains("hit")
}

#[test]
fn the_origin_purges_by_surrogate_key_and_a_client_cannot() {
    let gate = Gate::public(60);
    gate.responds("/shared/a", "a", &[("surrogate-key", "orders:7 users")]);
    gate.responds("/shared/b", "b", &[("surrogate-key", "users")]);
    gate.responds("/other/purge", "", &[("fastgate-purge", "orders:7")]);
    for path in ["/shared/a", "/shared/b"] {
        assert!(!is_hit(&gate, path) && is_hit(&gate, path));
    }
    gate.send("POST /other/nothing", "fastgate-purge: orders:7 users\r\nsurrogate-key: users\r\ncontent-length: 0\r\n");
    assert_eq!(gate.send("PURGE /shared/a", "").status, 405);
    assert!(is_hit(&gate, "/shared/a") && is_hit(&gate, "/shared/b"));
    let purged = gate.send("POST /other/purge", "content-length: 0\r\n");
    assert_eq!(purged.header("fastgate-purge"), None);
    assert!(!is_hit(&gate, "/shared/a") && is_hit(&gate, "/shared/b"));
}

#[test]
fn an_unsafe_request_without_an_error_purges_its_url() {
    let gate = Gate::public(60);
    gate.responds("/shared/a", "a", &[]);
    gate.responds("/shared/b", "b", &[]);
    assert!(!is_hit(&gate, "/shared/a") && !is_hit(&gate, "/shared/b"));
    gate.send("DELETE /shared/a", "");
    assert!(!is_hit(&gate, "/shared/a") && is_hit(&gate, "/shared/b"));
    gate.tell("/shared/b", Told { status: "409 Conflict", ..Told::default() });
    gate.send("POST /shared/b", "content-length: 0\r\n");
    assert!(is_hit(&gate, "/shared/b"), "an error changes nothing");
}

#[test]
fn a_purge_while_the_response_is_on_its_way_is_not_lost() {
    let gate = Arc::new(Gate::public(60));
    let fields = vec![("surrogate-key", "k".to_owned())];
    gate.tell(
        "/shared/slow",
        Told { fields, body: "old".to_owned(), takes: Duration::from_millis(600), ..Told::default() },
    );
    gate.responds("/other/purge", "", &[("fastgate-purge", "k")]);
    begin_second();
    let client = {
        let gate = Arc::clone(&gate);
        thread::spawn(move || gate.get("/shared/slow"))
    };
    thread::sleep(Duration::from_millis(250));
    gate.get("/other/purge");
    assert_eq!(client.join().unwrap().text(), "old");
    gate.responds("/shared/slow", "new", &[]);
    thread::sleep(Duration::from_secs(1));
    assert_eq!(gate.get("/shared/slow").text(), "new", "the old response was not stored");
}
