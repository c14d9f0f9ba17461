//! `edge`: the names of this edge, and the rules for every request. Input: an [`EdgeDocument`]. Output: an [`Edge`].

mod hosts;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;

use super::fault::{Fault, Faults};
use super::forward::{Forward, ForwardDocument};
use super::limits::Limit;
use super::names::is_bare_host;
use super::origin::resource::fault::ResourceFault;
use super::url::{is_https_url, is_normal};
use crate::json_form::objects;
use crate::time::Seconds;
pub use hosts::Hosts;

objects!(EdgeDocument, ProofRules);

/// The greatest `edge.max_token`, in bytes. Fastly accepts header fields of this length (its own limit is 69 KB), and
/// the bound limits the CPU time that an unverified token costs.
pub const MAX_TOKEN_BYTES: u64 = 32 * 1024;

/// The greatest `edge.dpop.max_age`.
pub const MAX_PROOF_AGE: Seconds = Seconds::new(600);
/// The greatest `edge.dpop.leeway`.
pub const MAX_PROOF_LEEWAY: Seconds = Seconds::new(60);

/// The names of this edge, for clients and for origins, and the rules for every request.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(not(target_os = "wasi"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, remote = "Self")]
pub struct EdgeDocument {
    /// The URL of the edge, `https://api.example.com`. It is `iss` of the signed header that origins receive.
    pub issuer: String,
    /// The host names that requests may name, at least one; a request for another host gets 421. A host without a port
    /// is served at the default port of its scheme and at the ports of `issuer` and `resource`; a host with a port
    /// (`api.example.com:8443`) at that port alone.
    pub hosts: Vec<String>,
    /// The time for which a signed header is valid, in seconds, 1 to 60. Default: 30.
    #[serde(default = "default_identity_lifetime")]
    pub identity_lifetime: Seconds,
    /// The length of the longest token that is read, in bytes, 1024 to 32768. Default: 16384. A request with a longer
    /// token gets 431. Tokens with many groups or roles are long; an origin that receives them (`forward_token`) must
    /// accept header fields of this length, too.
    #[serde(default = "default_max_token")]
    pub max_token: u64,
    /// The name of the limit that applies before a token is read, to bound the CPU time that bad tokens cost. Its `by`
    /// may hold `network`, `route` or both. Preflights, documents that the edge publishes, and requests without a route
    /// count as one route. Requests that are refused for their form, their place, or because their group is closed are
    /// not counted: refusing them costs less than counting. Default: no such limit.
    #[serde(default)]
    pub flood_limit: Option<String>,
    /// Whether the edge adds `Strict-Transport-Security`, `X-Content-Type-Options`, `X-Frame-Options`,
    /// `Content-Security-Policy` and `Referrer-Policy`, each in a strict form, to every response that has none of its own:
    /// the origin's and the edge's. Default: false.
    #[serde(default)]
    pub security_headers: bool,
    /// The resource identifier (RFC 9728 §1.2), if it differs from `issuer`: an https URL.
    /// `/.well-known/oauth-protected-resource` under its host tells clients which issuers and scopes there are.
    #[serde(default)]
    pub resource: Option<String>,
    /// What applications learn of all tokens, in addition to subject, client, scopes, roles and tenant: `"groups"`, or
    /// `{"claim": "email"}` for a claim with its JSON type. The lists of edge, issuer, group and route add up. Default:
    /// nothing else.
    #[serde(default)]
    pub forward: Vec<ForwardDocument>,
    /// The rules for proofs of possession. A proof is accepted with every token that is bound to a key (`cnf.jkt`).
    #[serde(default)]
    pub dpop: ProofRules,
}

/// The rules for proofs of possession (DPoP, RFC 9449).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(not(target_os = "wasi"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default, remote = "Self")]
pub struct ProofRules {
    /// The greatest age of a proof, in seconds since its `iat`, 1 to 600. Default: 60. A proof can be used once in each
    /// POP.
    pub max_age: Seconds,
    /// The time by which the clock of the client may be ahead, in seconds, 0 to 60. Default: 10.
    pub leeway: Seconds,
    /// Whether a proof must have a nonce of this edge (RFC 9449 §9). A nonce is valid for two to four minutes. Default:
    /// false.
    pub nonce: bool,
}

