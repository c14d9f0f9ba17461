//! Authorization: scopes, roles, groups, claims, issuers; and routes without authorization.

use serde_json::{Value, json};

use super::{MAIN, PARTNER, faults, gate_with, route, token};
use crate::offline::{NOW, get};
use crate::provider;

fn verdict_of(require: &Value, claims: Value) -> &'static str {
    let gate = gate_with(&json!({ "routes": [route("/t/{tenant}", &json!({ "require": require }))] }));
    gate.verdict(get("/t/acme").bearer(&token(claims)))
}

fn assert_met(require: &Value, claims: &Value) {
    assert_eq!(verdict_of(require, claims.clone()), "forwarded", "{require} {claims}");
}

fn assert_unmet(require: &Value, claims: &Value) {
    assert_eq!(verdict_of(require, claims.clone()), "condition-unmet", "{require} {claims}");
}

#[test]
fn a_claim_must_have_the_required_value_and_type() {
    let equals = |value: Value| json!({ "claim": { "name": "tier", "equals": value } });
    assert_met(&equals(json!("gold")), &json!({ "tier": "gold" }));
    assert_met(&equals(json!(3)), &json!({ "tier": 3 }));
    assert_met(&equals(json!(true)), &json!({ "tier": true }));
    for other in [json!("Gold"), json!("gold "), json!("golden"), json!(["gold"]), json!({ "gold": 1 }), json!(null)] {
        assert_unmet(&equals(json!("gold")), &json!({ "tier": other }));
    }
    assert_unmet(&equals(json!(3)), &json!({ "tier": "3" }));
    assert_unmet(&equals(json!(true)), &json!({ "tier": "true" }));
    assert_unmet(&equals(json!("gold")), &json!({}));
}

#[test]
fn a_list_of_values_has_at_least_one() {
    let none = json!({ "claim": { "name": "tier", "in": [] } });
    for (require, at) in [(none.clone(), "require"), (json!({ "not": none }), "require.not")] {
        let parts = json!({ "routes": [route("/", &json!({ "require": require }))] });
        assert_eq!(faults(&parts), [format!("$.routes[0].{at}.claim.in: is empty")]);
    }
}

#[test]
fn one_of_several_values_is_enough_for_a_rule_with_in() {
    let rule = json!({ "claim": { "name": "tier", "in": ["gold", 7] } });
    assert_met(&rule, &json!({ "tier": "gold" }));
    assert_met(&rule, &json!({ "tier": 7 }));
    assert_unmet(&rule, &json!({ "tier": "7" }));
    assert_unmet(&rule, &json!({ "tier": ["gold"] }));
}

#[test]
fn a_list_contains_exact_members_and_never_parts_of_them() {
    let rule = json!({ "claim": { "name": "tags", "contains": "admin" } });
    assert_met(&rule, &json!({ "tags": ["x", "admin"] }));
    assert_met(&rule, &json!({ "tags": "admin" }));
    assert_unmet(&rule, &json!({ "tags": ["notadmin", "admin "] }));
    assert_unmet(&rule, &json!({ "tags": "x admin" }));
    assert_unmet(&rule, &json!({ "tags": { "admin": true } }));
    assert_unmet(&rule, &json!({ "tags": [["admin"]] }));
}

#[test]
fn a_claim_is_compared_with_the_decoded_path_parameter() {
    let rule = json!({ "claim": { "name": "tenant", "equals_path": "tenant" } });
    let gate = gate_with(&json!({ "routes": [route("/t/{tenant}/x", &json!({ "require": rule }))] }));
    let verdict = |path: &str, claims: Value| gate.verdict(get(path).bearer(&token(claims)));
    assert_eq!(verdict("/t/acme/x", json!({ "tenant": "acme" })), "forwarded");
    assert_eq!(verdict("/t/%61cme/x", json!({ "tenant": "acme" })), "forwarded");
    assert_eq!(verdict("/t/b%C3%BCro/x", json!({ "tenant": "büro" })), "forwarded");
    assert_eq!(verdict("/t/42/x", json!({ "tenant": "42" })), "forwarded");
    for claims in [json!({ "tenant": "other" }), json!({ "tenant": 42 }), json!({ "tenant": ["42"] }), json!({})] {
        assert_eq!(verdict("/t/42/x", claims), "condition-unmet");
    }
    let list = json!({ "claim": { "name": ["org", "tenants"], "contains_path": "tenant" } });
    assert_met(&list, &json!({ "org": { "tenants": ["a", "acme"] } }));
    assert_unmet(&list, &json!({ "org": { "tenants": ["acme2"] } }));
}

