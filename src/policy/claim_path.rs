//! Paths to claims, in the document ([`ClaimName`]) and in the policy ([`ClaimPath`]), and the values that claims can
//! be compared with.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde_json::Value;

use super::fault::{Fault, Faults};

/// The name of a claim.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(not(target_os = "wasi"), derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum ClaimName {
    /// A claim at the top level. A dot in its name is a dot.
    Top(String),
    /// A claim in nested objects: the names of the members, from the outside in.
    Nested(Vec<String>),
}

/// A value that a claim can be compared with.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(not(target_os = "wasi"), derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum Scalar {
    /// A string, compared byte for byte.
    Text(String),
    /// A whole number.
    Number(i64),
    /// `true` or `false`.
    Truth(bool),
}

/// The path to a claim: the names of the members, from the outermost to the innermost; never empty.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ClaimPath(Vec<String>);

impl ClaimPath {
    /// The names of the members, from the outermost to the innermost.
    pub fn steps(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// The name by which the application reads the claim, if the policy gives it none: that of a claim at the top level, and
    /// the JSON Pointer (RFC 6901) to one in nested objects.
    #[must_use]
    pub fn name_in_app(&self) -> Cow<'_, str> {
        match self.0.as_slice() {
            [only] => only.into(),
            steps => {
                let escaped = |step: &String| format!("/{}", step.replace('~', "~0").replace('/', "~1"));
                steps.iter().map(escaped).collect::<String>().into()
            }
        }
    }

    /// Reads the path at `at`.
    pub(super) fn read(name: ClaimName, at: &str, faults: &mut Faults) -> Self {
        let steps = match name {
            ClaimName::Top(name) => vec![name],
            ClaimName::Nested(names) => names,
        };
        faults.add_if(steps.is_empty() || steps.iter().any(String::is_empty), at, Fault::Empty);
        Self(steps)
    }

    /// A path of these steps, which must not be empty.
    pub(super) fn from_steps(steps: impl IntoIterator<Item = String>) -> Self {
        Self(steps.into_iter().collect())
    }
}

impl AsRef<Self> for ClaimPath {
    fn as_ref(&self) -> &Self {
        self
    }
}

impl fmt::Display for ClaimPath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0.join(" / "))
    }
}

impl Scalar {
    pub(super) fn to_json(&self) -> Value {
        match self {
            Self::Text(text) => Value::from(text.as_str()),
            Self::Number(number) => Value::from(*number),
            Self::Truth(truth) => Value::from(*truth),
        }
    }
}
