//! Step *availability*: is the route available? Input: [`OriginChecked`] and the [`KillSwitch`]. Output: [`Available`],
//! which step place requires. The policy can close a route for maintenance; an operator can switch it off without a
//! deployment.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use crate::cors::OriginChecked;
use crate::json_form::objects;
use crate::policy::{Issuer, Policy, Route};

objects!(KillSwitch, WithdrawnKey);

/// The kill switch: what an operator has switched off. It is the JSON under the key `switch` of the KV store, for
/// example `{"groups": ["payments"]}`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, remote = "Self")]
pub struct KillSwitch {
    /// Everything.
    #[serde(default)]
    all: bool,
    /// Groups of routes.
    #[serde(default)]
    groups: Vec<String>,
    /// Single routes.
    #[serde(default)]
    routes: Vec<String>,
    /// Keys of issuers.
    #[serde(default)]
    keys: Vec<WithdrawnKey>,
}

/// A key of an issuer that must not be used any more, even if the issuer still publishes it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, remote = "Self")]
struct WithdrawnKey {
    /// `iss`, in any spelling that the policy knows. With `{tenant}`, or with any tenant in its place, the key is
    /// withdrawn for all tenants.
    issuer: String,
    /// `kid`. If the thumbprint is absent as well, every key of the issuer is withdrawn.
    #[serde(default)]
    kid: Option<String>,
    /// The JWK thumbprint (RFC 7638) with SHA-256, in base64url: for keys without an id, or whose thumbprint is known.
    #[serde(default, deserialize_with = "thumbprint")]
    thumbprint: Option<[u8; 32]>,
}

/// Reads a thumbprint. A malformed one would withdraw no key, so it makes the kill switch unreadable.
fn thumbprint<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<[u8; 32]>, D::Error> {
    let text = String::deserialize(deserializer)?;
    let digest = URL_SAFE_NO_PAD.decode(text).ok().and_then(|digest| digest.try_into().ok());
    digest.map(Some).ok_or_else(|| D::Error::custom("is not a SHA-256 in base64url"))
}

/// A route that is available. Only [`check`] makes one.
#[derive(Clone, Copy, Debug)]
pub struct Available<'policy>(&'policy Route);

impl<'policy> Available<'policy> {
    /// The route.
    #[must_use]
    pub const fn route(self) -> &'policy Route {
        self.0
    }
}

/// Why a route is not available.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AvailabilityError {
    /// The policy closes its group for maintenance.
    #[error("group \"{group}\" is closed for maintenance")]
    Maintenance {
        /// The group.
        group: String,
        /// `Retry-After`, in seconds.
        retry_after: u64,
    },
    /// An operator switched it off.
    #[error("the route, its group or everything is switched off")]
    SwitchedOff,
}

impl AvailabilityError {
    /// The code for logs, metrics and tests.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Maintenance { .. } => "maintenance",
            Self::SwitchedOff => "switched-off",
        }
    }
}

impl WithdrawnKey {
    fn is_of(&self, issuer: &Issuer) -> bool {
        self.issuer == issuer.issuer || issuer.is_spelling(&self.issuer)
    }

    fn names(&self, kid: Option<&str>, thumbprint: Option<&[u8; 32]>) -> bool {
        match (&self.kid, &self.thumbprint) {
            (None, None) => true,
            (named, digest) => {
                named.as_deref().is_some_and(|named| kid == Some(named))
                    || digest.as_ref().is_some_and(|digest| thumbprint == Some(digest))
            }
        }
    }
}

impl KillSwitch {
    /// Whether keys of `issuer` are withdrawn at all.
    #[must_use]
    pub fn withdraws_keys_of(&self, issuer: &Issuer) -> bool {
        self.keys.iter().any(|key| key.is_of(issuer))
    }

    /// Whether the key of `issuer` with this `kid` or this thumbprint (RFC 7638) is withdrawn.
    #[must_use]
    pub fn withdraws(&self, issuer: &Issuer, kid: Option<&str>, thumbprint: Option<&[u8; 32]>) -> bool {
        self.keys.iter().any(|key| key.is_of(issuer) && key.names(kid, thumbprint))
    }

    /// The names of groups, routes and issuers in the kill switch that `policy` does not know. They switch nothing off.
    #[must_use]
    pub fn unknown_to(&self, policy: &Policy) -> Vec<String> {
        let group = |name: &&String| {
            policy.routes().iter().any(|route| route.group.as_ref().is_some_and(|group| group.name == **name))
        };
        let route = |id: &&String| policy.routes().iter().any(|route| route.id == id.as_str());
        let issuer = |key: &&WithdrawnKey| policy.issuers().any(|issuer| key.is_of(issuer));
        let groups = self.groups.iter().filter(|name| !group(name));
        let routes = self.routes.iter().filter(|id| !route(id));
        let issuers = self.keys.iter().filter(|key| !issuer(key)).map(|key| &key.issuer);
        groups.chain(routes).chain(issuers).cloned().collect()
    }

    /// Reads the kill switch. An unreadable one was meant to switch something off, so it switches everything off.
    #[must_use]
    pub fn parse(json: &[u8]) -> Self {
        serde_json::from_slice(json).unwrap_or(Self { all: true, ..Self::default() })
    }
}

/// Checks that the route is neither switched off nor closed for maintenance.
///
/// # Errors
/// An [`AvailabilityError`] that distinguishes the two cases.
pub fn check<'policy>(
    matched: OriginChecked<'policy>,
    kill_switch: &KillSwitch,
) -> Result<Available<'policy>, AvailabilityError> {
    let route = matched.route();
    let group = route.group.as_ref();
    let off = |group: &String| kill_switch.groups.contains(group);
    if kill_switch.all
        || kill_switch.routes.iter().any(|id| route.id == id.as_str())
        || group.is_some_and(|group| off(&group.name))
    {
        return Err(AvailabilityError::SwitchedOff);
    }
    match group.and_then(|group| group.maintenance.map(|seconds| (group, seconds))) {
        Some((group, retry_after)) => {
            Err(AvailabilityError::Maintenance { group: group.name.clone(), retry_after: retry_after.as_u64() })
        }
        None => Ok(Available(route)),
    }
}