#[test]
fn nested_claims_are_reached_through_objects_only() {
    let nested = json!({ "claim": { "name": ["org", "unit"], "equals": "eu" } });
    assert_met(&nested, &json!({ "org": { "unit": "eu" } }));
    assert_unmet(&nested, &json!({ "org": ["unit"] }));
    assert_unmet(&nested, &json!({ "org.unit": "eu" }));
    let dotted = json!({ "claim": { "name": "https://x.test/org.unit", "equals": "eu" } });
    assert_met(&dotted, &json!({ "https://x.test/org.unit": "eu" }));
    assert_unmet(&dotted, &json!({ "https://x": { "test/org": { "unit": "eu" } } }));
}

#[test]
fn roles_and_groups_are_exact_and_of_the_issuers_claim() {
    let role = json!({ "role": "admin" });
    assert_met(&role, &json!({ "roles": ["admin"] }));
    assert_met(&role, &json!({ "roles": "admin" }));
    assert_unmet(&role, &json!({ "roles": "admin user" }));
    assert_unmet(&role, &json!({ "roles": { "admin": true } }));
    assert_unmet(&role, &json!({ "groups": ["admin"] }));
    assert_unmet(&role, &json!({ "roles": [{ "name": "admin" }, 1, null] }));
    assert_met(&json!({ "group": "ops" }), &json!({ "groups": ["ops"] }));
    // Too many groups for a token: the provider names another endpoint instead, which the edge never calls.
    assert_unmet(&json!({ "group": "ops" }), &json!({ "_claim_names": { "groups": "src1" } }));

    let gate = gate_with(&json!({ "routes": [route("/t", &json!({ "require": role }))] }));
    let partner = |claims: Value| gate.verdict(get("/t").bearer(&PARTNER.token(NOW, claims)));
    assert_eq!(partner(json!({ "realm_access": { "roles": ["admin"] } })), "forwarded");
    assert_eq!(partner(json!({ "roles": ["admin"] })), "condition-unmet");
}

#[test]
fn conditions_combine() {
    let rule = json!({ "all": [
        { "any": [{ "role": "admin" }, { "all": [{ "scope": "t:read" }, { "group": "staff" }] }] },
        { "not": { "claim": { "name": "suspended", "equals": true } } },
    ] });
    assert_met(&rule, &json!({ "roles": ["admin"] }));
    assert_met(&rule, &json!({ "scope": "t:read", "groups": ["staff"] }));
    assert_unmet(&rule, &json!({ "scope": "t:read" }));
    assert_unmet(&rule, &json!({ "roles": ["admin"], "suspended": true }));
}

#[test]
fn routes_share_rules_and_the_log_names_the_part_that_decided() {
    let gate = gate_with(&json!({
        "rules": {
            "staff": { "any": [{ "group": "staff" }, { "role": "owner" }] },
            "senior": { "all": [{ "rule": "staff" }, { "claim": { "name": "level", "in": [3, 4] } }] }
        },
        "routes": [route("/t", &json!({ "require": { "rule": "senior" } }))]
    }));
    let cause = |claims: Value| {
        let line = gate.send(get("/t").bearer(&token(claims))).line();
        line["cause"].as_str().map(str::to_owned)
    };
    assert_eq!(cause(json!({ "groups": "staff", "level": 3 })), None);
    assert_eq!(
        cause(json!({ "groups": "staff", "level": 2 })).as_deref(),
        Some("the caller does not meet: claim level in [3,4] (of rule \"senior\")")
    );
    assert_eq!(
        cause(json!({ "level": 3 })).as_deref(),
        Some("the caller does not meet: any of (group staff; role owner) (of rule \"staff\") (of rule \"senior\")")
    );
}

