//! Who may.

use serde_json::json;

use super::gate::{Gate, get, get_as, minted};

#[test]
fn a_caller_who_does_not_meet_the_rule_is_forbidden() {
    let gate = Gate::new(&json!({ "routes": [
        { "id": "tenant", "path": "/t/{tenant}", "methods": ["GET"],
          "require": { "claim": { "name": "tenant", "equals_path": "tenant" } } },
        { "id": "partner", "path": "/partner", "methods": ["GET"], "issuers": { "partner": {} } },
        { "id": "greet", "path": "/greet", "methods": ["GET"], "access": "optional" }
    ] }));
    let token = gate.token(json!({ "tenant": "acme" }));
    assert_eq!(gate.ask(get_as("/t/acme", &token)).status, 200);
    assert_eq!((gate.arrived()[0].path.as_str(), &gate.arrived()[0].body), ("/t/acme", &Ok(vec![])));
    let forbidden = |path: &str| gate.refusal("198.51.100.7", get_as(path, &token));
    assert_eq!(forbidden("/t/other"), (403, "forbidden".into(), "condition-unmet".into()));
    assert_eq!(forbidden("/partner"), (403, "forbidden".into(), "issuer-not-accepted".into()));

    assert_eq!(gate.ask(get_as("/greet", &token)).status, 200);
    assert_eq!(gate.ask(get_as("/greet", "not.a.token")).status, 200);
    assert_eq!(gate.ask(get("/greet")).status, 200);
    let callers: Vec<_> = gate.arrived().iter().skip(1).map(|seen| minted(seen).get("sub").cloned()).collect();
    assert_eq!(callers, [Some(json!("alice")), None, None]);
}
