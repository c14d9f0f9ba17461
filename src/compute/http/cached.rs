//! Routes whose responses are stored: sends stored responses, and stores those of the origin while they are sent.

use fastgate::budget::Spent;
use fastgate::caching::{FromOrigin, NotStored, Served, Stale, Storage};
use fastgate::mint::Grant;
use fastgate::refusal::{OriginError, Refusal};
use fastgate::trail::Trail;
use fastly::handle::BodyHandle;

use super::body::ReceivedBody;
use super::charged;
use super::copy::Copy;
use super::forward::{Exchange, forward};
use super::receive::now;
use super::respond::{Content, Response, from_origin};
use super::short::in_hand;
use crate::compute::abi;
use crate::compute::platform::responses::StoredResponses;

/// The response to a request with a stored one; `None` if its content cannot be read any more.
pub(in crate::compute) fn stored(served: &Served, responses: &StoredResponses) -> Option<Response> {
    let content = match served.selection {
        Some(number) => responses.content(number, served.part)?,
        None => BodyHandle::new(),
    };
    Some(Response::of_length(served, Content::Whole(content)))
}

/// Forwards `grant` and returns the response for the client: the origin's, which is stored while it is sent, or a stored
/// one. Also returns what is known of the cost before the content was read.
pub(in crate::compute) fn fetched(
    grant: &Grant,
    storage: &Storage,
    body: ReceivedBody,
    responses: &mut StoredResponses,
    exchange: &mut Exchange<'_>,
) -> Result<(Response, Spent), Refusal> {
    let received = forward(grant, body, exchange);
    let Exchange { buffer, trail, .. } = exchange;
    let origin = match received {
        Ok(origin) => origin,
        Err(refusal) => return failed(refusal, (grant, storage), responses, trail),
    };
    let (observer, spent) = charged::observer(&origin, grant, buffer);
    let unreadable = |abi::AbiError| OriginError::Unreachable("the fields of its response cannot be read".to_owned());
    let fields = abi::fields(&origin.handle, buffer).map_err(unreadable)?;
    let received = match storage.received(origin.status, &fields, now()) {
        FromOrigin::Store(insertion, _) if responses.was_purged(&insertion) => {
            storage.relayed(origin.status, NotStored::Purged, now())
        }
        received => received,
    };
    let response = match received {
        FromOrigin::Store(insertion, served) => {
            let served = edited(served, grant);
            let content = match in_hand(origin.content, origin.status, insertion.length) {
                Ok(content) => content,
                Err(error) => return failed(error.into(), (grant, storage), responses, trail),
            };
            let copy = Copy::new(content, insertion, std::mem::take(responses)).observed(observer);
            let copy = copy.made_at_once(storage.is_made_at_once());
            Response::of_length(&served, Content::Copied(Box::new(copy)))
        }
        FromOrigin::Validated(insertion, served) => {
            let response = stored(&edited(served, grant), responses);
            if let Some(insertion) = insertion {
                responses.put(&insertion);
            }
            let lost = || OriginError::Unreachable("the stored response that it validated is gone".to_owned());
            response.ok_or_else(lost)?
        }
        FromOrigin::Relay { cache_status, mark, refused } => {
            trail.not_stored = Some(refused.to_string());
            if let Some(mark) = mark {
                responses.put(&mark);
            }
            *responses = StoredResponses::default();
            let mut edits = grant.response().clone();
            edits.append("cache-status", cache_status);
            from_origin(origin, &edits, buffer)?.observed(observer, spent)
        }
        FromOrigin::Stale(stale) => {
            let lost = || OriginError::Unreachable("the stored response is gone".to_owned());
            stale_response(stale, grant, responses, trail).ok_or_else(lost)?
        }
    };
    Ok((response, spent))
}

/// Renews a stored response after it was sent.
pub(in crate::compute) fn renew(grant: &Grant, responses: &mut StoredResponses, exchange: &mut Exchange<'_>) {
    let Some(storage) = grant.storage() else { return };
    let received = match forward(grant, ReceivedBody::none(), exchange) {
        Ok(origin) => abi::fields(&origin.handle, exchange.buffer)
            .ok()
            .map(|fields| (storage.received(origin.status, &fields, now()), (origin.status, origin.content))),
        Err(_) => storage.failed(now()).map(|stale| (FromOrigin::Stale(stale), (0, BodyHandle::new()))),
    };
    match received {
        Some((FromOrigin::Store(insertion, _), (status, from))) => {
            if let Ok(from) = in_hand(from, status, insertion.length) {
                Copy::new(from, insertion, std::mem::take(responses)).run(None);
            } else if let Some(Stale { held: Some(held), .. }) = storage.failed(now()) {
                responses.put(&held);
            }
        }
        Some((FromOrigin::Validated(Some(insertion), _), _)) => {
            responses.put(&insertion);
        }
        Some((FromOrigin::Stale(Stale { held: Some(held), .. }), _)) => {
            responses.put(&held);
        }
        _ => {}
    }
}

/// What becomes of a request to which the origin did not respond: a stale response if one may be sent.
fn failed(
    refusal: Refusal,
    (grant, storage): (&Grant, &Storage),
    responses: &mut StoredResponses,
    trail: &mut Trail,
) -> Result<(Response, Spent), Refusal> {
    if let Some(stale) = storage.failed(now())
        && let Some(response) = stale_response(stale, grant, responses, trail)
    {
        trail.cause = Some(refusal.to_string());
        return Ok((response, charged::without_response(&refusal)));
    }
    if let Some(mark) = storage.mark(true, now()) {
        responses.put(&mark);
    }
    Err(refusal)
}

fn stale_response(stale: Stale, grant: &Grant, responses: &mut StoredResponses, trail: &mut Trail) -> Option<Response> {
    let response = stored(&edited(stale.served, grant), responses)?;
    if let Some(held) = stale.held {
        responses.put(&held);
    }
    trail.cache = Some("stale-if-error");
    Some(response)
}

fn edited(mut served: Served, grant: &Grant) -> Served {
    served.fields = grant.response().apply_to_origin(&served.fields);
    served
}
