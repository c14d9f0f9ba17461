//! Places: rules about the location of clients.

use fastgate::client::{Anonymizer, Client, Fact};
use fastgate::place::{self, PlaceReason};
use fastgate::policy::Policy;
use serde_json::{Value, json};

use super::{faults, route};
use crate::offline::fakes::FakeAcls;
use crate::provider;

fn judge(place: &Value, address: Option<&str>, client: &Client) -> Result<(), PlaceReason> {
    let parts = json!({
        "places": { "p": place },
        "routes": [route("/", &json!({ "access": "public", "from": ["p"] }))]
    });
    let policy = Policy::parse(provider::policy(&parts).to_string().as_bytes()).unwrap();
    let client = Client { address: address.map(|address| address.parse().unwrap()), ..client.clone() };
    place::check(&policy.routes()[0].from[0], &client, &mut FakeAcls::broken()).map_err(|error| error.reason)
}

#[test]
fn a_denied_client_is_refused_even_if_it_is_also_allowed() {
    let place = json!({ "deny": [{ "subdivision": ["DE-BE"] }], "allow": [{ "country": ["DE"] }] });
    let at = |region| Client::default().located("DE", Some(region), 0);
    assert_eq!(judge(&place, None, &at("HH")), Ok(()));
    assert_eq!(judge(&place, None, &at("BE")), Err(PlaceReason::Denied(Fact::Subdivision)));
}

#[test]
fn unknown_facts_are_refused_unless_the_policy_says_otherwise() {
    let nowhere = Client::default();
    let all = ["country", "subdivision", "continent", "asn", "connection", "proxy", "anonymizer", "network", "acl"];
    let values = |fact: &str| match fact {
        "country" => json!(["DE"]),
        "subdivision" => json!(["DE-BE"]),
        "continent" => json!(["EU"]),
        "asn" => json!([1]),
        "connection" => json!(["mobile"]),
        "proxy" => json!(["hosting"]),
        "anonymizer" => json!(["tor"]),
        "network" => json!(["10.0.0.0/8"]),
        _ => json!(["office"]),
    };
    for list in ["allow", "deny"] {
        for fact in all {
            let refused = judge(&json!({ list: [{ fact: values(fact) }] }), None, &nowhere);
            assert!(matches!(refused, Err(PlaceReason::Unknown(found)) if found.as_str() == fact), "{list} {fact}");
            let passes = json!({ list: [{ fact: values(fact) }], "unknown_passes": [fact] });
            assert_eq!(judge(&passes, None, &nowhere), Ok(()), "{list} {fact}");
        }
    }
    let either = json!({ "allow": [{ "country": ["DE"] }, { "network": ["10.0.0.0/8"] }] });
    assert_eq!(judge(&either, Some("10.1.2.3"), &nowhere), Ok(()), "one test that passes is enough");
}

#[test]
fn a_hidden_client_differs_from_a_visible_one_and_from_an_unknown_one() {
    let deny = json!({ "deny": [{ "anonymizer": ["tor", "vpn"] }] });
    let hidden_by = |found: Option<Vec<Anonymizer>>| Client { anonymizers: found, ..Client::default() };
    assert_eq!(judge(&deny, None, &hidden_by(Some(vec![]))), Ok(()));
    assert_eq!(judge(&deny, None, &hidden_by(Some(vec![Anonymizer::Hosting]))), Ok(()));
    let tor = hidden_by(Some(vec![Anonymizer::Hosting, Anonymizer::Tor]));
    assert_eq!(judge(&deny, None, &tor), Err(PlaceReason::Denied(Fact::Anonymizer)));
    let any = json!({ "deny": [{ "anonymizer": ["any"] }] });
    assert_eq!(judge(&any, None, &tor), Err(PlaceReason::Denied(Fact::Anonymizer)));
    assert_eq!(judge(&any, None, &hidden_by(None)), Err(PlaceReason::Unknown(Fact::Anonymizer)));
}

#[test]
fn places_that_cannot_work_are_faults() {
    let of = |place: &Value| {
        let routes = json!([route("/", &json!({ "access": "public", "from": ["p"] }))]);
        faults(&json!({ "places": { "p": place }, "routes": routes }))
    };
    for (place, fault) in [
        (json!({}), "$.places.p: is empty"),
        (json!({ "deny": [{ "country": [] }] }), "$.places.p.deny[0]: is empty"),
        (json!({ "deny": [{ "country": ["de"] }] }), "$.places.p.deny[0]: \"de\" is not a code"),
        (json!({ "deny": [{ "subdivision": ["BE"] }] }), "$.places.p.deny[0]: \"BE\" is not a code"),
        (json!({ "allow": [{ "network": ["10.0.0.1/8"] }] }), "$.places.p.allow[0]: \"10.0.0.1/8\" is not a network"),
        (json!({ "deny": [{ "country": ["DE"] }], "status": 404 }), "$.places.p.status: is neither"),
        (json!({ "deny": [{ "continent": ["XX"] }] }), "$.places.p.deny[0].continent[0]: unknown variant"),
    ] {
        let found = of(&place);
        assert!(found.iter().any(|found| found.starts_with(fault)), "{place}: {found:?}");
    }
    let unknown = faults(&json!({ "routes": [route("/", &json!({ "access": "public", "from": ["p"] }))] }));
    assert_eq!(unknown, ["$.routes[0].from[0]: names no place"]);
}
