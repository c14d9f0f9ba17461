//! The response to the client for a refusal: RFC 9457 problem details, with the challenge of RFC 6750 §3 if there is
//! one. The table in `problem/table.rs` decides which problem a refusal becomes. All invalid tokens give the same
//! response.

mod challenge;
mod form;
mod kind;
mod rpc;
mod table;

use crate::headers::Headers;
use crate::identity::bearer::Scheme;
use crate::mcp_request::RequestId;
use crate::policy::Api;
use crate::response::ResponseFields;
use challenge::Challenge;
use form::{Detail, Form};
pub use kind::Kind;
use rpc::RpcError;

/// The longest time for which clients of APIs should wait before they try again, in seconds. Anthropic's would wait for any
/// time, and block its caller meanwhile.
const LONGEST_WAIT: u64 = 60;

/// A response that the edge makes itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    kind: Kind,
    /// `Allow`, `Retry-After` and other fields that the kind requires.
    fields: Vec<(&'static str, String)>,
    /// `WWW-Authenticate`.
    challenge: Option<Challenge>,
    /// What the client may know besides the kind.
    detail: Option<Detail>,
    /// The error of JSON-RPC that it is, if it refuses a message to an MCP server.
    rpc: Option<RpcError>,
    /// The message that it responds to, if the route is for an MCP server.
    request_id: RequestId,
    /// The form of the body.
    form: Form,
    /// The edits of responses on this route.
    response: ResponseFields,
}

impl Problem {
    /// The HTTP status code.
    #[must_use]
    pub const fn status(&self) -> u16 {
        match &self.rpc {
            Some(RpcError { status: Some(status), .. }) => *status,
            _ => self.kind.status(),
        }
    }

    /// The problem type.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// The fields of the response.
    #[must_use]
    pub fn headers(&self) -> Headers {
        let fixed = [("content-type", self.form.media_type()), ("cache-control", "no-store")];
        let mut headers: Headers = fixed.into_iter().collect();
        for (name, value) in &self.fields {
            headers.append(name, value.as_str());
        }
        if let Some(challenge) = &self.challenge {
            headers.append("www-authenticate", challenge.value());
        }
        self.response.apply(&headers)
    }

    /// Adds to the challenge, if there is one, the URL of the resource's metadata, and the `scheme` and the `scopes` of the
    /// route (RFC 6750 §3), so that a client can ask for a sufficient token at once.
    #[must_use]
    pub fn asking_for(mut self, scheme: Scheme, scopes: &[String], resource_metadata: &str) -> Self {
        if let Some(challenge) = &mut self.challenge {
            challenge.resource_metadata = Some(resource_metadata.to_owned());
            if challenge.scope.is_none() && !scopes.is_empty() {
                challenge.scope = Some(scopes.join(" "));
            }
            if scheme == Scheme::DPoP {
                challenge.scheme = scheme;
            }
        }
        self
    }

    /// Adds the edits that responses get on its route.
    #[must_use]
    pub fn with_fields(mut self, response: ResponseFields) -> Self {
        self.response = response;
        self
    }

    /// Gives it the form that the clients of `api` read, if there is one.
    #[must_use]
    pub fn for_clients_of(mut self, api: Option<&Api>) -> Self {
        self.form = api.map(Form::of).unwrap_or_default();
        let waits_long = |(name, value): &(&str, String)| {
            *name == "retry-after" && value.parse::<u64>().is_ok_and(|seconds| seconds > LONGEST_WAIT)
        };
        if self.form != Form::Problem && self.fields.iter().any(waits_long) {
            self.fields.push(("x-should-retry", "false".to_owned()));
        }
        self
    }

    /// Gives it the form that the clients of MCP servers read, if the route is for one: an error that responds to the message
    /// with this id.
    #[must_use]
    pub fn for_mcp_clients(mut self, id: Option<&RequestId>) -> Self {
        if let Some(id) = id {
            self.form = Form::JsonRpc;
            self.request_id = id.clone();
        }
        self
    }

    /// The body: `type`, `title`, `status` and perhaps `detail` (RFC 9457 §3.1), or the error of an API or of JSON-RPC.
    #[must_use]
    pub fn body(&self) -> String {
        if self.form == Form::JsonRpc {
            return rpc::body(self.kind, self.detail.as_ref(), self.rpc.as_ref(), &self.request_id).to_string();
        }
        self.form.body(self.kind, self.detail.as_ref()).to_string()
    }
}
