//! Rows J8, J9 of `docs/attacks.md` under load: many simultaneous misses, and an origin that fails for a minute.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{scope, sleep};
use std::time::{Duration, Instant};

use serde_json::json;

use super::{Gate, Told, begin_second, status};

/// The URLs that are requested during an outage.
const URLS: usize = 20;

#[test]
fn simultaneous_misses_cause_one_request_for_each_tenant() {
    misses(200);
}

#[test]
#[ignore = "takes the machine for seconds: `make outage`"]
fn a_thousand_identical_misses_cause_one_request_for_each_tenant() {
    misses(1000);
}

/// So many clients request the same at once, of one tenant and then of ten.
fn misses(clients: usize) {
    let gate = Gate::start("authenticated", &json!({ "audience": "tenant", "ttl": 60 }));
    let takes = Duration::from_millis(1500);
    for (path, tenants) in [("/shared/one", 1), ("/shared/ten", 10)] {
        gate.tell(path, Told { body: "x".repeat(500), takes, ..Told::default() });
        let tokens: Vec<_> =
            (0..tenants).map(|number| gate.token("ada", &json!({ "tid": format!("tenant-{number}") }))).collect();
        let stored = AtomicU64::new(0);
        scope(|scope| {
            for number in 0..clients {
                let (gate, stored, token) = (&gate, &stored, &tokens[number % tenants]);
                scope.spawn(move || {
                    let reply = gate.send(&format!("GET {path}"), &format!("authorization: Bearer {token}\r\n"));
                    assert_eq!((reply.status, reply.body.len()), (200, 500));
                    stored.fetch_add(u64::from(status(&reply).contains("hit")), Ordering::Relaxed);
                });
            }
        });
        assert_eq!(gate.seen(path).len(), tenants, "{path}");
        assert_eq!(stored.load(Ordering::Relaxed), u64::try_from(clients - tenants).unwrap());
    }
}

/// Every request finds a stale response that must not be sent. However the origin responds, they do not wait for each other
/// one by one.
#[test]
fn requests_for_a_stale_response_do_not_queue() {
    let gate = Gate::start("public", &json!({ "audience": "public", "ttl": 1, "stale_if_error": 60 }));
    let takes = Duration::from_millis(300);
    let tagged = Told { fields: vec![("etag", "\"1\"".to_owned())], body: "x".to_owned(), ..Told::default() };
    for (path, told, most) in [
        ("/shared/valid", Told { takes, ..tagged.clone() }, 2),
        ("/shared/new", Told { takes, body: "y".to_owned(), ..Told::default() }, 2),
        ("/shared/gone", Told { takes, status: "404 Not Found", ..Told::default() }, 20),
        (
            "/shared/private",
            Told { takes, fields: vec![("cache-control", "no-store".to_owned())], ..Told::default() },
            20,
        ),
        ("/shared/failed", Told { takes, status: "503 Service Unavailable", ..Told::default() }, 2),
        ("/shared/down", Told { takes, is_down: true, ..Told::default() }, 2),
    ] {
        gate.tell(path, tagged.clone());
        gate.get(path);
        gate.tell(path, told);
        sleep(Duration::from_millis(1100));
        begin_second(); // a response is a second old if another second has begun when it arrives
        let started = Instant::now();
        scope(|scope| (0..20).for_each(|_| drop(scope.spawn(|| gate.get(path)))));
        let (took, requests) = (started.elapsed(), gate.seen(path).len() - 1);
        assert!(took < Duration::from_secs(2), "{path}: {took:?}");
        assert!(requests <= most, "{path}: {requests} requests");
    }
}

/// The origin responds for `up`, fails for `down`, and responds again for `up`. Meanwhile callers request what is stored,
/// what is not stored for their tenant, and what they are not admitted to.
fn outage(up: Duration, down: Duration) {
    let cache = json!({ "audience": "tenant", "ttl": 2, "stale_while_revalidate": 1, "stale_if_error": 300 });
    let gate = Gate::with(&json!({ "require": { "role": "admin" }, "cache": cache }));
    let path = |number: usize| format!("/shared/{}", number % URLS);
    let everywhere = |told: &Told| (0..URLS).for_each(|number| gate.tell(&path(number), told.clone()));
    let token = |tenant: &str, role: &str| gate.token("ada", &json!({ "tid": tenant, "roles": [role] }));
    let (admitted, stranger, refused) = (token("one", "admin"), token("two", "admin"), token("one", "reader"));
    let send = |number: usize, token: &str| {
        gate.send(&format!("GET {}", path(number)), &format!("authorization: Bearer {token}\r\n"))
    };
    everywhere(&Told { body: "before".to_owned(), ..Told::default() });
    (0..URLS).for_each(|number| assert_eq!(send(number, &admitted).status, 200));
    let (ends, requests, stale) = (AtomicBool::new(false), AtomicU64::new(0), AtomicU64::new(0));
    let recovery = scope(|scope| {
        for worker in 0..4 {
            let (send, admitted, refused, ends, requests, stale) =
                (&send, &admitted, &refused, &ends, &requests, &stale);
            scope.spawn(move || {
                let mut number = worker * 5;
                while !ends.load(Ordering::Relaxed) {
                    number += 1;
                    let reply = send(number, admitted);
                    assert_eq!(reply.status, 200, "{number}: {}", reply.text());
                    assert!(["before", "after"].contains(&reply.text().as_str()));
                    requests.fetch_add(1, Ordering::Relaxed);
                    stale.fetch_add(u64::from(status(&reply).contains("ttl=-")), Ordering::Relaxed);
                    if number % 7 == 0 {
                        assert_eq!(send(number, refused).status, 403);
                    }
                }
            });
        }
        sleep(up);
        everywhere(&Told { is_down: true, ..Told::default() });
        let failing = Instant::now();
        while failing.elapsed() < down {
            sleep(Duration::from_millis(500));
            assert_eq!(send(0, &stranger).status, 502, "nothing is stored for this tenant");
        }
        let before = gate.origin.everything().len();
        everywhere(&Told { body: "after".to_owned(), ..Told::default() });
        // Two seconds without a new try, and the lifetime of what is stored then.
        sleep(Duration::from_secs(3));
        let recovery = gate.origin.everything().len() - before;
        sleep(up);
        ends.store(true, Ordering::Relaxed);
        recovery
    });
    assert_eq!(send(1, &admitted).text(), "after");
    let (requests, stale) = (requests.load(Ordering::Relaxed), stale.load(Ordering::Relaxed));
    println!("{requests} requests, {stale} stale responses; {recovery} requests in the three seconds of the recovery");
    assert!(stale > 0);
    assert!(recovery <= 5 * URLS, "a stampede: {recovery} requests for {URLS} URLs");
}

#[test]
fn an_origin_that_fails_for_seconds_is_outlasted() {
    outage(Duration::from_secs(1), Duration::from_secs(5));
}

#[test]
#[ignore = "takes a minute: `make outage`"]
fn an_origin_that_fails_for_a_minute_is_outlasted() {
    outage(Duration::from_secs(5), Duration::from_mins(1));
}
