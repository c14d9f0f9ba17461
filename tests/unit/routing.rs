//! The route of a request: tables, and the route tree compared with a matcher without a tree.

mod differential;

use std::collections::BTreeSet;

use fastgate::policy::Policy;
use fastgate::policy::pattern::PathTemplate;
use fastgate::route::{RouteError, find};
use proptest::prelude::{Just, Strategy, prop};
use proptest::{prop_assert_eq, prop_oneof};

use crate::offline::{handshake, request};
use crate::samples::{policy_with_routes, property};

#[test]
fn the_most_specific_template_wins_in_any_order() {
    let routes = [
        ("everything", "/{p:path}", "GET"),
        ("one", "/{a}", "GET"),
        ("number", "/{a:int}", "GET"),
        ("decimal", "/{a:float}", "GET"),
        ("uuid", "/{a:uuid}", "GET"),
        ("me", "/me", "GET"),
        ("csv", "/{a}.csv", "GET"),
        ("v-csv", "/v{a}.csv", "GET"),
        ("below", "/{a}/{p:path}", "GET"),
        ("private", "/pub/private", "GET"),
        ("tail", "/pub/{p:path}/tail", "GET"),
        ("pub", "/pub/{p:path}", "GET"),
        ("pub-slash", "/pub/", "GET"),
    ];
    let mut backwards = routes;
    backwards.reverse();
    for policy in [policy_with_routes(&routes), policy_with_routes(&backwards)] {
        for (path, expected) in [
            ("/", "everything"),
            ("/x", "one"),
            ("/-1", "one"),
            ("/1", "number"),
            ("/1.5", "decimal"),
            ("/1.", "one"),
            ("/%D9%A1", "one"),
            ("/01234567-89ab-cdef-0123-456789abcdef", "uuid"),
            ("/0123456789ABCDEF0123456789abcdef", "uuid"),
            ("/me", "me"),
            ("/%6de", "me"),
            ("/ME", "one"),
            ("/me.csv", "csv"),
            ("/.csv", "one"),
            ("/vx.csv", "v-csv"),
            ("/v.csv", "csv"),
            ("/pub", "one"),
            ("/pub/", "pub-slash"),
            ("/pub/x", "pub"),
            ("/pub/private", "private"),
            ("/pub/private/", "pub"),
            ("/pub/tail", "pub"),
            ("/pub/a/b/tail", "tail"),
            ("/x/", "below"),
            ("/x/y/z", "below"),
        ] {
            assert_eq!(route_of(&policy, "GET", path), Ok(expected), "{path}");
        }
    }
}

#[test]
fn of_two_path_parameters_the_one_with_more_segments_after_it_wins() {
    // The first template matches every path of the second: in any other order the second would never match.
    let policy = policy_with_routes(&[
        ("shorter", "/{p:path}/edit", "GET"),
        ("longer", "/{p:path}/{page}/edit", "GET"),
        ("bare", "/{p:path}", "GET"),
    ]);
    for (path, expected) in [("/a/edit", "shorter"), ("/a/b/edit", "longer"), ("/a/b/c/edit", "longer"), ("/a", "bare")]
    {
        assert_eq!(route_of(&policy, "GET", path), Ok(expected), "{path}");
    }
}

