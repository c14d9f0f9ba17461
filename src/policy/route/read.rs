//! Reads `routes`: resolves the names of other sections, and collects faults.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Arguments;
use std::sync::Arc;

use super::document::{AccessName, RequirementDocument, RouteDocument};
use super::shared_responses::check as check_shared;
use super::tree::RouteTree;
use super::{Access, MAX_SIGNED_BODY, MethodName, Requirement, Responder, Route, inference, mcp, without_origin};
use crate::policy::authentication::Authentication;
use crate::policy::budgets::Budget;
use crate::policy::cache::CacheRule;
use crate::policy::conditions::Rules;
use crate::policy::fault::{Fault, Faults};
use crate::policy::fields::{Accepts, FieldEdits};
use crate::policy::forward::Forward;
use crate::policy::groups::Group;
use crate::policy::ids::IssuerId;
use crate::policy::issuer::Issuer;
use crate::policy::limits::Limit;
use crate::policy::mcp::McpDocument;
use crate::policy::names::{is_id, is_scope};
use crate::policy::origin::backends::fault::BackendsFault;
use crate::policy::origin::{Origin, token_audiences};
use crate::policy::pattern::PathTemplate;
use crate::policy::places::Place;

/// The longest time for which a response is awaited, in seconds. The platform ends a request after 120.
const MAX_TIMEOUT: u64 = 110;

/// The entries of other sections, to which routes refer by name.
pub(in crate::policy) struct Known<'policy, 'document> {
    /// What all origins learn of all tokens.
    pub(in crate::policy) forward: &'policy Forward,
    pub(in crate::policy) origins: &'policy BTreeMap<String, Arc<Origin>>,
    /// The issuers by id.
    pub(in crate::policy) issuers: &'policy BTreeMap<&'policy str, &'policy Issuer>,
    pub(in crate::policy) places: &'policy BTreeMap<String, Arc<Place>>,
    pub(in crate::policy) limits: &'policy BTreeMap<String, Arc<Limit>>,
    pub(in crate::policy) budgets: &'policy BTreeMap<String, Arc<Budget>>,
    pub(in crate::policy) groups: &'policy BTreeMap<String, Arc<Group>>,
    pub(in crate::policy) rules: &'policy mut Rules<'document>,
}

/// Reads the section: the routes in their order, and the tree that finds them.
pub(in crate::policy) fn read(
    documents: Vec<RouteDocument>,
    known: &mut Known<'_, '_>,
    faults: &mut Faults,
) -> (Vec<Route>, RouteTree) {
    faults.add_if(documents.is_empty(), "$.routes", Fault::Empty);
    let count = documents.len();
    let mut ids = BTreeSet::new();
    let mut routes: Vec<Route> = Vec::with_capacity(documents.len());
    let mut tree = RouteTree::default();
    for (index, document) in documents.into_iter().enumerate() {
        let at = format!("$.routes[{index}]");
        faults.add_if(!is_id(&document.id), format_args!("{at}.id"), Fault::NotAnId);
        faults.add_if(!ids.insert(document.id.clone()), format_args!("{at}.id"), Fault::TakenId);
        if let Some(route) = route(document, known, &at, faults) {
            let mut same_paths =
                tree.insert(&route.template, routes.len()).iter().filter_map(|number| routes.get(*number));
            let same_requests = |earlier: &&Route| {
                earlier.websocket == route.websocket
                    && earlier.methods.iter().any(|method| route.methods.contains(method))
            };
            if let Some(earlier) = same_paths.find(same_requests) {
                faults.add(format!("{at}.path"), Fault::SameRequests { other: earlier.id.to_string() });
            }
            routes.push(route);
        }
    }
    // A route with a fault may be the one that has the model of a backend.
    if routes.len() == count {
        inference::check_models(known.origins, &routes, faults);
    }
    (routes, tree)
}

