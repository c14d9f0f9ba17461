//! What names the version of the application that a request gets.

use super::document::VersionSourceDocument;
use super::fault::BackendsFault;
use crate::headers::{is_field_name, is_visible_to_rules};
use crate::policy::claim_path::ClaimPath;
use crate::policy::fault::{Fault, Faults};

/// What names a version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VersionSource {
    /// A request field, in lower case.
    Header(String),
    /// A cookie.
    Cookie(String),
    /// A claim.
    Claim(ClaimPath),
}

impl VersionSource {
    /// Reads `version_by` of the selection at `at`.
    pub(super) fn read(document: VersionSourceDocument, at: &str, faults: &mut Faults) -> Self {
        let at = format!("{at}.version_by");
        match document {
            VersionSourceDocument::Header(name) => {
                let at = format!("{at}.header");
                faults.add_if(!is_field_name(&name), &at, Fault::NotAFieldName);
                // Rules never see such a field, so no request would choose a version.
                let name = name.to_ascii_lowercase();
                faults.add_if(!is_visible_to_rules(&name), &at, Fault::ReservedField { name: name.clone() });
                faults.add_if(name == "cookie", &at, BackendsFault::CookieField.into());
                Self::Header(name)
            }
            VersionSourceDocument::Cookie(name) => {
                // `cookie-name` is a token (RFC 6265 §4.1.1), as the name of a field is.
                faults.add_if(!is_field_name(&name), format_args!("{at}.cookie"), BackendsFault::NotACookieName.into());
                Self::Cookie(name)
            }
            VersionSourceDocument::Claim(name) => Self::Claim(ClaimPath::read(name, &format!("{at}.claim"), faults)),
        }
    }

    /// Whether a request can have `version` as its value, which is read without the whitespace at its ends.
    pub(super) fn can_be(&self, version: &str) -> bool {
        let is_text = !version.chars().any(char::is_control) && version.trim_ascii() == version;
        match self {
            Self::Header(_) => is_text,
            Self::Cookie(_) => is_text && !version.contains(';'),
            Self::Claim(_) => true,
        }
    }
}
