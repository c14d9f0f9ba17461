//! The region and the version of a request. They depend only on the policy and on the request, never on the health of
//! backends, so they can be part of the key of a stored response.

use std::fmt;

use serde_json::{Number, Value};

use super::error::SelectError;
use crate::client::Client;
use crate::digest::sha256_of_parts;
use crate::headers::Headers;
use crate::identity::{Caller, Identity};
use crate::mcp_request::JudgedBody;
use crate::policy::{
    Affinity, Backend, Backends, ClaimPath, HashPart, Origin, RegionChoice, RegionFact, Route, VersionSource,
};
use crate::rewrite::OriginTarget;

/// The facts by which a request is assigned.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'request> {
    /// The caller, who has been authorized.
    pub caller: &'request Caller,
    /// The client.
    pub client: &'request Client,
    /// The request.
    pub target: &'request OriginTarget,
    /// The body, as it was judged.
    pub body: &'request JudgedBody,
    /// The request id, by which requests without anything in common are spread.
    pub request_id: &'request str,
}

/// The regions whose backends may serve a request, and the version that it gets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Assignment {
    /// The region that the rules assign; `None` if the origin has no regions.
    pub region: Option<String>,
    /// The regions that may serve it, the first choice first: those of the chain of `region` that the route admits.
    pub regions: Vec<String>,
    /// The version; `None` if the request chooses none.
    pub version: Option<String>,
    /// The model that the request is for.
    pub(super) model: Wanted,
    /// The digest by which backends are ranked: equal for requests that shall get the same backend.
    pub(super) key: [u8; 32],
}

/// The model that a request is for, by the name that callers use.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Wanted {
    /// None: its route is for other requests.
    #[default]
    None,
    /// This one.
    Model(String),
    /// One of these: the body is not known, because the request is only described, or another policy reads it.
    OneOf(Vec<String>),
}

impl Wanted {
    fn of(route: &Route, body: &JudgedBody) -> Self {
        match (body.admission(), &route.inference) {
            (Some(admission), _) => Self::Model(admission.model.clone()),
            (None, Some(inference)) => Self::OneOf(inference.models.keys().cloned().collect()),
            (None, None) => Self::None,
        }
    }

    /// Whether the backend serves such requests.
    pub(super) fn is_served_by(&self, backend: &Backend) -> bool {
        match self {
            Self::None => backend.serves(None),
            Self::Model(model) => backend.serves(Some(model)),
            Self::OneOf(models) => models.iter().any(|model| backend.serves(Some(model))),
        }
    }
}

impl Assignment {
    /// Assigns a request for `route` to regions and a version of `origin`.
    ///
    /// # Errors
    /// [`SelectError`] if no region may serve the request.
    pub fn of(origin: &Origin, route: &Route, subject: &Subject<'_>) -> Result<Self, SelectError> {
        let backends = &origin.backends;
        if !backends.are_chosen() {
            return Ok(Self::default());
        }
        let region = if backends.regions.is_empty() {
            None
        } else {
            Some(region_choice(backends, subject).region.ok_or(SelectError::NoRegion)?)
        };
        let chain = region.as_ref().and_then(|name| backends.regions.get(name));
        let admitted = |name: &&String| route.admits_region(name);
        let regions: Vec<_> = chain.into_iter().flatten().filter(admitted).cloned().collect();
        if let Some(region) = region.clone().filter(|_| regions.is_empty()) {
            return Err(SelectError::OtherRegion { region });
        }
        let model = Wanted::of(route, subject.body);
        let runs = |region: Option<&String>, version: Option<&String>| {
            backends.all.iter().any(|backend| {
                backend.region.as_ref() == region
                    && backend.version.as_ref() == version
                    && backend.takes_requests()
                    && model.is_served_by(backend)
            })
        };
        // A version that only a fallback has is none: without a failure the response would be the ordinary one.
        let first = regions.iter().find(|region| runs(Some(*region), None));
        let named = version(backends, subject);
        let version = named.filter(|name| runs(first, Some(name)));
        let key = match route.inference.as_ref().and_then(|inference| inference.affinity) {
            None => hash_key(backends.hash_by.as_ref(), subject),
            Some(Affinity::Caller) => hash_key(Some(&HashPart::Caller), subject),
            Some(Affinity::Conversation) => {
                let beginning = subject.body.admission().and_then(|admission| admission.conversation);
                beginning.unwrap_or_else(|| hash_key(None, subject))
            }
        };
        Ok(Self { region, regions, version, model, key })
    }
}

