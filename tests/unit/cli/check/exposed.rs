//! Public routes on paths of protected ones: in large policies, and with arbitrary texts in other routes.

use serde_json::json;

use super::{check, public, said};
use crate::rules::route;

#[test]
fn a_third_route_that_serves_one_example_hides_no_hint() {
    let uuid = "/01234567-89ab-cdef-0123-456789abcdef";
    for (name, third, open, closed, expected) in [
        ("word", "/a/e{z}", "/{x}/{y}", "/a/{y}", "/a/sample"),
        ("around", "/a/ve{z}", "/{x}/{y}", "/a/v{y}", "/a/vsample"),
        ("literal", "/a/vexample", "/{x}/{y}", "/a/v{y}", "/a/vsample"),
        ("digits", "/4711", "/{x:int}", "/{y:float}", "/4748"),
        ("uuid", uuid, "/{x:uuid}", "/{y}", "/01234567-89ab-cdef-0123-456789abcde1"),
    ] {
        let text = said(
            name,
            &[("pub", open, &["POST"][..]), ("closed", closed, &["GET", "POST"][..1]), ("third", third, &["POST"])],
        );
        let hint =
            format!("lets every client use POST on paths of the protected route \"closed\", as on \"{expected}\"");
        assert!(text.contains(&hint), "{name}: {text}");
    }
}

#[test]
fn thousands_of_ordinary_routes_are_all_compared() {
    for (name, template) in [
        ("ints", "/api/v1/res{i}/{id:int}"),
        ("uuids", "/api/v1/res{i}/{id:uuid}/items/{item:uuid}"),
        ("tenants", "/{tenant}/res{i}/{id}"),
    ] {
        let mut routes: Vec<_> = (0..2500)
            .map(|index| {
                let path = template.replace("{i}", &index.to_string());
                let id = format!("r{index}");
                if index % 2 == 0 { public(&path, &id, &["GET"]) } else { route(&path, &json!({ "id": id })) }
            })
            .collect();
        routes.push(route("/admin/{name}", &json!({ "id": "admin" })));
        routes.push(public("/admin/{id:uuid}", "late", &["GET"]));
        let (valid, text) = check(name, &json!({ "routes": routes }));
        let hint = "$.routes[2501]\n    lets every client use GET on paths of the protected route \"admin\"";
        assert!(valid && text.contains(hint) && text.matches("a hint").count() == 1, "{name}: {text}");
    }
}
