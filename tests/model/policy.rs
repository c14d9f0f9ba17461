//! Policies from plans: one issuer, one limit, four routes for each lane. Lanes share only the edge.

use serde_json::{Value, json};

use super::steps::{Mark, Plan, Sent, SwitchedOff, iss_of};
use super::tokens::{kid, subject, token_id};
use fastgate::identity::deny_list::{Entry, RevocationClaim, RevocationKey};
use fastgate::time::UnixTime;

/// The names of one lane.
#[derive(Clone, Debug)]
pub(crate) struct Names {
    /// A part of every id of the lane.
    pub(crate) lane: String,
    /// Scheme and authority of the first provider, of the second, and of the introspection endpoint.
    pub(crate) hosts: [String; 3],
}

/// A source of keys.
pub(crate) struct Source {
    pub(crate) iss: String,
    /// `None` if the discovery document names it.
    pub(crate) jwks_uri: Option<String>,
    pub(crate) backend: &'static str,
}

impl Names {
    pub(crate) fn iss(&self, number: usize) -> String {
        format!("{}/{}", self.hosts[number], self.lane)
    }

    /// The first source is a provider, the second another provider with a discovery document, the third the first
    /// provider with another URL, the fourth the first provider behind another backend.
    pub(crate) fn source(&self, number: usize) -> Source {
        let iss = self.iss(iss_of(number));
        let (path, backend) = [("keys", "first"), ("", "second"), ("other-keys", "first"), ("keys", "detour")][number];
        Source { jwks_uri: (number != 1).then(|| format!("{iss}/{path}")), backend, iss }
    }

    /// The introspection endpoint `live`, `ask` or `silent`.
    fn endpoint(&self, name: &str) -> String {
        format!("{}/{}/{name}", self.hosts[2], self.lane)
    }

    pub(crate) fn group(&self) -> String {
        format!("group-{}", self.lane)
    }

    pub(crate) fn limit(&self) -> String {
        format!("limit-{}", self.lane)
    }

    /// The issuer, the limit and the routes of a plan. Its version is a part of the ids of its routes.
    pub(crate) fn parts(&self, version: usize, plan: &Plan, is_shadow: bool) -> (Value, Value, Vec<Value>) {
        let source = self.source(plan.source);
        let life = plan.life;
        let mut issuer = json!({
            "issuer": source.iss, "backend": source.backend, "audiences": ["https://api.test"], "algorithms": ["EdDSA"],
            "deny_list": plan.deny_list, "verdict_window": plan.recall,
            "key_life": {
                "min_fresh": life.min_fresh, "max_fresh": life.max_fresh,
                "max_stale": life.max_stale, "cool_down": life.cool_down,
            },
        });
        if let Some(uri) = source.jwks_uri {
            issuer["jwks_uri"] = json!(uri);
        }
        if plan.introspection {
            let endpoint = match (is_shadow, plan.ask_in_shadow) {
                (false, _) => "live",
                (true, true) => "ask",
                (true, false) => "silent",
            };
            issuer["introspection"] = json!({
                "url": self.endpoint(endpoint), "backend": "endpoint", "client_id": "edge",
                "client_secret": "provider-client", "ask_in_shadow": plan.ask_in_shadow,
            });
        }
        let unreachable = if plan.open { "open" } else { "closed" };
        let limit =
            json!({ "count": plan.count, "window": plan.window, "by": ["network"], "unreachable": unreachable });
        let route = |name: &str, method: &str, more: Value| {
            let mut route = json!({
                "id": format!("{name}-{}-{version}", self.lane), "path": format!("/{}/{name}", self.lane),
                "methods": [method], "origin": "app", "group": self.group(),
            });
            route.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            route
        };
        let max_body = if is_shadow { plan.max_body / 8 } else { plan.max_body };
        let routes = vec![
            route("me", "GET", json!({ "sign_body": is_shadow })),
            route("limited", "GET", json!({ "access": "public", "limits": [self.limit()] })),
            route("signed", "POST", json!({ "sign_body": true, "accepts": { "max_body": max_body } })),
            route("bounded", "POST", json!({ "sign_body": is_shadow, "accepts": { "max_body": max_body } })),
            route(
                "plain",
                "POST",
                if is_shadow { json!({ "sign_body": true, "accepts": { "max_body": max_body } }) } else { json!({}) },
            ),
        ];
        (issuer, limit, routes)
    }

    /// The key and the value of an entry in the deny-list.
    pub(crate) fn denied(&self, iss: usize, mark: Mark, who: u8, now: u64) -> (String, String) {
        let (kind, value) = match mark {
            Mark::Subject => (RevocationClaim::Subject, subject(who)),
            Mark::Token => (RevocationClaim::Token, token_id(who)),
        };
        let entry = Entry { until: UnixTime::from_seconds(now + 1_000_000), not_before: None };
        (RevocationKey::new(kind, &self.iss(iss), &value).store_key(), entry.to_json())
    }

    /// The part of the kill switch for this lane: groups and keys.
    pub(crate) fn switched_off(&self, off: &SwitchedOff) -> (Option<String>, Option<Value>) {
        let key = off.keys.map(|(iss, id)| match id {
            Some(id) => json!({ "issuer": self.iss(iss), "kid": kid(id) }),
            None => json!({ "issuer": self.iss(iss) }),
        });
        (off.group.then(|| self.group()), key)
    }
}

/// A policy for these lanes, each with the version of its plan.
pub(crate) fn policy(lanes: &[(&Names, usize, Plan)], is_shadow: bool) -> String {
    // The public key of RFC 7748 §6.1: the model does not verify headers, and a MAC is the cheaper signature.
    let origin_key = json!({ "kty": "OKP", "crv": "X25519", "x": "hSDwCYkwp1R0i33ctD73Wg2_Og0mOBr066SpjqqbTmo" });
    let mut policy = json!({
        "edge": { "issuer": "https://edge.test", "hosts": ["edge.test"] },
        "origins": { "app": { "backend": "app", "audience": "app", "key": origin_key } },
        "issuers": {}, "limits": {}, "groups": {}, "routes": [],
    });
    for (names, version, plan) in lanes {
        let (issuer, limit, routes) = names.parts(*version, plan, is_shadow);
        policy["issuers"][format!("idp-{}", names.lane)] = issuer;
        policy["limits"][names.limit()] = limit;
        policy["groups"][names.group()] = json!({});
        policy["routes"].as_array_mut().unwrap().extend(routes);
    }
    policy.to_string()
}

/// The bytes of a body: each depends on its position.
pub(crate) fn bytes(sent: &Sent) -> Vec<u8> {
    (0..sent.bytes).map(|index| u8::try_from(index % 251).unwrap()).collect()
}
