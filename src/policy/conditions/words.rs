//! The text form of conditions, for logs and for the output of commands.

use std::fmt;

use serde_json::Value;

use super::{Condition, Expected};

impl fmt::Display for Condition {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let joined = |list: &[Self]| list.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
        match self {
            Self::All(list) => write!(formatter, "all of ({})", joined(list)),
            Self::Any(list) => write!(formatter, "any of ({})", joined(list)),
            Self::Not(inner) => write!(formatter, "not ({inner})"),
            Self::Rule(name, _) => write!(formatter, "rule {name}"),
            Self::Scope(scope) => write!(formatter, "scope {scope}"),
            Self::Role(role) => write!(formatter, "role {role}"),
            Self::Group(group) => write!(formatter, "group {group}"),
            Self::Claim(claim, expected) => write!(formatter, "claim {claim} {expected}"),
        }
    }
}

impl fmt::Display for Expected {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Equals(value) => write!(formatter, "equals {value}"),
            Self::OneOf(values) => write!(formatter, "in {}", Value::from(values.clone())),
            Self::Contains(value) => write!(formatter, "contains {value}"),
            Self::EqualsPath(name) => write!(formatter, "equals path parameter {name}"),
            Self::ContainsPath(name) => write!(formatter, "contains path parameter {name}"),
        }
    }
}
