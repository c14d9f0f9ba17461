//! `token_audiences` of origins and routes: a token for one application is not a token for another.

use serde_json::{Value, json};

use super::{MAIN, faults, gate_of, route};
use crate::offline::{NOW, get};
use crate::provider;

/// Two applications, `/orders` and `/billing`, behind one issuer with an audience for each.
fn policy(orders: &Value, billing: &Value, of_route: &Value) -> Value {
    let mut policy = provider::policy(&json!({ "routes": [
        route("/orders", &json!({ "id": "orders", "origin": "orders" })),
        route("/billing", &json!({ "id": "billing", "origin": "billing" })),
        route("/open", &json!({ "id": "open", "origin": "billing", "access": "optional" }))
    ] }));
    let with = |parts: &Value, name: &str| {
        let mut origin = json!({ "backend": "b", "audience": name });
        origin.as_object_mut().unwrap().extend(parts.as_object().unwrap().clone());
        origin
    };
    policy["origins"] = json!({ "orders": with(orders, "orders"), "billing": with(billing, "billing") });
    policy["issuers"]["main"]["audiences"] = json!(["https://orders.test", "https://billing.test"]);
    policy["routes"][1].as_object_mut().unwrap().extend(of_route.as_object().unwrap().clone());
    policy
}

fn verdicts(policy: &Value, audience: &Value) -> [&'static str; 3] {
    let gate = gate_of(policy);
    let token = MAIN.token(NOW, json!({ "aud": audience }));
    ["/orders", "/billing", "/open"].map(|path| {
        let outcome = gate.send(get(path).bearer(&token));
        outcome.trail.credentials_ignored.unwrap_or(outcome.trail.verdict)
    })
}

#[test]
fn a_token_for_one_application_is_refused_at_another() {
    let [orders, billing] = ["https://orders.test", "https://billing.test"].map(|name| json!(name));
    let apart = policy(&json!({ "token_audiences": [orders] }), &json!({ "token_audiences": [billing] }), &json!({}));
    assert_eq!(verdicts(&apart, &orders), ["forwarded", "token-audience", "token-audience"]);
    assert_eq!(verdicts(&apart, &billing), ["token-audience", "forwarded", "forwarded"]);
    assert_eq!(verdicts(&apart, &json!([orders, billing])), ["forwarded"; 3]);
    assert_eq!(verdicts(&apart, &json!("https://other.test")), ["token-audience"; 3], "the issuer's own rule stays");
    let together = policy(&json!({}), &json!({}), &json!({}));
    assert_eq!(verdicts(&together, &orders), ["forwarded"; 3], "by default every audience of the issuer is accepted");
}

#[test]
fn the_audiences_of_a_route_replace_those_of_its_origin() {
    let [orders, billing] = ["https://orders.test", "https://billing.test"].map(|name| json!(name));
    let replaced =
        policy(&json!({}), &json!({ "token_audiences": [billing] }), &json!({ "token_audiences": [orders] }));
    assert_eq!(verdicts(&replaced, &orders), ["forwarded", "forwarded", "token-audience"]);
    assert_eq!(verdicts(&replaced, &billing), ["forwarded", "token-audience", "forwarded"]);
}

#[test]
fn the_resource_of_an_origin_is_its_audience_if_the_issuer_knows_it() {
    let [orders, billing] = ["https://orders.test", "https://billing.test"].map(|name| json!(name));
    let mut known = policy(&json!({ "resource": "https://edge.test/orders" }), &json!({}), &json!({}));
    assert_eq!(verdicts(&known, &orders), ["forwarded"; 3], "the issuer does not know it");
    let resource = json!("https://edge.test/orders");
    known["issuers"]["main"]["audiences"] = json!([resource, orders, billing]);
    assert_eq!(verdicts(&known, &orders), ["token-audience", "forwarded", "forwarded"]);
    assert_eq!(verdicts(&known, &resource), ["forwarded", "token-audience", "token-audience"], "it is for no other");
    assert_eq!(verdicts(&known, &json!([resource, billing])), ["forwarded"; 3]);
    let mut shared = known.clone();
    shared["origins"]["billing"]["token_audiences"] = json!([resource]);
    assert_eq!(verdicts(&shared, &resource), ["forwarded"; 3], "unless that one says that it accepts it");
    // Two resources, of which the issuer knows one.
    let mut two = known.clone();
    two["origins"]["billing"]["resource"] = json!("https://edge.test/billing");
    assert_eq!(verdicts(&two, &resource), ["forwarded", "token-audience", "token-audience"]);
    assert_eq!(verdicts(&two, &billing), ["token-audience", "forwarded", "forwarded"]);
    known["origins"]["orders"]["token_audiences"] = json!([orders]);
    assert_eq!(verdicts(&known, &orders), ["forwarded"; 3]);
    assert_eq!(verdicts(&known, &resource), ["token-audience"; 3], "no application says that it accepts it");
}

#[test]
fn mistakes_in_audiences_are_faults() {
    for list in [json!([]), json!([""]), json!(["a", ""])] {
        let found = faults(&json!({ "routes": [route("/", &json!({ "token_audiences": list }))] }));
        assert_eq!(found, ["$.routes[0].token_audiences: is empty"], "{list}");
        let policy = policy(&json!({ "token_audiences": list }), &json!({}), &json!({}));
        let fault = fastgate::policy::Policy::parse(policy.to_string().as_bytes()).unwrap_err().0[0].to_string();
        assert_eq!(fault, "$.origins.orders.token_audiences: is empty", "{list}");
    }
    let public = route("/", &json!({ "access": "public", "token_audiences": ["a"] }));
    assert!(faults(&json!({ "routes": [public] }))[0].starts_with("$.routes[0].token_audiences: "));
}
