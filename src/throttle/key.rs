//! The key under which a request is counted, and its cost.

use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::headers::Headers;
use crate::identity::{Caller, Identity};
use crate::policy::budgets::Budget;
use crate::policy::limits::{KeyPart, Limit};
use crate::policy::network::client_network;

/// The parts of a request that a limit can count by, or take its cost from.
#[derive(Clone, Copy, Debug)]
pub struct KeyParts<'request> {
    /// The id of the route.
    pub route: &'request str,
    /// The caller; anonymous as long as it is not identified.
    pub caller: &'request Caller,
    /// The client's address.
    pub client: Option<IpAddr>,
    /// The request's fields.
    pub headers: &'request Headers,
}

impl KeyParts<'_> {
    /// The key: the name of the limit and a digest of its parts, each length-prefixed, so that different lists of parts
    /// never give the same key. Parts that come from a token are counted by issuer.
    pub(super) fn key(&self, limit: &Limit) -> String {
        format!("{}/{}", limit.name, digits(limit.by.iter().map(|part| self.part(part))))
    }

    /// The key of a request for what has this `name`, in the same form. Its `kind` is `model`, or that of an entry of an MCP
    /// server: names of different kinds never give the same key.
    #[must_use]
    pub fn key_of_budget(&self, budget: &Budget, kind: &'static str, name: &str) -> String {
        let model = budget.by_model.then(|| (kind, name.to_owned()));
        format!("{}/{}", budget.name, digits(budget.by.iter().map(|part| self.part(part)).chain(model)))
    }

    fn part(&self, part: &KeyPart) -> (&'static str, String) {
        let of_token = |kind, value: Option<&str>, identity: &Identity| {
            value.map(|value| (kind, format!("{} {value}", identity.issuer())))
        };
        let known = match (part, self.caller) {
            (KeyPart::Route, _) => Some(("route", self.route.to_owned())),
            (KeyPart::Network, _) | (_, Caller::Anonymous) => None,
            (KeyPart::Subject, Caller::Known(identity)) => of_token("subject", Some(identity.subject()), identity),
            (KeyPart::ClientId, Caller::Known(identity)) => of_token("client_id", identity.client_id(), identity),
            (KeyPart::Claim(path), Caller::Known(identity)) => {
                let value = identity.claim(path).filter(|value| !value.is_array() && !value.is_object());
                of_token("claim", value.map(Value::to_string).as_deref(), identity)
            }
        };
        known.unwrap_or_else(|| ("network", self.client.map_or_else(|| "unknown".to_owned(), client_network)))
    }

    /// The cost of the request, from 1 to the limit's `max_cost`.
    pub(super) fn cost(&self, limit: &Limit) -> u64 {
        let cost = &limit.cost;
        let stated = match (&cost.header, &cost.claim, self.caller) {
            (Some(name), _, _) => self.cost_in_header(name, cost.most),
            (None, Some(path), Caller::Known(identity)) => {
                identity.claim(path).map(|value| value.as_u64().unwrap_or(cost.most))
            }
            _ => None,
        };
        stated.unwrap_or(cost.usual).clamp(1, cost.most.max(1))
    }

    /// A header or claim that cannot be read costs the maximum, so that a malformed value is never cheaper.
    fn cost_in_header(&self, name: &str, most: u64) -> Option<u64> {
        let mut values = self.headers.all(name);
        match (values.next(), values.next()) {
            (None, _) => None,
            (Some(value), None) if value.iter().all(u8::is_ascii_digit) => {
                Some(std::str::from_utf8(value).ok().and_then(|digits| digits.parse().ok()).unwrap_or(most))
            }
            _ => Some(most),
        }
    }
}

/// The digest of the parts of a key.
fn digits(parts: impl Iterator<Item = (&'static str, String)>) -> String {
    let mut digest = Sha256::new();
    for (kind, value) in parts {
        for text in [kind, &value] {
            digest.update(text.len().to_be_bytes());
            digest.update(text);
        }
    }
    URL_SAFE_NO_PAD.encode(digest.finalize())
}