/// The region of a request of `subject`: by the first rule that knows its value, or the default.
#[must_use]
pub fn region_choice(backends: &Backends, subject: &Subject<'_>) -> RegionChoice {
    let by_rule = backends.region_by.iter().enumerate().find_map(|(index, rule)| {
        let value = match &rule.by {
            RegionFact::Tenant => identity(subject)?.tenant()?.to_owned(),
            RegionFact::Country => subject.client.country.clone()?,
            RegionFact::Continent => subject.client.continent?.as_str().to_owned(),
            RegionFact::Claim(path) => scalar(identity(subject)?, path)?,
        };
        Some(RegionChoice { region: Some(rule.regions.get(&value)?.clone()), rule: Some(index) })
    });
    by_rule.unwrap_or_else(|| RegionChoice { region: backends.default_region.clone(), rule: None })
}

impl fmt::Display for Assignment {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.region {
            None => formatter.write_str("any backend")?,
            Some(region) => write!(formatter, "region \"{region}\"")?,
        }
        if let [_, fallbacks @ ..] = self.regions.as_slice()
            && !fallbacks.is_empty()
        {
            write!(formatter, ", in its place {}", fallbacks.join(", "))?;
        }
        match &self.version {
            None => Ok(()),
            Some(version) => write!(formatter, ", version \"{version}\""),
        }
    }
}

/// The version that the request names.
fn version(backends: &Backends, subject: &Subject<'_>) -> Option<String> {
    let headers = subject.target.received().headers();
    match backends.version_by.as_ref()? {
        VersionSource::Header(name) => {
            only(headers.all(name).map(|value| String::from_utf8_lossy(value.trim_ascii()).into_owned()))
        }
        VersionSource::Cookie(name) => cookie(headers, name),
        VersionSource::Claim(path) => scalar(identity(subject)?, path),
    }
}

/// The value of a cookie; `None` if there are several (RFC 6265 §5.4 leaves open which of them comes first).
fn cookie(headers: &Headers, name: &str) -> Option<String> {
    let pairs = headers.all("cookie").flat_map(|value| value.split(|byte| *byte == b';'));
    only(pairs.filter_map(|pair| {
        // Space and tab are the only whitespace around a pair (RFC 6265 §4.2.1); any other belongs to the value.
        let (found, value) = std::str::from_utf8(pair).ok()?.trim_matches([' ', '\t']).split_once('=')?;
        (found == name).then(|| value.to_owned())
    }))
}

fn only<T>(mut values: impl Iterator<Item = T>) -> Option<T> {
    let first = values.next()?;
    values.next().is_none().then_some(first)
}

const fn identity<'request>(subject: &Subject<'request>) -> Option<&'request Identity> {
    match subject.caller {
        Caller::Known(identity) => Some(identity),
        Caller::Anonymous => None,
    }
}

/// A claim that is a string, a number, true or false, as text.
fn scalar(identity: &Identity, path: &ClaimPath) -> Option<String> {
    match identity.claim(path)? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number_text(number)),
        Value::Bool(truth) => Some(truth.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// A number as text. `7` and `7.0` are one number.
fn number_text(number: &Number) -> String {
    /// Up to here, a number with a fraction can be told from a whole one (2^53).
    const EXACT: f64 = 9_007_199_254_740_992.0;
    match number.as_f64().filter(|value| number.is_f64() && value.fract() == 0.0 && value.abs() < EXACT) {
        Some(whole) => format!("{whole:.0}"),
        None => number.to_string(),
    }
}

/// What requests of one backend have in common. Each kind of value has digests of its own.
fn hash_key(part: Option<&HashPart>, subject: &Subject<'_>) -> [u8; 32] {
    let of_caller = |kind: &'static str, value: Option<String>| {
        Some([kind.to_owned(), identity(subject)?.issuer().to_owned(), value?])
    };
    let shared = match part {
        None => None,
        Some(HashPart::Path) => Some(["path".to_owned(), String::new(), subject.target.path().encoded().to_owned()]),
        Some(HashPart::Caller) => of_caller("caller", identity(subject).map(|identity| identity.subject().to_owned()))
            .or_else(|| Some(["address".to_owned(), String::new(), subject.client.address_text()?])),
        Some(HashPart::Tenant) => {
            of_caller("tenant", identity(subject).and_then(|identity| identity.tenant().map(str::to_owned)))
        }
        Some(HashPart::Claim(path)) => {
            of_caller("claim", identity(subject).and_then(|identity| scalar(identity, path)))
        }
    };
    let parts = shared.unwrap_or_else(|| ["request".to_owned(), String::new(), subject.request_id.to_owned()]);
    sha256_of_parts(&parts)
}
