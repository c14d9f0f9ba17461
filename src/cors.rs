//! Step *cors*: may the web page behind the request use the route (the Fetch standard, "CORS protocol")? Input: the
//! [`Target`] and its route. Output: [`OriginChecked`]. A preflight has no token and gets its response here; on other
//! responses, only the edge decides what pages may read. The protocol does not apply to handshakes of WebSockets, which
//! are checked against the same list.

use crate::headers::Headers;
use crate::policy::groups::Cors;
use crate::policy::{Policy, Route, RouteId};
use crate::request::Target;
use crate::response::ResponseFields;
use crate::route;

/// A route that the page behind the request may use, if there is a page. Only [`check_origin`] makes one.
#[derive(Clone, Copy, Debug)]
pub struct OriginChecked<'policy>(&'policy Route);

impl<'policy> OriginChecked<'policy> {
    /// The route.
    #[must_use]
    pub const fn route(self) -> &'policy Route {
        self.0
    }
}

/// A page of this origin may not use the route.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("pages of this origin may not use the route")]
pub struct CorsError;

impl CorsError {
    /// The code for logs, metrics and tests.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        "cors-refused"
    }
}

/// The fields of the response to `target`, if it is a preflight for a route whose group lists pages; `None` for any
/// other request.
///
/// # Errors
/// A [`CorsError`] if the page may not use the route.
pub fn preflight(policy: &Policy, target: &Target) -> Result<Option<(RouteId, Headers)>, CorsError> {
    if target.method() != "OPTIONS" {
        return Ok(None);
    }
    let Some(method) = single(target, "access-control-request-method") else { return Ok(None) };
    let Ok(route) = route::find_for(policy, target.path(), method) else { return Ok(None) };
    let Some(cors) = cors_of(route) else { return Ok(None) };
    let mut response = ResponseFields::default();
    if !admit(cors, target, &mut response) {
        return Err(CorsError);
    }
    response.set("access-control-allow-methods", method);
    if !cors.headers.is_empty() {
        response.set("access-control-allow-headers", cors.headers.as_str());
    }
    response.set("access-control-max-age", cors.max_age.to_string());
    Ok(Some((route.id.clone(), response.apply(&Headers::default()))))
}

/// Sets the fields that tell a browser what the page may read of the response. The request is not a preflight.
pub fn set_fields(route: &Route, target: &Target, response: &mut ResponseFields) {
    let Some(cors) = cors_of(route) else { return };
    for name in ["access-control-allow-origin", "access-control-allow-credentials", "access-control-expose-headers"] {
        response.remove(name);
    }
    if admit(cors, target, response) && !cors.expose.is_empty() {
        response.set("access-control-expose-headers", cors.expose.as_str());
    }
}

/// Checks the page that opens a WebSocket. Browsers send no preflight for a handshake and ignore the CORS fields of its
/// response, and they send cookies along, so the server has to check `Origin` (RFC 6455 §10.2). Other clients may leave
/// it out. Pages of the edge's own host must be listed as well.
///
/// # Errors
/// A [`CorsError`] if the route's group lists pages and `Origin` is none of them or is repeated.
pub fn check_origin<'policy>(route: &'policy Route, target: &Target) -> Result<OriginChecked<'policy>, CorsError> {
    let listed = |cors: &Cors| {
        let any = cors.origins.iter().any(|origin| origin == "*");
        any || single(target, "origin").is_some_and(|page| cors.origins.iter().any(|origin| origin == page))
    };
    let comes_from_page = target.headers().all("origin").next().is_some();
    match cors_of(route).filter(|_| target.opens_websocket() && comes_from_page) {
        Some(cors) if !listed(cors) => Err(CorsError),
        _ => Ok(OriginChecked(route)),
    }
}

/// Sets the fields for the page's origin if the group lists it; returns whether it does.
fn admit(cors: &Cors, target: &Target, response: &mut ResponseFields) -> bool {
    if cors.origins.iter().any(|origin| origin == "*") {
        response.set("access-control-allow-origin", "*");
        return true;
    }
    response.append("vary", "Origin");
    let Some(page) = single(target, "origin") else { return false };
    let Some(origin) = cors.origins.iter().find(|origin| *origin == page) else { return false };
    response.set("access-control-allow-origin", origin.as_str());
    if cors.credentials {
        response.set("access-control-allow-credentials", "true");
    }
    true
}

fn cors_of(route: &Route) -> Option<&Cors> {
    route.group.as_ref().and_then(|group| group.cors.as_ref())
}

fn single<'target>(target: &'target Target, name: &'target str) -> Option<&'target str> {
    let mut values = target.headers().all(name);
    match (values.next(), values.next()) {
        (Some(value), None) => std::str::from_utf8(value).ok(),
        _ => None,
    }
}
