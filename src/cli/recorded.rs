//! Log lines as requests that can be judged again, and the verdicts that they record.

use fastgate::identity::sample_token::{accepted, put};
use fastgate::policy::{Access, NamesForm, Policy, Route, RouteId};
use fastgate::request::{CanonicalPath, MAX_PATH_BYTES, MAX_TARGET_BYTES};
use fastgate::route::find_for;
use fastgate::time::UnixTime;
use fastgate::trail::{Recorded, Trail};
use serde::Deserialize;
use serde_json::error::Category;
use serde_json::{Map, Value, json};

use super::offline::Case;

/// The members of a log line that are read.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Line {
    pub(super) time: UnixTime,
    pub(super) request_id: String,
    pub(super) method: String,
    verdict: String,
    #[serde(default)]
    credentials_ignored: Option<String>,
    #[serde(default)]
    subject: Option<String>,
    #[serde(default)]
    pub(super) issuer: Option<String>,
    #[serde(default)]
    skipped: Vec<String>,
    pub(super) recorded: Recorded,
}

/// The caller, as far as the line says.
pub(super) enum Caller<'line> {
    Known {
        subject: &'line str,
        issuer: &'line str,
    },
    WithoutToken,
    /// The code of the refusal of the token, or of its proof of possession.
    WithBadToken(&'line str),
    NotRead,
}

/// The decision of a policy on a line.
pub(super) struct Judged {
    /// `forwarded` or the code of the refusal.
    pub(super) verdict: String,
    pub(super) cause: Option<String>,
    pub(super) route: Option<RouteId>,
    /// The region, if the request is forwarded to one.
    pub(super) region: Option<String>,
    subject: Option<String>,
    facts: Option<Recorded>,
}

impl Judged {
    /// The verdict, and the region of a request that is forwarded to one.
    pub(super) fn outcome(&self) -> String {
        match &self.region {
            None => self.verdict.clone(),
            Some(region) => format!("{} to region {region}", self.verdict),
        }
    }
}

/// A token that every policy refuses: two dots with empty parts.
const BAD_TOKEN: &str = "..";
/// The code of its refusal.
const BAD_TOKENS_CODE: &str = "token-malformed";

/// The prefix of a line of the log endpoint `fastgate` in the output of the local edge.
const LOG_ENDPOINT: &[u8] = b"fastgate :: ";

/// The reason for a line without a request in canonical form.
const NO_LOG_LINE: &str = "it is not a log line of a request with a canonical path";

