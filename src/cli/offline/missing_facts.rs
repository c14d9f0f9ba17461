//! Facts that the edge knows about a request and that its description leaves out. A verdict that depends on them may
//! differ from the edge's.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use fastgate::client::{Client, Fact};
use fastgate::place::{PlaceError, PlaceReason, check};
use fastgate::policy::places::{Place, PlaceTest};
use fastgate::policy::{Policy, RegionFact, Route};
use fastgate::trail::{Step, Trail};
use serde_json::{Value, json};

use super::case::Case;
use super::platform::DescribedAcls;

/// The facts that the places of a route test and that the description of the client leaves out.
#[derive(Default)]
struct LeftOut {
    /// The missing fact without which there is no verdict.
    missing: Option<String>,
    /// The facts that count as unknown and refuse no client.
    passed: Vec<Fact>,
}

/// The missing fact, if the outcome depends on one that the places of a route test and `case` leaves out; otherwise
/// `None`. Notes the facts that count as unknown and refuse no client.
pub(super) fn of_client(policy: &Policy, case: &Case, client: &Client, trail: &mut Trail) -> Option<String> {
    let was_checked = trail.has_ended(Step::Place) || trail.verdict.starts_with("place-");
    let route = policy.routes().iter().find(|route| was_checked && trail.route.as_ref() == Some(&route.id))?;
    let LeftOut { missing, passed } = left_out(route, case, client);
    if !passed.is_empty() {
        let names: Vec<_> = passed.iter().map(|fact| fact.as_str()).collect();
        trail.note(Step::Place, || format!("not given, so unknown here: {}", names.join(", ")));
    }
    missing
}

/// The fact to give if `case` leaves it out and another region might be assigned with it: a rule before the one that
/// decided reads it, and names another region. Otherwise `None`.
pub(super) fn of_region(policy: &Policy, case: &Case, client: &Client, trail: &Trail) -> Option<String> {
    let choice = trail.region_choice.as_ref()?;
    let depends = matches!(trail.verdict, "forwarded" | "no-region" | "other-region");
    let route = policy.routes().iter().find(|route| depends && trail.route.as_ref() == Some(&route.id))?;
    let rules = &route.origin()?.backends.region_by;
    let mut before = rules.iter().take(choice.rule.unwrap_or(rules.len()));
    let is_open = |fact: Fact| case.client.is_none() && !case.unknown.contains(&fact);
    before.find_map(|rule| {
        let (name, option) = match &rule.by {
            RegionFact::Country if client.country.is_none() && is_open(Fact::Country) => {
                ("country", "--country DE".to_owned())
            }
            RegionFact::Continent if client.continent.is_none() && is_open(Fact::Continent) => {
                ("continent", facts_option(&json!({ "continent": "EU" })))
            }
            _ => return None,
        };
        let is_other = rule.regions.values().any(|region| Some(region) != choice.region.as_ref());
        let unknown = facts_option(&json!({ "unknown": [name] }));
        is_other.then(|| {
            format!(
                "the region depends on the {name} of the client: give {option}, or {unknown} if the edge does not know it"
            )
        })
    })
}

/// The option that gives facts about the client.
fn facts_option(facts: &Value) -> String {
    format!("--client '{facts}'")
}

/// The facts to give instead of a token or proof, if the outcome depends on something that only the edge or the
/// caller's connection to it can show; otherwise `None`.
pub(super) fn of_token(case: &Case, trail: &Trail) -> Option<String> {
    if case.claims.is_some() {
        return None;
    }
    let values = |wanted: &'static str| {
        let fields = case.headers.iter().filter(move |(name, _)| name.eq_ignore_ascii_case(wanted));
        fields.filter_map(|(_, value)| value.split(' ').next_back())
    };
    let bound = |token: &str| payload(token).is_some_and(|claims| claims.pointer("/cnf/x5t#S256").is_some());
    let with_nonce = |proof: &str| payload(proof).is_some_and(|claims| claims.get("nonce").is_some());
    match trail.credentials_ignored.unwrap_or(trail.verdict) {
        "token-bound" if case.token.as_deref().into_iter().chain(values("authorization")).any(bound) => Some(
            "the token is bound to a client certificate, which cannot be shown here: give --claims instead".to_owned(),
        ),
        "proof-nonce" if values("dpop").any(with_nonce) => {
            Some("only the edge knows its nonces: give --claims instead of token and proof".to_owned())
        }
        _ => None,
    }
}

