//! The facts of a request in its log line, with which the command-line tool can judge it again. They include no token,
//! no header and no query; of the claims they include client, tenant, scopes, roles, groups, and whether there is a
//! `cnf`.

use serde::{Deserialize, Serialize};

use crate::client::Client;
use crate::identity::Identity;
use crate::request::Target;

/// The part of a request that may be logged.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(not(target_os = "wasi"), derive(schemars::JsonSchema))]
#[serde(default)]
pub struct Recorded {
    /// The canonical path.
    pub path: String,
    /// The length of the query in bytes.
    pub query: usize,
    /// `Content-Length`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_length: Option<u64>,
    /// The client, as the platform reported it.
    pub client: Client,
    /// The OAuth client.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// The tenant for which the caller's token was issued, if the policy names a claim for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// Whether the caller's token was bound to a key or certificate; absent without an identified caller.
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

impl Recorded {
    /// The facts about a request in canonical form.
    #[must_use]
    pub fn of(target: &Target, client: &Client) -> Self {
        Self {
            path: target.path().encoded().to_owned(),
            query: target.query().len(),
            content_length: target.content().length,
            client: Client { pop: None, ..client.clone() },
            ..Self::default()
        }
    }

    /// Adds what is known of an identified caller.
    pub fn identify(&mut self, identity: &Identity) {
        self.client_id = identity.client_id().map(str::to_owned);
        self.tenant = identity.tenant().map(str::to_owned);
        self.bound = Some(identity.binding().is_some());
        self.scopes = identity.scopes().to_vec();
        self.roles = identity.roles().to_vec();
        self.groups = identity.groups().to_vec();
    }
}