#[test]
fn issuers_on_one_route_have_requirements_of_their_own() {
    let gate = gate_with(&json!({ "routes": [
        route("/both", &json!({ "id": "both", "scopes": ["t:read"], "issuers": {
            "main": {},
            "partner": { "scopes": ["t:partner"], "require": { "claim": { "name": "contract", "equals": 7 } } }
        } })),
        route("/main", &json!({ "id": "main", "issuers": { "main": {} } }))
    ] }));
    let main = |path: &str, claims| gate.verdict(get(path).bearer(&token(claims)));
    let partner = |path: &str, claims| gate.verdict(get(path).bearer(&PARTNER.token(NOW, claims)));
    assert_eq!(main("/both", json!({ "scope": "t:read" })), "forwarded");
    assert_eq!(main("/both", json!({ "scope": "t:partner" })), "insufficient-scope");
    assert_eq!(partner("/both", json!({ "scope": "t:read" })), "insufficient-scope");
    assert_eq!(partner("/both", json!({ "scope": "t:read t:partner" })), "condition-unmet");
    assert_eq!(partner("/both", json!({ "scope": "t:read t:partner", "contract": 7 })), "forwarded");
    assert_eq!(partner("/both", json!({ "scope": "t:partner", "contract": 7 })), "insufficient-scope");
    assert_eq!(main("/main", json!({})), "forwarded");
    assert_eq!(partner("/main", json!({})), "issuer-not-accepted");
}

#[test]
fn on_an_optional_route_a_valid_token_identifies_and_an_invalid_one_counts_as_absent() {
    let optional = json!({ "access": "optional", "forward_token": true });
    let gate = gate_with(&json!({ "routes": [route("/t", &optional)] }));
    let known = gate.send(get("/t").bearer(&token(json!({}))));
    assert_eq!(known.minted()["sub"], "alice");
    assert_eq!(known.line()["subject"], "alice");
    let anonymous = gate.send(get("/t"));
    assert_eq!(
        (anonymous.minted().get("sub"), anonymous.trail.credentials_ignored),
        (None, Some("credentials-missing"))
    );
    let expired = MAIN.token(NOW - 8000, json!({}));
    let forged = format!("{}x", token(json!({})));
    for (bad, why) in [
        (format!("Bearer {expired}"), "token-expired"),
        (format!("Bearer {forged}"), "token-malformed"),
        ("Bearer x".to_owned(), "token-malformed"),
        ("Basic dTpw".to_owned(), "credentials-other-scheme"),
    ] {
        let outcome = gate.send(get("/t").field("authorization", &bad));
        let claims = outcome.minted();
        assert_eq!((claims.get("sub"), claims["rctx"].get("iss")), (None, None), "{why}");
        assert_eq!((outcome.trail.verdict, outcome.trail.credentials_ignored), ("forwarded", Some(why)));
        assert_eq!(outcome.sent("authorization"), [""; 0], "an invalid token is never forwarded");
    }
    let good = token(json!({}));
    assert_eq!(
        gate.send(get("/t").bearer(&good).bearer(&good)).minted().get("sub"),
        None,
        "two headers are no identity"
    );
}

#[test]
fn a_shadow_requirement_is_evaluated_and_refuses_no_caller() {
    let shadow = json!({ "scopes": ["t:read"], "require": { "claim": { "name": "tenant", "equals_path": "tenant" } } });
    let gate =
        gate_with(&json!({ "routes": [route("/t/{tenant}", &json!({ "access": "optional", "shadow": shadow }))] }));
    let shadow = |request| {
        let line = gate.send(request).line();
        assert_eq!(line["verdict"], "forwarded");
        line["shadow"].clone()
    };
    let with = |claims| get("/t/acme").bearer(&token(claims));
    assert_eq!(shadow(get("/t/acme")), json!(["would-refuse unidentified"]));
    assert_eq!(shadow(with(json!({ "tenant": "acme" }))), json!(["would-refuse insufficient-scope"]));
    assert_eq!(shadow(with(json!({ "scope": "t:read" }))), json!(["would-refuse condition-unmet"]));
    assert_eq!(shadow(with(json!({ "scope": "t:read", "tenant": "acme" }))), json!(null));
}

