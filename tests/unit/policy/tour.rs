//! The tour: one policy that shows each feature once.

use fastgate::policy::{Policy, PolicyDocument};
use serde_json::Value;

const TOUR: &str = include_str!("../../../docs/policy-tour.json");

#[test]
fn the_tour_is_valid_by_the_schema_and_by_the_reader() {
    let schema = schemars::schema_for!(PolicyDocument).to_value();
    let tour: Value = serde_json::from_str(TOUR).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let errors: Vec<_> = validator.iter_errors(&tour).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{errors:?}");
    assert!(Policy::parse(TOUR.as_bytes()).is_ok(), "{:?}", Policy::parse(TOUR.as_bytes()).err());
}

#[test]
fn the_tour_shows_every_member_of_the_schema() {
    let schema = schemars::schema_for!(PolicyDocument).to_value();
    let mut names = Vec::new();
    members(&schema, &mut names);
    let missing: Vec<_> = names.iter().filter(|name| !TOUR.contains(&format!("\"{name}\":"))).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

/// The names under `properties`, at every depth.
pub(crate) fn members(schema: &Value, names: &mut Vec<String>) {
    match schema {
        Value::Object(object) => {
            if let Some(Value::Object(properties)) = object.get("properties") {
                names.extend(properties.keys().cloned());
            }
            object.values().for_each(|value| members(value, names));
        }
        Value::Array(list) => list.iter().for_each(|value| members(value, names)),
        _ => {}
    }
}