impl Line {
    /// Reads one line of a log. Lines that no edge writes are errors.
    ///
    /// # Errors
    /// Why the line cannot be judged again.
    pub(super) fn read(text: &[u8]) -> Result<Self, &'static str> {
        // The local edge and the platform's log tail print the name of the log endpoint before each line.
        let text = text.strip_prefix(LOG_ENDPOINT).unwrap_or(text);
        let line: Self = serde_json::from_slice(text).map_err(|error| match error.classify() {
            Category::Data => NO_LOG_LINE,
            Category::Io | Category::Syntax | Category::Eof => "it is not JSON",
        })?;
        let Recorded { path, query, .. } = &line.recorded;
        if path.len() > MAX_PATH_BYTES || *query > MAX_TARGET_BYTES {
            return Err("its path or query is too long to be judged again");
        }
        let is_canonical = CanonicalPath::parse(path.as_bytes()).is_ok_and(|parsed| parsed.encoded() == path);
        is_canonical.then_some(line).ok_or(NO_LOG_LINE)
    }

    pub(super) fn caller(&self) -> Caller<'_> {
        if let (Some(subject), Some(issuer)) = (&self.subject, &self.issuer) {
            return Caller::Known { subject, issuer };
        }
        match self.credentials_ignored.as_ref().unwrap_or(&self.verdict).as_str() {
            "credentials-missing" => Caller::WithoutToken,
            code if ["credentials-", "token-", "proof-"].iter().any(|kind| code.starts_with(kind)) => {
                Caller::WithBadToken(code)
            }
            _ => Caller::NotRead,
        }
    }

    /// The route that `policy` has for it.
    pub(super) fn route<'policy>(&self, policy: &'policy Policy) -> Option<&'policy Route> {
        find_for(policy, &CanonicalPath::parse(self.recorded.path.as_bytes()).ok()?, &self.method).ok()
    }

    /// Whether the caller's token was bound, as far as the line says: directly, or by the verdict on a route of `old`
    /// that requires bound tokens.
    pub(super) fn bound(&self, old: &Policy) -> Option<bool> {
        let requires = self.route(old).is_some_and(requires_binding);
        self.recorded.bound.or_else(|| requires.then(|| self.verdict != "token-unbound"))
    }

    /// The request, for both policies. Its token is one that `old` accepts if it accepted the caller's own.
    pub(super) fn case(&self, old: &Policy) -> Case {
        let Recorded { path, query, content_length, client, .. } = &self.recorded;
        let target = if *query > 0 { format!("{path}?{}", "x".repeat(*query)) } else { path.clone() };
        let host = old.edge().hosts.first().map(|host| ("host".to_owned(), host.to_owned()));
        let length = content_length.map(|length| ("content-length".to_owned(), length.to_string()));
        let mut case = Case {
            method: Some(self.method.clone()),
            target,
            headers: host.into_iter().chain(length).collect(),
            client: Some(client.clone()),
            skipped: self.skipped.clone(),
            request_id: Some(self.request_id.clone()),
            ..Case::default()
        };
        match self.caller() {
            Caller::Known { subject, issuer } => {
                case.issuer = Some(issuer.to_owned());
                case.claims = Some(self.claims(subject, issuer, old));
            }
            Caller::WithBadToken(_) => case.token = Some(BAD_TOKEN.to_owned()),
            Caller::WithoutToken | Caller::NotRead => {}
        }
        case
    }

    fn claims(&self, subject: &str, issuer: &str, old: &Policy) -> Map<String, Value> {
        let mut claims = Map::new();
        claims.insert("sub".to_owned(), subject.into());
        if self.bound(old) == Some(true) {
            // 32 bytes of zeros, in base64url: any binding will do.
            claims.insert("cnf".to_owned(), json!({ "x5t#S256": "A".repeat(43) }));
        }
        let Some(issuer) = old.issuers().find(|known| known.id == issuer) else { return claims };
        let Recorded { client_id, tenant, scopes, roles, groups, .. } = &self.recorded;
        for (found, names, separator) in [
            (&issuer.shape.scopes, scopes, Some(' ')),
            (&issuer.shape.roles, roles, None),
            (&issuer.shape.groups, groups, None),
        ] {
            if let Some(claim) = accepted(found, issuer).next().filter(|_| !names.is_empty()) {
                put(&mut claims, &claim.path, formed(names, claim.form, separator));
            }
        }
        let client = client_id.as_deref().map(Value::from);
        if let (Some(path), Some(client)) = (accepted(&issuer.shape.client, issuer).next(), client) {
            put(&mut claims, path, client);
        }
        if let Some((path, tenant)) = issuer.shape.tenant.as_ref().zip(tenant.as_deref()) {
            put(&mut claims, path, tenant.into());
        }
        // The log does not say for which audience the token was; `old` accepted it, so it was one that the route accepts.
        let audience = self.route(old).and_then(|route| route.audiences_of(issuer).first());
        if let Some((path, audience)) = accepted(&issuer.shape.audience, issuer).next().zip(audience) {
            put(&mut claims, path, audience.as_str().into());
        }
        claims
    }

    /// The decision in `trail`, which a policy wrote for this line.
    pub(super) fn judged(&self, trail: Trail) -> Judged {
        let Trail { verdict, cause, route, region, subject, recorded: facts, .. } = trail;
        match self.caller() {
            Caller::WithBadToken(code) if verdict == BAD_TOKENS_CODE => {
                let cause = Some(format!("the token was refused when it was logged ({code})"));
                Judged { verdict: code.to_owned(), cause, route, region, subject, facts }
            }
            _ => Judged { verdict: verdict.to_owned(), cause, route, region, subject, facts },
        }
    }

    /// Why the decision of the old policy contradicts the line; `None` if it does not.
    pub(super) fn contradiction(&self, old: &Judged) -> Option<String> {
        // A failure of the origin is not a decision of a policy.
        let logged_verdict = if self.verdict.starts_with("origin-") { "forwarded" } else { &self.verdict };
        if old.verdict != logged_verdict {
            return Some(format!("the old policy gives {}, the log says {logged_verdict}", old.verdict));
        }
        let empty = Recorded::default();
        let (found, logged) = (old.facts.as_ref().unwrap_or(&empty), &self.recorded);
        let differing = [
            ("subjects", old.subject != self.subject),
            ("client ids", found.client_id != logged.client_id),
            // Lines of earlier versions have no tenant.
            ("tenants", logged.tenant.is_some() && found.tenant != logged.tenant),
            ("scopes", found.scopes != logged.scopes),
            ("roles", found.roles != logged.roles),
            ("groups", found.groups != logged.groups),
        ];
        let (member, _) = differing.into_iter().find(|(_, differs)| *differs)?;
        Some(format!("the old policy finds other {member} than the log says"))
    }
}

/// A claim of this form with these names. `separator` is that of the usual form, a list if there is none.
fn formed(names: &[String], form: Option<NamesForm>, separator: Option<char>) -> Value {
    let joined = |separator: char| names.join(&separator.to_string()).into();
    match (form, separator) {
        (Some(NamesForm::Keys), _) => {
            names.iter().map(|name| (name.clone(), json!(true))).collect::<Map<_, _>>().into()
        }
        (Some(NamesForm::Comma), _) => joined(','),
        (Some(NamesForm::Space), _) => joined(' '),
        (None, Some(separator)) => joined(separator),
        (None, None) => names.to_vec().into(),
    }
}

/// Whether `route` accepts only bound tokens.
pub(super) fn requires_binding(route: &Route) -> bool {
    route.require_bound && matches!(route.access, Access::Authenticated { .. })
}
