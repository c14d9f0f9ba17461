//! Responses to requests that are counted against budgets, and what is known of their cost.

use fastgate::budget::Spent;
use fastgate::content_form::ContentForm;
use fastgate::mint::Grant;
use fastgate::policy::Settle;
use fastgate::refusal::{OriginError, Refusal};
use fastgate::usage::Observer;

use super::respond::{OriginResponse, Response, from_origin};

/// The response for the client, which is observed if budgets count what it cost, and what its status says about that.
pub(in crate::compute) fn response(
    origin: OriginResponse,
    grant: &Grant,
    buffer: &mut Vec<u8>,
) -> Result<(Response, Spent), Refusal> {
    let (observer, spent) = observer(&origin, grant, buffer);
    let response = from_origin(origin, grant.response(), buffer)?;
    Ok((response.observed(observer, spent), spent))
}

/// What reads the cost from a response, if it says it, and what the status says about the cost.
pub(super) fn observer(
    origin: &OriginResponse,
    grant: &Grant,
    buffer: &mut Vec<u8>,
) -> (Option<(ContentForm, Observer)>, Spent) {
    let settles_usage = grant.charge().is_some_and(|charge| charge.settle_by() == Settle::Usage);
    let form = if settles_usage { origin.form(buffer).ok().flatten() } else { None };
    // An error may have a cost as well, for what was written before it.
    let form = form.filter(|form| match origin.status {
        200..=299 => true,
        400..=599 => *form == ContentForm::Json,
        _ => false,
    });
    let observer = form.zip(grant.api()).map(|(form, api)| (form, Observer::new(api, form, grant.hides_usage())));
    (observer, grant.charge().map_or(Spent::Unknown, |charge| charge.by_status(origin.status)))
}

/// What is known of the cost of a request to which the origin did not respond. It goes on with one that it received.
pub(in crate::compute) const fn without_response(error: &Refusal) -> Spent {
    match error {
        Refusal::Origin(
            OriginError::NoConnection(_) | OriginError::NoConnectionInTime(_) | OriginError::Unavailable(_),
        ) => Spent::Nothing,
        _ => Spent::Unknown,
    }
}
