//! Measures finding the route of a request and reading the policy, for a policy of ten routes and one of two thousand.

use std::hint::black_box;

use fastgate::policy::Policy;
use fastgate::request::CanonicalPath;
use fastgate::route;
use serde_json::{Value, json};

use crate::microseconds;

/// Routes of the kinds that applications have, `count` of them: each of `count / 5` resources has a list, an item, a
/// part of an item, files, and a literal name beside the items.
fn policy(count: usize) -> Vec<u8> {
    let kinds = ["", "/{id:int}", "/{id:int}/parts/{part}", "/files/{path:path}", "/latest"];
    let route = |number: usize| {
        let path = format!("/api/v1/resource-{}{}", number / kinds.len(), kinds[number % kinds.len()]);
        json!({ "id": format!("route-{number}"), "path": path, "methods": ["GET"], "access": "public" })
    };
    let routes: Vec<Value> = (0..count).map(route).collect();
    let origins = json!({ "app": { "backend": "app", "audience": "app" } });
    let edge = json!({ "issuer": "https://edge.test", "hosts": ["edge.test"] });
    json!({ "edge": edge, "origins": origins, "routes": routes }).to_string().into_bytes()
}

/// Prints a row for each size. The paths are spread over the whole policy, and some have no route.
pub(crate) fn run() {
    println!("{:12}{:>12}{:>12}{:>12}", "µs", "found", "not found", "read policy");
    for count in [10, 2000] {
        let text = policy(count);
        let parsed = Policy::parse(&text).unwrap();
        let resources = count / 5;
        let path = |number: usize, rest: &str| {
            CanonicalPath::parse(format!("/api/v1/resource-{}{rest}", number % resources).as_bytes()).unwrap()
        };
        let rests = ["", "/17", "/17/parts/lamp", "/files/a/b", "/latest"];
        let existing: Vec<_> = (0..100).map(|number| path(number * 7, rests[number % rests.len()])).collect();
        let missing: Vec<_> = (0..100).map(|number| path(number * 7, "/17/nothing")).collect();
        let find = |paths: &[CanonicalPath], found: bool| {
            let all = || {
                for path in paths {
                    assert_eq!(route::find_for(black_box(&parsed), path, "GET").is_ok(), found);
                }
            };
            microseconds(20, all) / 100.0
        };
        let read = microseconds(1, || drop(black_box(Policy::parse(&text).unwrap())));
        println!(
            "{:12}{:12.2}{:12.2}{read:12.0}",
            format!("{count} routes"),
            find(&existing, true),
            find(&missing, false)
        );
    }
}