#[test]
fn templates_are_ordered_as_the_tree_finds_them() {
    let piece = |most| prop::collection::vec(prop::sample::select(&["/a", "/{}"]), 0..most).prop_map(|it| it.concat());
    let template = || (piece(2), piece(3)).prop_map(|(head, tail)| named(&format!("{head}/{{:path}}{tail}")));
    let path = (1..6_usize).prop_map(|length| "/a".repeat(length));
    let both = std::cell::Cell::new(0);
    property(1_000, &(template(), template(), path), |(one, two, path)| {
        let (Ok(first), Ok(second)) = (PathTemplate::parse(&one), PathTemplate::parse(&two)) else { return Ok(()) };
        if first.cmp_specificity(&second).is_eq() {
            return Ok(());
        }
        let policy = policy_with_routes(&[("one", &one, "GET"), ("two", &two, "GET")]);
        let target = request("GET", &path).normalized().unwrap();
        let mut found = Vec::new();
        policy.visit_routes(&target.path().segments().collect::<Vec<_>>(), |route| {
            found.push(route.id.as_str());
            false
        });
        found.dedup();
        if found.len() == 2 {
            both.set(both.get() + 1);
            let ordered = if first.cmp_specificity(&second).is_gt() { ["one", "two"] } else { ["two", "one"] };
            prop_assert_eq!(found, ordered, "{} {} for {}", one, two, path);
        }
        Ok(())
    });
    assert!(both.get() > 50, "only {} pairs matched one path: the test is too weak", both.get());
}

#[test]
fn a_less_specific_route_serves_the_methods_that_the_more_specific_one_lacks() {
    let policy = policy_with_routes(&[
        ("orders", "/orders/{id}", "GET"),
        ("change", "/orders/{number:int}", "PUT PATCH"),
        ("drop", "/orders/{other}", "DELETE"),
        ("rest", "/{p:path}", "OPTIONS"),
    ]);
    for (method, path, expected) in [
        ("PUT", "/orders/1", Ok("change")),
        ("GET", "/orders/1", Ok("orders")),
        ("DELETE", "/orders/1", Ok("drop")),
        ("OPTIONS", "/orders/1", Ok("rest")),
        ("POST", "/orders/1", Err(allowed(&["DELETE", "GET", "OPTIONS", "PATCH", "PUT"]))),
        ("PUT", "/orders/x", Err(allowed(&["DELETE", "GET", "OPTIONS"]))),
        ("GET", "/other", Err(allowed(&["OPTIONS"]))),
        ("HEAD", "/orders/x", Err(allowed(&["DELETE", "GET", "OPTIONS"]))),
    ] {
        assert_eq!(route_of(&policy, method, path), expected, "{method} {path}");
    }
}

#[test]
fn a_request_without_a_route_is_not_found() {
    let policy = policy_with_routes(&[("orders", "/orders", "GET"), ("order", "/orders/{id:int}", "GET")]);
    for path in
        ["/", "/order", "/orders/", "/orders/x", "/orders/1/", "/orders/1/x", "/Orders", "/orders;x", "/orders."]
    {
        assert_eq!(route_of(&policy, "GET", path), Err(RouteError::NoRoute), "{path}");
    }
}

#[test]
fn the_tree_and_a_linear_search_find_the_same_route() {
    let hits = std::cell::Cell::new(0);
    let routes = prop::collection::vec((template(), methods()), 1..14);
    let requests = prop::collection::vec((prop::sample::select(&["GET", "POST", "PUT"]), path()), 20);
    property(300, &(routes, requests), |(routes, requests)| {
        let routes = unambiguous(routes);
        let listed: Vec<_> = routes.iter().map(|(id, path, methods)| (&**id, &**path, *methods)).collect();
        let policy = policy_with_routes(&listed);
        for (method, path) in requests {
            let expected = reference::find(&routes, method, &path);
            hits.set(hits.get() + usize::from(expected.is_ok()));
            let found = route_of(&policy, method, &path).map(str::to_owned);
            prop_assert_eq!(found, expected, "{} {} among {:?}", method, path, listed);
        }
        Ok(())
    });
    assert!(hits.get() > 1_000, "only {} requests found a route: the test is too weak", hits.get());
}

