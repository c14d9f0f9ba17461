//! `authentication`: how, and how recently, a caller must have signed in (RFC 9470). Input: an
//! [`AuthenticationDocument`]. Output: an [`Authentication`].

use std::fmt::{self, Arguments};

use serde::Deserialize;

use super::fault::{Fault, Faults};
use super::names::is_scope;
use crate::json_form::objects;
use crate::time::Seconds;

objects!(AuthenticationDocument);

/// The greatest `max_age`, in seconds: a year.
const MAX_AGE: u64 = 366 * 24 * 3600;

/// How, and how recently, the caller must have signed in. A token that does not show it gets 401 with
/// `insufficient_user_authentication` (RFC 9470), so the client can send the user to the provider again. At least one of
/// the members.
#[derive(Clone, Debug, Default, Deserialize)]
#[cfg_attr(not(target_os = "wasi"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, remote = "Self")]
pub struct AuthenticationDocument {
    /// The accepted values of the claim `acr` (OpenID Connect Core §2), at least one, the preferred one first. Default:
    /// all, and none.
    #[serde(default)]
    pub acr: Option<Vec<String>>,
    /// The greatest time since the caller signed in (`auth_time`), in seconds, 0 to 31622400. The issuer's `leeway` is
    /// added. A token without `auth_time` is then refused. Default: no such limit.
    #[serde(default)]
    pub max_age: Option<Seconds>,
}

/// How, and how recently, the caller must have signed in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Authentication {
    /// The accepted values of `acr`; all if empty.
    pub acr: Vec<String>,
    /// The greatest time since `auth_time`.
    pub max_age: Option<Seconds>,
}

impl fmt::Display for Authentication {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let acr = (!self.acr.is_empty()).then(|| format!("acr {}", self.acr.join(" or ")));
        let age = self.max_age.map(|seconds| format!("at most {seconds} seconds ago"));
        formatter.write_str(&acr.into_iter().chain(age).collect::<Vec<_>>().join(", "))
    }
}

impl Authentication {
    /// Reads the member at `at`.
    pub(super) fn read(document: AuthenticationDocument, at: Arguments<'_>, faults: &mut Faults) -> Self {
        let AuthenticationDocument { acr, max_age } = document;
        faults.add_if(acr.is_none() && max_age.is_none(), at, Fault::Empty);
        faults.add_if(acr.as_ref().is_some_and(Vec::is_empty), format_args!("{at}.acr"), Fault::Empty);
        let acr = acr.unwrap_or_default();
        for (index, value) in acr.iter().enumerate() {
            // `acr_values` lists them as `scope` lists scopes: with spaces between, in quotes (RFC 9470 §3).
            faults.add_if(!is_scope(value), format_args!("{at}.acr[{index}]"), Fault::NotAnAcr);
        }
        if let Some(max_age) = max_age {
            faults.range(max_age, 0, MAX_AGE, format_args!("{at}.max_age"));
        }
        Self { acr, max_age }
    }
}
