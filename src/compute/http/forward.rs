//! Forwards a granted request in exactly the form that was granted: a new request that has only what the grant names.

use std::time::Duration;

use fastgate::backend::Outcome;
use fastgate::gateway::Delivery;
use fastgate::mint::Grant;
use fastgate::refusal::{OriginError, Refusal};
use fastgate::sandbox::Sandbox;
use fastgate::trail::Trail;
use fastly::handle::{BodyHandle, CacheOverride, RequestHandle, ResponseHandle};

use super::body::{Destination, ReceivedBody};
use super::purge;
use super::respond::OriginResponse;
use super::send_error::classify;
use crate::compute::abi::{self, AbiError};
use crate::compute::platform::FASTLY;

/// What the requests that are forwarded need of the server, and what they tell it.
pub(in crate::compute) struct Exchange<'server> {
    pub(in crate::compute) sandbox: &'server mut Sandbox,
    pub(in crate::compute) buffer: &'server mut Vec<u8>,
    pub(in crate::compute) trail: &'server mut Trail,
}

/// Forwards `grant` with the body that was received, and returns the origin's response after the purges that it causes. It
/// does not come from a cache of the platform. If a backend fails, the request is sent to another one, as far as the policy
/// allows.
pub(in crate::compute) fn forward(
    grant: &Grant,
    mut body: ReceivedBody,
    exchange: &mut Exchange<'_>,
) -> Result<OriginResponse, Refusal> {
    let mut again: Option<Box<Grant>> = None;
    let (status, handle, content) = loop {
        let sent = again.as_deref().unwrap_or(grant);
        let in_hand = sent.backend_is_chosen() && body.is_in_hand();
        let copy = (in_hand && sent.may_resend()).then(|| body.copy());
        let result = send(sent, body);
        let delivery = Delivery { grant: sent, outcome: outcome_of(&result, in_hand), may_resend: copy.is_some() };
        let next = exchange.sandbox.delivered(&delivery, &FASTLY);
        let (Some(next), Some(copy)) = (next, copy) else {
            break result.map_err(|error| match error {
                Refusal::Origin(error) if sent.candidates().all_skipped() && error.is_failure() => {
                    OriginError::NoBackend(error.to_string()).into()
                }
                error => error,
            })?;
        };
        exchange.trail.retried.push(match result {
            Ok((status, ..)) => format!("{}: {status}", sent.backend()),
            Err(error) => format!("{}: {}", sent.backend(), error.code()),
        });
        if let Some(backend) = next.candidates().current() {
            exchange.trail.sent_to(backend);
        }
        (again, body) = (Some(next), copy);
    };
    let unreadable = |AbiError| OriginError::Unreachable("the fields of its response cannot be read".to_owned());
    let names = abi::names(&handle, exchange.buffer).map_err(unreadable)?;
    purge::obey(grant, status, &handle, &names, exchange.buffer, exchange.trail);
    Ok(OriginResponse { status, handle, names, content, is_for_head: grant.method() == "HEAD" })
}

/// The status, the response and its content.
type Sent = (u16, ResponseHandle, BodyHandle);

/// The outcome of a request. If its body was not in hand, a failure may be the client's.
const fn outcome_of(result: &Result<Sent, Refusal>, in_hand: bool) -> Outcome {
    match result {
        Ok((status, ..)) => Outcome::of_status(*status),
        // No body prevents a connection.
        Err(Refusal::Origin(
            OriginError::NoConnection(_) | OriginError::NoConnectionInTime(_) | OriginError::Unavailable(_),
        )) => Outcome::Failed,
        Err(_) if !in_hand => Outcome::Unclear,
        Err(Refusal::Origin(
            OriginError::TooSlow(_)
            | OriginError::OverTime(_)
            | OriginError::Unreadable(_)
            | OriginError::UnexpectedStatus(_),
        )) => Outcome::Doubtful,
        Err(Refusal::Origin(_)) => Outcome::Failed,
        Err(_) => Outcome::Unclear,
    }
}

/// Sends `grant` to its backend.
fn send(grant: &Grant, body: ReceivedBody) -> Result<Sent, Refusal> {
    let timeout = grant.timeout().map(|timeout| Duration::from_secs(timeout.as_u64()));
    let to = Destination { backend: grant.backend(), timeout };
    let (response, content) = body.send(to_request(grant)?, grant.max_body(), to)?;
    match response.get_status().as_u16() {
        status @ ..200 => Err(OriginError::UnexpectedStatus(status).into()),
        status => Ok((status, response, content)),
    }
}

/// Passes the connection to the origin as a WebSocket, with `grant` as its opening handshake. The platform adds the
/// fields that belong to the connection; the frames that follow do not pass through this sandbox.
pub(in crate::compute) fn hand_off(grant: &Grant) -> Result<(), Refusal> {
    let handed_off = to_request(grant)?.handoff_websocket(grant.backend());
    handed_off.map_err(|cause| classify(&cause).into())
}

/// The grant as a request of the platform, without a body.
fn to_request(grant: &Grant) -> Result<RequestHandle, Refusal> {
    let unsendable = |what: &str| OriginError::Unreachable(format!("the request cannot be expressed: {what}"));
    // A URL may hold no other bytes (RFC 3986 §2). The platform would drop a fragment, and not send what was signed.
    if !grant.path_and_query().bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#') {
        return Err(unsendable("its target").into());
    }
    let mut request = RequestHandle::new();
    let url = format!("{}{}", grant.authority(), grant.path_and_query());
    // `GET` is the method of a new request.
    if grant.method() != "GET" {
        abi::set_method(&request, grant.method()).map_err(|_| unsendable("its method"))?;
    }
    abi::set_url(&request, &url).map_err(|_| unsendable("its URL"))?;
    request.set_cache_override(&CacheOverride::Pass);
    for (name, value) in grant.headers().iter() {
        abi::append(&request, name, value).map_err(|_| unsendable("a field"))?;
    }
    Ok(request)
}