#[test]
fn opening_handshakes_and_other_requests_of_one_path_have_separate_routes() {
    let policy = policy_with_routes(&[
        ("page", "/graphql", "GET"),
        ("query", "/graphql", "POST"),
        ("socket websocket", "/graphql", "GET"),
        ("wide websocket", "/{name}", "GET"),
        ("files", "/{p:path}", "GET"),
        ("deep websocket", "/a/{name}", "GET"),
        ("only websocket", "/b/c", "GET"),
        ("post", "/b/c", "POST"),
    ]);
    for (method, path, expected) in [
        ("GET", "/graphql", Ok("page")),
        ("POST", "/graphql", Ok("query")),
        ("HANDSHAKE", "/graphql", Ok("socket")),
        // A less specific route of the requested kind wins over a more specific one of the other kind.
        ("HANDSHAKE", "/x", Ok("wide")),
        ("GET", "/x", Ok("files")),
        ("HANDSHAKE", "/a/x", Ok("deep")),
        ("GET", "/a/x", Ok("files")),
        // A server may ignore an upgrade.
        ("HANDSHAKE", "/x/y", Ok("files")),
        ("POST", "/x", Err(allowed(&["GET"]))),
    ] {
        assert_eq!(route_of(&policy, method, path), expected, "{method} {path}");
    }
    let sockets = policy_with_routes(&[("only websocket", "/b/c", "GET"), ("post", "/b/c", "POST")]);
    assert_eq!(route_of(&sockets, "GET", "/b/c"), Ok("only"), "the route then requires a handshake");
    assert_eq!(route_of(&sockets, "PUT", "/b/c"), Err(allowed(&["GET", "POST"])));
}

fn route_of<'policy>(policy: &'policy Policy, method: &str, path: &str) -> Result<&'policy str, RouteError> {
    let request = match method {
        "HANDSHAKE" => handshake(path),
        _ => request(method, path),
    };
    find(policy, &request.normalized().unwrap()).map(|route| route.id.as_str())
}

fn allowed(methods: &[&'static str]) -> RouteError {
    RouteError::MethodNotAllowed { allowed: methods.to_vec() }
}

/// Few letters, so that templates overlap and paths match them.
fn template() -> impl Strategy<Value = String> {
    path_of(&[
        "a", "b", "1", "va", "a.c", "{}", "{}", "{:int}", "{:float}", "{:uuid}", "v{}", "{}.c", "v{}.c", "v{:int}",
        "{:path}", "{:path}", "{:path}", "{:path}", "{:path}", "{:path}",
    ])
    .prop_map(|path| named(&path))
}

/// With a name for each parameter.
fn named(template: &str) -> String {
    let named = template.split('/').enumerate().map(|(place, segment)| segment.replace('{', &format!("{{p{place}")));
    named.collect::<Vec<_>>().join("/")
}

fn methods() -> impl Strategy<Value = &'static str> {
    prop::sample::select(&["GET", "POST", "GET POST"])
}

fn path() -> impl Strategy<Value = String> {
    path_of(&[
        "a",
        "b",
        "1",
        "12",
        "1.5",
        "va",
        "v1",
        "a.c",
        "v1.c",
        "v.c",
        "x",
        "01234567-89ab-cdef-0123-456789abcdef",
    ])
}

fn path_of(segments: &'static [&'static str]) -> impl Strategy<Value = String> {
    let trailing = prop_oneof![4 => Just(""), 1 => Just("/")];
    (prop::collection::vec(prop::sample::select(segments), 0..6), trailing).prop_map(|(segments, trailing)| {
        if segments.is_empty() { "/".to_owned() } else { format!("/{}{trailing}", segments.join("/")) }
    })
}

