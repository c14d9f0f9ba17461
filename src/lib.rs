//! Fastgate: an identity-aware gate for FastAPI that runs on Fastly Compute.
//!
//! A request walks through rooms in one direction. Each room takes the evidence of the room before it and hands on
//! better evidence, or refuses with a named reason. The walk itself is [`Gateway::decide`](gateway::Gateway::decide).
//!
//! 1. *receive*: what arrived, as the platform tells it: [`RequestHead`](request::RequestHead)
//! 2. *normalize*: one canonical form, reserved headers gone: [`Target`](request::Target)
//! 3. *match*: the route of the policy that names it: [`Route`](policy::Route), found by [`route`]; preflights are
//!    answered by [`cors`], closed routes by [`opening`]
//! 4. *place*: whether it may be asked from there: [`place`]
//! 5. *identify*: who is calling: [`Caller`](identity::Caller)
//! 6. *authorize*: whether they may: [`Permit`](authorize::Permit)
//! 7. *inspect*: whether the request looks as it must: [`inspect`](inspect::inspect)
//! 8. *throttle*: whether it is not too often: [`throttle`](throttle::throttle)
//! 9. *rewrite*: the request as the origin knows it: [`rewrite`](rewrite::rewrite)
//! 10. *content*: the digest of the body, where it is to be signed: [`content::read`]
//! 11. *mint*: what the origin is told, signed: [`Grant`](mint::Grant)
//!
//! A step that refuses yields a [`Refusal`](refusal::Refusal); one table turns it into the
//! [`Problem`](problem::Problem) that the client sees. The facts gathered on the way are the [`Trail`](trail::Trail),
//! one log line a request.
//!
//! What a sandbox keeps between requests is the [`Sandbox`](sandbox::Sandbox); the effects in the middle of the walk are
//! its [`ports`], made for one policy in one role.
//!
//! The library is pure: time, randomness and effects come in as arguments. What talks to Fastly is in the binary's
//! `compute` module, what talks to a person in its `cli` module.

pub mod answer;
pub mod authorize;
pub mod content;
pub mod cors;
mod digest;
pub mod gateway;
pub mod headers;
pub mod identity;
pub mod inspect;
pub mod mint;
pub mod opening;
pub mod place;
pub mod policy;
pub mod ports;
pub mod problem;
pub mod refusal;
pub mod request;
pub mod rewrite;
pub mod route;
pub mod sandbox;
pub mod secret;
pub mod strict_json;
pub mod surroundings;
pub mod throttle;
pub mod time;
pub mod trail;
