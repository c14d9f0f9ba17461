//! `groups`: what routes of one group have in common. Input: a [`GroupDocument`]. Output: a [`Group`].

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;

use super::fault::{Fault, Faults};
use super::forward::{Forward, ForwardDocument};
use super::names::read_section;
use crate::headers::is_field_name;
use crate::json_form::objects;
use crate::time::Seconds;

objects!(GroupDocument, CorsDocument, MaintenanceDocument);

/// The common settings of the routes of one group.
#[derive(Clone, Debug, Default, Deserialize)]
#[cfg_attr(not(target_os = "wasi"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, remote = "Self")]
pub struct GroupDocument {
    /// The web pages that may use the routes from a browser (CORS, Fetch standard). The edge responds to preflights.
    /// Default: none.
    #[serde(default)]
    pub cors: Option<CorsDocument>,
    /// What applications learn of callers' tokens, in addition to subject, client, scopes, roles and tenant: `"groups"`, or
    /// `{"claim": "email"}` for a claim with its JSON type. The lists of edge, issuer, group and route add up. Default:
    /// nothing else.
    #[serde(default)]
    pub forward: Vec<ForwardDocument>,
    /// Closes the group for maintenance: its routes get 503. Default: open.
    #[serde(default)]
    pub maintenance: Option<MaintenanceDocument>,
}

/// The web pages that may use routes from a browser.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(not(target_os = "wasi"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, remote = "Self")]
pub struct CorsDocument {
    /// The origins of the pages, at least one: `https://app.example.com`, as browsers send it. `["*"]` is any origin,
    /// without credentials only. A WebSocket that a page of another origin opens is refused, too.
    pub origins: Vec<String>,
    /// The request header fields that a page may set in addition to the safelisted ones.
    #[serde(default)]
    pub headers: Vec<String>,
    /// The response header fields that a page may read in addition to the safelisted ones.
    #[serde(default)]
    pub expose: Vec<String>,
    /// Whether the browser may send cookies. Default: false.
    #[serde(default)]
    pub credentials: bool,
    /// The time for which a browser may remember a preflight, in seconds, 0 to 86400. Default: 600.
    #[serde(default = "default_max_age")]
    pub max_age: Seconds,
}

const fn default_max_age() -> Seconds {
    Seconds::new(600)
}

/// A group that is closed for maintenance.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(not(target_os = "wasi"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, remote = "Self")]
pub struct MaintenanceDocument {
    /// `Retry-After` of the responses, in seconds. Default: 300.
    #[serde(default = "default_retry_after")]
    pub retry_after: Seconds,
}

const fn default_retry_after() -> Seconds {
    Seconds::new(300)
}

/// The common settings of the routes of one group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Group {
    /// Its name in the policy.
    pub name: String,
    /// The web pages that may use the routes.
    pub cors: Option<Cors>,
    /// What its origins learn of tokens.
    pub forward: Forward,
    /// `Retry-After` in seconds, if the group is closed for maintenance.
    pub maintenance: Option<Seconds>,
}

/// The web pages that may use routes from a browser.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cors {
    /// The origins of the pages, or `*`.
    pub origins: Vec<String>,
    /// `Access-Control-Allow-Headers`.
    pub headers: String,
    /// `Access-Control-Expose-Headers`.
    pub expose: String,
    /// Whether the browser may send cookies.
    pub credentials: bool,
    /// `Access-Control-Max-Age`, in seconds.
    pub max_age: Seconds,
}

/// Reads the section.
pub(super) fn read(documents: BTreeMap<String, GroupDocument>, faults: &mut Faults) -> BTreeMap<String, Arc<Group>> {
    read_section("groups", documents, faults, Group::read)
}

impl Group {
    fn read(name: &str, document: GroupDocument, at: &str, faults: &mut Faults) -> Self {
        let cors = document.cors.map(|cors| Cors::read(cors, &format!("{at}.cors"), faults));
        let maintenance = document.maintenance.map(|maintenance| maintenance.retry_after);
        let forward = Forward::read(document.forward, format_args!("{at}.forward"), faults);
        Self { name: name.to_owned(), cors, forward, maintenance }
    }
}

impl Cors {
    fn read(document: CorsDocument, at: &str, faults: &mut Faults) -> Self {
        faults.add_if(document.origins.is_empty(), format_args!("{at}.origins"), Fault::Empty);
        for (index, origin) in document.origins.iter().enumerate() {
            faults.add_if(!is_web_origin(origin), format_args!("{at}.origins[{index}]"), Fault::NotAWebOrigin);
        }
        let any = document.origins.iter().any(|origin| origin == "*");
        faults.add_if(any && document.origins.len() > 1, format_args!("{at}.origins"), Fault::NotAWebOrigin);
        faults.add_if(any && document.credentials, format_args!("{at}.credentials"), Fault::CredentialsForAll);
        for (member, names) in [("headers", &document.headers), ("expose", &document.expose)] {
            let are_valid = names.iter().all(|name| is_field_name(name) && name != "*");
            faults.add_if(!are_valid, format_args!("{at}.{member}"), Fault::NotAFieldName);
        }
        faults.range(document.max_age, 0, 86_400, format_args!("{at}.max_age"));
        Self {
            origins: document.origins,
            headers: document.headers.join(", "),
            expose: document.expose.join(", "),
            credentials: document.credentials,
            max_age: document.max_age,
        }
    }
}

/// Whether this looks like a serialized origin (RFC 6454 §6.2) in lower case, or is `*`. The check is not exact: an
/// origin that browsers never send matches no page, and does no harm.
fn is_web_origin(origin: &str) -> bool {
    let host = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"));
    let is_allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-.:[]".contains(&byte);
    origin == "*" || host.is_some_and(|host| !host.is_empty() && host.bytes().all(is_allowed))
}
