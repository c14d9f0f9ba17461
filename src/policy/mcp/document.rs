//! `mcp` in the document.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::json_form::{objects, strings};
use crate::policy::conditions::ConditionDocument;

objects!(McpDocument, EntryDocument);
strings!(ListName);

/// The MCP server behind a route: its tools, resources and prompts, and who may use each. The route accepts POST, and GET and
/// DELETE if the server has sessions. The edge reads each message once, refuses what could be read in two ways, and signs its
/// digest (`sign_body` is implied). What has no entry is answered like something that does not exist.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(not(target_os = "wasi"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, remote = "Self")]
pub struct McpDocument {
    /// The tools by name: 1 to 128 visible ASCII characters. Default: none.
    #[serde(default)]
    pub tools: BTreeMap<String, EntryDocument>,
    /// The resources by URI, or by URI template such as `orders://{id}`, where `{id}` is one or more characters without `/`.
    /// If several templates match, the rules of all of them apply. Default: none.
    #[serde(default)]
    pub resources: BTreeMap<String, EntryDocument>,
    /// The prompts by name. Default: none.
    #[serde(default)]
    pub prompts: BTreeMap<String, EntryDocument>,
    /// Further methods that are admitted, such as `logging/setLevel`. What their parameters name is not judged. Default: none;
    /// an unknown method gets the error -32601.
    #[serde(default)]
    pub methods: Vec<String>,
    /// What the lists of the server show.
    #[serde(default)]
    pub list: ListName,
    /// The length of the longest body, in bytes, 1 to 4194304. A longer one gets 413. Default: 262144.
    #[serde(default)]
    pub max_body: Option<u64>,
}

impl McpDocument {
    /// The places of the entries that require scopes.
    pub(in crate::policy) fn scoped(&self) -> impl Iterator<Item = String> {
        let sections = [("tools", &self.tools), ("resources", &self.resources), ("prompts", &self.prompts)];
        sections.into_iter().flat_map(|(section, entries)| {
            let scoped = entries.iter().filter(|(_, entry)| !entry.scopes.is_empty());
            scoped.map(move |(name, _)| format!("{section}.{name}"))
        })
    }
}

/// Who may use a tool, a resource or a prompt, in addition to the rules of the route.
#[derive(Clone, Debug, Default, Deserialize)]
#[cfg_attr(not(target_os = "wasi"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, remote = "Self")]
pub struct EntryDocument {
    /// The scopes that the token must have, all of them. A caller that lacks only scopes gets 403 and a challenge with all
    /// scopes of route and entry. Default: none.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// A condition that callers must meet. For those who do not, it does not exist. Default: none.
    #[serde(default)]
    pub require: Option<ConditionDocument>,
    /// Names of `limits`, counted after those of the route. Default: none.
    #[serde(default)]
    pub limits: Vec<String>,
    /// What each use costs of these `budgets`, in their units: `{ "daily": 500 }`: each call of the tool, read of the resource,
    /// or get of the prompt that is sent, also if it fails. The model of a budget `by` model is the name, or the URI or URI
    /// template, of the entry. Default: none.
    #[serde(default)]
    pub budgets: BTreeMap<String, u64>,
}

/// What the lists of an MCP server show.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(not(target_os = "wasi"), derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case", remote = "Self")]
pub enum ListName {
    /// What the caller may use with the scopes that its token has.
    #[default]
    Usable,
    /// That, and what the caller may use with further scopes.
    All,
}
