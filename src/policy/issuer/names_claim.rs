//! Claims with scopes, roles or groups. Input: a [`NamesDocument`]. Output: a [`NamesClaim`]: a path, and the form of
//! the claim there.

use std::fmt;

use serde::Deserialize;

use crate::json_form::{objects, strings};
use crate::policy::claim_path::{ClaimName, ClaimPath};
use crate::policy::fault::Faults;

objects!(FormedClaim);
strings!(NamesForm);

/// A claim with scopes, roles or groups.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(not(target_os = "wasi"), derive(schemars::JsonSchema))]
#[serde(untagged, expecting = "expected the name of a claim, or an object with \"claim\" and \"form\"")]
pub enum NamesDocument {
    /// A claim in the usual form: a list of strings, or one string. As a scope claim the string is a list with single
    /// spaces between the scopes (RFC 6749 §3.3), otherwise it is one name.
    Usual(ClaimName),
    /// A claim in another form.
    Formed(FormedClaim),
}

/// A claim in another form than a list of strings.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(not(target_os = "wasi"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, remote = "Self")]
pub struct FormedClaim {
    /// The name of the claim. A list leads into nested objects: `["o", "per"]`.
    pub claim: ClaimName,
    /// Its form. A claim of another form counts as absent.
    pub form: NamesForm,
}

/// The form of a claim with several names. Names are taken as they are, with spaces around them; empty ones are
/// ignored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(not(target_os = "wasi"), derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case", remote = "Self")]
pub enum NamesForm {
    /// An object: the names of its members, except those whose value is `false` or `null`.
    Keys,
    /// A string with commas between the names.
    Comma,
    /// A string with spaces between the names.
    Space,
}

/// A claim with scopes, roles or groups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamesClaim {
    /// Where it is.
    pub path: ClaimPath,
    /// Its form; `None` for a list of strings, or one string.
    pub form: Option<NamesForm>,
}

impl NamesClaim {
    pub(super) fn read(document: &NamesDocument, at: &str, faults: &mut Faults) -> Self {
        match document {
            NamesDocument::Usual(claim) => ClaimPath::read(claim.clone(), at, faults).into(),
            NamesDocument::Formed(FormedClaim { claim, form }) => {
                let path = ClaimPath::read(claim.clone(), &format!("{at}.claim"), faults);
                Self { path, form: Some(*form) }
            }
        }
    }
}

impl From<ClaimPath> for NamesClaim {
    fn from(path: ClaimPath) -> Self {
        Self { path, form: None }
    }
}

impl AsRef<ClaimPath> for NamesClaim {
    fn as_ref(&self) -> &ClaimPath {
        &self.path
    }
}

impl fmt::Display for NamesClaim {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.path.fmt(formatter)
    }
}
