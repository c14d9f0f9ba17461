//! What a caller is shown.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;

use crate::json_body::Value as JsonValue;
use crate::policy::{Mcp, McpEntry};
use crate::response::ResponseFields;

/// Fields that describe the content as it came from the origin.
const OF_CONTENT: [&str; 7] =
    ["accept-ranges", "content-digest", "content-md5", "digest", "etag", "last-modified", "repr-digest"];

/// The lists: the methods that return them, the members of the results, and the members that name an element.
pub(super) const LISTS: [(&str, &str, &str); 4] = [
    ("tools/list", "tools", "name"),
    ("resources/list", "resources", "uri"),
    ("resources/templates/list", "resourceTemplates", "uriTemplate"),
    ("prompts/list", "prompts", "name"),
];

/// What a caller is shown in the responses to its request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListFilter {
    /// The id of the request; `None` if the stream may have responses to other requests.
    id: Option<Value>,
    tools: BTreeSet<String>,
    prompts: BTreeSet<String>,
    /// The resources, and for each of their entries whether it is shown.
    resources: Option<(Arc<Mcp>, Vec<bool>)>,
}

impl ListFilter {
    /// The filter for the response to a request with this method and id; `None` if it returns no list. `is_shown` says
    /// whether the caller is shown what has this entry.
    #[must_use]
    pub fn of_request(
        mcp: &Arc<Mcp>,
        method: &str,
        id: Option<&Value>,
        is_shown: &dyn Fn(&McpEntry) -> bool,
    ) -> Option<Self> {
        let (_, member, _) = LISTS.iter().find(|(known, ..)| *known == method)?;
        // A request has an id.
        Some(Self::of(mcp, Some(id.cloned().unwrap_or_default()), &|list| list == *member, is_shown))
    }

    /// The filter for a stream that the client opens to receive messages: it may have any response of the server again.
    #[must_use]
    pub fn of_stream(mcp: &Arc<Mcp>, is_shown: &dyn Fn(&McpEntry) -> bool) -> Self {
        Self::of(mcp, None, &|_| true, is_shown)
    }

    fn of(
        mcp: &Arc<Mcp>,
        id: Option<Value>,
        returns: &dyn Fn(&str) -> bool,
        is_shown: &dyn Fn(&McpEntry) -> bool,
    ) -> Self {
        let names = |list: &str, entries: &BTreeMap<String, McpEntry>| -> BTreeSet<String> {
            let entries = entries.iter().filter(|_| returns(list));
            entries.filter(|(_, entry)| is_shown(entry)).map(|(name, _)| name.clone()).collect()
        };
        let has_resources = returns("resources") || returns("resourceTemplates");
        Self {
            id,
            tools: names("tools", &mcp.tools),
            prompts: names("prompts", &mcp.prompts),
            resources: has_resources.then(|| (Arc::clone(mcp), mcp.every_resource().map(is_shown).collect())),
        }
    }

    /// Whether a response with this id may pass.
    pub(super) fn is_of_request(&self, id: Option<&JsonValue<'_>>) -> bool {
        let Some(expected) = &self.id else { return true };
        match id {
            Some(JsonValue::Text(id)) => expected.as_str() == Some(id),
            Some(JsonValue::Whole(id)) => expected.as_u64() == Some(*id),
            Some(JsonValue::Negative(id)) => expected.as_i64() == Some(*id),
            _ => false,
        }
    }

    /// The fields of such a response, besides `edits`: it is for this caller alone.
    #[must_use]
    pub fn fields(mut edits: ResponseFields) -> ResponseFields {
        for name in OF_CONTENT {
            edits.remove(name);
        }
        edits.set("cache-control", "private, no-store");
        edits
    }

    /// Whether the caller is shown an element of this list.
    pub(super) fn shows(&self, list: &str, name: &str) -> bool {
        match list {
            "tools" => self.tools.contains(name),
            "prompts" => self.prompts.contains(name),
            _ => self.resources.as_ref().is_some_and(|(mcp, shown)| {
                let places = match list {
                    "resources" => mcp.places_of(name),
                    _ => mcp.place_of_template(name).into_iter().collect(),
                };
                !places.is_empty() && places.iter().all(|place| shown.get(*place) == Some(&true))
            }),
        }
    }
}