#[test]
fn rules_that_cannot_work_are_faults() {
    let of = |parts: &Value| faults(&json!({ "routes": [route("/t/{tenant}", parts)] }));
    let claim = |test: Value| json!({ "require": { "claim": test } });
    for (parts, fault) in [
        (json!({ "require": { "rule": "none" } }), "$.routes[0].require.rule: names no rule"),
        (json!({ "require": { "all": [] } }), "$.routes[0].require.all: is empty"),
        (json!({ "require": { "any": [{ "scope": "a b" }] } }), "$.routes[0].require.any[0].scope: is not a scope"),
        (claim(json!({ "name": "x" })), "$.routes[0].require.claim: is not exactly one test"),
        (claim(json!({ "name": "x", "equals": 1, "in": [1] })), "$.routes[0].require.claim: is not exactly one test"),
        (claim(json!({ "name": [], "equals": 1 })), "$.routes[0].require.claim.name: is empty"),
        (claim(json!({ "name": "x", "equals_path": "y" })), "$.routes[0].require: names the path parameter \"y\""),
        (json!({ "access": "optional", "scopes": ["a"] }), "$.routes[0].scopes: is on a route"),
        (json!({ "access": "public", "require": { "role": "a" } }), "$.routes[0].require: is on a route"),
        (json!({ "issuers": { "nobody": {} } }), "$.routes[0].issuers.nobody: names no issuer"),
    ] {
        let found = of(&parts);
        assert!(found.iter().any(|found| found.starts_with(fault)), "{parts}: {found:?}");
    }
    let circle = faults(&json!({
        "rules": { "a": { "not": { "rule": "b" } }, "b": { "any": [{ "rule": "a" }] } },
        "routes": [route("/t", &json!({}))]
    }));
    assert_eq!(circle, ["$.rules.b.any[0].rule: refers to the rule that contains it"]);
}

/// A rule that names `inner` in each of these places of a list.
fn all_of(inner: &str, times: usize) -> Value {
    json!({ "all": vec![json!({ "rule": inner }); times] })
}

/// The faults of a policy with `count` rules, each of which names the previous rule `times` times; the first is a
/// scope. Their names are in the order of their references, or in reverse order.
fn chained(count: usize, times: usize, reverse: bool) -> Vec<String> {
    let name = |number: usize| format!("r{:05}", if reverse { count - number } else { number });
    let rule = |number: usize| if number == 0 { json!({ "scope": "a" }) } else { all_of(&name(number - 1), times) };
    let rules: serde_json::Map<_, _> = (0..count).map(|number| (name(number), rule(number))).collect();
    let policy = provider::policy(&json!({
        "rules": rules, "routes": [route("/t", &json!({ "require": { "rule": name(count - 1) } }))]
    }));
    let faults = fastgate::policy::Policy::parse(policy.to_string().as_bytes()).err();
    faults.map(|faults| faults.0.iter().map(ToString::to_string).collect()).unwrap_or_default()
}

#[test]
fn chains_of_rules_are_limited_in_depth_and_each_fault_has_its_location() {
    for reverse in [false, true] {
        // A rule within a rule is two conditions deep: the list and the name in it. The route names the last one.
        assert_eq!(chained(32, 1, reverse), [""; 0], "{reverse}");
        for count in [33, 100, 30_000] {
            let found = chained(count, 1, reverse);
            assert!(!found.is_empty(), "{count} {reverse}");
            for fault in &found {
                let (at, what) = fault.split_once(": ").unwrap();
                assert!(at.starts_with("$.rules.r") || at.starts_with("$.routes[0].require"), "{fault}");
                assert_eq!(what, "is more than 64 conditions deep, rules written out");
            }
        }
    }
}

#[test]
fn the_expanded_size_of_rules_is_limited() {
    // n lists of two, each with two names: 2^(n+1) - 1 lists and scopes, 2^(n+1) - 2 names.
    for reverse in [false, true] {
        assert_eq!(chained(11, 2, reverse), [""; 0]);
        let found = chained(12, 2, reverse);
        assert!(found.iter().all(|fault| fault.contains("4096 are accepted")), "{found:?}");
        assert!(!found.is_empty());
        // Each policy is accepted or refused at once: 2^24 conditions would take a second, and 3^30 would never end.
        assert!(!chained(25, 2, reverse).is_empty() && !chained(31, 3, reverse).is_empty());
    }
    let wide = |count: usize| {
        let list = json!({ "any": vec![json!({ "scope": "a" }); count] });
        let policy = provider::policy(&json!({ "routes": [route("/t", &json!({ "require": list }))] }));
        fastgate::policy::Policy::parse(policy.to_string().as_bytes()).map_err(|faults| faults.to_string())
    };
    assert!(wide(4095).is_ok());
    let expected = "$.routes[0].require: is 4097 conditions long, rules written out; 4096 are accepted";
    assert_eq!(wide(4096).unwrap_err(), expected);
}