impl Default for ProofRules {
    fn default() -> Self {
        Self { max_age: Seconds::new(60), leeway: Seconds::new(10), nonce: false }
    }
}

const fn default_identity_lifetime() -> Seconds {
    Seconds::new(30)
}

const fn default_max_token() -> u64 {
    16 * 1024
}

/// The names of this edge, and the rules for every request.
#[derive(Clone, Debug)]
pub struct Edge {
    /// `iss` of the signed header.
    pub issuer: String,
    /// The hosts that requests may name.
    pub hosts: Hosts,
    /// The time for which a signed header is valid, in seconds, 1 to 60.
    pub identity_lifetime: Seconds,
    /// The length of the longest token that is read, in bytes.
    pub max_token: u64,
    /// The limit that applies before the caller is identified.
    pub flood_limit: Option<Arc<Limit>>,
    /// Whether the edge adds security fields that the origin does not send.
    pub security_headers: bool,
    /// The resource identifier (RFC 9728 §1.2).
    pub resource: String,
    /// What all origins learn of all tokens.
    pub forward: Forward,
    /// The rules for proofs of possession.
    pub proofs: ProofRules,
}

/// Reads the section. `flood_limit` refers to one of `limits`.
pub(super) fn read(document: EdgeDocument, limits: &BTreeMap<String, Arc<Limit>>, faults: &mut Faults) -> Edge {
    faults.add_if(!is_https_url(&document.issuer), "$.edge.issuer", Fault::NotHttps);
    faults.add_if(document.hosts.is_empty(), "$.edge.hosts", Fault::Empty);
    for (index, host) in document.hosts.iter().enumerate() {
        faults.add_if(!is_bare_host(host), format_args!("$.edge.hosts[{index}]"), Fault::NotAHost);
    }
    faults.range(document.identity_lifetime, 1, 60, "$.edge.identity_lifetime");
    faults.range(document.max_token, 1024, MAX_TOKEN_BYTES, "$.edge.max_token");
    let flood_limit = document.flood_limit.as_ref().and_then(|name| limits.get(name));
    let unknown = document.flood_limit.is_some() && flood_limit.is_none();
    faults.add_if(unknown, "$.edge.flood_limit", Fault::UnknownLimit);
    let needs_caller = flood_limit.is_some_and(|limit| !limit.needs_no_caller());
    faults.add_if(needs_caller, "$.edge.flood_limit", Fault::NeedsCaller);
    faults.range(document.dpop.max_age, 1, MAX_PROOF_AGE.as_u64(), "$.edge.dpop.max_age");
    faults.range(document.dpop.leeway, 0, MAX_PROOF_LEEWAY.as_u64(), "$.edge.dpop.leeway");
    let resource = document.resource.as_deref().unwrap_or(&document.issuer).to_owned();
    let hosts: Hosts = document.hosts.iter().collect();
    let hosts = hosts.with_port_of(&document.issuer).with_port_of(&resource);
    if document.resource.is_some() {
        let fault = if !is_https_url(&resource) {
            Some(Fault::NotHttps)
        } else if !hosts.serves(&resource) {
            Some(ResourceFault::Foreign.into())
        } else {
            (!is_normal(&resource)).then_some(ResourceFault::Ambiguous.into())
        };
        if let Some(fault) = fault {
            faults.add("$.edge.resource", fault);
        }
    }
    Edge {
        hosts,
        identity_lifetime: document.identity_lifetime,
        max_token: document.max_token,
        flood_limit: flood_limit.cloned(),
        security_headers: document.security_headers,
        issuer: document.issuer,
        resource,
        forward: Forward::read(document.forward, format_args!("$.edge.forward"), faults),
        proofs: document.dpop,
    }
}