/// The claims of a JWT, without verification.
fn payload(token: &str) -> Option<Value> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?).ok()
}

fn left_out(route: &Route, case: &Case, client: &Client) -> LeftOut {
    let mut left_out = LeftOut::default();
    for place in &route.from {
        let tests = || place.deny.iter().chain(&place.allow);
        match check(place, client, &mut DescribedAcls(&case.acls)) {
            Err(PlaceError { reason: PlaceReason::Unknown(fact), .. }) => {
                let test = tests().find(|test| test.fact() == fact && !is_given(test, case, client));
                match test {
                    Some(_) if place.shadow => left_out.passed.push(fact),
                    Some(test) => left_out.missing = Some(give(place, test, case, client)),
                    None => {}
                }
                if !place.shadow {
                    break;
                }
            }
            Err(_) if !place.shadow => break,
            Ok(()) | Err(_) => {
                let passes = |test: &&PlaceTest| place.unknown_passes.contains(&test.fact());
                let tests = tests().filter(passes).filter(|test| !is_given(test, case, client));
                left_out.passed.extend(tests.map(PlaceTest::fact));
            }
        }
    }
    left_out.passed.sort_unstable();
    left_out.passed.dedup();
    left_out
}

/// Whether `case` has the fact that `test` needs, or says that the edge does not know it.
fn is_given(test: &PlaceTest, case: &Case, client: &Client) -> bool {
    let known = match test {
        PlaceTest::Network(_) => client.address.is_some(),
        PlaceTest::Acl(names) => client.address.is_some() && names.iter().all(|name| case.acls.contains_key(name)),
        _ if case.client.is_some() => true,
        PlaceTest::Country(_) => client.country.is_some(),
        PlaceTest::Subdivision(_) => client.subdivision.is_some(),
        PlaceTest::Continent(_) => client.continent.is_some(),
        PlaceTest::Asn(_) => client.asn.is_some(),
        PlaceTest::Connection(_) => client.connection.is_some(),
        PlaceTest::Proxy(_) => client.proxy.is_some(),
        PlaceTest::Anonymizer(_) => client.anonymizers.is_some(),
    };
    known || case.unknown.contains(&test.fact())
}

/// The options to give so that `test` can be decided.
fn give(place: &Place, test: &PlaceTest, case: &Case, client: &Client) -> String {
    // A case with a whole "client" takes no single fact beside it.
    let address = if case.client.is_some() { "\"address\" in \"client\"" } else { "--address 198.51.100.7" };
    let facts = |facts: Value| facts_option(&facts);
    let option = match test {
        PlaceTest::Network(_) => address.to_owned(),
        PlaceTest::Acl(_) if client.address.is_none() => address.to_owned(),
        PlaceTest::Acl(names) => {
            let left_out = names.iter().filter(|name| !case.acls.contains_key(*name));
            let described: Value =
                left_out.map(|name| (name.clone(), json!("allow"))).collect::<serde_json::Map<_, _>>().into();
            format!(
                "{} (or \"block\", or \"none\" if no entry covers the address)",
                facts(json!({ "acls": described }))
            )
        }
        PlaceTest::Country(_) => "--country DE".to_owned(),
        PlaceTest::Subdivision(_) => format!("--country US {}", facts(json!({ "region": "CA" }))),
        PlaceTest::Continent(_) => facts(json!({ "continent": "EU" })),
        PlaceTest::Asn(_) => facts(json!({ "asn": 64500 })),
        PlaceTest::Connection(_) => facts(json!({ "connection": "wired" })),
        PlaceTest::Proxy(_) => facts(json!({ "proxy": "hosting" })),
        PlaceTest::Anonymizer(_) => facts(json!({ "anonymizers": ["vpn"] })),
    };
    let (name, fact) = (&place.name, test.fact().as_str());
    let unknown = facts(json!({ "unknown": [fact] }));
    format!("place \"{name}\" tests the client's {fact}: give {option}, or {unknown} if the edge does not know it")
}
