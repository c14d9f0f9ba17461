//! A request, as a person or a log line describes it.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::LazyLock;

use fastgate::client::{Anonymizer, Client, Connection, Continent, Fact, Proxy};
use fastgate::policy::{Policy, Route};
use fastgate::request::CanonicalPath;
use fastgate::route::find_for;
use fastgate::strict_json::parse_object;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use super::platform::AclEntry;

/// The description of a request.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(in crate::cli) struct Case {
    pub(in crate::cli) method: Option<String>,
    /// Path and query.
    pub(in crate::cli) target: String,
    pub(in crate::cli) headers: Vec<(String, String)>,
    /// Sent as `Authorization: Bearer`.
    pub(in crate::cli) token: Option<String>,
    /// The claims of a token that is made for this request, instead of `token`.
    pub(in crate::cli) claims: Option<Map<String, Value>>,
    /// The policy's id of the issuer of the claims; by default the policy's only issuer.
    pub(in crate::cli) issuer: Option<String>,
    pub(in crate::cli) address: Option<IpAddr>,
    pub(in crate::cli) country: Option<String>,
    /// Every fact about the client in one object; excludes the single facts beside it.
    #[serde(deserialize_with = "client")]
    pub(in crate::cli) client: Option<Client>,
    /// The subdivision without the country: `CA`.
    pub(in crate::cli) region: Option<String>,
    pub(in crate::cli) continent: Option<Continent>,
    pub(in crate::cli) asn: Option<u32>,
    pub(in crate::cli) connection: Option<Connection>,
    pub(in crate::cli) proxy: Option<Proxy>,
    /// The means that hide the client's address; empty if there is none.
    pub(in crate::cli) anonymizers: Option<Vec<Anonymizer>>,
    /// The actions of ACLs for the client, by name.
    pub(in crate::cli) acls: BTreeMap<String, AclEntry>,
    /// The backends that the POP skips because they failed.
    pub(in crate::cli) skipped: Vec<String>,
    /// The request id, by which requests are spread over backends.
    pub(in crate::cli) request_id: Option<String>,
    /// The facts that the edge does not know either. All other facts that are not given are missing.
    pub(in crate::cli) unknown: Vec<Fact>,
}

/// The schema of the facts about a client.
static FACTS: LazyLock<Value> = LazyLock::new(|| schemars::schema_for!(Client).to_value());

/// Reads the facts about a client, and no others. A line of a log may have further ones, of a later version.
fn client<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Client>, D::Error> {
    let facts = Map::deserialize(deserializer)?;
    let known = FACTS.get("properties");
    if let Some(name) = facts.keys().find(|name| known.is_none_or(|known| known.get(name).is_none())) {
        return Err(D::Error::custom(format!("client: unknown field `{name}`")));
    }
    serde_json::from_value(Value::Object(facts)).map(Some).map_err(D::Error::custom)
}

impl Case {
    /// The route of `policy` for the method and the path.
    pub(super) fn route<'policy>(&self, policy: &'policy Policy) -> Option<&'policy Route> {
        let path = self.target.split('?').next().unwrap_or_default();
        let path = CanonicalPath::parse(path.as_bytes()).ok()?;
        find_for(policy, &path, self.method.as_deref().unwrap_or("GET")).ok()
    }

    /// Reads a description: a JSON object without repeated members.
    ///
    /// # Errors
    /// The fault of the case, in one line.
    pub(in crate::cli) fn read(text: &[u8]) -> Result<Self, String> {
        parse_object(text)
            .and_then(|members| serde_json::from_value(Value::Object(members)))
            .map_err(|error| plain(&error))
    }

    /// Whether it has only facts about the client.
    pub(in crate::cli) fn is_of_client(&self) -> bool {
        let Self { method, target, headers, token, claims, issuer, skipped, .. } = self;
        let has_credentials = token.is_some() || claims.is_some() || issuer.is_some();
        method.is_none() && target.is_empty() && headers.is_empty() && !has_credentials && skipped.is_empty()
    }

    /// The facts that the platform would know about the client.
    pub(in crate::cli) fn facts_of_client(&self) -> Client {
        let known = || {
            let facts = Client {
                address: self.address,
                continent: self.continent,
                connection: self.connection,
                proxy: self.proxy,
                anonymizers: self.anonymizers.clone(),
                ..Client::default()
            };
            let country = self.country.as_deref().unwrap_or_default();
            facts.located(country, self.region.as_deref(), self.asn.unwrap_or_default())
        };
        self.client.clone().unwrap_or_else(known)
    }

    const fn has_single_facts(&self) -> bool {
        let Self { address, country, region, continent, asn, connection, proxy, anonymizers, .. } = self;
        let located =
            address.is_some() || country.is_some() || region.is_some() || continent.is_some() || asn.is_some();
        located || connection.is_some() || proxy.is_some() || anonymizers.is_some()
    }

    /// Checks that no member overrules another, and that the facts about the client can be read: otherwise they would
    /// count as unknown.
    pub(in crate::cli) fn check(&self) -> Result<(), String> {
        if self.token.is_some() && self.claims.is_some() {
            return Err("token and claims: give one of the two".to_owned());
        }
        if self.issuer.is_some() && self.claims.is_none() {
            return Err("issuer: it is the issuer of the claims; give claims as well, or leave it out".to_owned());
        }
        let Client { country, subdivision, .. } = self.facts_of_client();
        match (&self.country, &self.region) {
            _ if self.client.is_some() && self.has_single_facts() => {
                Err("client: it has every fact about the client; leave the single facts out".to_owned())
            }
            _ if self.client.is_some() => Ok(()),
            (Some(given), _) if country.is_none() => {
                Err(format!("country \"{given}\": not a code of ISO 3166-1, such as \"DE\""))
            }
            (_, Some(given)) if subdivision.is_none() => Err(format!(
                "region \"{given}\": write it without the country, \"CA\" and not \"US-CA\", and give the country \
                 as well"
            )),
            _ => Ok(()),
        }
    }
}

/// The message of a JSON error in a text of one line, without the line number.
pub(in crate::cli) fn plain(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.rsplit_once(" at line 1 column ") {
        Some((what, column)) => format!("{what} at column {column}"),
        None => text,
    }
}
