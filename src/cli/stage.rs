//! Values of a stage: one policy serves several services, and `${NAME}` in it stands for what differs between them. The
//! values are put in before a policy is checked or pushed; the edge never sees a name.
//!
//! A value comes from the stage file, or from the environment variable `FASTGATE_STAGE_<NAME>` if the file has none. An empty
//! text and `null` are no values: they are what a variable has that somebody forgot to set.
//!
//! `$${` is the text `${`. Every other `${` that no value replaces is a fault, also in names of members, which are never
//! replaced, and in values, which are not replaced again: the policy would compare with a text that nobody means.

use std::collections::BTreeSet;
use std::path::Path;

use fastgate::strict_json;
use serde_json::{Map, Value};

use super::finding::Finding;

/// The environment variables with values: this, and the name.
const VARIABLES: &str = "FASTGATE_STAGE_";

/// The values of a stage.
#[derive(Default)]
pub(super) struct Stage {
    /// The members of the stage file, and its name.
    file: Option<(String, Map<String, Value>)>,
}

impl Stage {
    /// Reads a stage file: a JSON object.
    ///
    /// # Errors
    /// A message if it cannot be read, or if a member can be no name.
    pub(super) fn read(path: Option<&Path>) -> Result<Self, String> {
        let Some(path) = path else { return Ok(Self::default()) };
        let fault = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
        let text = std::fs::read(path).map_err(|error| fault(&error))?;
        let values = strict_json::parse_object(&text).map_err(|error| fault(&error))?;
        if let Some(name) = values.keys().find(|name| !is_name(name)) {
            return Err(fault(&format!("\"{name}\" is no name: write capital letters, digits and _")));
        }
        Ok(Self { file: Some((path.display().to_string(), values)) })
    }

    /// The text of the policy with the values of this stage. A text without names stays as it is, byte for byte; so does
    /// one that is not a JSON object, which the check of the policy reports.
    ///
    /// # Errors
    /// Every name without a value with its place, and every value that the policy does not use.
    pub(super) fn applied(&self, text: Vec<u8>) -> Result<Vec<u8>, Vec<Finding>> {
        self.applied_with(text, |name| std::env::var(format!("{VARIABLES}{name}")).ok())
    }

    fn applied_with(&self, text: Vec<u8>, variable: impl Fn(&str) -> Option<String>) -> Result<Vec<u8>, Vec<Finding>> {
        let Ok(policy) = strict_json::parse_object(&text) else { return Ok(text) };
        let policy = Value::Object(policy);
        let values = self.file.as_ref().map(|(_, values)| values);
        let look_up = |name: &str| {
            if let (Some((file, _)), Some(value)) = (&self.file, values.and_then(|values| values.get(name))) {
                return Some((value.clone(), format!("{file}: {name}")));
            }
            variable(name)
                .filter(|text| !text.is_empty())
                .map(|text| (Value::String(text), format!("{VARIABLES}{name}")))
        };
        let mut replacing = Replacing { look_up: &look_up, used: BTreeSet::new(), findings: Vec::new() };
        let mut replaced = policy.clone();
        replacing.value(&mut replaced, "$");
        let Replacing { used, mut findings, .. } = replacing;
        if let Some((file, values)) = &self.file {
            findings.extend(values.keys().filter(|name| !used.contains(*name)).map(|name| Finding {
                at: format!("{file}: {name}"),
                what: format!("is not used: the policy has no ${{{name}}}"),
                remedy: "correct the name, or remove the value".to_owned(),
            }));
        }
        match findings.is_empty() {
            true if replaced == policy => Ok(text),
            true => Ok(replaced.to_string().into_bytes()),
            false => Err(findings),
        }
    }
}

/// A pass through a policy.
struct Replacing<'a> {
    /// The value of a name, and where it comes from.
    look_up: &'a dyn Fn(&str) -> Option<(Value, String)>,
    used: BTreeSet<String>,
    findings: Vec<Finding>,
}

