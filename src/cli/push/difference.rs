//! What a new policy changes: one line for each route that is added, removed or changed, and one for each other member.

use std::collections::BTreeMap;

use serde_json::Value;

/// Deeper members are not listed one by one.
const DEPTH: usize = 2;

/// The lines. Both texts are policies; a former one that is not JSON is replaced as a whole.
pub(super) fn difference(old: &[u8], new: &[u8]) -> Vec<String> {
    let read = |text: &[u8]| serde_json::from_slice::<Value>(text).ok();
    let (Some(old), Some(new)) = (read(old), read(new)) else {
        return vec!["~ everything: what is live is not JSON".to_owned()];
    };
    let mut lines = routes(&old, &new);
    let without_routes = |policy: &Value| {
        let mut policy = policy.clone();
        policy.as_object_mut().map(|members| members.remove("routes"));
        policy
    };
    members("$", &without_routes(&old), &without_routes(&new), 0, &mut lines);
    if lines.is_empty() {
        lines.push("~ only the spelling: white space, or the order of members".to_owned());
    }
    lines
}

fn routes(old: &Value, new: &Value) -> Vec<String> {
    let (was, is) = (by_id(old), by_id(new));
    let mut lines = Vec::new();
    for (id, (_, route)) in &is {
        match was.get(id) {
            None => lines.push(format!("+ route \"{id}\": {}", shown(route))),
            Some((_, former)) if former == route => {}
            Some((_, former)) => {
                lines.push(format!("~ route \"{id}\": {}", changed(former, route).join(", ")));
            }
        }
    }
    lines.extend(
        was.iter()
            .filter(|(id, _)| !is.contains_key(*id))
            .map(|(id, (_, route))| format!("- route \"{id}\": {}", shown(route))),
    );
    let order = |routes: &BTreeMap<String, (usize, Value)>, others: &BTreeMap<String, (usize, Value)>| {
        let mut kept: Vec<_> =
            routes.iter().filter(|(id, _)| others.contains_key(*id)).map(|(id, (at, _))| (*at, id.clone())).collect();
        kept.sort();
        kept.into_iter().map(|(_, id)| id).collect::<Vec<_>>()
    };
    if order(&was, &is) != order(&is, &was) {
        lines.push("~ the order of the routes".to_owned());
    }
    lines
}

/// The routes of a policy by their ids, each with its position.
fn by_id(policy: &Value) -> BTreeMap<String, (usize, Value)> {
    let routes = policy.get("routes").and_then(Value::as_array).into_iter().flatten().enumerate();
    let id = |at: usize, route: &Value| {
        route.get("id").and_then(Value::as_str).map_or_else(|| format!("$.routes[{at}]"), str::to_owned)
    };
    routes.map(|(at, route)| (id(at, route), (at, route.clone()))).collect()
}

/// Methods, path and access of a route.
fn shown(route: &Value) -> String {
    let methods = route.get("methods").and_then(Value::as_array).into_iter().flatten();
    let methods: Vec<&str> = methods.filter_map(Value::as_str).collect();
    let text = |name: &str| route.get(name).and_then(Value::as_str).unwrap_or_default();
    let access = match text("access") {
        "" => String::new(),
        access => format!(" ({access})"),
    };
    format!("{} {}{access}", methods.join(" "), text("path")).trim().to_owned()
}

/// The names of the members that differ.
fn changed(old: &Value, new: &Value) -> Vec<String> {
    names(old, new).into_iter().filter(|name| old.get(name) != new.get(name)).collect()
}

/// The names of the members of both.
fn names(old: &Value, new: &Value) -> Vec<String> {
    let of =
        |value: &Value| value.as_object().into_iter().flat_map(|members| members.keys().cloned()).collect::<Vec<_>>();
    let mut names = [of(old), of(new)].concat();
    names.sort();
    names.dedup();
    names
}

fn members(at: &str, old: &Value, new: &Value, depth: usize, lines: &mut Vec<String>) {
    for name in changed(old, new) {
        let at = format!("{at}.{name}");
        match (old.get(&name), new.get(&name)) {
            (None, _) => lines.push(format!("+ {at}")),
            (_, None) => lines.push(format!("- {at}")),
            (Some(old), Some(new)) if depth < DEPTH && old.is_object() && new.is_object() => {
                members(&at, old, new, depth + 1, lines);
            }
            _ => lines.push(format!("~ {at}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::difference;
    use serde_json::{Value, json};

    fn lines(old: &Value, new: &Value) -> Vec<String> {
        difference(old.to_string().as_bytes(), new.to_string().as_bytes())
    }

    fn route(id: &str, path: &str, access: &str) -> Value {
        json!({ "id": id, "methods": ["GET", "HEAD"], "path": path, "access": access })
    }

    #[test]
    fn each_route_and_each_member_that_changes_has_a_line() {
        let old = json!({
            "edge": { "issuer": "https://a", "hosts": ["a"] },
            "issuers": { "one": { "audiences": ["x"], "claims": { "scopes": { "a": 1 } } }, "gone": {} },
            "limits": {},
            "routes": [route("a", "/a", "public"), route("b", "/b", "token"), route("c", "/c", "token")],
        });
        let new = json!({
            "edge": { "issuer": "https://a", "hosts": ["a", "b"] },
            "issuers": { "one": { "audiences": ["y"], "claims": { "scopes": { "a": 2 } } } },
            "groups": {}, "limits": {},
            "routes": [route("c", "/c", "token"), route("a", "/aa", "token"), route("d", "/d", "public")],
        });
        assert_eq!(
            lines(&old, &new),
            [
                "~ route \"a\": access, path",
                "+ route \"d\": GET HEAD /d (public)",
                "- route \"b\": GET HEAD /b (token)",
                "~ the order of the routes",
                "~ $.edge.hosts",
                "+ $.groups",
                "- $.issuers.gone",
                "~ $.issuers.one.audiences",
                "~ $.issuers.one.claims",
            ]
        );
    }

    #[test]
    fn other_differences_have_a_line_as_well() {
        assert_eq!(difference(b"{ }", b"{}"), ["~ only the spelling: white space, or the order of members"]);
        assert_eq!(difference(b"broken", b"{}"), ["~ everything: what is live is not JSON"]);
        assert_eq!(
            lines(&json!({ "routes": [{ "path": "/a" }] }), &json!({ "routes": [] })),
            ["- route \"$.routes[0]\": /a"]
        );
    }
}