#[test]
fn a_parameter_is_compared_by_value_however_the_path_spells_it() {
    let approve = |convertor: &str| {
        let own = json!({ "claim": { "name": "own", "contains_path": "id" } });
        let is_own = json!({ "claim": { "name": "order", "equals_path": "id" } });
        gate_with(&json!({ "routes": [
            route(&format!("/approve/{{id{convertor}}}"), &json!({ "id": "approve", "require": { "not": own } })),
            route(&format!("/cancel/{{id{convertor}}}"), &json!({ "id": "cancel", "require": is_own })),
        ] }))
    };
    let uuid = "0e37df36-f698-11e6-8dd4-cb9ced3df976";
    let bare_uuid = uuid.replace('-', "");
    for (convertor, claim, spellings) in [
        (":int", json!("7"), &["7", "007", "%307"][..]),
        (":int", json!(7), &["7", "007"]),
        (":float", json!("1"), &["1", "1.0", "01", "1.000"]),
        (":uuid", json!(uuid), &[uuid, &uuid.to_uppercase(), &bare_uuid]),
        (":uuid", json!(uuid.to_uppercase()), &[uuid, &bare_uuid]),
        (":str", json!("7"), &["7", "%37"]),
    ] {
        let gate = approve(convertor);
        let token = token(json!({ "own": [claim, "other"], "order": claim }));
        for spelling in spellings {
            let verdict = |path: &str| gate.verdict(get(&format!("/{path}/{spelling}")).bearer(&token));
            assert_eq!(verdict("approve"), "condition-unmet", "{convertor} {spelling} {claim}");
            assert_eq!(verdict("cancel"), "forwarded", "{convertor} {spelling} {claim}");
        }
    }
    let gate = approve(":int");
    let token = token(json!({ "own": ["8", "07x"], "order": "8" }));
    assert_eq!(gate.verdict(get("/approve/007").bearer(&token)), "forwarded");
    assert_eq!(gate.verdict(get("/cancel/007").bearer(&token)), "condition-unmet");
}

#[test]
fn a_negated_comparison_needs_a_parameter_with_a_known_type() {
    let own = json!({ "claim": { "name": "own", "contains_path": "id" } });
    let is_own = json!({ "claim": { "name": "order", "equals_path": "id" } });
    let found = |path: &str, parts: Value| {
        let rules = json!({ "own": own, "foreign": { "not": { "rule": "own" } } });
        let policy = provider::policy(&json!({ "rules": rules, "routes": [route(path, &parts)] }));
        let faults = fastgate::policy::Policy::parse(policy.to_string().as_bytes()).err();
        faults.map(|faults| faults.0.iter().map(ToString::to_string).collect::<Vec<_>>()).unwrap_or_default()
    };
    let requiring = |condition: &Value| json!({ "require": condition });
    let negated = [
        json!({ "not": own }),
        json!({ "not": is_own }),
        json!({ "not": { "any": [{ "role": "a" }, own] } }),
        json!({ "all": [{ "role": "a" }, { "not": { "rule": "own" } }] }),
        json!({ "rule": "foreign" }),
        json!({ "not": { "not": { "rule": "foreign" } } }),
    ];
    let what = "compares the path parameter \"id\" as text under \"not\": another spelling of the same value passes";
    for condition in &negated {
        for path in ["/orders/{id}/approve", "/orders/v{id}.pdf", "/orders/{id:path}", "/orders/{id:path}/approve"] {
            let place = |at: &str| vec![format!("$.routes[0]{at}: {what}")];
            assert_eq!(found(path, requiring(condition)), place(".require"), "{condition}");
            assert_eq!(found(path, json!({ "shadow": requiring(condition) })), place(".shadow.require"));
            let of_issuer = json!({ "issuers": { "main": requiring(condition) } });
            assert_eq!(found(path, of_issuer), place(".issuers.main.require"));
        }
        for convertor in ["int", "float", "uuid", "str"] {
            assert_eq!(found(&format!("/orders/{{id:{convertor}}}"), requiring(condition)), [""; 0], "{condition}");
        }
    }
    // A comparison that another spelling can only fail needs no convertor.
    for condition in [own.clone(), json!({ "any": [{ "rule": "own" }, { "not": { "not": is_own } }] })] {
        assert_eq!(found("/orders/{id}/approve", requiring(&condition)), [""; 0], "{condition}");
    }
}

