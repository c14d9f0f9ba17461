//! Faults of a policy's shape, found with its JSON Schema: all of them at once, each with its path. The content of the
//! policy is not repeated, because it may be long, or a secret in the wrong place.

use fastgate::policy::PolicyDocument;
use jsonschema::ValidationError;
use jsonschema::error::ValidationErrorKind;
use jsonschema::paths::{Location, LocationSegment};
use serde_json::Value;

use super::super::finding::Finding;
use super::ranges::range_fault;

const SEE_SCHEMA: &str = "see policy.schema.json for the fields that exist here and their types";

/// The JSON Schema of policies.
pub(super) fn schema() -> Value {
    schemars::schema_for!(PolicyDocument).to_value()
}

/// Every fault of the document's shape.
pub(super) fn shape_findings(document: &Value) -> Vec<Finding> {
    let schema = schema();
    let Ok(validator) = jsonschema::validator_for(&schema) else {
        return Vec::new(); // an invalid schema is a bug that a test finds; the reader still checks the policy
    };
    let mut findings = Vec::new();
    for error in validator.iter_errors(document) {
        explain(&error, &schema, &mut findings);
    }
    findings
}

fn explain(error: &ValidationError<'_>, schema: &Value, findings: &mut Vec<Finding>) {
    let at = json_path(error.instance_path());
    let see = || SEE_SCHEMA.to_owned();
    let mut add = |at, what, remedy| findings.push(Finding { at, what, remedy });
    match error.kind() {
        ValidationErrorKind::AnyOf { context }
        | ValidationErrorKind::OneOfNotValid { context }
        | ValidationErrorKind::OneOfMultipleValid { context } => match intended(error, context) {
            Some(branch) if !is_unknown_word(branch, schema) => {
                for error in branch {
                    explain(error, schema, findings);
                }
            }
            _ => {
                let remedy = if is_region_fact(&at) { ONLY_FACTS.to_owned() } else { see() };
                add(at, format!("is none of {}", choices(error, schema)), remedy);
            }
        },
        ValidationErrorKind::AdditionalProperties { unexpected } => {
            let known = siblings(error, schema, "properties");
            for name in unexpected {
                let beside = |member: &str| known.iter().any(|known| known == member);
                let former = FORMER_NAMES.iter().find(|(former, _, other)| former == name && beside(other));
                let gone = GONE.iter().find(|(gone, other, ..)| gone == name && beside(other));
                let (what, remedy) = match (former, gone) {
                    (Some((_, now, _)), _) if error.instance().get(now).is_some() => {
                        (format!("is called \"{now}\" now, which is there as well"), "merge it into the other one")
                    }
                    (Some((_, now, _)), _) => {
                        (format!("is called \"{now}\" now"), "rename it; its content is unchanged")
                    }
                    (None, Some((_, _, what, remedy))) => ((*what).to_owned(), *remedy),
                    (None, None) => {
                        (format!("does not exist here; there are {}", names(&known)), "correct its name, or remove it")
                    }
                };
                add(format!("{at}.{name}"), what, remedy.to_owned());
            }
        }
        ValidationErrorKind::Required { property } => add(at, format!("lacks {property}"), see()),
        _ => {
            let (what, remedy) =
                range_fault(error, schema).unwrap_or_else(|| (error.masked_with("the value").to_string(), see()));
            add(at, what, remedy);
        }
    }
}

/// Members that had another name in earlier versions: the former name, the present one, and a member that tells the object
/// from others that have the present name as well.
const FORMER_NAMES: [(&str, &str, &str); 3] = [
    ("answer_headers", "response_headers", "access"),
    ("most_cost", "max_cost", "cost_from"),
    ("trial", "shadow", "access"),
];

/// Members that do not exist, and for which another remedy than a correct name is known: the name, a member that tells
/// the object from others, the fault and the remedy.
const GONE: [(&str, &str, &str, &str); 2] = [
    (
        "algorithm",
        "audience",
        "no longer exists: headers are signed by HS256 for an origin with a \"key\", and by EdDSA for any other",
        "remove it; for HS256 write the public key of the application as \"key\" (`fastgate origin-key new`)",
    ),
    (
        "d",
        "crv",
        "is the private half of the key, and everybody who can read this policy knows it now",
        "make a new key with `fastgate origin-key new`, and write only its public half here",
    ),
];

