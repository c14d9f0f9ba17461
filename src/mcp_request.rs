//! Step *mcp*: may this caller send this message to the MCP server? Input: the [`Cleared`] request and the body that
//! [`inference`](crate::inference) passed. Output: [`JudgedBody`], the body with what was decided about it. On a route without
//! `mcp` it passes the body on.
//!
//! The body is parsed once and strictly. The header fields that mirror it must agree with it, and decide nothing.

mod cost;
mod error;
mod message;
mod mirrored;
mod session;
mod subject;
mod versions;

use std::fmt;
use std::sync::Arc;

pub use cost::UseCost;
pub use error::{McpError, SubjectKind};
pub use message::RequestId;
pub use session::{Session, session};

use crate::authorize::meets;
use crate::client::Client;
use crate::content::{Body, ContentDigest};
use crate::identity::Caller;
use crate::inference::{Admission, CheckedBody, is_json};
use crate::mcp_list::ListFilter;
use crate::policy::limits::Limit;
use crate::policy::{Access, Captures, ListName, Mcp, McpEntry, MethodName};
use crate::request::Target;
use crate::throttle::{self, Cleared, Counter, KeyParts, Outcome, ThrottleError};
use crate::time::UnixTime;
use message::Message;
use subject::Subject;
pub use versions::VERSIONS;

/// What the edge decided about a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    /// The method; `None` for the response to a request of the server.
    pub method: Option<String>,
    /// The name of the tool or prompt, or the URI of the resource, if it is about one.
    pub name: Option<String>,
}

impl fmt::Display for Operation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.method.as_deref().unwrap_or("response"))?;
        self.name.as_ref().map_or(Ok(()), |name| write!(formatter, " {name}"))
    }
}

/// The body as it is sent, and what was decided about it. [`judge`] and [`Judged::count`] make one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JudgedBody {
    body: CheckedBody,
    operation: Option<Box<Operation>>,
    id: RequestId,
    lists: Option<Box<ListFilter>>,
    costs: Vec<UseCost>,
}

impl JudgedBody {
    /// The digest, if the route signs the body.
    #[must_use]
    pub const fn digest(&self) -> Option<&ContentDigest> {
        self.body.digest()
    }

    /// What was decided about a request to a model; `None` if the route is for other requests.
    #[must_use]
    pub fn admission(&self) -> Option<&Admission> {
        self.body.admission()
    }

    /// What was decided about a message to an MCP server; `None` if the body is none.
    #[must_use]
    pub fn operation(&self) -> Option<&Operation> {
        self.operation.as_deref()
    }

    /// The id of the message, if it has one.
    #[must_use]
    pub const fn id(&self) -> &RequestId {
        &self.id
    }

    /// What the use of a tool, resource or prompt costs of budgets.
    #[must_use]
    pub fn costs(&self) -> &[UseCost] {
        &self.costs
    }

    /// The filter for the response, if it may have lists of the server.
    #[must_use]
    pub fn lists(&self) -> Option<&ListFilter> {
        self.lists.as_deref()
    }
}

/// A message that the caller may send, which is not counted yet.
#[derive(Debug)]
pub struct Judged<'policy> {
    body: JudgedBody,
    limits: Vec<&'policy Arc<Limit>>,
}

impl Judged<'_> {
    /// What was decided.
    #[must_use]
    pub fn operation(&self) -> Option<&Operation> {
        self.body.operation()
    }

    /// Whether there is anything to count.
    #[must_use]
    pub fn has_limits(&self) -> bool {
        !self.limits.is_empty()
    }

    /// Counts the message against the limits of what it uses, each once. `report` is called as by [`throttle::clear`].
    ///
    /// # Errors
    /// The [`ThrottleError`] of the first limit that is not in shadow and refuses the message.
    pub fn count(
        self,
        cleared: &Cleared<'_>,
        (target, client): (&Target, &Client),
        counter: &mut dyn Counter,
        now: UnixTime,
        report: &mut dyn FnMut(&Limit, Result<Outcome, ThrottleError>),
    ) -> Result<JudgedBody, ThrottleError> {
        let parts = KeyParts {
            route: cleared.route().id.as_str(),
            caller: cleared.caller(),
            client: client.address,
            headers: target.headers(),
        };
        for limit in &self.limits {
            throttle::count(limit, &parts, counter, now, report)?;
        }
        Ok(self.body)
    }
}