fn route(mut document: RouteDocument, known: &mut Known<'_, '_>, at: &str, faults: &mut Faults) -> Option<Route> {
    faults.add_if(document.methods.is_empty(), format_args!("{at}.methods"), Fault::Empty);
    let template =
        PathTemplate::parse(&document.path).map_err(|error| faults.add(format!("{at}.path"), error.into())).ok();
    let respond = document.respond.take();
    let origin = if respond.is_none() { origin(&document, known, at, faults) } else { None };
    let from = resolve(&document.from, known.places, &Fault::UnknownPlace, format_args!("{at}.from"), faults);
    let limits = resolve(&document.limits, known.limits, &Fault::UnknownLimit, format_args!("{at}.limits"), faults);
    let group = document.group.as_ref().and_then(|name| known.groups.get(name).cloned());
    faults.add_if(document.group.is_some() && group.is_none(), format_args!("{at}.group"), Fault::UnknownGroup);
    let handshake = document.methods == [MethodName::Get] && !document.sign_body;
    faults.add_if(document.websocket && !handshake, format_args!("{at}.websocket"), Fault::NotAHandshake);
    let takes_tokens = document.websocket && document.access != AccessName::Public;
    let is_misplaced = document.bearer_subprotocol && !takes_tokens;
    faults.add_if(is_misplaced, format_args!("{at}.bearer_subprotocol"), Fault::NoTokenInHandshake);
    if document.sign_body
        && let Some(value) = document.accepts.max_body.filter(|most| *most > MAX_SIGNED_BODY)
    {
        faults.add(format!("{at}.accepts.max_body"), Fault::OutOfRange { value, least: 0, most: MAX_SIGNED_BODY });
    }
    let template = template?;
    let responder = match respond {
        Some(respond) => without_origin::read(respond, &document, &template, known.origins, at, faults),
        None => origin.map(Responder::Origin),
    };
    let rewrite = document.rewrite.as_ref();
    let origin_template = rewrite.and_then(|rewrite| rewrite.read(&template, &format!("{at}.rewrite"), faults));
    let shadow = std::mem::take(&mut document.shadow);
    let shadow = requirement(shadow, &template, known.rules, format_args!("{at}.shadow"), faults);
    let access = access(&mut document, &template, known, at, faults);
    let mcp = mcp::read(&mut document, &template, known.rules, (known.limits, known.budgets), at, faults);
    let inference = inference::read(&mut document, &template, (known.rules, known.budgets), at, faults);
    let own_audiences = document.token_audiences.is_some();
    let is_public = document.access == AccessName::Public;
    faults.add_if(own_audiences && is_public, format_args!("{at}.token_audiences"), Fault::RulesOnPublic);
    let mut token_audiences = token_audiences(document.token_audiences, at, faults);
    let forward = Forward::read(document.forward, format_args!("{at}.forward"), faults);
    check_forward(&forward, group.as_deref(), &access, known, at, faults);
    let responder = responder?;
    if let Responder::Origin(origin) = &responder
        && !own_audiences
    {
        token_audiences.clone_from(&origin.token_audiences);
    }
    let no_regions = document.regions.as_ref().is_some_and(Vec::is_empty);
    faults.add_if(no_regions, format_args!("{at}.regions"), Fault::Empty);
    let regions = document.regions.unwrap_or_default();
    if let Responder::Origin(origin) = &responder {
        for (index, name) in regions.iter().enumerate() {
            let is_unknown = !origin.backends.regions.contains_key(name);
            faults.add_if(is_unknown, format_args!("{at}.regions[{index}]"), BackendsFault::UnknownRegion.into());
        }
    }
    if let Some(timeout) = document.timeout {
        faults.range(timeout, 1, MAX_TIMEOUT, format_args!("{at}.timeout"));
        faults.add_if(document.websocket, format_args!("{at}.timeout"), BackendsFault::TimeoutOfWebSocket.into());
    }
    let shared = document.cache.as_ref().is_some_and(|cache| cache.shared);
    let cache = document.cache.take().map(|cache| CacheRule::read(cache, &format!("{at}.cache"), faults));
    let route = Route {
        id: document.id.into(),
        template,
        methods: document.methods,
        responder,
        regions,
        timeout: document.timeout,
        group,
        origin_template,
        accepts: Accepts::read(document.accepts, format_args!("{at}.accepts"), faults),
        request_fields: FieldEdits::for_requests(
            document.request_headers,
            format_args!("{at}.request_headers"),
            faults,
        ),
        response_fields: FieldEdits::for_responses(
            document.response_headers,
            format_args!("{at}.response_headers"),
            faults,
        ),
        from,
        token_audiences,
        access,
        shadow,
        limits,
        websocket: document.websocket,
        bearer_subprotocol: document.bearer_subprotocol,
        require_bound: document.require_bound,
        forward,
        forward_token: document.forward_token,
        sign_body: document.sign_body || inference.is_some() || mcp.is_some(),
        cache: cache.map(Arc::new),
        inference,
        mcp,
    };
    inference::check_placement(&route, at, faults);
    if let Some(cache) = &route.cache {
        let issuers: Vec<&Issuer> = known.issuers.values().copied().collect();
        check_shared(cache, &route, shared, &issuers, &format!("{at}.cache"), faults);
    }
    Some(route)
}

/// The origin that responds.
fn origin(document: &RouteDocument, known: &Known<'_, '_>, at: &str, faults: &mut Faults) -> Option<Arc<Origin>> {
    let origin = match &document.origin {
        Some(name) => known.origins.get(name).ok_or(Fault::UnknownOrigin),
        None if known.origins.len() == 1 => known.origins.values().next().ok_or(Fault::OriginMissing),
        None => Err(Fault::OriginMissing),
    };
    origin.map_err(|fault| faults.add(format!("{at}.origin"), fault)).ok().cloned()
}

