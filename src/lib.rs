//! Fastgate: an identity-aware gate for FastAPI that runs on Fastly Compute.
//!
//! A request passes through a pipeline of steps, in this order. Each step takes the output of the step before it and
//! gives evidence that the next step requires, or refuses with a named reason. The pipeline is one function,
//! [`Gateway::decide`](gateway::Gateway::decide); [`Step`](trail::Step) is the list of steps that the log uses.
//!
//! 1. *configure* reads the policy, the signing keys and the kill switch: [`Sandbox`](sandbox::Sandbox)
//! 2. *normalize* brings the request into one canonical form: [`Target`](request::Target)
//! 3. *cors* responds to preflights and checks which page opens a WebSocket: [`OriginChecked`](cors::OriginChecked)
//! 4. *match* finds the route of the policy: [`Route`](policy::Route), in [`route`]
//! 5. *availability* checks that the route is not closed or switched off: [`Available`](availability::Available)
//! 6. *place* checks where the client is: [`Admitted`](place::Admitted)
//! 7. *identify* identifies the caller: [`Caller`](identity::Caller)
//! 8. *authorize* checks the caller against the route's requirements: [`Permit`](authorize::Permit)
//! 9. *inspect* checks the form of the request: [`Inspected`](inspect::Inspected)
//! 10. *throttle* counts the request against limits: [`Cleared`](throttle::Cleared)
//! 11. *rewrite* gives the request the form that the origin receives: [`OriginTarget`](rewrite::OriginTarget)
//! 12. *content* reads the body, if the route bounds or signs it: [`CheckedBody`](content::CheckedBody)
//! 13. *mint* signs the identity header: [`Grant`](mint::Grant)
//! 14. *forward* sends the request to the origin, in the binary's `compute` module
//!
//! A step that refuses gives a [`Refusal`](refusal::Refusal); one table turns it into the [`Problem`](problem::Problem)
//! that the client sees. The [`Trail`](trail::Trail) records the facts of a request: one log line each.
//!
//! The modules are in three groups. *Pipeline*: the steps above, [`policy`] that they read, [`gateway`] that calls
//! them, [`ports`] and [`sandbox`] that keep state between requests. *Outcome*: [`refusal`], [`problem`], [`response`],
//! [`trail`]. *Foundations*: [`client`], [`headers`], [`secret`], [`strict_json`], [`time`].
//!
//! The library is pure: time, randomness and effects are arguments. Only the binary's `compute` module calls Fastly's
//! SDK, and only its `cli` module prints to a terminal.

pub mod authorize;
pub mod availability;
pub mod client;
pub mod content;
pub mod cors;
mod digest;
pub mod gateway;
pub mod headers;
pub mod identity;
pub mod inspect;
pub mod mint;
pub mod place;
pub mod policy;
pub mod ports;
pub mod problem;
pub mod refusal;
pub mod request;
pub mod response;
pub mod rewrite;
pub mod route;
pub mod sandbox;
pub mod secret;
pub mod strict_json;
pub mod throttle;
pub mod time;
pub mod trail;