/// Id, path, methods; without templates that a policy would not take.
fn unambiguous(drawn: Vec<(String, &'static str)>) -> Vec<(String, String, &'static str)> {
    let mut routes: Vec<(String, String, &'static str)> = vec![("root".to_owned(), "/root".to_owned(), "GET")];
    for (path, methods) in drawn {
        let Ok(template) = PathTemplate::parse(&path) else { continue };
        let twin = routes.iter().any(|(_, other, taken)| {
            PathTemplate::parse(other).unwrap().cmp_specificity(&template).is_eq()
                && taken.split(' ').any(|method| methods.contains(method))
        });
        if !twin {
            routes.push((format!("r{}", routes.len()), path, methods));
        }
    }
    routes
}

/// The documented rules in simple code: every template is tried, and the most specific match wins.
mod reference {
    use super::{BTreeSet, RouteError};

    /// How specific one segment is: its kind, how much literal text it has, how narrow its convertor is.
    type Rank = (u8, usize, usize, u8, String);

    pub(super) fn find(
        routes: &[(String, String, &'static str)],
        method: &str,
        path: &str,
    ) -> Result<String, RouteError> {
        let path: Vec<_> = path.split('/').skip(1).collect();
        let fitting: Vec<_> = routes
            .iter()
            .filter(|(_, template, _)| fits(&template.split('/').skip(1).collect::<Vec<_>>(), &path))
            .collect();
        let best = fitting
            .iter()
            .filter(|(_, _, methods)| methods.split(' ').any(|name| name == method))
            .max_by_key(|(_, template, _)| ranks(template));
        match best {
            Some((id, _, _)) => Ok(id.clone()),
            None if fitting.is_empty() => Err(RouteError::NoRoute),
            None => {
                let allowed: BTreeSet<_> = fitting.iter().flat_map(|(_, _, methods)| methods.split(' ')).collect();
                Err(RouteError::MethodNotAllowed { allowed: allowed.into_iter().collect() })
            }
        }
    }

    fn fits(template: &[&str], path: &[&str]) -> bool {
        let (Some(first), Some(segment)) = (template.first(), path.first()) else {
            return template.is_empty() && path.is_empty();
        };
        match parameter(first) {
            None => first == segment && fits(&template[1..], &path[1..]),
            Some((_, "path", _)) => (1..=path.len()).any(|taken| fits(&template[1..], &path[taken..])),
            Some((prefix, convertor, suffix)) => {
                let enough = segment.len() >= prefix.len() + suffix.len();
                enough
                    && segment.starts_with(prefix)
                    && segment.ends_with(suffix)
                    && converts(convertor, &segment[prefix.len()..segment.len() - suffix.len()])
                    && fits(&template[1..], &path[1..])
            }
        }
    }

    /// Segment by segment; of two `path` parameters at one place, the one with more segments behind it.
    fn ranks(template: &str) -> Vec<Rank> {
        let length = template.split('/').count();
        template.split('/').skip(1).map(|segment| rank(segment, length)).collect()
    }

    fn rank(segment: &str, length: usize) -> Rank {
        match parameter(segment) {
            None => (2, 0, 0, 0, segment.to_owned()),
            Some((_, "path", _)) => (0, length, 0, 0, String::new()),
            Some((prefix, convertor, suffix)) => {
                let narrow = ["str", "float", "int", "uuid"].iter().position(|name| *name == convertor).unwrap();
                let narrow = u8::try_from(narrow).unwrap();
                (1, prefix.len() + suffix.len(), prefix.len(), narrow, format!("{prefix} {suffix}"))
            }
        }
    }

    /// Prefix, convertor, suffix.
    fn parameter(segment: &str) -> Option<(&str, &str, &str)> {
        let (prefix, rest) = segment.split_once('{')?;
        let (inside, suffix) = rest.split_once('}')?;
        Some((prefix, inside.split_once(':').map_or("str", |(_, convertor)| convertor), suffix))
    }

    fn converts(convertor: &str, value: &str) -> bool {
        let digits = |text: &str| !text.is_empty() && text.chars().all(|letter| letter.is_ascii_digit());
        match convertor {
            "int" => digits(value),
            "float" => value.splitn(2, '.').all(digits),
            "uuid" => value.len() == 36 && value.chars().all(|letter| letter == '-' || letter.is_ascii_hexdigit()),
            _ => !value.is_empty(),
        }
    }
}