/// The errors of the branch of a union that the author seems to have meant: all its errors are deeper inside, or it is
/// the only branch with the JSON type (object, list, text) of the value.
fn intended<'errors>(
    union: &ValidationError<'_>,
    branches: &'errors [Vec<ValidationError<'static>>],
) -> Option<&'errors [ValidationError<'static>]> {
    let here = |error: &&ValidationError<'_>| error.instance_path() == union.instance_path();
    if let Some(branch) = branches.iter().find(|branch| branch.iter().find(here).is_none()) {
        return Some(branch);
    }
    let other_kind = |error: &ValidationError<'_>| {
        use ValidationErrorKind::{AnyOf, Constant, Enum, OneOfNotValid, Type};
        matches!(error.kind(), Type { .. } | Constant { .. } | Enum { .. })
            || matches!(error.kind(), AnyOf { context } | OneOfNotValid { context }
                if intended(error, context).is_none())
    };
    let mut same_kind = branches.iter().filter(|branch| !branch.iter().filter(here).any(other_kind));
    match (same_kind.next(), same_kind.next()) {
        (Some(branch), None) => Some(branch),
        _ => None,
    }
}

/// Whether these errors say that an object with one member, such as `{"header": …}`, has another one than the branch.
fn is_unknown_word(branch: &[ValidationError<'_>], schema: &Value) -> bool {
    branch.iter().any(|error| match error.kind() {
        ValidationErrorKind::AdditionalProperties { unexpected } => {
            let members = error.instance().as_object().map_or(0, serde_json::Map::len);
            unexpected.len() == members && siblings(error, schema, "properties").len() == 1
        }
        _ => false,
    })
}

/// What may choose a region, if something else is in its place.
const ONLY_FACTS: &str =
    "write one of these; a field of the request never chooses a region, because clients write those as they like";

/// Whether `at` is the place of a fact that chooses a region.
fn is_region_fact(at: &str) -> bool {
    at.ends_with("].by") && at.contains(".selection.region_by[")
}

/// The branches of a union, in words.
fn choices(union: &ValidationError<'_>, schema: &Value) -> String {
    let branches = schema.pointer(union.schema_path().as_str()).and_then(Value::as_array);
    let mut all: Vec<String> = Vec::new();
    for choice in branches.into_iter().flatten().flat_map(|branch| described(branch, schema)) {
        if !all.contains(&choice) {
            all.push(choice);
        }
    }
    all.join(", ")
}

/// One branch of a union in words, or each of its own branches if it is a union.
fn described(branch: &Value, schema: &Value) -> Vec<String> {
    if let Some(target) = branch.get("$ref").and_then(Value::as_str) {
        let target = target.strip_prefix('#').and_then(|pointer| schema.pointer(pointer));
        return target.map(|target| described(target, schema)).unwrap_or_default();
    }
    let nested = ["oneOf", "anyOf"].into_iter().find_map(|keyword| branch.get(keyword).and_then(Value::as_array));
    if let Some(nested) = nested {
        return nested.iter().flat_map(|branch| described(branch, schema)).collect();
    }
    if let Some(value) = branch.get("const") {
        return vec![value.to_string()];
    }
    if let Some(values) = branch.get("enum").and_then(Value::as_array) {
        return values.iter().map(Value::to_string).collect();
    }
    let members = branch.get("properties").and_then(Value::as_object).filter(|members| members.len() == 1);
    let only = members.and_then(|members| members.keys().next());
    match (branch.get("type").and_then(Value::as_str), only) {
        (Some("object"), Some(member)) => vec![format!("{{\"{member}\": …}}")],
        (Some("object"), None) => vec!["an object".to_owned()],
        (Some("array"), _) => vec!["a list".to_owned()],
        (Some("string"), _) => vec!["a text".to_owned()],
        (Some("integer"), _) => vec!["a whole number".to_owned()],
        (Some("boolean"), _) => vec!["true, false".to_owned()],
        (Some(other), _) => vec![other.to_owned()],
        (None, _) => Vec::new(),
    }
}

/// The members of `keyword` in the schema object in which the failed keyword is.
fn siblings(error: &ValidationError<'_>, schema: &Value, keyword: &str) -> Vec<String> {
    let path = error.schema_path().as_str();
    let parent = path.rsplit_once('/').and_then(|(parent, _)| schema.pointer(parent));
    let members = parent.and_then(|parent| parent.get(keyword)).and_then(Value::as_object);
    members.into_iter().flatten().map(|(name, _)| name.clone()).collect()
}

fn names(names: &[String]) -> String {
    names.iter().map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(", ")
}

/// A location in the document as a JSON path, `$.routes[3].path`.
fn json_path(place: &Location) -> String {
    place.segments().fold("$".to_owned(), |path, segment| match segment {
        LocationSegment::Property(name) => format!("{path}.{name}"),
        LocationSegment::Index(index) => format!("{path}[{index}]"),
    })
}
