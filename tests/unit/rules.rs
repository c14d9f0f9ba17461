//! The rules of a policy: callers, places, limits, requests and rewrites.

mod audiences;
mod limits;
mod places;
mod requests;
mod who;

use std::sync::LazyLock;

use fastgate::policy::Policy;
use serde_json::{Value, json};

use crate::offline::fakes::FakeKeys;
use crate::offline::{Gate, NOW, policy_of};
use crate::provider::{self, Provider};

/// The issuers of the policy.
pub(crate) static MAIN: LazyLock<Provider> = LazyLock::new(|| Provider::new("https://idp.test"));
pub(crate) static PARTNER: LazyLock<Provider> = LazyLock::new(|| Provider::new("https://partner.test"));

/// A gate whose policy has two issuers, one origin, and `parts`.
pub(crate) fn gate_with(parts: &Value) -> Gate {
    gate_of(&provider::policy(parts))
}

/// A gate with this policy, and the keys of its two issuers.
pub(crate) fn gate_of(policy: &Value) -> Gate {
    let keys = FakeKeys::none().with_set("main", &MAIN.jwks()).with_set("partner", &PARTNER.jwks());
    Gate::new(policy_of(policy), keys)
}

/// A token of the main issuer.
pub(crate) fn token(claims: Value) -> String {
    MAIN.token(NOW, claims)
}

/// A route for `GET`, with `parts` added.
pub(crate) fn route(path: &str, parts: &Value) -> Value {
    let mut route = json!({ "id": "route", "path": path, "methods": ["GET"] });
    route.as_object_mut().unwrap().extend(parts.as_object().cloned().unwrap());
    route
}

/// The faults of a policy, `place: fault`.
pub(crate) fn faults(parts: &Value) -> Vec<String> {
    let faults = Policy::parse(provider::policy(parts).to_string().as_bytes()).unwrap_err();
    faults.0.iter().map(ToString::to_string).collect()
}
