//! *CORS*: which web pages may use a route from a browser (the Fetch standard, "CORS protocol"). A preflight carries no
//! token and is answered here; on other answers the edge alone says what pages may see. Handshakes of WebSockets, to
//! which the protocol does not apply, are held to the same list.

use crate::answer::AnswerFields;
use crate::headers::Headers;
use crate::policy::groups::Cors;
use crate::policy::{Policy, Route};
use crate::request::Target;
use crate::route;

/// A page of this origin may not use the route.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("pages of this origin may not use the route")]
pub struct CorsError;

/// The fields of the answer to `target`, if it is a preflight for a route whose group says who may use it; nothing if it
/// is any other request.
///
/// # Errors
/// A [`CorsError`] where the page may not use the route.
pub fn preflight(policy: &Policy, target: &Target) -> Result<Option<(String, Headers)>, CorsError> {
    if target.method() != "OPTIONS" {
        return Ok(None);
    }
    let Some(method) = single(target, "access-control-request-method") else { return Ok(None) };
    let Ok(route) = route::find_for(policy, target.path(), method) else { return Ok(None) };
    let Some(cors) = cors_of(route) else { return Ok(None) };
    let mut answer = AnswerFields::default();
    if !admit(cors, target, &mut answer) {
        return Err(CorsError);
    }
    answer.set("access-control-allow-methods", method);
    if !cors.headers.is_empty() {
        answer.set("access-control-allow-headers", cors.headers.as_str());
    }
    answer.set("access-control-max-age", cors.max_age.to_string());
    Ok(Some((route.id.to_string(), answer.dress(&Headers::default()))))
}

/// Notes what pages may see of the answer to a request that is no preflight.
pub fn mark(route: &Route, target: &Target, answer: &mut AnswerFields) {
    let Some(cors) = cors_of(route) else { return };
    for name in ["access-control-allow-origin", "access-control-allow-credentials", "access-control-expose-headers"] {
        answer.remove(name);
    }
    if admit(cors, target, answer) && !cors.expose.is_empty() {
        answer.set("access-control-expose-headers", cors.expose.as_str());
    }
}

/// Looks whether the page that opens a WebSocket may: browsers send no preflight for a handshake and ignore the CORS
/// fields of its answer, and they send cookies along, so the server has to look at `Origin` (RFC 6455 §10.2). Clients
/// that are no browsers may leave it out. A page of this very host is no exception: it is listed or refused.
///
/// # Errors
/// A [`CorsError`] where the route's group says which pages may use it, and an `Origin` is there that is none of them, or
/// stands there more than once.
pub fn handshake(route: &Route, target: &Target) -> Result<(), CorsError> {
    let listed = |cors: &Cors| {
        let any = cors.origins.iter().any(|origin| origin == "*");
        any || single(target, "origin").is_some_and(|page| cors.origins.iter().any(|origin| origin == page))
    };
    let comes_from_page = target.headers().all("origin").next().is_some();
    match cors_of(route).filter(|_| target.opens_websocket() && comes_from_page) {
        Some(cors) if !listed(cors) => Err(CorsError),
        _ => Ok(()),
    }
}

/// Notes the page's origin where it is one of those that may; says whether it is.
fn admit(cors: &Cors, target: &Target, answer: &mut AnswerFields) -> bool {
    if cors.origins.iter().any(|origin| origin == "*") {
        answer.set("access-control-allow-origin", "*");
        return true;
    }
    answer.append("vary", "Origin");
    let Some(page) = single(target, "origin") else { return false };
    let Some(origin) = cors.origins.iter().find(|origin| *origin == page) else { return false };
    answer.set("access-control-allow-origin", origin.as_str());
    if cors.credentials {
        answer.set("access-control-allow-credentials", "true");
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
