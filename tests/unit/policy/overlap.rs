//! Overlapping routes: the route of a request, compared with a matcher that looks at every route.

use std::cmp::Ordering;

use fastgate::policy::{Policy, Route};
use fastgate::request::CanonicalPath;
use fastgate::route::find_for;
use proptest::prelude::{Strategy, proptest};
use proptest::sample::select;
use serde_json::{Value, json};

use crate::provider;

/// Every route whose template matches and that has the method; of those, the one with the most specific template.
fn reference<'policy>(policy: &'policy Policy, segments: &[&str], method: &str) -> Option<&'policy Route> {
    let fitting = policy.routes().iter().filter(|route| {
        let named = route.methods.iter().any(|known| known.as_str() == method);
        named && route.template.captures(segments).is_some()
    });
    fitting.max_by(|one, other| match one.template.cmp_specificity(&other.template) {
        Ordering::Equal => panic!("two routes for one request"),
        order => order,
    })
}

fn template() -> impl Strategy<Value = String> {
    let segment = select(vec!["a", "b", "{x}", "{x:int}", "{x}.c", "v{x}", "{x:path}", ""]);
    proptest::collection::vec(segment, 1..4).prop_map(|segments| {
        let numbered = segments.iter().enumerate().map(|(index, text)| text.replace('x', &format!("x{index}")));
        format!("/{}", numbered.collect::<Vec<_>>().join("/"))
    })
}

fn path() -> impl Strategy<Value = String> {
    let segment = select(vec!["a", "b", "7", "a.c", "v", "v7", "7.c", ""]);
    proptest::collection::vec(segment, 1..5).prop_map(|segments| format!("/{}", segments.join("/")))
}

proptest! {
    #[test]
    fn the_most_specific_route_that_has_the_method_gets_the_request(
        templates in proptest::collection::vec((template(), select(vec!["GET", "PUT"])), 1..10),
        paths in proptest::collection::vec((path(), select(vec!["GET", "PUT"])), 1..20),
    ) {
        let mut routes: Vec<Value> = Vec::new();
        let mut policy = None;
        for (index, (template, method)) in templates.iter().enumerate() {
            let id = format!("r{index}");
            routes.push(json!({ "id": id, "path": template, "methods": [method], "access": "public" }));
            match Policy::parse(provider::policy(&json!({ "routes": routes })).to_string().as_bytes()) {
                Ok(valid) => policy = Some(valid),
                Err(_) => drop(routes.pop()),
            }
        }
        let Some(policy) = policy else { return Ok(()) };
        for (path, method) in &paths {
            let Ok(path) = CanonicalPath::parse(path.as_bytes()) else { continue };
            let segments: Vec<_> = path.segments().collect();
            let expected = reference(&policy, &segments, method).map(|route| &route.id);
            let found = find_for(&policy, &path, method).ok().map(|route| &route.id);
            assert_eq!(found, expected, "{path:?} {routes:?}");
        }
    }
}