/// Judges the message if its route is for an MCP server. `id` gets the id of the message as soon as it is read, for the
/// response to a refusal.
///
/// # Errors
/// An [`McpError`] that names the first thing that is refused.
pub fn judge<'policy>(
    cleared: &Cleared<'policy>,
    captures: &Captures,
    target: &Target,
    (checked, body): (CheckedBody, &dyn Body),
    id: &mut RequestId,
) -> Result<Judged<'policy>, McpError> {
    let unjudged = |checked, lists| Judged {
        body: JudgedBody { body: checked, operation: None, id: RequestId::default(), lists, costs: Vec::new() },
        limits: Vec::new(),
    };
    let Some(mcp) = &cleared.route().mcp else { return Ok(unjudged(checked, None)) };
    let Some(text) = body.held() else { return Ok(unjudged(checked, None)) };
    let unmet = |entry: &McpEntry| {
        let unmet = meets(cleared.caller(), entry.require.as_ref()?, captures).err()?;
        Some(format!("the caller does not meet: {unmet}"))
    };
    let has_scopes = |entry: &McpEntry| entry.scopes.iter().all(|scope| has_scope(cleared.caller(), scope));
    let is_shown = |entry: &McpEntry| (mcp.list == ListName::All || has_scopes(entry)) && unmet(entry).is_none();
    if target.method() != "POST" {
        let lists = (target.method() == "GET").then(|| Box::new(ListFilter::of_stream(mcp, &is_shown)));
        return if text.is_empty() { Ok(unjudged(checked, lists)) } else { Err(McpError::BodyOfOther) };
    }
    if !is_json(target.headers()) {
        return Err(McpError::NotJson);
    }
    let message = Message::read(text, id)?;
    let is_modern = mirrored::check(target.headers(), &message)?;
    if message.method.is_none() && (is_modern || !cleared.route().methods.contains(&MethodName::Get)) {
        return Err(McpError::Malformed("a request: this server sends none that could have a response"));
    }
    let entries = entries(mcp, &message, is_modern, &unmet)?;
    check_scopes(&entries, cleared)?;
    let mut limits: Vec<&Arc<Limit>> = Vec::new();
    for limit in entries.iter().flat_map(|entry| &entry.limits) {
        if !limits.iter().any(|known| known.name == limit.name) {
            limits.push(limit);
        }
    }
    let method = message.method.as_deref().unwrap_or_default();
    let costs = cost::of(method, &entries);
    let lists = ListFilter::of_request(mcp, method, id.value(), &is_shown).map(Box::new);
    let operation = Operation { name: message.subject.name().map(str::to_owned), method: message.method };
    let body = JudgedBody { body: checked, operation: Some(Box::new(operation)), id: id.clone(), lists, costs };
    Ok(Judged { body, limits })
}

/// The entries of what the message uses. What has none, and what has one whose condition the caller does not meet, is refused
/// alike.
fn entries<'policy>(
    mcp: &'policy Mcp,
    message: &Message,
    is_modern: bool,
    unmet: &dyn Fn(&McpEntry) -> Option<String>,
) -> Result<Vec<&'policy McpEntry>, McpError> {
    let (kind, names) = match &message.subject {
        Subject::None => return Ok(Vec::new()),
        Subject::Listed => {
            let method = message.method.clone().unwrap_or_default();
            return if mcp.methods.contains(&method) {
                Ok(Vec::new())
            } else {
                Err(McpError::UnknownMethod { method, is_modern })
            };
        }
        Subject::Tool(name) => (SubjectKind::Tool, std::slice::from_ref(name)),
        Subject::Prompt(name) => (SubjectKind::Prompt, std::slice::from_ref(name)),
        Subject::Resources(uris) => (SubjectKind::Resource, uris.as_slice()),
    };
    let mut all: Vec<&McpEntry> = Vec::with_capacity(names.len());
    for name in names {
        let found: Vec<&McpEntry> = match kind {
            SubjectKind::Tool => mcp.tools.get(name).into_iter().collect(),
            SubjectKind::Prompt => mcp.prompts.get(name).into_iter().collect(),
            SubjectKind::Resource => mcp.resources(name),
        };
        let why = if found.is_empty() {
            Some("the policy has no entry for it".to_owned())
        } else {
            found.iter().find_map(|entry| unmet(entry))
        };
        if let Some(why) = why {
            return Err(McpError::Unknown { kind, name: name.clone(), is_modern, why });
        }
        all.extend(found);
    }
    Ok(all)
}

/// Checks that the caller has the scopes of all entries.
fn check_scopes(entries: &[&McpEntry], cleared: &Cleared<'_>) -> Result<(), McpError> {
    let caller = cleared.caller();
    let of_entries = || entries.iter().flat_map(|entry| &entry.scopes);
    let missing: Vec<String> = of_entries().filter(|scope| !has_scope(caller, scope)).cloned().collect();
    if missing.is_empty() {
        return Ok(());
    }
    let mut required: Vec<String> = Vec::new();
    for scope in of_route(&cleared.route().access, caller).into_iter().chain(of_entries()) {
        if !required.contains(scope) {
            required.push(scope.clone());
        }
    }
    match caller {
        Caller::Anonymous => Err(McpError::Unidentified { required }),
        Caller::Known(_) => Err(McpError::InsufficientScope { required, missing }),
    }
}

fn has_scope(caller: &Caller, scope: &String) -> bool {
    matches!(caller, Caller::Known(identity) if identity.scopes().contains(scope))
}

/// The scopes that the route requires of this caller.
fn of_route<'policy>(access: &'policy Access, caller: &Caller) -> Vec<&'policy String> {
    match (access, caller) {
        (Access::Authenticated { all_callers, by_issuer }, Caller::Known(identity)) => {
            let of_issuer = by_issuer.get(identity.issuer_id());
            std::iter::once(all_callers).chain(of_issuer).flat_map(|requirement| &requirement.scopes).collect()
        }
        _ => Vec::new(),
    }
}
