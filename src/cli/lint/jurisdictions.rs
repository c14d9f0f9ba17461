//! One backend that two origins place in different jurisdictions.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::hint::Lint;

/// The hints about backends of the policy `document`. Only the document has the jurisdictions: at the edge, fallbacks
/// have been checked.
pub(in crate::cli) fn jurisdictions(document: &Value) -> Vec<Lint> {
    let mut known: BTreeMap<&str, (&str, &str)> = BTreeMap::new();
    let mut found = Vec::new();
    for (origin, members) in objects(document.get("origins")) {
        for (name, backend) in objects(members.get("backends")) {
            let Some(here) = jurisdiction(members, backend) else { continue };
            let (other, there) = *known.entry(name.as_str()).or_insert((origin.as_str(), here));
            if there != here {
                found.push(Lint {
                    at: format!("$.origins.{origin}.backends.{name}.region"),
                    what: format!(
                        "is in the jurisdiction \"{here}\", but the origin \"{other}\" has the same backend in \"{there}\""
                    ),
                    remedy: "correct the region of one of them, or its \"jurisdiction\": a backend is in one place",
                });
            }
        }
    }
    found
}

/// The jurisdiction of the region of a backend.
fn jurisdiction<'document>(origin: &'document Value, backend: &Value) -> Option<&'document str> {
    let region = backend.get("region")?.as_str()?;
    origin.get("regions")?.get(region)?.get("jurisdiction")?.as_str()
}

fn objects(members: Option<&Value>) -> impl Iterator<Item = (&String, &Value)> {
    members.and_then(Value::as_object).into_iter().flat_map(Map::iter)
}