#[test]
fn scopes_may_be_required_only_of_tokens_that_can_have_them() {
    let idp = |id: &str, parts: Value| {
        let mut idp = json!({ "issuer": format!("https://{id}.test"), "backend": "idp", "audiences": ["api"] });
        idp.as_object_mut().unwrap().extend(parts.as_object().cloned().unwrap());
        idp
    };
    let issuers = json!({
        "scoped": idp("scoped", json!({})),
        "none": idp("none", json!({ "claims": { "scopes": [] } })),
        "refused": idp("refused", json!({ "refused_claims": ["scope", "scp"] })),
        "id": idp("id", json!({ "tokens": "id" })),
        "moved": idp("moved", json!({ "tokens": "id", "claims": { "scopes": ["permissions"] } })),
    });
    let found = |parts: Value| {
        let policy = provider::policy(&json!({ "issuers": issuers, "routes": [route("/", &parts)] }));
        let faults = fastgate::policy::Policy::parse(policy.to_string().as_bytes()).err();
        faults.map(|faults| faults.0.iter().map(ToString::to_string).collect::<Vec<_>>()).unwrap_or_default()
    };
    let what = "requires scopes, and no token that is accepted here can have any";
    let scoped = json!({ "scopes": ["a"] });
    for id in ["none", "refused", "id"] {
        assert_eq!(found(json!({ "scopes": ["a"], "issuers": { id: {} } })), [format!("$.routes[0].scopes: {what}")]);
        let place = format!("$.routes[0].issuers.{id}.scopes: {what}");
        assert_eq!(found(json!({ "issuers": { id: scoped, "scoped": scoped } })), [place]);
        assert_eq!(found(json!({ "issuers": { id: {} } })), [""; 0]);
    }
    assert_eq!(found(json!({ "scopes": ["a"] })), [""; 0], "one of the issuers has scopes");
    assert_eq!(found(json!({ "scopes": ["a"], "issuers": { "moved": {}, "none": {} } })), [""; 0]);
}

fn signed_in(authentication: &Value, claims: Value) -> crate::offline::Outcome {
    let rule = json!({ "routes": [route("/", &json!({ "scopes": ["read"], "authentication": authentication }))] });
    let mut parts = json!({ "scope": "read" });
    parts.as_object_mut().unwrap().extend(claims.as_object().unwrap().clone());
    gate_with(&rule).send(get("/").bearer(&token(parts)))
}

#[test]
fn a_route_can_require_a_recent_sign_in() {
    let recent = json!({ "max_age": 300 });
    for (auth_time, verdict) in [
        (json!(NOW), "forwarded"),
        (json!(NOW - 330), "forwarded"), // the leeway of the issuer is 30 seconds
        (json!(NOW - 331), "authentication-insufficient"),
        (json!(NOW + 30), "forwarded"),
        (json!(NOW + 31), "authentication-insufficient"),
        (json!(0), "authentication-insufficient"),
        (json!("x"), "authentication-insufficient"),
        (Value::Null, "authentication-insufficient"),
        (json!(u64::MAX), "authentication-insufficient"),
    ] {
        assert_eq!(signed_in(&recent, json!({ "auth_time": auth_time })).trail.verdict, verdict, "{auth_time}");
    }
    assert_eq!(signed_in(&recent, json!({})).trail.verdict, "authentication-insufficient");
}

#[test]
fn a_route_can_require_a_way_of_signing_in() {
    let strong = json!({ "acr": ["phrh", "phr"] });
    for (acr, verdict) in [
        (json!("phr"), "forwarded"),
        (json!("phrh"), "forwarded"),
        (json!("PHR"), "authentication-insufficient"),
        (json!("phr phrh"), "authentication-insufficient"),
        (json!(["phr"]), "authentication-insufficient"),
        (Value::Null, "authentication-insufficient"),
    ] {
        assert_eq!(signed_in(&strong, json!({ "acr": acr })).trail.verdict, verdict, "{acr}");
    }
}

