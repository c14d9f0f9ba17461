//! A route to which the edge responds itself: reads `respond`, and checks that no member of the route needs an origin.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::document::RouteDocument;
use super::{MethodName, Responder};
use crate::policy::fault::Faults;
use crate::policy::origin::Origin;
use crate::policy::pattern::PathTemplate;
use crate::policy::respond::fault::RespondFault;
use crate::policy::respond::{Respond, RespondDocument};

/// Reads `respond` of the route `document`, whose path is `template`.
pub(super) fn read(
    respond: RespondDocument,
    document: &RouteDocument,
    template: &PathTemplate,
    origins: &BTreeMap<String, Arc<Origin>>,
    at: &str,
    faults: &mut Faults,
) -> Option<Responder> {
    let edits = &document.request_headers;
    for (is_present, member) in [
        (document.origin.is_some(), "origin"),
        (document.regions.is_some(), "regions"),
        (document.timeout.is_some(), "timeout"),
        (document.rewrite.is_some(), "rewrite"),
        (!edits.set.is_empty() || !edits.remove.is_empty(), "request_headers"),
        (!document.forward.is_empty(), "forward"),
        (document.forward_token, "forward_token"),
        (document.sign_body, "sign_body"),
        (document.cache.is_some(), "cache"),
        (document.websocket, "websocket"),
        (document.inference.is_some(), "inference"),
        (document.mcp.is_some(), "mcp"),
    ] {
        faults.add_if(is_present, format_args!("{at}.{member}"), RespondFault::NeedsOrigin.into());
    }
    let respond = Respond::read(respond, template, &format!("{at}.respond"), faults)?;
    let is_other = |method: &MethodName| !matches!(method, MethodName::Get | MethodName::Head);
    let has_other = !respond.takes_any_method() && document.methods.iter().any(is_other);
    faults.add_if(has_other, format_args!("{at}.methods"), RespondFault::OtherMethods.into());
    let foreign_resources = origins.values().filter_map(|origin| origin.resource.clone()).collect();
    Some(Responder::Edge { respond, foreign_resources })
}
