//! `forward`: what an origin learns of a caller's token, in addition to subject, client, scopes, roles and tenant.
//! Input: a list of [`ForwardDocument`]. Output: a [`Forward`]. The lists of edge, issuer, group and route add up.

use std::collections::BTreeMap;
use std::fmt::Arguments;

use serde::Deserialize;

use super::claim_path::{ClaimName, ClaimPath};
use super::fault::{Fault, Faults};
use crate::json_form::{objects, strict, strings};

strict!(ForwardDocument, true, true, Self::Fact(_));
strings!(ForwardedFact);
objects!(ForwardedClaim);

/// The longest name of a claim in the application, in bytes.
const MAX_NAME_BYTES: usize = 64;

/// Something that the origin learns of the caller's token.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(not(target_os = "wasi"), derive(schemars::JsonSchema))]
#[serde(untagged, remote = "Self")]
pub enum ForwardDocument {
    /// What the issuer's `claims` or its preset name.
    Fact(ForwardedFact),
    /// A claim, unchanged.
    Claim(ForwardedClaim),
}

/// What the issuer's `claims` or its preset name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(not(target_os = "wasi"), derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case", remote = "Self")]
pub enum ForwardedFact {
    /// The roles. They are always forwarded.
    Roles,
    /// The groups.
    Groups,
    /// The tenant. It is always forwarded.
    Tenant,
}

/// A claim of the token, with its JSON type.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(not(target_os = "wasi"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, remote = "Self")]
pub struct ForwardedClaim {
    /// The name of the claim. A list leads into nested objects: `["org", "id"]`.
    pub claim: ClaimName,
    /// The name by which the application reads it, 1 to 64 bytes. Default: the name of the claim. A claim in nested
    /// objects needs one.
    #[serde(default, rename = "as")]
    pub name: Option<String>,
}

/// What an origin learns of a token in addition to what it always learns.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Forward {
    /// Whether it learns the groups.
    pub groups: bool,
    /// The claims, by the name that the application uses.
    pub claims: BTreeMap<String, ClaimPath>,
}

impl Forward {
    /// Reads the list at `at`.
    pub(super) fn read(documents: Vec<ForwardDocument>, at: Arguments<'_>, faults: &mut Faults) -> Self {
        let mut forward = Self::default();
        for (index, document) in documents.into_iter().enumerate() {
            match document {
                ForwardDocument::Fact(fact) => forward.groups |= fact == ForwardedFact::Groups,
                ForwardDocument::Claim(claim) => forward.add(claim, &format!("{at}[{index}]"), faults),
            }
        }
        forward
    }

    fn add(&mut self, document: ForwardedClaim, at: &str, faults: &mut Faults) {
        let name = match (document.name, &document.claim) {
            (Some(name), _) => name,
            (None, ClaimName::Top(name)) => name.clone(),
            (None, ClaimName::Nested(_)) => return faults.add(format!("{at}.as"), Fault::UnnamedClaim),
        };
        let path = ClaimPath::read(document.claim, &format!("{at}.claim"), faults);
        let is_name = !name.is_empty() && name.len() <= MAX_NAME_BYTES && !name.chars().any(char::is_control);
        faults.add_if(!is_name, format_args!("{at}.as"), Fault::NotAClaimName);
        match self.claims.get(&name) {
            Some(other) if *other != path => faults.add(at, Fault::TakenClaimName { name }),
            _ => drop(self.claims.insert(name, path)),
        }
    }

    /// The lists that add up for a caller of one route.
    pub fn added_up<'lists>(
        edge: &'lists Self,
        issuer: &'lists Self,
        group: Option<&'lists Self>,
        route: &'lists Self,
    ) -> impl Iterator<Item = &'lists Self> + Clone {
        [Some(edge), Some(issuer), group, Some(route)].into_iter().flatten()
    }

    /// The first name that one of these lists gives to one claim, and another list to another.
    pub(super) fn contradiction<'lists>(lists: impl Iterator<Item = &'lists Self>) -> Option<&'lists str> {
        let mut known = BTreeMap::new();
        let mut claims = lists.flat_map(|list| &list.claims);
        let contradicts = |(name, path): &(&'lists String, &'lists ClaimPath)| {
            known.insert(name.as_str(), *path).is_some_and(|earlier| earlier != *path)
        };
        claims.find(contradicts).map(|(name, _)| name.as_str())
    }
}
