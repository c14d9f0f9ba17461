//! Faults of origins with several backends. Row M16 of `docs/attacks.md`.

use serde_json::{Value, json};

use super::{origin, policy};
use crate::rules::{faults, route};

#[test]
fn faults_of_several_backends_are_named_with_their_place() {
    let found = |change: &dyn Fn(&mut Value)| {
        let mut origin = origin();
        change(&mut origin);
        let all = policy(&origin, &json!({}));
        faults(&json!({ "routes": all["routes"], "origins": all["origins"], "issuers": all["issuers"] }))
    };
    let at = |place: &str, fault: &str| vec![format!("$.origins.app{place}: {fault}")];
    assert_eq!(
        found(&|origin| origin["backend"] = json!("one"))[0],
        "$.origins.app: has not exactly one of \"backend\" and \"backends\""
    );
    assert_eq!(
        found(&|origin| origin["regions"]["ch"]["fallback"] = json!("eu")),
        [at(".regions.ch.fallback", "leads back to \"ch\""), at(".regions.eu.fallback", "leads back to \"eu\"")]
            .concat()
    );
    assert_eq!(
        found(&|origin| origin["regions"]["ch"]["fallback"] = json!("us")),
        [
            at(".regions.ch.fallback", "leaves the jurisdiction \"europe\" of \"ch\""),
            at(".regions.eu.fallback", "leaves the jurisdiction \"europe\" of \"eu\""),
        ]
        .concat()[..1]
            .to_vec()
            .into_iter()
            .chain(at(".regions.eu.fallback", "leaves the jurisdiction \"europe\" of \"eu\""))
            .chain(at(".regions.us.fallback", "leads back to \"us\""))
            .collect::<Vec<_>>()
    );
    assert_eq!(
        found(&|origin| {
            for name in ["eu_1", "eu_2", "eu_spare"] {
                origin["backends"][name]["weight"] = json!(0);
            }
        }),
        at(
            ".regions.eu",
            "has no backend without \"version\" whose \"weight\" is more than 0: it is 0 for \"eu_1\", \"eu_2\", \
             \"eu_drained\", \"eu_spare\""
        )
    );
    assert_eq!(
        found(&|origin| origin["backends"]["us_1"]["region"] = json!("usa"))[0],
        at(".backends.us_1.region", "names no region")[0]
    );
    assert_eq!(
        found(&|origin| origin["backends"]["x"] = json!({})),
        at(".backends.x.region", "is missing, and the origin has \"regions\"")
    );
    assert_eq!(
        found(&|origin| origin["selection"]["default_region"] = json!("x")),
        at(".selection.default_region", "names no region")
    );
    assert_eq!(
        found(&|origin| origin["selection"]["region_by"][2]["regions"]["CH"] = json!("x")),
        at(".selection.region_by[2].regions.CH", "names no region")
    );
    assert_eq!(
        found(&|origin| origin["selection"]["region_by"][2]["regions"]["ch"] = json!("ch")),
        at(".selection.region_by[2].regions", "\"ch\" is not a code of a country")
    );
    assert_eq!(
        found(&|origin| origin["selection"] = json!({ "version_by": { "cookie": "v" } })),
        at(".selection", "has neither \"region_by\" nor \"default_region\", and the origin has \"regions\"")
    );
    assert_eq!(
        found(&|origin| origin["selection"]["version_by"] = Value::Null),
        at(".selection", "has \"version_by\" without a backend with \"version\", or the other way round")
    );
    assert_eq!(
        found(&|origin| origin["selection"]["version_by"] = json!({ "header": "authorization" })),
        at(".selection.version_by.header", "names \"authorization\", which the edge keeps to itself")
    );
    assert_eq!(
        found(&|origin| origin["selection"]["version_by"] = json!({ "cookie": "a b" })),
        at(".selection.version_by.cookie", "is not the name of a cookie")
    );
    assert_eq!(
        found(&|origin| origin["health"] = json!({ "failures": 0 })),
        at(".health.failures", "is 0, outside 1 to 100")
    );
    assert_eq!(
        found(&|origin| origin["retries"] = json!({ "limit": 9 })),
        at(".retries.limit", "is 9, outside 0 to 3")
    );
    assert_eq!(
        found(&|origin| origin["regions"][""] = json!({}))[0],
        at(".regions.", "is not made of a-z, 0-9, - and _")[0]
    );
    assert_eq!(
        found(&|origin| origin["regions"]["us"]["jurisdiction"] = json!(""))[0],
        at(".regions.us.jurisdiction", "is empty")[0]
    );
    for name in ["a\nb", &"x".repeat(256)] {
        let fault = "is not the name of a backend: it is longer than 255 bytes or has control characters";
        assert_eq!(
            found(&|origin| origin["backends"][name] = json!({ "region": "us" })),
            at(&format!(".backends.{name}"), fault)
        );
    }
    let many = |origin: &mut Value| {
        (0..65).for_each(|number| origin["backends"][format!("b{number}")] = json!({ "region": "us" }));
    };
    assert_eq!(found(&many), at(".backends", "has more than 64 entries"));
    let mut single = json!({ "backend": "one", "audience": "app", "retries": {}, "regions": { "eu": {} } });
    let of_single =
        faults(&json!({ "routes": [route("/a", &json!({ "access": "public" }))], "origins": { "app": single } }));
    assert!(
        of_single.contains(&"$.origins.app.retries: is at an origin with a single \"backend\"".to_owned()),
        "{of_single:?}"
    );
    single = json!({ "audience": "app", "backends": { "a": { "weight": 0 }, "b": { "weight": 0 } } });
    let all_zero =
        faults(&json!({ "routes": [route("/a", &json!({ "access": "public" }))], "origins": { "app": single } }));
    let nothing = "has no backend without \"version\" whose \"weight\" is more than 0: it is 0 for \"a\", \"b\"";
    assert_eq!(all_zero, at(".backends", nothing));
    let of_route = faults(&json!({ "routes": [
        route("/a", &json!({ "access": "public", "regions": ["eu"], "timeout": 0 })),
        route("/b", &json!({ "id": "b", "access": "public", "websocket": true, "timeout": 5 })),
    ] }));
    assert_eq!(
        of_route,
        [
            "$.routes[0].regions[0]: names no region",
            "$.routes[0].timeout: is 0, outside 1 to 110",
            "$.routes[1].timeout: is on a WebSocket, whose handshake the edge passes on without waiting",
        ]
    );
}