impl Replacing<'_> {
    fn value(&mut self, value: &mut Value, at: &str) {
        match value {
            Value::Object(members) => {
                for (name, member) in members.iter_mut() {
                    let at = format!("{at}.{name}");
                    if name.contains("${") {
                        self.fault(
                            &at,
                            "has ${ in the name of a member, and only texts are replaced",
                            "write the name itself",
                        );
                    }
                    self.value(member, &at);
                }
            }
            Value::Array(entries) => {
                entries.iter_mut().enumerate().for_each(|(index, entry)| self.value(entry, &format!("{at}[{index}]")));
            }
            Value::String(text) => {
                if let Some(new) = self.text(text, at) {
                    *value = new;
                }
            }
            _ => {}
        }
    }

    /// What a text becomes; `None` if it stays as it is. A text that is exactly one name becomes any value.
    fn text(&mut self, text: &str, at: &str) -> Option<Value> {
        if let Some((name, "")) = text.strip_prefix("${").and_then(split_name) {
            return self.look_up(name, at);
        }
        let (mut new, mut rest, mut changes) = (String::new(), text, false);
        while let Some((before, after)) = rest.split_once("${") {
            changes = true;
            rest = after;
            if let Some(before) = before.strip_suffix('$') {
                new.extend([before, "${"]);
                continue;
            }
            new.push_str(before);
            let Some((name, behind)) = split_name(after) else {
                self.fault(
                    at,
                    "has ${ without a name and } behind it",
                    "write ${NAME} in capital letters, digits and _, or $${ for the text ${",
                );
                continue;
            };
            rest = behind;
            match self.look_up(name, at) {
                Some(Value::String(value)) => new.push_str(&value),
                Some(Value::Null) | None => {} // a fault already
                Some(_) => self.fault(
                    at,
                    &format!("has ${{{name}}} inside a longer text, and its value is not a text"),
                    &format!("write a text as value, or write \"${{{name}}}\" alone"),
                ),
            }
        }
        changes.then(|| Value::String(new + rest))
    }

    fn look_up(&mut self, name: &str, at: &str) -> Option<Value> {
        let is_first = self.used.insert(name.to_owned());
        let Some((value, source)) = (self.look_up)(name) else {
            self.fault(
                at,
                &format!("needs a value for ${{{name}}}, and there is none"),
                &format!("add \"{name}\" to the stage file (--stage FILE), or set {VARIABLES}{name}"),
            );
            return None;
        };
        if is_first {
            self.value_of_stage(&value, &source);
        }
        Some(value)
    }

    /// Checks a value of the stage, which comes from `source`.
    fn value_of_stage(&mut self, value: &Value, source: &str) {
        if value.is_null() || value.as_str() == Some("") {
            self.fault(
                source,
                "is empty, which is no value",
                "write the value; where two stages differ by a part, write the whole text",
            );
        } else if has_marker(value) {
            self.fault(
                source,
                "has ${ in it, or a $ at its end, and values are not replaced again",
                "write the text itself",
            );
        }
    }

    fn fault(&mut self, at: &str, what: &str, remedy: &str) {
        self.findings.push(Finding { at: at.to_owned(), what: what.to_owned(), remedy: remedy.to_owned() });
    }
}

/// Whether a text in a value has `${`, or can have it together with what follows.
fn has_marker(value: &Value) -> bool {
    let is_marked = |text: &str| text.contains("${") || text.ends_with('$');
    match value {
        Value::String(text) => is_marked(text),
        Value::Array(entries) => entries.iter().any(has_marker),
        Value::Object(members) => members.iter().any(|(name, member)| is_marked(name) || has_marker(member)),
        _ => false,
    }
}

/// The name before the first `}`, and what follows; `None` if it is no name.
fn split_name(text: &str) -> Option<(&str, &str)> {
    text.split_once('}').filter(|(name, _)| is_name(name))
}

fn is_name(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_uppercase())
        && text.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::Stage;
    use serde_json::Value;

    /// Policies and values with what they become, or with their faults. The Python package passes the same cases.
    const CASES: &str = include_str!("../../tests/data/stage_values.json");

    #[test]
    fn each_case_has_its_result_or_its_faults() {
        let cases: Vec<Value> = serde_json::from_str(CASES).unwrap();
        for case in &cases {
            let members = |name: &str| case.get(name).and_then(Value::as_object).cloned().unwrap_or_default();
            let variables = members("variables");
            let stage = Stage { file: Some(("stage.json".to_owned(), members("values"))) };
            let variable = |name: &str| variables.get(name).and_then(Value::as_str).map(str::to_owned);
            match stage.applied_with(case["policy"].to_string().into_bytes(), variable) {
                Ok(text) => assert_eq!(Some(&serde_json::from_slice(&text).unwrap()), case.get("result"), "{case}"),
                Err(findings) => {
                    let mut faults: Vec<_> =
                        findings.iter().map(|found| format!("{} {}", found.at, found.what)).collect();
                    faults.sort();
                    let mut expected: Vec<String> = serde_json::from_value(case["faults"].clone()).unwrap();
                    expected.sort();
                    assert_eq!(faults, expected, "{case}");
                }
            }
        }
        assert!(cases.len() > 7);
    }

    #[test]
    fn a_text_without_names_stays_as_it_is() {
        for text in ["{ \"a\" :1.0, \"b\": \"$ {X} $x\" }", "no object ${X}", "{\"a\": 1, \"a\": \"${X}\"}"] {
            assert_eq!(Stage::default().applied_with(text.into(), |_| None).ok(), Some(text.into()), "{text}");
        }
    }
}
