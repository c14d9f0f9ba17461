//! `policy.json`, the policy of the demo: it uses every feature of the rules and contains no unused names.

use std::collections::BTreeSet;

use fastgate::policy::PolicyDocument;
use serde_json::{Value, json};

use super::tour::members;

/// Members that only the tour shows: the settings of issuers, keys and proofs, of backends that fail, of models, and of MCP servers.
const OTHER_CHAPTERS: [&str; 16] = [
    "HealthDocument",
    "RetriesDocument",
    "OriginKeyDocument",
    "IssuerDocument",
    "ClaimsDocument",
    "FormedClaim",
    "KeyLife",
    "Introspection",
    "ProofRules",
    "InferenceDocument",
    "McpDocument",
    "EntryDocument",
    "ModelDocument",
    "MembersDocument",
    "BudgetDocument",
    "Price",
];
/// Members of `edge` that belong to those, and what belongs to applications, not to rules.
const OTHER_MEMBERS: [&str; 21] = [
    "weight",
    "priority",
    "version",
    "version_by",
    "cookie",
    "hash_by",
    "health",
    "retries",
    "timeout",
    "resource",
    "token_audiences",
    "dpop",
    "max_token",
    "origin",
    "key",
    "authentication",
    "acr",
    "inference",
    "budgets",
    "mcp",
    "models",
];

fn example() -> Value {
    serde_json::from_str(include_str!("../../../policy.json")).unwrap()
}

#[test]
fn the_example_shows_every_member_that_a_rule_can_have() {
    let mut schema = schemars::schema_for!(PolicyDocument).to_value();
    let definitions = schema["$defs"].as_object_mut().unwrap();
    for name in OTHER_CHAPTERS {
        assert!(definitions.remove(name).is_some(), "{name}");
    }
    let mut wanted = Vec::new();
    members(&schema, &mut wanted);
    let (mut shown, mut values) = (BTreeSet::new(), Vec::new());
    collect(&example(), &mut shown, &mut values);
    let missing: BTreeSet<_> =
        wanted.iter().filter(|name| !OTHER_MEMBERS.contains(&name.as_str()) && !shown.contains(*name)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn the_example_shows_every_way_to_count_and_every_access() {
    let (mut names, mut values) = (BTreeSet::new(), Vec::new());
    collect(&example(), &mut names, &mut values);
    for value in ["authenticated", "optional", "public", "subject", "client_id", "network", "route"] {
        assert!(values.contains(&json!(value)), "{value}");
    }
    assert!(values.contains(&json!(451)));
    for convertor in [":int}", ":uuid}", ":path}"] {
        let shows = |value: &Value| value.as_str().is_some_and(|text| text.contains(convertor));
        assert!(values.iter().any(shows), "{convertor}");
    }
}

#[test]
fn every_name_in_the_example_is_used() {
    let example = example();
    let (mut names, mut values) = (BTreeSet::new(), Vec::new());
    collect(&example, &mut names, &mut values);
    for shelf in ["rules", "places", "limits", "groups"] {
        for name in example[shelf].as_object().unwrap().keys() {
            assert!(values.contains(&json!(name)), "{shelf}.{name}");
        }
    }
}

/// The names of members and the values that are neither objects nor lists, at every depth.
fn collect(value: &Value, names: &mut BTreeSet<String>, values: &mut Vec<Value>) {
    match value {
        Value::Object(members) => {
            names.extend(members.keys().cloned());
            members.values().for_each(|member| collect(member, names, values));
        }
        Value::Array(list) => list.iter().for_each(|member| collect(member, names, values)),
        leaf => values.push(leaf.clone()),
    }
}
