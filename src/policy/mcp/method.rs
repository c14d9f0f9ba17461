//! The methods of MCP that clients send, in all its revisions.

/// What the edge does with a method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum McpMethod {
    /// A request that every caller of the route may send.
    Plain,
    /// A notification that every caller of the route may send.
    Notification,
    /// `params.name` is a tool.
    Tool,
    /// `params.name` is a prompt.
    Prompt,
    /// `params.uri` is a resource.
    Resource,
    /// `params.ref` is a prompt or a resource.
    Reference,
    /// `resourceSubscriptions` in `params.notifications` lists resources.
    Subscriptions,
}

const KNOWN: [(&str, McpMethod); 18] = [
    ("server/discover", McpMethod::Plain),
    ("initialize", McpMethod::Plain),
    ("ping", McpMethod::Plain),
    ("tools/list", McpMethod::Plain),
    ("resources/list", McpMethod::Plain),
    ("resources/templates/list", McpMethod::Plain),
    ("prompts/list", McpMethod::Plain),
    ("notifications/initialized", McpMethod::Notification),
    ("notifications/cancelled", McpMethod::Notification),
    ("notifications/progress", McpMethod::Notification),
    ("notifications/roots/list_changed", McpMethod::Notification),
    ("tools/call", McpMethod::Tool),
    ("prompts/get", McpMethod::Prompt),
    ("resources/read", McpMethod::Resource),
    ("resources/subscribe", McpMethod::Resource),
    ("resources/unsubscribe", McpMethod::Resource),
    ("completion/complete", McpMethod::Reference),
    ("subscriptions/listen", McpMethod::Subscriptions),
];

impl McpMethod {
    /// The method with this name; `None` if only a policy can admit it.
    #[must_use]
    pub fn known(name: &str) -> Option<Self> {
        KNOWN.iter().find(|(known, _)| *known == name).map(|(_, method)| *method)
    }

    /// Whether this is one of them in any case.
    pub(super) fn is_like_known(name: &str) -> bool {
        KNOWN.iter().any(|(known, _)| known.eq_ignore_ascii_case(name))
    }
}