#[test]
fn the_challenge_says_how_to_sign_in_again() {
    let metadata = "resource_metadata=\"https://edge.test/.well-known/oauth-protected-resource\"";
    for (required, parameters) in [
        (json!({ "acr": ["phrh", "phr"] }), "acr_values=\"phrh phr\", "),
        (json!({ "max_age": 0 }), "max_age=\"0\", "),
        (json!({ "acr": ["a"], "max_age": 60 }), "acr_values=\"a\", max_age=\"60\", "),
    ] {
        let outcome = signed_in(&required, json!({}));
        let problem = outcome.problem();
        assert_eq!((problem.status(), problem.kind().slug()), (401, "insufficient-user-authentication"));
        let challenge = problem
            .headers()
            .all("www-authenticate")
            .map(|value| String::from_utf8_lossy(value).into_owned())
            .collect::<Vec<_>>();
        let expected =
            format!("Bearer error=\"insufficient_user_authentication\", {parameters}scope=\"read\", {metadata}");
        assert_eq!(challenge, [expected]);
    }
    let cause = signed_in(&json!({ "acr": ["a", "b"], "max_age": 60 }), json!({})).trail.cause.clone().unwrap();
    assert_eq!(cause, "the caller has not signed in as the route requires: acr a or b, at most 60 seconds ago");
    let short = signed_in(&json!({ "max_age": 60 }), json!({ "scope": "other" }));
    assert_eq!(short.trail.verdict, "insufficient-scope", "a caller without the scope is not asked to sign in again");
}

#[test]
fn a_sign_in_can_be_required_of_one_issuer_or_in_shadow() {
    let strong = json!({ "acr": ["phr"] });
    let parts = json!({ "routes": [route("/", &json!({ "issuers": { "main": { "authentication": strong }, "partner": {} } }))] });
    let gate = gate_with(&parts);
    assert_eq!(gate.send(get("/").bearer(&token(json!({})))).trail.verdict, "authentication-insufficient");
    assert_eq!(gate.send(get("/").bearer(&PARTNER.token(NOW, json!({})))).trail.verdict, "forwarded");
    let gate = gate_with(&json!({ "routes": [route("/", &json!({ "shadow": { "authentication": strong } }))] }));
    let outcome = gate.send(get("/").bearer(&token(json!({}))));
    assert_eq!(
        (outcome.trail.verdict, &outcome.trail.shadow[..]),
        ("forwarded", &["would-refuse authentication-insufficient".to_owned()][..])
    );
}

#[test]
fn mistakes_in_a_required_sign_in_are_faults() {
    for (authentication, fault) in [
        (json!({}), ": is empty"),
        (json!({ "acr": [] }), ".acr: is empty"),
        (json!({ "acr": ["a b"] }), ".acr[0]: is not a value of acr"),
        (json!({ "acr": ["a\""] }), ".acr[0]: is not a value of acr"),
        (json!({ "acr": [""] }), ".acr[0]: is not a value of acr"),
        (json!({ "max_age": 40_000_000 }), ".max_age: is 40000000, outside"),
    ] {
        let found = faults(&json!({ "routes": [route("/", &json!({ "authentication": authentication }))] }));
        assert!(found[0].starts_with(&format!("$.routes[0].authentication{fault}")), "{authentication}: {found:?}");
    }
    let public = route("/", &json!({ "access": "optional", "authentication": { "max_age": 1 } }));
    assert!(faults(&json!({ "routes": [public] }))[0].starts_with("$.routes[0].authentication: "));
}

#[test]
fn a_missing_token_is_challenged_with_the_scopes_of_the_route() {
    let gate = gate_with(&json!({ "routes": [route("/", &json!({ "scopes": ["read", "write"] }))] }));
    for request in [get("/"), get("/").bearer("x.y.z")] {
        let outcome = gate.send(request);
        let headers = outcome.problem().headers();
        let challenge = String::from_utf8_lossy(headers.all("www-authenticate").next().unwrap()).into_owned();
        assert!(challenge.contains("scope=\"read write\""), "{challenge}");
    }
}
