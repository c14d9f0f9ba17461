//! Revoked tokens, and opaque tokens.

mod deny_list;
mod introspection;

use serde_json::{Value, json};

use crate::offline::Gate;
use crate::provider;
use crate::rules::gate_of;

/// A policy with one route, whose issuer "main" also has the members `main`.
pub(crate) fn policy(main: &Value) -> Value {
    let mut policy = provider::policy(&json!({ "routes": [
        { "id": "me", "path": "/me", "methods": ["GET"] },
        { "id": "maybe", "path": "/maybe", "methods": ["GET"], "access": "optional" },
    ]}));
    policy["issuers"]["main"].as_object_mut().unwrap().extend(main.as_object().cloned().unwrap());
    policy
}

/// A gate with that policy.
pub(crate) fn gate_with(main: &Value) -> Gate {
    gate_of(&policy(main))
}
