//! What a log line carries so that its request can be judged again at the desk. No token, no header, no query; no claim
//! but subject, client, scopes, roles and groups, and of `cnf` whether it is there.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::identity::Identity;
use crate::request::Target;
use crate::surroundings::Surroundings;

/// A request, as far as it may be written down.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(not(target_os = "wasi"), derive(schemars::JsonSchema))]
#[serde(default)]
pub struct Replay {
    /// The canonical path.
    pub path: String,
    /// The length of the query in bytes.
    pub query: usize,
    /// `Content-Length`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_length: Option<u64>,
    /// The client's address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client: Option<IpAddr>,
    /// What the platform knew of the client.
    pub surroundings: Surroundings,
    /// The OAuth client.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// Whether the caller's token was bound to a key or certificate; nothing where nobody was identified.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bound: Option<bool>,
    /// The caller's scopes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub scopes: Vec<String>,
    /// The caller's roles.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<String>,
    /// The caller's groups.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<String>,
}

impl Replay {
    /// What is known once the request has its canonical form.
    #[must_use]
    pub fn of(target: &Target, surroundings: &Surroundings) -> Self {
        Self {
            path: target.path().encoded().to_owned(),
            query: target.query().len(),
            content_length: target.content().length,
            client: target.client(),
            surroundings: Surroundings { pop: None, ..surroundings.clone() },
            ..Self::default()
        }
    }

    /// What is known once the caller is.
    pub fn identify(&mut self, identity: &Identity) {
        self.client_id = identity.client_id().map(str::to_owned);
        self.bound = Some(identity.binding().is_some());
        self.scopes = identity.scopes().to_vec();
        self.roles = identity.roles().to_vec();
        self.groups = identity.groups().to_vec();
    }
}
