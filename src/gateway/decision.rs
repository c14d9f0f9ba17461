//! The outcome of a request.

use crate::caching::Served;
use crate::headers::Headers;
use crate::mint::Grant;
use crate::problem::Problem;
use crate::refusal::Refusal;
use crate::respond::OwnResponse;
use crate::trail::Trail;

/// The decision on a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It is forwarded, in this form.
    Forward(Box<Grant>),
    /// A stored response is sent. Afterwards this request is forwarded, to renew it.
    Send(Box<Served>, Option<Box<Grant>>),
    /// The edge responds as the route says.
    Respond(Box<OwnResponse>),
    /// The edge responds with a document that it publishes.
    Publish(Publication),
    /// The edge responds to a CORS preflight with these fields.
    Preflight(Headers),
    /// It is refused.
    Refuse(Box<Problem>),
}

/// A document that the edge publishes about itself. It is public.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publication {
    /// The fields of the response. Clients may cache it for five minutes, so a new key must be published that long
    /// before it signs. `Content-Length` is among them in a response to HEAD, which has no content.
    pub fields: Headers,
    /// Its content.
    pub body: String,
}

/// Writes a refusal into the trail and turns it into the problem that the client sees.
pub fn refuse(refusal: &Refusal, trail: &mut Trail) -> Problem {
    let problem = Problem::from(refusal);
    trail.verdict = refusal.code();
    trail.cause = Some(refusal.to_string());
    trail.note(refusal.step(), || refusal.to_string());
    trail.status = problem.status();
    problem
}
