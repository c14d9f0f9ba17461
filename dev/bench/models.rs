//! The policy for streams of models: that of the other requests, with two routes whose budget counts what a response
//! says that it cost, or what was estimated.

use serde_json::{Value, json};

use crate::policy;

/// The policy, with one issuer whose `iss` is this.
pub(crate) fn policy(issuer: &str) -> Value {
    let mut policy = policy::policy(issuer);
    let route = |settle: &str| {
        json!({
            "id": settle, "origin": "shared", "path": format!("/{settle}/chat/completions"), "methods": ["POST"],
            "access": "authenticated", "scopes": ["read"],
            "inference": {
                "api": "openai-chat", "models": { "small": {} }, "max_tokens": 1000,
                "budgets": ["tokens"], "settle": settle,
            },
        })
    };
    policy["budgets"] = json!({ "tokens": { "tokens": 1_000_000_000_000_u64, "window": 86_400, "by": ["subject"] } });
    policy["routes"].as_array_mut().unwrap().extend([route("usage"), route("estimate")]);
    policy
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_policy_is_valid() {
        let text = super::policy("https://idp.bench.example").to_string();
        assert_eq!(fastgate::policy::Policy::parse(text.as_bytes()).err().map(|faults| faults.to_string()), None);
    }
}