/// Resolves names to entries. A name without an entry is a fault.
fn resolve<T>(
    names: &[String],
    known: &BTreeMap<String, Arc<T>>,
    unknown: &Fault,
    at: Arguments<'_>,
    faults: &mut Faults,
) -> Vec<Arc<T>> {
    let find = |(index, name)| {
        let found = known.get(name).cloned();
        faults.add_if(found.is_none(), format_args!("{at}[{index}]"), unknown.clone());
        found
    };
    names.iter().enumerate().filter_map(find).collect()
}

/// Reads who may call, and the requirements that callers must meet, which are taken from the document.
fn access(
    document: &mut RouteDocument,
    template: &PathTemplate,
    known: &mut Known<'_, '_>,
    at: &str,
    faults: &mut Faults,
) -> Access {
    if document.access != AccessName::Authenticated {
        faults.add_if(!document.scopes.is_empty(), format_args!("{at}.scopes"), Fault::RulesOnPublic);
        faults.add_if(document.require.is_some(), format_args!("{at}.require"), Fault::RulesOnPublic);
        faults.add_if(!document.issuers.is_empty(), format_args!("{at}.issuers"), Fault::RulesOnPublic);
        faults.add_if(document.require_bound, format_args!("{at}.require_bound"), Fault::RulesOnPublic);
        let authentication = document.authentication.is_some();
        faults.add_if(authentication, format_args!("{at}.authentication"), Fault::RulesOnPublic);
    }
    check_scopes(document, known.issuers, at, faults);
    let of_route = RequirementDocument {
        scopes: std::mem::take(&mut document.scopes),
        require: document.require.take(),
        authentication: document.authentication.take(),
    };
    let all_callers = requirement(of_route, template, known.rules, format_args!("{at}"), faults);
    let mut by_issuer = BTreeMap::new();
    for (id, document) in std::mem::take(&mut document.issuers) {
        let at = format_args!("{at}.issuers.{id}");
        faults.add_if(!known.issuers.contains_key(id.as_str()), at, Fault::UnknownIssuer);
        let of_issuer = requirement(document, template, known.rules, at, faults);
        by_issuer.insert(IssuerId::from(id.as_str()), of_issuer);
    }
    match document.access {
        AccessName::Public => Access::Public,
        AccessName::Optional => Access::Optional,
        AccessName::Authenticated => Access::Authenticated { all_callers, by_issuer },
    }
}

/// Adds a fault if a route requires scopes and no accepted token can have any.
fn check_scopes(document: &RouteDocument, issuers: &BTreeMap<&str, &Issuer>, at: &str, faults: &mut Faults) {
    let is_accepted = |id: &str| document.issuers.is_empty() || document.issuers.contains_key(id);
    let mut accepted = issuers.iter().filter(|(id, _)| is_accepted(id)).map(|(_, issuer)| issuer).peekable();
    let none_grants = accepted.peek().is_some() && !accepted.any(|issuer| issuer.grants_scopes());
    faults.add_if(none_grants && !document.scopes.is_empty(), format_args!("{at}.scopes"), Fault::NoScopes);
    for place in document.mcp.iter().flat_map(McpDocument::scoped) {
        faults.add_if(none_grants, format_args!("{at}.mcp.{place}.scopes"), Fault::NoScopes);
    }
    for (id, of_issuer) in &document.issuers {
        let grants_none = issuers.get(id.as_str()).is_some_and(|issuer| !issuer.grants_scopes());
        let place = format_args!("{at}.issuers.{id}.scopes");
        faults.add_if(grants_none && !of_issuer.scopes.is_empty(), place, Fault::NoScopes);
    }
}

/// Adds a fault if the lists that add up for one of the route's issuers give one name to two claims.
fn check_forward(
    forward: &Forward,
    group: Option<&Group>,
    access: &Access,
    known: &Known<'_, '_>,
    at: &str,
    faults: &mut Faults,
) {
    for issuer in known.issuers.values().filter(|issuer| access.accepts(issuer.id.as_str())) {
        let lists = Forward::added_up(known.forward, &issuer.forward, group.map(|group| &group.forward), forward);
        if let Some(name) = Forward::contradiction(lists) {
            return faults.add(format!("{at}.forward"), Fault::TakenClaimName { name: name.to_owned() });
        }
    }
}

fn requirement(
    document: RequirementDocument,
    template: &PathTemplate,
    rules: &mut Rules<'_>,
    at: Arguments<'_>,
    faults: &mut Faults,
) -> Requirement {
    let RequirementDocument { scopes, require, authentication } = document;
    for (index, scope) in scopes.iter().enumerate() {
        faults.add_if(!is_scope(scope), format_args!("{at}.scopes[{index}]"), Fault::NotAScope);
    }
    let condition = require.map(|document| {
        let at = format!("{at}.require");
        let condition = rules.condition(&document, &at, faults);
        condition.check_parameters(template, &at, faults);
        condition
    });
    let authentication =
        authentication.map(|document| Authentication::read(document, format_args!("{at}.authentication"), faults));
    Requirement { scopes, condition, authentication }
}
