//! Authorization at the edge.

use serde_json::json;

use super::gate::{get, get_as, minted};
use super::shared::GATE;

#[test]
fn a_caller_who_does_not_meet_the_rule_is_forbidden() {
    let token = GATE.token(json!({ "tenant": "acme" }));
    let arrived = GATE.arrival(&GATE.send(get_as("/t/acme", &token))).unwrap();
    assert_eq!((arrived.path.as_str(), arrived.body), ("/t/acme", Ok(vec![])));
    let forbidden = |path: &str| GATE.refusal("198.51.100.7", get_as(path, &token));
    assert_eq!(forbidden("/t/other"), (403, "forbidden".into(), "condition-unmet".into()));
    assert_eq!(forbidden("/partner"), (403, "forbidden".into(), "issuer-not-accepted".into()));

    let callers = [get_as("/greet", &token), get_as("/greet", "not.a.token"), get("/greet")].map(|sent| {
        let response = GATE.send(sent);
        assert_eq!(response.status, 200);
        minted(&GATE.arrival(&response).unwrap()).get("sub").cloned()
    });
    assert_eq!(callers, [Some(json!("alice")), None, None]);
}
